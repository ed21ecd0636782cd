"""Reads the head of a GGUF file: its facts and its table of tensors. Knows the container only.

Layout, little-endian: "GGUF", u32 version, u64 tensors, u64 facts; per fact a string, u32 kind
and a value; per tensor a string, u32 dimensions, u64 sizes (the innermost first), u32 type, u64
offset; then the data, aligned. A string is u64 bytes and UTF-8; an array is u32 kind, u64 count
and values (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Parsed here because the
package's reader maps the file and decodes all 65536 tokens; here nothing that a file claims is
believed, and arrays are only located.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from engine.checkpoint.entries import cut_short
from engine.checkpoint.ggml import TYPES, GgmlType
from engine.errors import DamagedFile, UnsupportedModel

HEAD_LIMIT_BYTES = 128 << 20
"""More than any model's vocabulary and table need."""

_FIRST_BYTES = 64 << 10
_MOST_DIMENSIONS = 4
_LONGEST_NAME = 1024
_LARGEST_SIZE = 1 << 40
# What is kept as objects takes many times its bytes: a model of 61 layers has 1,900 tensors.
_MOST_ENTRIES = 10_000
_MOST_STRINGS = 1 << 20  # in one array: each is passed over by itself
_MOST_TEXT_BYTES = 1 << 20  # of all facts together; longer ones are only located
_STRING, _ARRAY = 8, 9
_SCALARS = {
    number: struct.Struct("<" + letter)
    for number, letter in {
        0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
    }.items()
}  # fmt: skip
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class GgufArray:
    """An array among the facts, as it lies in the file: ``kind`` 8 is strings."""

    kind: int
    count: int
    offset: int
    size_bytes: int


Fact = int | float | bool | str | GgufArray


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor: ``shape`` row-major (the innermost last), ``offset`` absolute in the file."""

    name: str
    kind: GgmlType
    shape: tuple[int, ...]
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GgufHead:
    """Everything before the data."""

    facts: dict[str, Fact]
    tensors: dict[str, GgufTensor]

    def text(self, key: str) -> str:
        """Return a fact that is text, or "" if there is no such."""
        value = self.facts.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> float | None:
        """Return a fact that is a finite number, or None."""
        value = self.facts.get(key)
        return value if isinstance(value, int | float) and math.isfinite(value) else None


def read_head(
    file: BinaryIO, name: str, file_bytes: int, check: Callable[[str, str], None] | None = None
) -> GgufHead:
    """Return the head of a GGUF file.

    check: called with each text among the facts (key, text) as soon as it is read, so that a file
    of another architecture is refused before all of its vocabulary. Raises what it raises, and
    DamagedFile, UnsupportedModel.
    """
    cursor = _Cursor(file, name, file_bytes)
    _check_version(cursor)
    tensors, facts = cursor.count(24), cursor.count(13)
    if max(tensors, facts) > _MOST_ENTRIES:
        raise cursor.damaged(f"it claims {max(tensors, facts):,} entries")
    found = _facts(cursor, facts, check)
    table = [_tensor(cursor) for _ in range(tensors)]
    return GgufHead(found, _placed(cursor, table, _alignment(cursor, found)))


def read_strings(data: bytes | memoryview, count: int) -> list[bytes]:
    """Return the strings of an array from its bytes. Raises ValueError when they do not fit."""
    strings, at = [], 0
    for _ in range(count):
        if at + 8 > len(data):
            raise ValueError("a string has no length")
        (size,) = _U64.unpack_from(data, at)
        at += 8 + size
        if at > len(data):
            raise ValueError("a string is longer than its array")
        strings.append(bytes(data[at - size : at]))
    return strings


class _Cursor:
    """Takes values from the file one after another; reads no more of it than they need."""

    def __init__(self, file: BinaryIO, name: str, file_bytes: int) -> None:
        self.name = name
        self.file_bytes = file_bytes
        self.at = 0
        self.text_bytes = 0
        self._file = file
        self._data = bytearray()
        file.seek(0)

    def damaged(self, what: str) -> DamagedFile:
        return DamagedFile(
            f"{self.name} is not a sound GGUF file: {what}.",
            "Download it again, or copy it again from where it came.",
        )

    def need(self, end: int) -> None:
        """Have the file's bytes up to ``end``. Raises DamagedFile when there are not so many."""
        if end <= len(self._data):
            return
        if end > self.file_bytes:
            raise cut_short(self.name, self.file_bytes, end)
        if end > HEAD_LIMIT_BYTES:
            raise self.damaged(f"its head claims more than {HEAD_LIMIT_BYTES:,} bytes")
        wanted = min(max(end, 2 * len(self._data), _FIRST_BYTES), self.file_bytes)
        while len(self._data) < wanted:
            more = self._file.read(wanted - len(self._data))
            if not more:
                raise cut_short(self.name, len(self._data), end)
            self._data += more

    def take(self, size: int) -> bytes:
        self.need(self.at + size)
        self.at += size
        return bytes(self._data[self.at - size : self.at])

    def u32(self) -> int:
        return _U32.unpack(self.take(4))[0]

    def u64(self) -> int:
        return _U64.unpack(self.take(8))[0]

    def count(self, least_bytes: int) -> int:
        """Take a count of things that have at least so many bytes each."""
        value = self.u64()
        if value * least_bytes > self.file_bytes:
            raise cut_short(self.name, self.file_bytes, self.at + value * least_bytes)
        return value

    def name_of_entry(self) -> str:
        size = self.u64()
        if size > _LONGEST_NAME:
            raise self.damaged(f"a name in it claims {size:,} bytes")
        return self.take(size).decode("utf-8", "replace")

    def skip(self, size: int) -> None:
        self.need(self.at + size)
        self.at += size

    def skip_strings(self, count: int) -> None:
        """Pass over strings: one addition each, as a vocabulary has 65536 of them."""
        data, at, length = self._data, self.at, _U64.unpack_from
        have = len(data) - 8
        for _ in range(count):
            if at > have:
                self.need(at + 8)
                have = len(data) - 8
            at += 8 + length(data, at)[0]
        self.need(at)
        self.at = at


def _check_version(cursor: _Cursor) -> None:
    if cursor.take(4) != b"GGUF":
        raise cursor.damaged("it does not begin as one")
    version = cursor.u32()
    if version in (2, 3):
        return
    if version < 1 << 16:
        raise _not_read(cursor, f"version {version} of the GGUF format; 2 and 3 are read")
    raise _not_read(cursor, "GGUF for big-endian processors")


def _not_read(cursor: _Cursor, what: str) -> UnsupportedModel:
    return UnsupportedModel(
        f"{cursor.name} is {what}.", "Choose another file of this model; the .pth always serves."
    )


def _facts(
    cursor: _Cursor, count: int, check: Callable[[str, str], None] | None
) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for _ in range(count):
        key = cursor.name_of_entry()
        if key in facts:
            raise cursor.damaged(f"it states {key[:60]} twice")
        value = facts[key] = _fact(cursor, cursor.u32())
        if check and isinstance(value, str):
            check(key, value)
    return facts


def _fact(cursor: _Cursor, kind: int) -> Fact:
    if kind == _STRING:
        return _text(cursor)
    if kind == _ARRAY:
        return _array(cursor)
    if kind not in _SCALARS:
        raise cursor.damaged(f"a fact in it is of the unknown kind {kind}")
    scalar = _SCALARS[kind]
    return scalar.unpack(cursor.take(scalar.size))[0]


def _text(cursor: _Cursor) -> str | GgufArray:
    """Take a text; where there is more of it than any model says, only where it lies."""
    start, size = cursor.at, cursor.u64()
    cursor.text_bytes += size
    if cursor.text_bytes > _MOST_TEXT_BYTES:
        cursor.skip(size)
        return GgufArray(_STRING, 1, start, cursor.at - start)
    return cursor.take(size).decode("utf-8", "replace")


def _array(cursor: _Cursor) -> GgufArray:
    kind = cursor.u32()
    if kind != _STRING and kind not in _SCALARS:
        raise cursor.damaged(f"an array in it is of the unknown kind {kind}")
    size = 8 if kind == _STRING else _SCALARS[kind].size
    count = cursor.count(size)
    start = cursor.at
    if kind == _STRING:
        if count > _MOST_STRINGS:
            raise cursor.damaged(f"an array in it claims {count:,} texts")
        cursor.skip_strings(count)
    else:
        cursor.skip(count * size)
    return GgufArray(kind, count, start, cursor.at - start)


def _alignment(cursor: _Cursor, facts: dict[str, Fact]) -> int:
    value = facts.get("general.alignment", 32)
    if type(value) is not int or not 1 <= value <= 1 << 20:
        raise cursor.damaged("its alignment is impossible")
    return value


def _tensor(cursor: _Cursor) -> GgufTensor:
    """Take one line of the table; its offset still counts from where the data begins."""
    name = cursor.name_of_entry()
    dimensions = cursor.u32()
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise cursor.damaged(f"its tensor {name[:60]} has {dimensions} dimensions")
    sizes = [cursor.u64() for _ in range(dimensions)]
    if not all(1 <= size < _LARGEST_SIZE for size in sizes):
        raise cursor.damaged(f"the sizes of its tensor {name[:60]} are impossible")
    kind = _kind(cursor, name, cursor.u32())
    if sizes[0] % kind.block:
        raise cursor.damaged(
            f"rows of {sizes[0]} in its tensor {name[:60]} are not whole blocks of {kind.name}"
        )
    elements = 1
    for size in sizes:
        elements *= size
    return GgufTensor(name, kind, tuple(sizes[::-1]), cursor.u64(), kind.size_bytes(elements))


def _kind(cursor: _Cursor, tensor: str, number: int) -> GgmlType:
    if number not in TYPES:
        raise UnsupportedModel(
            f"{cursor.name} holds {tensor[:60]} in the ggml type number {number}, "
            "which is not read here.",
            "Choose a Q8_0 or F16 file of this model, or its .pth.",
        )
    return TYPES[number]


def _placed(cursor: _Cursor, table: list[GgufTensor], alignment: int) -> dict[str, GgufTensor]:
    """Return the tensors with absolute offsets; each lies in the file, and none in another."""
    start = -(-cursor.at // alignment) * alignment
    placed = {
        t.name: GgufTensor(t.name, t.kind, t.shape, start + t.offset, t.size_bytes) for t in table
    }
    if len(placed) != len(table):
        raise cursor.damaged("a tensor's name occurs twice")
    at = start
    for tensor in sorted(placed.values(), key=lambda t: t.offset):
        if tensor.offset % alignment or tensor.offset < at:
            raise cursor.damaged(f"its tensor {tensor.name[:60]} does not begin where it may")
        at = tensor.offset + tensor.size_bytes
    if at > cursor.file_bytes:
        raise cut_short(cursor.name, cursor.file_bytes, at)
    return placed
