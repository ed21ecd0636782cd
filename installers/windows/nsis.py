#!/usr/bin/env python3
"""Makes Skein's setup for Windows of a finished tree: launchers, pictures, makensis.

    python installers/windows/nsis.py --root ROOT --out skein-0.1.0-windows-x86_64-setup.exe
    python installers/windows/nsis.py --version 0.1.0 --work DIR  # Skein.exe, skein.com and
                                                                  # Uninstall.exe, to be signed
    python installers/windows/nsis.py --root ROOT --work DIR --out ...              # with these

ROOT is what installers/build.py made on Windows. Needs makensis 3.08 with its parts for 64-bit
setups, which Debian's and Ubuntu's has and the one that NSIS' own site offers for Windows has not:
releases make setups on Linux. Also a C compiler for Windows (see launchers.py) and, for pictures,
a Python with Qt: the tree's own where it runs, else this one. Standard library only.
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
UNINSTALLER = "Uninstall.exe"
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


def without_files(version: str) -> Payload:
    """Return what suffices to make the programs of a version."""
    return Payload(Path(), version, 0, 0)


def make_programs(payload: Payload, work: Path, qt_python: Path | None = None) -> None:
    """Lay icon, pictures, launchers and the uninstaller into ``work``, unless they are there.

    (They are, signed, when the setup is made.) qt_python: what draws the pictures. Raises
    BuildFailed.
    """
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "skein.ico").is_file():
        _run([str(qt_python or sys.executable), "-I", "-B", str(HERE / "art.py"), str(work)])
    if not (work / "skein.com").is_file():
        build_launchers(work, payload.version)
    if not (work / UNINSTALLER).is_file():
        _take_uninstaller(payload, work)


def _take_uninstaller(payload: Payload, work: Path) -> None:
    """Keep the uninstaller that makensis makes: of a setup without files, which is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bare.exe"
        taken = Path(folder) / UNINSTALLER  # under its name when all of it is there
        _compile(payload, out, work, _copy("%1", taken), need_mb=0, fast=True, bare=True)
        shutil.move(taken, work / UNINSTALLER)


def _copy(source: Path | str, target: Path | str) -> str:
    """Return the command of the system's shell that writes ``source`` over ``target``."""
    command = "copy /y /b" if os.name == "nt" else "cp"
    return f'{command} "{source}" "{target}"'


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
    make_programs(payload, work, qt_python)
    measured_mb = payload.size_bytes // 2**20 + SPARE_MB
    needed_mb = measured_mb if need_mb is None else need_mb
    finish = _copy(work.resolve() / UNINSTALLER, "%1")
    _compile(payload, out, work, finish, need_mb=needed_mb, fast=fast, bare=False)


def _compile(
    payload: Payload, out: Path, work: Path, finish: str, *, need_mb: int, fast: bool, bare: bool
) -> None:
    """Call makensis. finish: a command for the uninstaller "%1". bare: without the tree's files."""
    if shutil.which("makensis") is None:
        raise BuildFailed("makensis is missing: install NSIS 3.08 (Debian: nsis).")
    values = {
        "TREE": payload.tree.resolve(),
        "WORK": work.resolve(),
        "OUT": out.resolve(),
        "SEP": os.sep,
        "VERSION": payload.version,
        "NUMBERS": numbers(payload.version),
        "SIZE_KB": payload.size_bytes // 1024,
        "NEED_MB": need_mb,
        "LONGEST": payload.longest,
        "FAST": int(fast),
        "BARE": int(bare),
        "FINISH": finish,
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
    parser.add_argument("--root", type=Path)
    parser.add_argument("--version", help="in place of ROOT, for the programs alone")
    parser.add_argument(
        "--out", type=Path, help="the setup; without it, its programs are made alone"
    )
    parser.add_argument(
        "--work", type=Path, help="for its programs: made there, or taken from there"
    )
    given = parser.parse_args(arguments)
    if not (given.out or given.work):
        parser.error("name --out, --work or both.")
    if bool(given.root) == bool(given.version) or (given.version and given.out):
        parser.error("name --root, or --version for the programs alone.")
    try:
        payload = look_at(given.root) if given.root else without_files(given.version)
        on_windows = given.root and os.name == "nt"
        qt_python = payload.tree / "python" / "python.exe" if on_windows else None
        with tempfile.TemporaryDirectory() as folder:
            work = given.work or Path(folder)
            if given.out:
                make_setup(payload, given.out, work, qt_python=qt_python)
            else:
                make_programs(payload, work, qt_python)
    except BuildFailed as error:
        print(f"Not made. {error}", file=sys.stderr)
        return 2
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB" if given.out else given.work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
