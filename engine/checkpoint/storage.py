"""How a tensor's bytes are got out of the files that a model consists of.

A reader says for each tensor which ``Storage`` it has; whoever loads weights sees only the bytes
that it yields: row-major, little-endian, in BlinkDL's orientation. Files are read by plain reads,
never mapped. Knows files, byte ranges and the order of elements; knows no names and no formats.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import numpy as np

from engine.errors import DamagedFile

_MOST_OPEN = 16  # a system may allow a program 256 in all
_DECODED_BYTES = 1 << 20  # of fp32 that one step of decoding makes


class SourceFiles:
    """The files of one model, each opened when it is first read, and all closed together.

    For one thread at a time: reads share a file's position, and the last turned tensor is kept.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self._open: dict[int, BinaryIO] = {}
        self._kept: tuple[Storage, np.ndarray] | None = None
        self._closed = False

    def __enter__(self) -> "SourceFiles":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def file(self, number: int) -> BinaryIO:
        """Return one of the files, open and unbuffered. Raises DamagedFile; ValueError: closed."""
        if self._closed:
            raise ValueError("the model's files are closed")
        if number not in self._open:
            if len(self._open) >= _MOST_OPEN:
                self._open.pop(next(iter(self._open))).close()
            try:
                self._open[number] = cast("BinaryIO", self.paths[number].open("rb", buffering=0))
            except (OSError, ValueError) as error:  # ValueError: a NUL in the name
                raise unreadable(self.paths[number].name, error) from error
        return self._open[number]

    def size_bytes(self, number: int) -> int:
        """Return how long one of the files is. Raises DamagedFile."""
        try:
            return os.fstat(self.file(number).fileno()).st_size
        except OSError as error:
            raise unreadable(self.paths[number].name, error) from error

    def read_at(self, number: int, offset: int, buffer: memoryview) -> None:
        """Fill the buffer (of bytes) from ``offset`` of one file on. Raises DamagedFile."""
        file, filled = self.file(number), 0
        try:
            file.seek(offset)
            while filled < len(buffer):
                got = file.readinto(buffer[filled:])  # type: ignore[attr-defined]
                if not got:
                    break
                filled += got
        except OSError as error:
            raise unreadable(self.paths[number].name, error) from error
        if filled < len(buffer):
            raise DamagedFile(
                f"{self.paths[number].name} became shorter while it was read.",
                "See that no other program writes it, then open it again.",
            )

    def kept(self, storage: "Storage", make: "Callable[[], np.ndarray]") -> np.ndarray:
        """Return what ``make`` makes of a storage; the last one is kept until another comes."""
        if self._kept is None or self._kept[0] != storage:
            self._kept = None  # its memory goes before the next one comes
            self._kept = storage, make()
        return self._kept[1]

    def close(self) -> None:
        """Close all files, and let go of what was kept; may be called twice."""
        self._closed, self._kept = True, None
        for file in self._open.values():
            file.close()
        self._open.clear()


class Storage(Protocol):
    """Where a tensor's bytes come from."""

    def read_into(self, files: SourceFiles, start: int, buffer: memoryview) -> None:
        """Fill the buffer (of bytes) with what is yielded from byte ``start`` of the tensor on.

        The caller has checked that the range lies inside the tensor. Raises DamagedFile.
        """
        ...


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes as they lie in one file: they are yielded unchanged."""

    file: int
    offset: int

    def read_into(self, files: SourceFiles, start: int, buffer: memoryview) -> None:
        """Fill the buffer from the file."""
        files.read_at(self.file, self.offset + start, buffer)


@dataclass(frozen=True, slots=True)
class Turned:
    """A small matrix that the file holds transposed: read whole, turned, and kept for a while.

    rows, columns: as the file has it; [columns, rows] is yielded. item_bytes: of one element that
    ``inner`` yields.
    """

    inner: Storage
    rows: int
    columns: int
    item_bytes: int

    def read_into(self, files: SourceFiles, start: int, buffer: memoryview) -> None:
        """Fill the buffer from the turned matrix."""
        turned = files.kept(self, lambda: self._turned(files))
        buffer[:] = turned[start : start + len(buffer)].data

    def _turned(self, files: SourceFiles) -> np.ndarray:
        raw = np.empty(self.rows * self.columns * self.item_bytes, np.uint8)
        self.inner.read_into(files, 0, raw.data)
        items = raw.view(f"u{self.item_bytes}").reshape(self.rows, self.columns)
        return np.ascontiguousarray(items.T).reshape(-1).view(np.uint8)


@dataclass(frozen=True, slots=True)
class Blocks:
    """A quantised tensor: blocks of equal size, each decoded by itself; fp32 is yielded.

    block_bytes: of one block in the file; block_elements: how many values it stands for.
    decode: raw whole blocks, uint8 [n * block_bytes] -> fp32 [n * block_elements].
    """

    file: int
    offset: int
    block_bytes: int
    block_elements: int
    decode: Callable[[np.ndarray], np.ndarray]

    def read_into(self, files: SourceFiles, start: int, buffer: memoryview) -> None:
        """Fill the buffer with decoded values, a few blocks at a time."""
        whole = 4 * self.block_elements  # bytes that one block yields
        step = max(1, _DECODED_BYTES // whole)
        end, at = start + len(buffer), start
        while at < end:
            block = at // whole
            count = min(step, -(-end // whole) - block)
            values = self._decoded(files, block, count)
            part = values[at - block * whole : end - block * whole]
            buffer[at - start : at - start + len(part)] = part.data
            at += len(part)

    def _decoded(self, files: SourceFiles, block: int, count: int) -> np.ndarray:
        """Return the fp32 bytes of ``count`` blocks from number ``block`` on, uint8."""
        raw = np.empty(count * self.block_bytes, np.uint8)
        files.read_at(self.file, self.offset + block * self.block_bytes, raw.data)
        return np.ascontiguousarray(self.decode(raw), "<f4").reshape(-1).view(np.uint8)


def unreadable(name: str, error: Exception) -> DamagedFile:
    """Return the error for a file that the system does not let us read."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DamagedFile(
        f"{name} cannot be read: {reason}.",
        "Look whether you may read it and whether its drive is sound.",
    )
