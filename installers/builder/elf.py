"""ELF files (Linux' programs and libraries): what one needs, and which glibc.

Reads section headers of 64-bit little-endian files: enough for x86-64 and AArch64. Writes nothing.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_MAGIC = b"\x7fELF\x02\x01"
_DYNAMIC, _SYMBOLS, _VERSIONS_NEEDED, _VERSION_OF_SYMBOL = 6, 2, 0x6FFFFFFE, 0x6FFFFFFF
_NEEDED, _NAME, _RPATH, _RUNPATH = 1, 14, 15, 29
_HIDDEN = 0x8000


@dataclass(frozen=True, slots=True)
class Elf:
    """needed: sonames. search: its run path's folders as written ("$ORIGIN/.."). glibc: (2, 36)."""

    path: Path
    soname: str
    needed: tuple[str, ...]
    search: tuple[str, ...]
    glibc: tuple[int, ...]
    has_symbols: bool


@dataclass(frozen=True, slots=True)
class VersionNeed:
    """A version ("GLIBC_2.35") of a library's symbols ("libm.so.6") that a file is bound to.

    name: where the version's name lies in the file's strings. index: what symbols call it by.
    offset: of the entry (Elf64_Vernaux, 16 bytes) in the file.
    """

    library: str
    version: str
    name: int
    index: int
    offset: int


@dataclass(frozen=True, slots=True)
class _Section:
    kind: int
    offset: int
    size: int
    link: int
    count: int


def is_elf(path: Path) -> bool:
    """Tell by the first bytes; symbolic links are none."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def elf_files(folder: Path) -> list[Path]:
    """Return all ELF files below a folder, by path."""
    return sorted(path for path in folder.rglob("*") if is_elf(path))


def read_elf(path: Path) -> Elf:
    """Read one file. Raises ValueError for what is none, OSError when it cannot be read."""
    with path.open("rb") as file:
        head = file.read(64)
        if head[:6] != _MAGIC:
            raise ValueError(f"{path} is no 64-bit ELF file.")
        sections = list(_sections(file, head))
        dynamic: dict[int, list[str]] = {}
        glibc: tuple[int, ...] = ()
        for section in sections:
            if section.kind == _DYNAMIC:
                dynamic = _dynamic(file, section, _bytes(file, sections[section.link]))
            elif section.kind == _VERSIONS_NEEDED:
                names = _bytes(file, sections[section.link])
                needs = _version_needs(_bytes(file, section), section, names)
                glibc = max((_glibc_version(need.version) for need in needs), default=())
    runs = dynamic.get(_RUNPATH) or dynamic.get(_RPATH) or [""]
    return Elf(
        path,
        (dynamic.get(_NAME) or [path.name])[0],
        tuple(dynamic.get(_NEEDED, ())),
        tuple(part for part in runs[0].split(":") if part),
        glibc,
        any(section.kind == _SYMBOLS for section in sections),
    )


def _sections(file: BinaryIO, head: bytes) -> Iterator[_Section]:
    at = struct.unpack_from("<Q", head, 40)[0]
    size, count = struct.unpack_from("<HH", head, 58)
    file.seek(at)
    table = file.read(size * count)
    for start in range(0, len(table), size):
        _, kind, _, _, offset, length, link, info, _, _ = struct.unpack_from(
            "<IIQQQQIIQQ", table, start
        )
        yield _Section(kind, offset, length, link, info)


def _bytes(file: BinaryIO, section: _Section) -> bytes:
    file.seek(section.offset)
    return file.read(section.size)


def _text(names: bytes, at: int) -> str:
    return names[at : names.index(b"\0", at)].decode()


def _dynamic(file: BinaryIO, section: _Section, names: bytes) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for tag, value in struct.iter_unpack("<qQ", _bytes(file, section)):
        if tag == 0:
            break
        if tag in (_NEEDED, _NAME, _RPATH, _RUNPATH):
            found.setdefault(tag, []).append(_text(names, value))
    return found


def version_needs(path: Path) -> list[VersionNeed]:
    """Return the versions of other libraries' symbols that a file is bound to."""
    with path.open("rb") as file:
        sections = list(_sections(file, file.read(64)))
        found: list[VersionNeed] = []
        for section in sections:
            if section.kind == _VERSIONS_NEEDED:
                names = _bytes(file, sections[section.link])
                found += _version_needs(_bytes(file, section), section, names)
    return found


def symbols_of(path: Path, need: VersionNeed) -> set[str]:
    """Return the names of the symbols that a file binds to one version."""
    with path.open("rb") as file:
        sections = list(_sections(file, file.read(64)))
        found: set[str] = set()
        for section in sections:
            if section.kind == _VERSION_OF_SYMBOL:
                symbols = sections[section.link]
                names = _bytes(file, sections[symbols.link])
                versions = struct.iter_unpack("<H", _bytes(file, section))
                entries = struct.iter_unpack("<IBBHQQ", _bytes(file, symbols))
                found |= {
                    _text(names, entry[0])
                    for (version,), entry in zip(versions, entries, strict=True)
                    if version & ~_HIDDEN == need.index
                }
    return found


def _version_needs(table: bytes, section: _Section, names: bytes) -> Iterator[VersionNeed]:
    at = 0
    for _ in range(section.count):
        _, versions, library, first, following = struct.unpack_from("<HHIII", table, at)
        inner = at + first
        for _ in range(versions):
            _, _, index, name, step = struct.unpack_from("<IHHII", table, inner)
            yield VersionNeed(
                _text(names, library), _text(names, name), name, index, section.offset + inner
            )
            inner += step
        at += following


def _glibc_version(version: str) -> tuple[int, ...]:
    """Return (2, 17) for GLIBC_2.17, () for what is no number of glibc's."""
    if version == "GLIBC_ABI_DT_RELR":  # no symbol's: the loader must know packed relocations
        return (2, 36)
    if not version.startswith("GLIBC_2"):
        return ()
    return tuple(int(part) for part in version.removeprefix("GLIBC_").split("."))


def newest_glibc(folder: Path) -> str:
    """Return the newest glibc ("2.36") that a file below needs; "" when none needs any."""
    newest = max((read_elf(path).glibc for path in elf_files(folder)), default=())
    return ".".join(str(part) for part in newest)
