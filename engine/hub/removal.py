"""A model is deleted from the disk: all of its files, and nothing that only lies beside them."""

import fnmatch
from pathlib import Path

from engine.checkpoint.huggingface import INDEXES, is_weight_file, weight_files
from engine.errors import EngineError

_OF_A_FOLDER = (
    *(*INDEXES, "config.json", "generation_config.json", "skein-download.json"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt"),
    "rwkv_vocab_*.txt",
)
"""What belongs to a model in the Hugging Face layout beside its weights; whatever else is there,
LoRAs and states too, is the user's."""


def remove_model(path: Path) -> None:
    """Delete a model's file, or of a folder that is one model its files, then the empty folder.

    Of a link in the hub's own cache the bytes go too, which lie beside it under their hash.
    Raises EngineError when something cannot be deleted.
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
    weights = _weights(folder)
    for file in list(folder.iterdir()):
        named = any(fnmatch.fnmatchcase(file.name, pattern) for pattern in _OF_A_FOLDER)
        is_weights = file.name in weights or is_weight_file(file.name)
        if (named or is_weights) and (file.is_file() or file.is_symlink()):
            _remove_file(file)
    if not any(folder.iterdir()):
        folder.rmdir()


def _weights(folder: Path) -> list[str]:
    """Return the names of the weights, whatever they are; of a broken folder none."""
    try:
        return weight_files(folder)
    except EngineError:
        return []


def _remove_file(path: Path) -> None:
    if path.is_symlink() and "blobs" in path.resolve().parts:
        path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
