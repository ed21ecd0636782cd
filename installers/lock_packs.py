"""Fill the pins of GPU packs into resources/gpu_packs.json: names, sizes and SHA-256 of an index.

    python -m installers.lock_packs cu130 --system linux-x86_64
    python -m installers.lock_packs cu126 --index ADDRESS      # all systems that the table names

Nothing large is downloaded: pages of the index, and of every wheel its list of files. Without
``--index`` it is the one that this Python's pip uses, and the row names none; else the row
remembers the address. PyTorch's own index has one address for each build. A row that cannot be
filled keeps what it had, and the exit code is 1.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from engine.errors import EngineError
from engine.files import write_atomically
from engine.gpu_pack.default_index import default_address
from engine.gpu_pack.index import IndexFile, PackageIndex
from engine.gpu_pack.table import PackRow, Table, Wheel, dump_table, parse_table
from engine.hub.web import without_login
from installers.remote_wheel import Inside, look_inside

TABLE = Path(__file__).parent.parent / "resources" / "gpu_packs.json"
_NEWEST_GLIBC = 34
_MACHINES = {"x86_64": "x86_64", "aarch64": "aarch64"}


class CannotPin(Exception):
    """The index does not have what a row needs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the rows that are asked for; return 1 when one could not be filled."""
    asked = _parser().parse_args(arguments)
    table = parse_table(asked.table.read_bytes())
    index = PackageIndex(asked.index or default_address())
    public, _login = without_login(asked.index)  # the table goes to everybody
    rows: list[PackRow] = []
    failed = 0
    for row in table.rows:
        if row.name in asked.names and row.system in (asked.system or row.system):
            try:
                row = replace(pinned(row, index), index=public)
                print(f"{row.name} {row.system}: {_size(row)}")
            except (CannotPin, EngineError) as error:
                failed += 1
                print(f"{row.name} {row.system}: {error}", file=sys.stderr)
        rows.append(row)
    if tuple(rows) != table.rows:
        today = max(table.date, datetime.now(UTC).date().isoformat())
        write_atomically(asked.table, dump_table(Table(today, tuple(rows))))
    return 1 if failed else 0


def pinned(row: PackRow, index: PackageIndex) -> PackRow:
    """Return the row with every wheel of its build. Raises CannotPin, EngineError."""
    try:
        wheels, unpacked = _Resolver(row, index).all()
    except (InvalidRequirement, InvalidVersion) as error:
        raise CannotPin(
            f"a wheel of the index says of itself what is no requirement: {error}"
        ) from error
    return replace(row, wheels=wheels, installed_bytes=unpacked, note="")


class _Resolver:
    """From one build of PyTorch to all wheels that it needs beside those of the processor's.

    What the wheels ask of each other is gathered until it asks for nothing new: one wheel may
    take any version of a library of which the next wants a certain one.
    """

    def __init__(self, row: PackRow, index: PackageIndex) -> None:
        self._row = row
        self._index = index
        self._tags = _tags(row)
        self._environment = _environment(row)
        self._pages: dict[str, list[IndexFile]] = {}
        self._seen: dict[str, Inside] = {}
        self._asked: dict[str, SpecifierSet] = {}

    def all(self) -> tuple[tuple[Wheel, ...], int]:
        """Return the wheels, PyTorch first, and what they take unpacked."""
        torch = self._torch_file()
        marked = [need for need in _requirements(self._inside(torch)) if need.marker]
        needs = [need for need in marked if self._applies(need, frozenset())]
        if not self._is_build(self._inside(torch), needs):
            raise CannotPin(f"the index has no PyTorch {self._row.torch} for {self._row.name}")
        before, found = None, {"torch": torch}
        while before != self._asked:  # every round knows what the last one asked for
            before = dict(self._asked)
            found = {"torch": torch}
            for need in needs:
                self._follow(need, frozenset(), found)
        unpacked = sum(self._inside(file).unpacked_bytes for file in found.values())
        return tuple(self._wheel(name, file) for name, file in found.items()), unpacked

    def _is_build(self, torch: Inside, needs: Iterable[Requirement]) -> bool:
        """Say whether the wheel is this build: by its version, else by the CUDA that it wants."""
        version = Version(str(HeaderParser().parsestr(torch.metadata)["Version"]))
        if version.local:
            return version.local == self._row.name
        digits = self._row.name.removeprefix("cu")
        cuda = f"{digits[:-1]}.{digits[-1]}."
        kits = [need for need in needs if need.name == "cuda-toolkit"]
        return any(spec.version.startswith(cuda) for need in kits for spec in need.specifier)

    def _torch_file(self) -> IndexFile:
        """Return PyTorch's wheel: that of the build where the index names builds."""
        wanted = Version(self._row.torch)
        fitting = [
            (version, rank, file)
            for version, rank, file in self._fitting("torch")
            if version.public == wanted.public and version.local in (None, self._row.name)
        ]
        if not fitting:
            raise CannotPin(f"the index has no PyTorch {wanted} for {self._row.system}")
        return max(fitting, key=lambda found: (found[0].local or "", found[1]))[2]

    def _follow(
        self, need: Requirement, extras: frozenset[str], found: dict[str, IndexFile]
    ) -> None:
        """Add the wheel that a requirement wants here, then what that one wants."""
        if need.marker and not self._applies(need, extras):
            return
        name = canonicalize_name(need.name)
        self._asked[name] = self._asked.get(name, SpecifierSet()) & need.specifier
        if name not in found:
            fitting = [f for f in self._fitting(name) if self._asked[name].contains(f[0])]
            if not fitting:
                raise CannotPin(f"the index has no {name} {self._asked[name]} for this system")
            found[name] = max(fitting, key=lambda file: file[:2])[2]
        elif not need.extras:
            return
        for more in _requirements(self._inside(found[name])):
            self._follow(more, frozenset(need.extras), found)

    def _applies(self, need: Requirement, extras: frozenset[str]) -> bool:
        assert need.marker
        return any(
            need.marker.evaluate({**self._environment, "extra": extra}) for extra in extras | {""}
        )

    def _fitting(self, name: str) -> Iterator[tuple[Version, int, IndexFile]]:
        """Yield final versions that run on the system, with how well the wheel suits it."""
        if name not in self._pages:
            self._pages[name] = self._index.files(name)
        for file in self._pages[name]:
            try:
                _name, version, _build, tags = parse_wheel_filename(file.file)
            except InvalidWheelFilename:
                continue
            rank = max((self._tags.get(tag, -1) for tag in tags), default=-1)
            if rank >= 0 and not version.is_prerelease and not file.yanked:
                yield version, rank, file

    def _inside(self, file: IndexFile) -> Inside:
        if file.file not in self._seen:
            self._seen[file.file] = look_inside(self._index.web, file.address, file.file)
        return self._seen[file.file]

    def _wheel(self, name: str, file: IndexFile) -> Wheel:
        if not file.sha256:
            raise CannotPin(f"the index tells no SHA-256 of {file.file}")
        size_bytes = self._inside(file).size_bytes
        return Wheel(name, file.file.split("-")[1], file.file, size_bytes, file.sha256)


def _requirements(inside: Inside) -> list[Requirement]:
    found = HeaderParser().parsestr(inside.metadata).get_all("Requires-Dist") or []
    return [Requirement(str(text)) for text in found]


def _tags(row: PackRow) -> dict[Tag, int]:
    """Return every tag that runs on the row's system, with a rank: the higher, the nearer."""
    system, _, machine = row.system.partition("-")
    version = int(row.python[2]), int(row.python[3:])
    platforms = ["win_amd64"]
    if system == "linux":
        old = [f"manylinux{name}_{machine}" for name in ("2014", "2010", "1")]
        new = [f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST_GLIBC, 4, -1)]
        platforms = [*new, *old, f"linux_{machine}"]
    own = list(cpython_tags(version, platforms=platforms))
    every = [*own, *compatible_tags(version, row.python, platforms)]
    return {tag: len(every) - at for at, tag in enumerate(every)}


def _environment(row: PackRow) -> dict[str, str]:
    """Return the markers' variables on the row's system."""
    system, _, machine = row.system.partition("-")
    is_windows = system == "windows"
    minor = row.python[3:]
    return {
        "platform_system": "Windows" if is_windows else "Linux",
        "sys_platform": "win32" if is_windows else "linux",
        "os_name": "nt" if is_windows else "posix",
        "platform_machine": "AMD64" if is_windows else _MACHINES[machine],
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_version": f"3.{minor}",
        "python_full_version": f"3.{minor}.0",
    }


def _size(row: PackRow) -> str:
    return (
        f"{len(row.wheels)} wheels, {row.download_bytes / 1e6:.0f} MB, "
        f"{row.installed_bytes / 1e6:.0f} MB unpacked"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="+", help="builds, such as cu130")
    parser.add_argument("--system", action="append", help="linux-x86_64 ...; default: every one")
    parser.add_argument("--index", default="", help="the index' address; default: pip's")
    parser.add_argument("--table", type=Path, default=TABLE, help="the file to fill")
    return parser


if __name__ == "__main__":
    sys.exit(main())
