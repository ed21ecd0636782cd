"""Model files for these tests: a seeded one of 256 words, whole or spoilt in one way."""

import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.tiny import tiny_weights

VOCAB = 256
Weights = dict[str, Tensor]


def weights(**options) -> Weights:
    """Return a fresh copy, which a test may spoil."""
    made = _weights(tuple(sorted(({"vocab": VOCAB, "dtype": torch.bfloat16} | options).items())))
    return {name: tensor.clone() for name, tensor in made.items()}


@cache
def _weights(options: tuple) -> Weights:
    return tiny_weights(**dict(options))


def write_pth(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def write_st(path: Path, content: Weights) -> Path:
    save_file({name: t.contiguous() for name, t in content.items()}, path)
    return path


WRITERS: dict[str, Callable[[Path, Weights], Path]] = {"pth": write_pth, "safetensors": write_st}


def write(folder: Path, form: str, content: Weights, name: str = "model") -> Path:
    return WRITERS[form](folder / f"{name}.{form}", content)


def write_archive(path: Path, pickle: bytes, parts: dict[str, bytes] | None = None, **how) -> Path:
    """Write a .pth by hand: its data.pkl and data members."""
    with zipfile.ZipFile(path, "w", **how) as archive:
        archive.writestr("archive/data.pkl", pickle)
        for key, data in (parts or {}).items():
            archive.writestr(f"archive/data/{key}", data)
    return path


def repack(source: Path, target: Path, change: Callable[[str, bytes], bytes | None], **how) -> Path:
    """Copy an archive, each member through ``change`` (None drops it)."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", **how) as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return target


def safetensors_bytes(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data
