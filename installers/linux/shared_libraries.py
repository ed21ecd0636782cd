"""Which shared libraries a tree wants of the system, measured; and which Debian package has them.

Knows nothing of packages' formats.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path

from installers.builder.elf import is_elf, read_elf

from .tree import NotPacked

PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX.so.0": "libglx0",
    "libOpenGL.so.0": "libopengl0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libXau.so.6": "libxau6",
    "libXext.so.6": "libxext6",
    "libbrotlidec.so.1": "libbrotli1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libexpat.so.1": "libexpat1",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libgcc_s.so.1": "libgcc-s1",
    "libglib-2.0.so.0": "libglib2.0-0 | libglib2.0-0t64",
    "libgthread-2.0.so.0": "libglib2.0-0 | libglib2.0-0t64",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libpng16.so.16": "libpng16-16 | libpng16-16t64",
    "libstdc++.so.6": "libstdc++6",
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libz.so.1": "zlib1g",
    "libzstd.so.1": "libzstd1",
}
"""The package of Debian and Ubuntu for each library; libc6 is a matter of its version."""

_LIBC = re.compile(r"(lib(c|m|dl|rt|pthread|util|resolv|mvec|anl)|ld-linux.*)\.so\.\d+")
_GLIBCXX = re.compile(rb"\0GLIBCXX_(\d+\.\d+\.\d+)\0")
_LIBSTDCXX = {
    "3.4.28": "9",
    "3.4.29": "11",
    "3.4.30": "12",
    "3.4.31": "13.1",
    "3.4.32": "13.2",
    "3.4.33": "14",
}
"""Which libstdc++6 first had a GLIBCXX version."""


@dataclass(frozen=True, slots=True)
class Wants:
    """libraries: names that no file of the tree has, with the files that want each. glibcxx: the
    newest version of libstdc++ that any file asks for, "" when none does."""

    libraries: dict[str, tuple[str, ...]]
    glibcxx: str


def measure(folder: Path, paths: Iterable[str]) -> Wants:
    """Look through the ELF files among ``paths`` below ``folder``."""
    elves = [path for path in paths if is_elf(folder / path)]
    inside = {Path(path).name for path in elves}
    libraries: dict[str, tuple[str, ...]] = {}
    newest = ""
    for path in elves:
        for name in read_elf(folder / path).needed:
            if name not in inside and not _LIBC.fullmatch(name):
                libraries[name] = (*libraries.get(name, ()), path)
        newest = max([newest, *_glibcxx_of(folder / path)], key=_numbers)
    return Wants(libraries, newest)


def reached(folder: Path, paths: Iterable[str], start: str) -> list[str]:
    """Return the ELF files of ``paths`` that begin with ``start``, and what those load of them."""
    elves = {Path(path).name: path for path in paths if is_elf(folder / path)}
    waiting = [path for path in elves.values() if path.startswith(start)]
    found: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [elves[n] for n in read_elf(folder / path).needed if n in elves]
    return sorted(found)


def _glibcxx_of(path: Path) -> list[str]:
    """Return the versions of libstdc++ that a file names, as in its table of needed ones."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return [found.decode() for found in _GLIBCXX.findall(content)]


def packages(wants: Wants, optional: Iterable[str] = ()) -> list[str]:
    """Return the Debian packages that have what is wanted, sorted.

    optional: ends of paths of files that may lack something. Raises NotPacked for a library that
    is in no list: it belongs into the tree, or here.
    """
    found = set()
    for library, paths in wants.libraries.items():
        needy = [path for path in paths if not path.endswith(tuple(optional))]
        if needy and library not in PACKAGES:
            raise NotPacked(
                f"{needy[0]} wants {library}, which is neither in the tree nor in PACKAGES."
            )
        if needy:
            found.add(PACKAGES[library])
    if wants.glibcxx and "libstdc++6" in found:
        found.remove("libstdc++6")
        found.add(f"libstdc++6 (>= {libstdcxx_of(wants.glibcxx)})")
    return sorted(found)


def libstdcxx_of(glibcxx: str) -> str:
    """Return the first version of libstdc++6 that has GLIBCXX_<glibcxx>. Raises NotPacked."""
    for has, package in _LIBSTDCXX.items():
        if _numbers(has) >= _numbers(glibcxx):
            return package
    raise NotPacked(f"GLIBCXX_{glibcxx} is newer than the table in shared_libraries.py knows.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part)
