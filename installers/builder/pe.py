"""What a Windows program or library asks for: the DLLs it imports, and its own version.

Reads the few headers that say so; knows nothing of trees. Standard library only.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".exe", ".dll", ".pyd")
_X64, _PE32_PLUS = 0x8664, 0x20B
_IMPORTS, _DELAYED = 1, 13
_VERSION_MARK = b"\xbd\x04\xef\xfe"


@dataclass(frozen=True, slots=True)
class Pe:
    """``needed``: names of DLLs, in lower case; ``late``: those that are only looked for when used.

    version: four numbers, all 0 where the file names none.
    """

    path: Path
    needed: tuple[str, ...]
    late: tuple[str, ...]
    version: tuple[int, int, int, int]


def is_pe(path: Path) -> bool:
    """Say whether a file is a program or library for 64-bit Windows, by name and first bytes."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(4096)
    try:
        start = _header(head)
    except (struct.error, ValueError):
        return False
    return struct.unpack_from("<H", head, start + 4)[0] == _X64


def read_pe(path: Path) -> Pe:
    """Return what a file asks for. Raises ValueError on one that is cut off or no such file."""
    data = path.read_bytes()
    try:
        tables = _tables(data, _header(data))
        needed = _names(data, tables, _IMPORTS, size=20, at=12)
        late = _names(data, tables, _DELAYED, size=32, at=4)
        return Pe(path, tuple(needed), tuple(late), _version(data))
    except (struct.error, IndexError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


@dataclass(frozen=True, slots=True)
class _Tables:
    directories: tuple[tuple[int, int], ...]
    sections: tuple[tuple[int, int, int], ...]
    """(address, size, offset in the file) of each."""

    def offset(self, address: int) -> int:
        for start, size, offset in self.sections:
            if start <= address < start + size:
                return offset + address - start
        raise ValueError("an address lies in no section")


def _header(data: bytes) -> int:
    if data[:2] != b"MZ":
        raise ValueError("no program for Windows")
    start: int = struct.unpack_from("<I", data, 0x3C)[0]
    if data[start : start + 4] != b"PE\0\0":
        raise ValueError("no program for Windows")
    return start


def _tables(data: bytes, start: int) -> _Tables:
    count, optional_size = struct.unpack_from("<2xH12xH", data, start + 4)
    optional = start + 24
    magic = struct.unpack_from("<H", data, optional)[0]
    if magic != _PE32_PLUS:
        raise ValueError("a program for 32-bit Windows")
    found = struct.unpack_from("<I", data, optional + 108)[0]
    directories = struct.iter_unpack("<II", data[optional + 112 : optional + 112 + 8 * found])
    rows = (
        struct.unpack_from("<8xIIII", data, optional + optional_size + 40 * i) for i in range(count)
    )
    sections = tuple((address, max(size, raw), offset) for size, address, raw, offset in rows)
    return _Tables(tuple((a, b) for a, b in directories), sections)


def _names(data: bytes, tables: _Tables, which: int, *, size: int, at: int) -> Iterator[str]:
    """Return the DLLs in a directory: rows of ``size`` bytes with the name's address ``at``."""
    if len(tables.directories) <= which or tables.directories[which][0] == 0:
        return
    row = tables.offset(tables.directories[which][0])
    while name := struct.unpack_from("<I", data, row + at)[0]:
        start = tables.offset(name)
        yield data[start : data.index(b"\0", start)].decode("ascii").lower()
        row += size


def _version(data: bytes) -> tuple[int, int, int, int]:
    at = data.rfind(_VERSION_MARK)
    if at < 0 or at + 16 > len(data):
        return 0, 0, 0, 0
    high, low = struct.unpack_from("<II", data, at + 8)
    return high >> 16, high & 0xFFFF, low >> 16, low & 0xFFFF
