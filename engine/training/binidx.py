"""Reads and writes ``.bin`` / ``.idx`` pairs of tokens, the format of RWKV-LM and Megatron-LM.

``.bin``: nothing but tokens. ``.idx``, little-endian: the magic, uint64 version 1, uint8 code of
the number type, uint64 sequences S, uint64 bounds B; int32 [S] sizes in tokens, int64 [S] where
each sequence begins in bytes, int64 [B] the sequence that each document begins with, and S behind
the last. (RWKV-LM, RWKV-v7/train_temp/src/binidx.py; Megatron-LM, indexed_dataset.py.)
Knows nothing of what tokens mean.
"""

import os
import struct
import uuid
from array import array
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from engine.errors import DamagedFile, EngineError

_MAGIC = b"MMIDIDX\x00\x00"
_HEADER = struct.Struct("<QBQQ")  # version, number type, sequences, bounds
_HEADER_BYTES = len(_MAGIC) + _HEADER.size
_DTYPES = {1: "<u1", 2: "<i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}
"""Codes of number types; 6 and 7 are floating point, which tokens are not."""

_CHUNK = 1 << 18
"""So many entries of an index are checked at a time: the check needs no memory of its own."""

_LONGEST = (1 << 31) - 1  # tokens of a sequence: its size is an int32


def pair(path: Path) -> tuple[Path, Path]:
    """Return the ``.bin`` and the ``.idx`` of a pair, named by either or without an ending."""
    stem = path.with_suffix("") if path.suffix in (".bin", ".idx") else path
    return stem.with_name(stem.name + ".bin"), stem.with_name(stem.name + ".idx")


class Binidx:
    """A pair on disk, mapped into memory and checked; pickles as its path.

    tokens: the whole ``.bin``, integers [all tokens]. sizes: int32 [S], starts_bytes: int64 [S],
    bounds: int64 [B], as the index has them. The index on disk is what it costs, and no more.
    """

    def __init__(self, path: Path) -> None:
        """Open the pair. Raises DamagedFile, or OSError when one of the two cannot be opened."""
        self.path = path
        data, index = pair(path)
        code, sequences, bounds = _read_header(index)
        self.dtype = np.dtype(_DTYPES[code])
        at = _HEADER_BYTES
        self.sizes = _mapped(index, "<i4", at, sequences)
        self.starts_bytes = _mapped(index, "<i8", at + 4 * sequences, sequences)
        self.bounds = _mapped(index, "<i8", at + 12 * sequences, bounds)
        self.tokens = self._map_tokens(data)
        self._check_sequences(index)
        self._check_bounds(index)

    def __reduce__(self) -> tuple[type["Binidx"], tuple[Path]]:
        return Binidx, (self.path,)

    def __len__(self) -> int:
        """How many sequences there are."""
        return len(self.sizes)

    def sequence(self, index: int) -> np.ndarray:
        """Return the tokens of a sequence, as they lie in the file."""
        first = int(self.starts_bytes[index]) // self.dtype.itemsize
        return self.tokens[first : first + int(self.sizes[index])]

    def _map_tokens(self, data: Path) -> np.ndarray:
        size_bytes = data.stat().st_size
        if size_bytes % self.dtype.itemsize:
            raise _damaged(data, f"it has {size_bytes:,} bytes, which are not whole tokens")
        if not size_bytes:
            raise _damaged(data, "it holds no tokens")
        return _mapped(data, self.dtype.str, 0, size_bytes // self.dtype.itemsize)

    def _check_sequences(self, index: Path) -> None:
        """Raise DamagedFile unless every sequence lies inside the ``.bin``."""
        item, all_bytes = self.dtype.itemsize, self.tokens.nbytes
        for at in range(0, len(self.sizes), _CHUNK):
            sizes = self.sizes[at : at + _CHUNK].astype(np.int64)
            starts = self.starts_bytes[at : at + _CHUNK]
            # Compared on this side, where nothing can overflow.
            wrong = (sizes < 0) | (starts < 0) | (starts % item != 0)
            wrong |= starts > all_bytes - sizes * item
            if wrong.any():
                raise _damaged(index, f"its sequence {at + int(wrong.argmax()):,} is not in it")

    def _check_bounds(self, index: Path) -> None:
        """Raise DamagedFile unless documents are runs of sequences, in order."""
        last = 0
        for at in range(0, len(self.bounds), _CHUNK):
            some = self.bounds[at : at + _CHUNK]
            if some[0] < last or (some[1:] < some[:-1]).any() or some[-1] > len(self.sizes):
                raise _damaged(index, "its documents are not in order")
            last = int(some[-1])


def _read_header(index: Path) -> tuple[int, int, int]:
    """Return number type, sequences and bounds; that they fill the file is checked."""
    with index.open("rb") as file:
        start = file.read(_HEADER_BYTES)
        size_bytes = os.fstat(file.fileno()).st_size
    if not start.startswith(_MAGIC):
        raise _damaged(index, "it does not begin as one")
    if len(start) < _HEADER_BYTES:
        raise _damaged(index, "it is cut short")
    version, code, sequences, bounds = _HEADER.unpack(start[len(_MAGIC) :])
    if version != 1:
        raise _damaged(index, f"its version is {version}, not 1")
    if code not in _DTYPES:
        raise _damaged(index, f"its number type {code} is not one of integers")
    expected_bytes = _HEADER_BYTES + 12 * sequences + 8 * bounds
    if size_bytes != expected_bytes:
        raise _damaged(index, f"it has {size_bytes:,} bytes and should have {expected_bytes:,}")
    if not sequences:
        raise _damaged(index, "it holds no documents")
    return code, sequences, bounds


def _mapped(path: Path, dtype: str, offset: int, count: int) -> np.ndarray:
    if not count:  # nothing cannot be mapped
        return np.empty(0, dtype)
    return np.memmap(path, dtype, "r", offset, (count,))


def _damaged(path: Path, what: str) -> DamagedFile:
    return DamagedFile(
        f"{path.name} is not a sound file of training data: {what}.",
        "Make it again with 'skein train data', or copy it again from where it came.",
    )


class BinidxWriter:
    """Writes a pair piece by piece; it appears when all of it is on the disk, or not at all.

    Used in a ``with``: an error inside leaves no pair. Memory: 4 bytes a document.
    """

    def __init__(self, path: Path, dtype: str = "uint16", longest: int = _LONGEST) -> None:
        """``path``: the pair's name; ``dtype``: one of the format's integer types.

        longest: tokens of a sequence; a document that is longer becomes several.
        """
        self._codes = {np.dtype(name): code for code, name in _DTYPES.items()}
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._paths = pair(path)
        mark = uuid.uuid4().hex[:8]
        self._parts = tuple(p.with_name(f".{p.name}.{mark}.part") for p in self._paths)
        self._sizes = array("i")
        self._bounds = array("q", [0])
        self._size = 0
        self._longest = longest

    def __enter__(self) -> "BinidxWriter":
        self._file: BinaryIO = self._parts[0].open("xb")
        return self

    def add(self, tokens: "np.ndarray | list[int]") -> None:
        """Put tokens behind those of the document that is being written."""
        values = np.asarray(tokens, self._dtype)
        self._file.write(values.tobytes())
        self._size += len(values)
        while self._size > self._longest:
            self._sizes.append(self._longest)
            self._size -= self._longest

    def end_document(self) -> None:
        """Finish the document; what is added next belongs to another."""
        self._sizes.append(self._size)
        self._bounds.append(len(self._sizes))
        self._size = 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._file.close()
            for part in self._parts:
                part.unlink(missing_ok=True)

    def _finish(self) -> None:
        if not self._sizes:
            raise EngineError("There is nothing to train on: not one document was found.")
        _sync(self._file)
        self._file.close()
        with self._parts[1].open("xb") as file:
            self._write_index(file)
            _sync(file)
        # Without its index a pair is not there: the old one goes first, the new one comes last.
        self._paths[1].unlink(missing_ok=True)
        for part, path in zip(self._parts, self._paths, strict=True):
            os.replace(part, path)

    def _write_index(self, file: BinaryIO) -> None:
        counts = len(self._sizes), len(self._bounds)
        file.write(_MAGIC + _HEADER.pack(1, self._codes[self._dtype], *counts))
        sizes = np.frombuffer(self._sizes, np.int32)
        file.write(sizes.astype("<i4").tobytes())
        at = 0
        for begin in range(0, len(sizes), _CHUNK):
            some = sizes[begin : begin + _CHUNK].astype(np.int64) * self._dtype.itemsize
            ends = at + np.cumsum(some)
            file.write((ends - some).astype("<i8").tobytes())
            at = int(ends[-1])
        file.write(np.frombuffer(self._bounds, np.int64).astype("<i8").tobytes())


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
