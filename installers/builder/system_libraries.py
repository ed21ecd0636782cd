"""Libraries of the build machine that go into a Linux tree, and those that stay the system's.

What a desktop always has, or must have in its own version (drivers load libstdc++ and expat), is
on the list below. All else that a file of the tree needs is copied into one folder and found by
``$ORIGIN``. patchelf writes run paths.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from installers.builder.elf import Elf, elf_files, read_elf
from installers.builder.failure import BuildFailed

SYSTEM = frozenset(
    {
        # glibc
        *("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"),
        *("libutil.so.1", "libresolv.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"),
        *("libmvec.so.1", "libanl.so.1"),
        # shared with graphics drivers, which are newer than we are
        *("libstdc++.so.6", "libgcc_s.so.1", "libexpat.so.1", "libz.so.1", "libzstd.so.1"),
        *("libEGL.so.1", "libGL.so.1", "libdrm.so.2", "libgbm.so.1"),
        *("libwayland-client.so.0", "libwayland-egl.so.1", "libwayland-server.so.0"),
        *("libX11.so.6", "libX11-xcb.so.1", "libXau.so.6", "libXdmcp.so.6", "libxcb.so.1"),
        *(f"libxcb-{n}.so.0" for n in ("dri2", "dri3", "glx", "present", "randr", "shm", "xfixes")),
        "libxcb-sync.so.1",
        # how a system finds and draws its fonts
        *("libfontconfig.so.1", "libfreetype.so.6"),
        # links the init system's library where there is one
        "libdbus-1.so.3",
    }
)
FOLDER = "lib/system"
"""Where copies lie, below python/: those that Qt needs beside Qt's own, which look there anyway."""


@dataclass(frozen=True, slots=True)
class Libraries:
    """copied: soname -> where it came from. left: sonames that the user's system must have."""

    copied: dict[str, Path]
    left: tuple[str, ...]


def copy_libraries(python: Path) -> Libraries:
    """Copy what is missing into a tree's ``python`` folder and make all of it find itself.

    Raises BuildFailed when this machine lacks a library, patchelf or ldconfig.
    """
    if shutil.which("patchelf") is None:
        raise BuildFailed("patchelf is missing: install it.")
    files = [read_elf(path) for path in elf_files(python)]
    own = {file.soname for file in files} | {file.path.name for file in files}
    copies, left = _closure(files, own, python / FOLDER)
    for path in elf_files(python):
        _set_run_path(read_elf(path), python, copies)
    return Libraries({name: source for name, (source, _) in copies.items()}, tuple(sorted(left)))


def _closure(
    files: Iterable[Elf], own: set[str], folder: Path
) -> tuple[dict[str, tuple[Path, Path]], set[str]]:
    """Copy, and what the copies need, until nothing is missing.

    Returns soname -> (where it came from, the folder it lies in), and what the system must have.
    """
    there = _known_to_loader()
    copies: dict[str, tuple[Path, Path]] = {}
    left: set[str] = set()
    waiting = [(file.path, name) for file in files for name in file.needed]
    while waiting:
        asker, name = waiting.pop(0)
        if name in SYSTEM:
            left.add(name)
        if name in SYSTEM or name in own or name in copies:
            continue
        if name not in there:
            raise BuildFailed(f"{asker} needs {name}, which this machine does not have.")
        place = _place(asker, folder)
        copies[name] = (there[name], place)
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(there[name], place / name)
        waiting += [(place / name, inner) for inner in read_elf(there[name]).needed]
    return copies, left


def _place(asker: Path, folder: Path) -> Path:
    """Return where a copy goes that ``asker`` needs."""
    package = next((above for above in asker.parents if above.name == "PySide6"), None)
    return folder if package is None else package / "Qt" / "lib"


def _known_to_loader() -> dict[str, Path]:
    """Return this machine's libraries by soname, as ld.so's cache has them.

    Not those for newer processors ("hwcap"), which it lists first: a tree is for all.
    """
    program = shutil.which("ldconfig") or "/sbin/ldconfig"
    answer = subprocess.run([program, "-p"], capture_output=True, text=True, check=True)
    found: dict[str, Path] = {}
    for line in answer.stdout.splitlines()[1:]:
        name, _, place = line.strip().partition(" => ")
        name, _, kind = name.partition(" ")
        if place and "64" in kind and "hwcap" not in kind:
            found.setdefault(name, Path(os.path.realpath(place)))
    return found


def _set_run_path(file: Elf, python: Path, copies: dict[str, tuple[Path, Path]]) -> None:
    """Make a file find copies, and libpython; drop the builder's own paths."""
    here = file.path.parent
    wanted = [part for part in file.search if part.startswith("$ORIGIN")]
    reached = {Path(os.path.normpath(part.replace("$ORIGIN", str(here)))) for part in wanted}
    folders = [copies[name][1] for name in file.needed if name in copies]
    if any(name.startswith("libpython3") for name in file.needed):
        folders.append(python / "lib")
    wanted += [_origin(here, folder) for folder in folders if folder not in reached]
    if tuple(wanted) != file.search:
        paths = ":".join(dict.fromkeys(wanted))
        subprocess.run(["patchelf", "--set-rpath", paths, str(file.path)], check=True)


def _origin(here: Path, folder: Path) -> str:
    relative = os.path.relpath(folder, here)
    return "$ORIGIN" if relative == "." else f"$ORIGIN/{relative}"
