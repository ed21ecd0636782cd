"""A file as memory: where it begins, that one too short is an error, that closing lets go."""

import ctypes
from pathlib import Path

import pytest

from kernels.cpu.memory import MappedMemory


def map_file(path: Path, start: int, size_bytes: int) -> MappedMemory:
    with path.open("rb") as file:
        return MappedMemory(file.fileno(), start, size_bytes)


def test_bytes_are_those_of_the_file_behind_its_start(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(4096) + b"weights" + bytes(90))
    with map_file(path, 4096, 7) as memory:
        assert memory.size_bytes == 7
        assert memory.address % 4096 == 0
        assert ctypes.string_at(memory.address, 7) == b"weights"
    path.unlink()  # which Windows refuses for what is mapped


@pytest.mark.parametrize("start", [0, 10, 4096])
def test_a_file_that_is_too_short_is_an_error(tmp_path: Path, start: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(start + 99))
    with pytest.raises(OSError, match="shorter"):
        map_file(path, start, 100)
