"""Tells from a file's first bytes which reader it needs, or what it is instead.

Never trusts the name. Knows beginnings of files, not what follows.
"""

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from engine.checkpoint.entries import FileTable
from engine.checkpoint.gguf_table import read_gguf
from engine.checkpoint.pth import PICKLE_LIMIT_BYTES, read_pth, refuse_bare_pickle
from engine.checkpoint.safetensors_file import looks_like_safetensors, read_safetensors
from engine.checkpoint.turned_pairs import straightened
from engine.errors import DamagedFile, EngineError, UnsupportedModel

_START_BYTES = 4096
_EXPECTED = "a model of RWKV (.pth, .safetensors, .gguf) was expected"


def check_is_file(path: Path) -> None:
    """Raise DamagedFile or UnsupportedModel unless ``path`` is a file with something in it."""
    if path.is_dir():
        raise UnsupportedModel(
            f"{path.name} is a folder without a model in the Hugging Face layout; {_EXPECTED}.",
            "Choose a file inside it.",
        )
    if not path.exists():
        raise DamagedFile(
            f"There is no file {path}.", "Choose another file, or look whether a drive is missing."
        )
    if not path.is_file():
        raise DamagedFile(f"{path.name} is not an ordinary file; {_EXPECTED}.")
    if path.stat().st_size == 0:
        raise DamagedFile(
            f"{path.name} is empty (0 bytes); {_EXPECTED}.", "Download or copy it again."
        )


def read_table(file: BinaryIO, name: str, file_bytes: int) -> FileTable:
    """Return the file's table of tensors, by whichever reader its beginning calls for.

    Raises DamagedFile, UnsafeFile, UnsupportedModel.
    """
    start = file.read(_START_BYTES)
    if start.startswith(b"PK\x03\x04"):
        return read_pth(file, name, file_bytes)
    if looks_like_safetensors(start):
        table = read_safetensors(file, name, file_bytes)
        return replace(table, entries=straightened(table.entries))
    if start.startswith(b"GGUF"):
        return read_gguf(file, name, file_bytes)
    if start.startswith((b"\x80", b"c", b"(")):
        raise refuse_bare_pickle(_more(file, start, file_bytes), name)
    raise _unknown(start, name)


def _more(file: BinaryIO, start: bytes, file_bytes: int) -> bytes:
    wanted = min(PICKLE_LIMIT_BYTES >> 5, file_bytes)
    return start + (file.read(wanted) if start.startswith(b"\x80") else b"")


def _unknown(start: bytes, name: str) -> EngineError:
    text = start.lstrip().lower()
    if text.startswith(b"version https://git-lfs"):
        return DamagedFile(
            f"{name} is only a Git LFS pointer; the weights themselves were not fetched.",
            "Run 'git lfs pull' in its repository, or download the file from its web page.",
        )
    if text.startswith((b"<!doctype html", b"<html", b"<?xml")):
        return DamagedFile(
            f"{name} is a web page that was saved in place of the model.", "Download it again."
        )
    return DamagedFile(
        f"{name} is damaged or no model at all: {_EXPECTED}, and it begins like none.",
        "Download it again, or choose another file.",
    )
