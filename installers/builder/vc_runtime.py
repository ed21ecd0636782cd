"""Microsoft's C++ runtime inside a Windows tree, so that nobody has to install it first.

Packages bring copies of different age, or none and hope; a process uses whichever is loaded first.
So the newest of all lies beside python.exe, where Windows looks for every library of the process,
and the others go. What else is neither in the tree nor Windows' own stops the build.
"""

import fnmatch
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from installers.builder.failure import BuildFailed
from installers.builder.pe import is_pe, read_pe

RUNTIME = ("vcruntime140*.dll", "msvcp140*.dll", "concrt140.dll", "vcomp140.dll",
           "libomp140.x86_64.dll")  # fmt: skip
"""Files that Microsoft lets programs bring along (they are in its own package for that)."""

_OF_WINDOWS = ("api-ms-win-*.dll", "ext-ms-*.dll", "ucrtbase.dll")


def bring_runtime(python: Path, places: Sequence[Path] | None = None) -> dict[str, str]:
    """Put one runtime beside ``python``/python.exe; return name -> version.

    places: folders of this machine to look in besides (its Windows and Visual Studio, if None).
    Raises BuildFailed when a library that the tree needs is nowhere.
    """
    outside = list(_folders() if places is None else places)
    files = [path for path in python.rglob("*") if is_pe(path)]
    found: dict[str, str] = {}
    waiting = _runtime_names(files)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        copy = _take_newest(name, python, files, outside)
        found[name] = ".".join(map(str, read_pe(copy).version))
        waiting |= _runtime_names([copy])
    _require_all(python, outside)
    return found


def _runtime_names(files: Iterable[Path]) -> set[str]:
    return {name for file in files for name in read_pe(file).needed if _matches(name, RUNTIME)}


def _take_newest(name: str, python: Path, files: Iterable[Path], outside: Iterable[Path]) -> Path:
    inside = [path for path in files if path.name.lower() == name]
    candidates = inside + [place / name for place in outside if (place / name).is_file()]
    if not candidates:
        raise BuildFailed(
            f"{name} is nowhere: install Microsoft's Visual C++ Redistributable on this machine."
        )
    newest = max(candidates, key=lambda path: read_pe(path).version)
    copy = python / name
    if newest != copy:
        beside = python / f"{name}.new"
        shutil.copyfile(newest, beside)
        beside.replace(copy)
    for path in inside:
        if path != copy:
            path.unlink(missing_ok=True)
    return copy


def _require_all(python: Path, outside: Iterable[Path]) -> None:
    """Raise BuildFailed, naming who needs what, unless every library is ours or Windows' own."""
    files = [path for path in python.rglob("*") if is_pe(path)]
    ours = {path.name.lower() for path in files}
    folders = list(outside)
    missing = sorted(
        f"{file.relative_to(python)} needs {name}"
        for file in files
        for name in read_pe(file).needed
        if name not in ours
        and not _matches(name, _OF_WINDOWS)
        and not any((folder / name).is_file() for folder in folders)
    )
    if missing:
        raise BuildFailed(f"Neither the tree nor Windows has it: {'; '.join(missing)}.")


def _folders() -> Iterable[Path]:
    """Where Windows, and Visual Studio where there is one, keep them."""
    yield Path(os.environ.get("SYSTEMROOT", "C:\\Windows")) / "System32"
    redistributable = os.environ.get("VCTOOLSREDISTDIR")
    if redistributable:
        yield from (Path(redistributable) / "x64").glob("Microsoft.VC*")


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
