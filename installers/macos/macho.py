"""What Apple's programs and libraries (Mach-O) say of themselves. Standard library, any system.

Format: /usr/include/mach-o/loader.h and fat.h. A "fat" file holds one program for each of several
processors; ``thin`` leaves the one for Apple's own.

    python3 installers/macos/macho.py FOLDER      # "program PATH" or "library PATH" for each
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ARM64 = 0x0100000C
_THIN, _FAT, _FAT64 = 0xFEEDFACF, 0xCAFEBABE, 0xCAFEBABF
_LC_LIBRARY = (0x0C, 0x80000018, 0x8000001F)  # LOAD_DYLIB, LOAD_WEAK_DYLIB, REEXPORT_DYLIB
_LC_BUILD_VERSION, _LC_MINIMUM = 0x32, 0x24
_KINDS = {2: "program", 6: "library", 8: "library"}  # MH_EXECUTE, MH_DYLIB, MH_BUNDLE
_MOST_COMMANDS_BYTES = 1 << 20
_MOST_PROCESSORS = 16  # a fat file's first word is a Java class's, too, which says 45 and more here


class NotMachO(Exception):
    """The file is none, or says what cannot be."""


@dataclass(frozen=True, slots=True)
class MachO:
    """One program or library for one processor. minimum: of macOS, as (14, 0)."""

    kind: str
    processor: int
    minimum: tuple[int, int]
    libraries: tuple[str, ...]


def slices(path: Path) -> list[tuple[int, int]]:
    """Return where in a file each processor's program lies: (offset, size). Raises NotMachO."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        if len(head) < 8:
            raise NotMachO(f"{path} is too short.")
        if struct.unpack("<I", head[:4])[0] == _THIN:
            return [(0, size)]
        magic, count = struct.unpack(">II", head)
        if magic not in (_FAT, _FAT64) or count > _MOST_PROCESSORS:
            raise NotMachO(f"{path} is not a Mach-O file.")
        form = struct.Struct(">IIIII" if magic == _FAT else ">IIQQII")
        data = file.read(count * form.size)
    try:
        found = [form.unpack_from(data, i * form.size)[2:4] for i in range(count)]
    except struct.error as error:
        raise NotMachO(f"{path} ends inside its table.") from error
    if any(offset + length > size for offset, length in found):
        raise NotMachO(f"{path} is cut off.")
    return found


def read(path: Path) -> list[MachO]:
    """Return what each of a file's programs says. Raises NotMachO."""
    with path.open("rb") as file:
        return [_read_slice(path, file, offset) for offset, _ in slices(path)]


def _read_slice(path: Path, file: IO[bytes], offset: int) -> MachO:
    try:
        file.seek(offset)
        _, processor, _, kind, count, size, _, _ = struct.unpack("<8I", file.read(32))
        if size > _MOST_COMMANDS_BYTES:
            raise NotMachO(f"{path} says what cannot be: {size:,} bytes of commands.")
        return _with_commands(kind, processor, count, file.read(size))
    except (struct.error, UnicodeDecodeError) as error:
        raise NotMachO(f"{path} says what cannot be: {error}") from error


def _with_commands(kind: int, processor: int, count: int, data: bytes) -> MachO:
    minimum, libraries, at = (0, 0), [], 0
    for _ in range(count):
        command, length = struct.unpack_from("<II", data, at)
        if command in _LC_LIBRARY:
            (start,) = struct.unpack_from("<I", data, at + 8)
            libraries.append(data[at + start : at + length].split(b"\0")[0].decode("utf-8"))
        if command in (_LC_BUILD_VERSION, _LC_MINIMUM):
            where = at + (12 if command == _LC_BUILD_VERSION else 8)
            (version,) = struct.unpack_from("<I", data, where)
            minimum = (version >> 16, version >> 8 & 255)
        at += length
    return MachO(_KINDS.get(kind, "other"), processor, minimum, tuple(libraries))


def find(folder: Path) -> Iterator[Path]:
    """Yield every Mach-O file below a folder, in order."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            try:
                slices(path)
            except NotMachO:
                continue
            yield path


def thin(path: Path) -> int:
    """Leave of a fat file the program for Apple's processors; return the bytes set free.

    Raises NotMachO when it has none.
    """
    programs = dict(zip((one.processor for one in read(path)), slices(path), strict=True))
    if ARM64 not in programs:
        raise NotMachO(f"{path} has no program for Apple's processors.")
    offset, size = programs[ARM64]
    before = path.stat()
    if (offset, size) == (0, before.st_size):
        return 0
    beside = path.with_name(path.name + ".thin")
    with path.open("rb") as source, beside.open("wb") as target:
        source.seek(offset)
        target.write(source.read(size))
    beside.chmod(before.st_mode & 0o777)
    beside.replace(path)
    return before.st_size - size


def main() -> None:
    """List the Mach-O files of a folder with their kinds."""
    for path in find(Path(sys.argv[1])):
        print(read(path)[0].kind, path)


if __name__ == "__main__":
    main()
