"""Deleting a model from this computer: its own files, and nothing else that lies beside them.

Knows which files belong to a model in the Hugging Face layout, and how the hub's cache keeps bytes.
"""

from pathlib import Path

from engine.checkpoint.huggingface import CONFIG, INDEXES, is_weight_file, weight_files
from engine.errors import EngineError

_BESIDE = frozenset(
    {
        CONFIG, *INDEXES, "generation_config.json", "preprocessor_config.json",
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "vocab.json", "vocab.txt", "vocabulary.txt", "merges.txt", "chat_template.jinja",
        "__init__.py", "hf_rwkv_tokenizer.py", "modeling_rwkv7.py", "configuration_rwkv7.py",
        "tokenization_rwkv7.py",
    }
)  # fmt: skip
_DOCUMENTS = frozenset({"README.md", ".gitattributes", "LICENSE"})


def remove_model(path: Path) -> None:
    """Delete a model file; of a folder the model's files, and itself if nothing else is in it.

    What a link in the hub's cache leads to is deleted as well. Raises EngineError.
    """
    try:
        if path.is_dir():
            _remove_folder(path)
        else:
            _remove_file(path)
    except OSError as error:
        raise EngineError(
            f"{path.name} could not be deleted: {error.strerror or error}.",
            "Close the programs that use it, and look whether the folder may be written to.",
        ) from error


def _remove_folder(folder: Path) -> None:
    """Delete the weights first: if a program holds them open, the model stays whole."""
    weights = _weights_of(folder)
    for path in sorted(folder.iterdir(), key=lambda path: path.name not in weights):
        if path.is_file() and (path.name in weights or _belongs(path.name)):
            _remove_file(path)
    left = list(folder.iterdir())
    if all(path.name in _DOCUMENTS and path.is_file() for path in left):
        for path in left:
            _remove_file(path)
        folder.rmdir()


def _weights_of(folder: Path) -> set[str]:
    """Return the names of the files that hold the weights; of a damaged folder those that show."""
    shown = {path.name for path in folder.iterdir() if is_weight_file(path.name)}
    try:
        return shown | {name for name in weight_files(folder) if Path(name).name == name}
    except EngineError:
        return shown


def _belongs(name: str) -> bool:
    return name in _BESIDE or (name.startswith("rwkv_vocab_v") and name.endswith(".txt"))


def _remove_file(path: Path) -> None:
    if path.is_symlink() and "blobs" in path.resolve().parts:
        # The hub's own cache: the bytes lie beside it under their hash.
        path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
