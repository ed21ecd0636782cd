"""The vocabulary of a model that is converted: read for a GGUF, put beside other files.

Knows where each format keeps its vocabulary, not how text is cut into tokens.
"""

from pathlib import Path

from engine.checkpoint import ModelInfo
from engine.checkpoint.gguf_vocabulary import read_gguf_vocabulary
from engine.checkpoint.info import TOKENIZER_FILE, VOCABULARY_FILE
from engine.checkpoint.vocabularies import WORLD_ROWS, vocabulary_beside
from engine.errors import EngineError, UnsupportedModel
from engine.files import write_atomically
from engine.vocabulary import (
    JSON_VOCABULARY,
    format_vocabulary,
    read_vocabulary,
    world_vocabulary_path,
)


def vocabulary_of(info: ModelInfo) -> dict[int, bytes]:
    """Return id -> bytes of a model whose vocabulary is in the World format.

    Raises UnsupportedModel for a tokenizer.json, DamagedFile, EngineError.
    """
    if info.tokenizer == "world":
        return read_vocabulary(world_vocabulary_path())
    if info.tokenizer == "gguf":
        return read_gguf_vocabulary(info.path)
    if info.tokenizer.endswith(".txt") or info.tokenizer == JSON_VOCABULARY:
        return read_vocabulary(_beside(info))
    raise UnsupportedModel(
        f"{info.name} has the vocabulary {info.tokenizer}, which GGUF files of RWKV cannot hold.",
        "Convert it to .pth or .safetensors.",
    )


def put_vocabulary_beside(info: ModelInfo, target: Path) -> None:
    """Write a vocabulary of the model's own beside ``target``, where no other file has its name.

    The World vocabulary is nobody's own, and one that is missing is not written. Raises
    EngineError when another vocabulary is there, or models that would take this one,
    UnsupportedModel when a file could not tell that it has this one, and what ``vocabulary_of``
    raises; nothing is written then.
    """
    if info.tokenizer == "world":
        return
    is_json = info.tokenizer.endswith(".json") and info.tokenizer != JSON_VOCABULARY
    place = target.with_name(TOKENIZER_FILE if is_json else VOCABULARY_FILE)
    if info.tokenizer != "gguf" and not _beside(info).is_file():
        return
    _require_no_neighbours(info, target)
    data = _beside(info).read_bytes() if is_json else format_vocabulary(vocabulary_of(info))
    if not place.exists():
        write_atomically(place, data)
        if not _is_found(info, target, data):
            place.unlink()
            raise UnsupportedModel(
                f"{info.name} has a vocabulary of its own, and a file of {info.shape.vocab} tokens "
                "would be taken for one of the World vocabulary.",
                "Use it as it is: it runs.",
            )
    elif place.read_bytes() != data if is_json else _differs(place, info):
        raise EngineError(
            f"{place.name} of another model is in the folder {place.absolute().parent.name}.",
            "Choose another folder: a model looks for its vocabulary beside it.",
        )


def _is_found(info: ModelInfo, target: Path, data: bytes) -> bool:
    """Tell whether a model at ``target`` will have the vocabulary whose file is ``data``."""
    found = target.with_name(vocabulary_beside(target, info.shape.vocab))
    return found.is_file() and found.read_bytes() == data


def _require_no_neighbours(info: ModelInfo, target: Path) -> None:
    """Raise EngineError where World models beside ``target`` would take this vocabulary for theirs.

    They would if it is as large as theirs: nothing else tells whose it is.
    """
    from engine.hub.file_names import model_format

    if info.shape.vocab != WORLD_ROWS:
        return
    names = (path.name for path in target.absolute().parent.iterdir() if path.is_file())
    if any(name != target.name and model_format(name) not in ("", "gguf") for name in names):
        raise EngineError(
            f"{info.name} has a vocabulary of its own, which other models in the folder "
            f"{target.absolute().parent.name} would take for theirs.",
            "Choose a folder without other models.",
        )


def _differs(place: Path, info: ModelInfo) -> bool:
    return read_vocabulary(place) != vocabulary_of(info)


def _beside(info: ModelInfo) -> Path:
    folder = info.path if info.path.is_dir() else info.path.parent
    return folder / info.tokenizer
