#!/usr/bin/env python3
"""Makes Skein's setup for Windows of a finished tree: launchers, pictures, makensis.

    python installers/windows/nsis.py --root ROOT --out skein-0.1.0-windows-x86_64-setup.exe
    python installers/windows/nsis.py --root ROOT --work DIR     # launchers alone, to be signed
    python installers/windows/nsis.py --root ROOT --work DIR --out ...              # with these

ROOT is what installers/build.py made on Windows. Needs makensis, a C compiler for Windows (see
launchers.py) and, for the pictures, a Python with Qt: the tree's own where it runs, else this one.
Runs on Linux as well, for tests. Standard library only.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from installers.builder.failure import BuildFailed  # noqa: E402
from installers.windows.launchers import build_launchers, numbers  # noqa: E402

HERE = Path(__file__).resolve().parent
SPARE_MB = 64
"""Free space to ask for beyond the files: the system's own, and the launcher's small ones."""

LONGEST_PATH = 170
"""Characters below the version's folder. The rest of 259 is the user's name and ours."""


@dataclass(frozen=True, slots=True)
class Payload:
    """One version's folder, and what a setup has to know of it."""

    tree: Path
    version: str
    size_bytes: int
    longest: int


def look_at(root: Path) -> Payload:
    """Return what is in a ROOT. Raises BuildFailed when it is none, or none for Windows."""
    try:
        version = (root / "current").read_text("utf-8").strip()
    except OSError as error:
        raise BuildFailed(f"{root} is no tree: {error}.") from error
    tree = root / "versions" / version
    files = [path for path in tree.rglob("*") if path.is_file()]
    for needed in ("manifest.json", "python/python.exe", "python/pythonw.exe"):
        if not (tree / needed).is_file():
            raise BuildFailed(f"{tree} is no tree for Windows: {needed} is missing.")
    longest = max(len(str(path.relative_to(tree))) for path in files)
    if longest > LONGEST_PATH:
        raise BuildFailed(f"A path in {tree} has {longest} characters; Windows would refuse it.")
    return Payload(tree, version, sum(path.stat().st_size for path in files), longest)


def make_launchers(payload: Payload, work: Path, qt_python: Path | None = None) -> None:
    """Lay icon, pictures and launchers into ``work``, unless they are there (signed, by now).

    qt_python: what draws the pictures. Raises BuildFailed.
    """
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "skein.ico").is_file():
        _run([str(qt_python or sys.executable), str(HERE / "art.py"), str(work)])
    if not (work / "skein.com").is_file():
        build_launchers(work, payload.version)


def make_setup(
    payload: Payload,
    out: Path,
    work: Path,
    *,
    qt_python: Path | None = None,
    need_mb: int | None = None,
    fast: bool = False,
) -> None:
    """Write the setup to ``out``; ``work``: a folder for what is made on the way.

    qt_python: what draws the pictures. need_mb: free space that the setup asks for, if not what
    was measured. fast: with little compression, for tests. Raises BuildFailed.
    """
    if shutil.which("makensis") is None:
        raise BuildFailed("makensis is missing: install NSIS 3 (Debian: nsis).")
    make_launchers(payload, work, qt_python)
    measured_mb = payload.size_bytes // 2**20 + SPARE_MB
    values = {
        "TREE": payload.tree.resolve(),
        "WORK": work.resolve(),
        "OUT": out.resolve(),
        "SEP": os.sep,
        "VERSION": payload.version,
        "NUMBERS": numbers(payload.version),
        "SIZE_KB": payload.size_bytes // 1024,
        "NEED_MB": measured_mb if need_mb is None else need_mb,
        "LONGEST": payload.longest,
        "FAST": int(fast),
    }
    switches = [f"-D{name}={value}" for name, value in values.items()]
    _run(["makensis", "-V2", "-WX", "-INPUTCHARSET", "UTF8", *switches, str(HERE / "skein.nsi")])


def _run(command: list[str]) -> None:
    environ = {**os.environ, "LC_ALL": "C.UTF-8"} if os.name == "posix" else None
    done = subprocess.run(
        command, capture_output=True, env=environ, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        raise BuildFailed(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")


def main(arguments: list[str] | None = None) -> int:
    """Make a setup; return 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="the setup; without it, launchers are made alone")
    parser.add_argument("--work", type=Path, help="for launchers: made there, or taken from there")
    given = parser.parse_args(arguments)
    if not (given.out or given.work):
        parser.error("name --out, --work or both.")
    try:
        payload = look_at(given.root)
        qt_python = payload.tree / "python" / "python.exe" if os.name == "nt" else None
        with tempfile.TemporaryDirectory() as folder:
            work = given.work or Path(folder)
            if given.out:
                make_setup(payload, given.out, work, qt_python=qt_python)
            else:
                make_launchers(payload, work, qt_python)
    except BuildFailed as error:
        print(f"Not made. {error}", file=sys.stderr)
        return 2
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB" if given.out else given.work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
