"""Packed weights of every kind of source: found again while it is the same, and never otherwise."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from torch import Tensor

from engine.backends.cpu import CpuBackend
from engine.checkpoint import inspect
from engine.packed_files import PackedFiles
from engine.packed_format import read_header
from engine.strategy import Strategy
from kernels.cpu.library import Library, find_library
from tests.engine.checkpoint.huggingface_files import write_folder
from tests.gguf_files import in_blocks, write_gguf
from tests.tiny import tiny_weights

Write = Callable[[Path, dict[str, Tensor]], Path]


def as_pth(folder: Path, weights: dict[str, Tensor]) -> Path:
    torch.save(weights, folder / "model.pth")
    return folder / "model.pth"


def as_shards(folder: Path, weights: dict[str, Tensor]) -> Path:
    return write_folder(folder / "model", weights, shards=3)


def as_gguf(folder: Path, weights: dict[str, Tensor]) -> Path:
    return write_gguf(folder / "model.gguf", weights, in_blocks(Kind.Q8_0))


SOURCES = {"pth": as_pth, "shards": as_shards, "gguf": as_gguf}


def load(path: Path, packed: Path, strategy: str = "cpu int8 @1") -> CpuBackend:
    library = find_library()
    assert library is not None
    files = PackedFiles(packed, least_bytes=1, delay_s=3600)
    return CpuBackend(library, inspect(path), Strategy.parse(strategy), packed=files)


def logits(path: Path, packed: Path) -> tuple[Tensor, bool]:
    """Return what a model says, and whether it was packed for that."""
    backend = load(path, packed)
    backend.settle()
    found = backend.forward([1, 2, 3], backend.new_state()), backend._kept.is_writing
    backend.close()
    return found


@pytest.fixture(params=SOURCES)
def write(request: pytest.FixtureRequest) -> Write:
    return SOURCES[request.param]


def test_a_source_is_packed_once(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path, tiny_weights(vocab=320, layers=2))
    first, packed = logits(path, tmp_path / "packed")
    again, packed_again = logits(path, tmp_path / "packed")
    assert (packed, packed_again) == (True, False)
    assert torch.equal(first, again)


def test_another_version_under_the_same_name_time_and_size_is_packed_anew(
    tmp_path: Path, write: Write
) -> None:
    """Half as large a matrix: its signs, and so its fingerprint, stay; so do sizes and times."""
    weights = tiny_weights(vocab=320, layers=2)
    path = write(tmp_path, weights)
    before, _ = logits(path, tmp_path / "packed")
    times = [(file, file.stat()) for file in inspect(path).files]
    fingerprint = inspect(path).fingerprint
    weights["blocks.1.att.value.weight"] *= 0.5
    assert write(tmp_path, weights) == path
    for file, told in times:
        assert file.stat().st_size == told.st_size
        os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert inspect(path).fingerprint == fingerprint
    after, packed = logits(path, tmp_path / "packed")
    assert packed
    assert not torch.equal(before, after)


def test_another_build_of_the_library_packs_anew_and_clears_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = as_pth(tmp_path, tiny_weights(vocab=320, layers=2))
    logits(path, tmp_path / "packed")
    library = find_library()
    assert isinstance(library, Library)
    monkeypatch.setattr(library, "digest", "0" * 64)
    assert logits(path, tmp_path / "packed")[1]
    (left,) = (tmp_path / "packed").iterdir()
    header = read_header(left)
    assert header is not None
    assert header.key.engine == "0" * 64


@pytest.mark.parametrize("where", [0.0, 0.3, 0.99])
def test_damage_never_changes_an_answer(tmp_path: Path, where: float) -> None:
    path = as_pth(tmp_path, tiny_weights(vocab=320, layers=2))
    first, _ = logits(path, tmp_path / "packed")
    (file,) = (tmp_path / "packed").iterdir()
    with file.open("rb+") as changed:
        changed.seek(int(where * file.stat().st_size))
        byte = changed.read(1)
        changed.seek(-1, os.SEEK_CUR)
        changed.write(bytes((byte[0] ^ 0x10,)))
    again, packed = logits(path, tmp_path / "packed")
    assert packed
    assert torch.equal(first, again)
    assert not logits(path, tmp_path / "packed")[1], "and it was made again"
