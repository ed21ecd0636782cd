"""Writes GGUF files, streamed: facts, the table of tensors, then the bytes of one after another.

The container as ``engine.checkpoint.gguf`` reads it, version 3. Knows no names and no models.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from engine.checkpoint.entries import element_count
from engine.checkpoint.ggml import GgmlType
from engine.weight_files import Pieces

_ALIGNMENT = 32
_U32, _I32, _F32, _TEXT, _ARRAY = 4, 5, 6, 8, 9


@dataclass(frozen=True, slots=True)
class GgufOut:
    """One tensor to write: ``shape`` row-major; ``pieces()`` yields its bytes in ``kind``."""

    name: str
    kind: GgmlType
    shape: tuple[int, ...]
    pieces: Pieces

    @property
    def size_bytes(self) -> int:
        """Bytes of all pieces together."""
        return self.kind.size_bytes(element_count(self.shape))


class Facts:
    """The facts of a file, in the order in which they are stated."""

    def __init__(self) -> None:
        self._records: list[bytes] = []

    def number(self, key: str, value: int) -> None:
        """State an unsigned 32-bit number."""
        self._add(key, _U32, struct.pack("<I", value))

    def real(self, key: str, value: float) -> None:
        """State a 32-bit floating-point number."""
        self._add(key, _F32, struct.pack("<f", value))

    def text(self, key: str, value: str) -> None:
        """State a text."""
        self._add(key, _TEXT, _string(value.encode()))

    def texts(self, key: str, values: Sequence[bytes]) -> None:
        """State an array of UTF-8 texts."""
        head = struct.pack("<IQ", _TEXT, len(values))
        self._add(key, _ARRAY, head + b"".join(map(_string, values)))

    def numbers(self, key: str, values: Sequence[int]) -> None:
        """State an array of signed 32-bit numbers."""
        head = struct.pack("<IQ", _I32, len(values))
        self._add(key, _ARRAY, head + struct.pack(f"<{len(values)}i", *values))

    def _add(self, key: str, kind: int, value: bytes) -> None:
        self._records.append(_string(key.encode()) + struct.pack("<I", kind) + value)

    def __len__(self) -> int:
        return len(self._records)

    def encoded(self) -> bytes:
        """Return all of them as they lie in a file."""
        return b"".join(self._records)


def head_bytes(facts: Facts, tensors: Sequence[GgufOut]) -> bytes:
    """Return everything before the data, padded to where that begins."""
    table, at = [], 0
    for tensor in tensors:
        sizes = struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape[::-1])
        dimensions = struct.pack("<I", len(tensor.shape))
        place = struct.pack("<IQ", tensor.kind.number, at)
        table.append(_string(tensor.name.encode()) + dimensions + sizes + place)
        at += tensor.size_bytes + -tensor.size_bytes % _ALIGNMENT
    start = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(facts))
    head = start + facts.encoded() + b"".join(table)
    return head + bytes(-len(head) % _ALIGNMENT)


def write_gguf(file: BinaryIO, facts: Facts, tensors: Sequence[GgufOut]) -> None:
    """Write a whole file. Raises OSError, and what the pieces raise."""
    file.write(head_bytes(facts, tensors))
    for tensor in tensors:
        for piece in tensor.pieces():
            file.write(piece)
        file.write(bytes(-tensor.size_bytes % _ALIGNMENT))


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(8, "little") + data
