"""Which vocabulary a model has: the World's, or one of its own in a file that came with it.

Knows files of vocabularies; cutting text is ``engine.tokenizer``'s work.
"""

from pathlib import Path
from typing import Any

from engine.checkpoint.info import (
    PILE_TOKENIZER_FILE,
    PILE_VOCABS,
    TOKENIZER_FILE,
    VOCABULARY_FILE,
)
from engine.checkpoint.small_json import lies_inside, read_small_json
from engine.errors import EngineError
from engine.vocabulary import (
    JSON_VOCABULARY,
    byte_letters,
    json_vocabulary,
    read_vocabulary,
    world_vocabulary_path,
)

WORLD_ROWS = 65536
"""Of the embeddings of models with the World vocabulary."""
_LIMIT_BYTES = 8 << 20
_MOST_VALUES = 500_000  # pieces and merges of the largest vocabularies
_LARGE_BYTES = 500_000  # half of the World's file
_LONGEST_MATCH = "RWKV7LongestMatch"


def vocabulary_beside(path: Path, rows: int) -> str:
    """Return "world", or the name of the file beside a model file that holds its vocabulary.

    rows: of the embedding; the World vocabulary has 65536. A vocabulary.txt counts for such a
    model if it is as large and another: one of a smaller model may lie in the same folder. Where
    nothing lies there, the file is named that people can add.
    """
    own = path.with_name(VOCABULARY_FILE)
    if rows == WORLD_ROWS:
        is_large = own.is_file() and own.stat().st_size > _LARGE_BYTES
        return VOCABULARY_FILE if is_large and not _is_world_text(own) else "world"
    usual = PILE_TOKENIZER_FILE if rows in PILE_VOCABS else TOKENIZER_FILE
    first = (usual,) if rows in PILE_VOCABS else ()
    names = (*first, VOCABULARY_FILE, TOKENIZER_FILE, PILE_TOKENIZER_FILE)
    return next((name for name in names if path.with_name(name).is_file()), usual)


def folder_vocabulary(folder: Path, rows: int) -> str:
    """Return "world", or the name of the file in the folder that holds its own vocabulary.

    rows: of the embedding. A folder that brings nothing that can be read has the World vocabulary
    if the rows are as many; else tokenizer.json is named, which people can add. Never raises.
    """
    for path in (*sorted(folder.glob("rwkv_vocab_v*.txt")), folder / VOCABULARY_FILE):
        if _is_there(path):
            return "world" if _is_world_text(path) else path.name
    if rows == WORLD_ROWS:
        return _of_world_size(folder)
    if _is_there(folder / TOKENIZER_FILE) and _model_type(folder) != _LONGEST_MATCH:
        return TOKENIZER_FILE
    return JSON_VOCABULARY if _is_there(folder / JSON_VOCABULARY) else TOKENIZER_FILE


def _is_there(path: Path) -> bool:
    """Tell whether a folder brings a file: not by a link that leads out of it."""
    return path.is_file() and lies_inside(path, path.parent)


def _of_world_size(folder: Path) -> str:
    """Compare what is there with the World vocabulary; where nothing can be compared it is that."""
    listed = _listed(folder)
    if listed:
        return "world" if _matches(listed) else JSON_VOCABULARY
    pieces = _pieces(folder)
    return TOKENIZER_FILE if pieces and not _matches(pieces) else "world"


def _is_world_text(path: Path) -> bool:
    """Tell whether a file in the World format says what the World vocabulary says."""
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            return False
        world = world_vocabulary_path()
        if _lines(path) == _lines(world):
            return True
        return read_vocabulary(path) == read_vocabulary(world)
    except (OSError, EngineError):
        return False


def _lines(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n").strip()


def _matches(tokens: dict[int, bytes]) -> bool:
    """Tell whether each token of the World vocabulary has its id here; others do not matter."""
    world = read_vocabulary(world_vocabulary_path())
    return all(tokens.get(token) == data for token, data in world.items())


def _listed(folder: Path) -> dict[int, bytes]:
    """Return what vocab.json says where it is one of transformers' Rwkv7Tokenizer, else {}."""
    path = folder / JSON_VOCABULARY
    if _model_type(folder) not in ("", _LONGEST_MATCH):
        return {}
    try:
        return json_vocabulary(_json(path))
    except ValueError:
        return {}


def _pieces(folder: Path) -> dict[int, bytes]:
    """Return the tokens of a tokenizer.json that spells bytes as letters, else {}."""
    letters = byte_letters()
    vocabulary = _model(folder).get("vocab")
    if not isinstance(vocabulary, dict):
        return {}
    return {
        token: b"".join(
            letters.get(letter) or letter.encode("utf-8", "replace") for letter in piece
        )
        for piece, token in vocabulary.items()
        if isinstance(token, int)
    }


def _model_type(folder: Path) -> str:
    return str(_model(folder).get("type", ""))


def _model(folder: Path) -> dict[str, Any]:
    model = _json(folder / TOKENIZER_FILE).get("model")
    return model if isinstance(model, dict) else {}


def _json(path: Path) -> dict[str, Any]:
    """Return a table, or {} where there is none that can be read."""
    try:
        return read_small_json(path, _LIMIT_BYTES, _MOST_VALUES) if _is_there(path) else {}
    except (OSError, ValueError):
        return {}
