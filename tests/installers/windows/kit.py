"""Tiny trees for Windows and a wine to install them in: real setups, real launchers, no CPython.

Where CPython would lie is stand_in.c, which writes down how it was started. ``Wine`` is one user's
Windows with a home of its own; paths below its ``drive`` are what programs there call C:\\.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from installers.builder.manifest import Facts, write_manifest
from installers.windows.launchers import CROSS

STAND_IN = Path(__file__).parent / "stand_in.c"
HOLDER = Path(__file__).parent / "holder.c"
MARKS = ("current", "next", "previous", "trying", "failed")
_QUIET = "mscoree,mshtml=;winemenubuilder.exe=d"
"""Neither .NET nor a browser is looked for, and nothing goes into the desktop's own menu."""


@dataclass(frozen=True, slots=True)
class Wine:
    """A prefix below ``folder``; made by the first command, which takes some ten seconds."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Wine":
        """Return one that says it is Windows 10 (wine 8 says 7, unless a program is named old)."""
        made = cls(folder)
        (folder / "home").mkdir(parents=True)
        (folder / "prefix").mkdir()
        made._server("-p")  # stays between programs: each would wait for a new one
        key = r"HKCU\Software\Wine"
        made.run("reg", "add", key, "/v", "Version", "/d", "win10", "/f")
        made.run("reg", "add", rf"{key}\AppDefaults\old.exe", "/v", "Version", "/d", "win7", "/f")
        return made

    @property
    def drive(self) -> Path:
        return self.folder / "prefix" / "drive_c"

    @property
    def local(self) -> Path:
        """%LOCALAPPDATA%."""
        return next((self.drive / "users").glob("*/AppData")) / "Local"

    @property
    def menu(self) -> Path:
        """The folder of the Start menu."""
        return self.local.parent / "Roaming/Microsoft/Windows/Start Menu/Programs"

    def start(
        self, program: Path | str, *arguments: str, screen: str = "", **how: Any
    ) -> subprocess.Popen[bytes]:
        """Start a program; blanks in ``arguments`` become quotes, as Windows wants it.

        screen: the DISPLAY for its windows; without one they are seen by nobody.
        Nothing that it says is kept, unless ``how`` names a file: wine's own services inherit what
        a program writes to, and would hold a pipe open for as long as any program runs.
        """
        plain = Path("/usr/lib/wine/wine64")  # Debian's "wine" is a script with advice to give
        command = [str(plain) if plain.is_file() else "wine", str(program), *arguments]
        nothing = subprocess.DEVNULL
        streams: dict[str, Any] = {"stdout": nothing, "stderr": nothing, **how}
        environ = {**self._environ(), **({"DISPLAY": screen} if screen else {})}
        return subprocess.Popen[bytes](command, env=environ, **streams)

    def run(self, program: Path | str, *arguments: str, **how: Any) -> tuple[int, str]:
        """Run a program to its end; return its exit code and what it said on standard error."""
        with tempfile.TemporaryFile() as told:
            with self.start(program, *arguments, stderr=told, **how) as process:
                process.wait(60)
            told.seek(0)
            words = told.read().decode("utf-8", "replace")
        return process.returncode, words.replace("\r\n", "\n")

    def _environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "LC_ALL": "C.UTF-8",
            "WINEPREFIX": str(self.folder / "prefix"),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": _QUIET,
        }

    def install(self, setup: Path, folder: str, *switches: str, **how: Any) -> tuple[int, str]:
        """Run a setup silently for a folder (of C:, unless it names a drive)."""
        place = folder if ":" in folder else f"C:\\{folder}"
        return self.run(setup, "/S", *switches, *f"/D={place}".split(" "), **how)  # never quoted

    def uninstall(self, folder: str, *switches: str) -> tuple[int, str]:
        """Run an uninstaller silently and in place, so that its end can be waited for."""
        program = self.drive / folder.replace("\\", "/") / "Uninstall.exe"
        return self.run(program, "/S", *switches, *f"_?=C:\\{folder}".split(" "))

    def end(self) -> None:
        """Let all programs of this Windows go, and its server."""
        self._server("-k")
        self._server("-w")

    def _server(self, switch: str) -> None:
        inner = Path("/usr/lib/wine/wineserver")
        server = str(inner) if inner.is_file() else "wineserver"
        nothing = subprocess.DEVNULL
        subprocess.run(
            [server, switch], env=self._environ(), stdout=nothing, stderr=nothing, check=False
        )


def compile_stand_ins(folder: Path) -> Path:
    """Make python.exe (for a terminal) and pythonw.exe (for a desktop) in ``folder``; return it."""
    folder.mkdir(parents=True)
    for name, kind in (("python.exe", "-mconsole"), ("pythonw.exe", "-mwindows")):
        flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-municode", kind, "-static", "-s"]
        out = str(folder / name)
        subprocess.run([f"{CROSS}gcc", *flags, str(STAND_IN), "-o", out], check=True)
    return folder


def compile_holder(folder: Path) -> Path:
    """Make the program that holds a file against everybody for a while; return it."""
    out = folder / "holder.exe"
    flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-municode", "-mwindows", "-static", "-s"]
    subprocess.run([f"{CROSS}gcc", *flags, str(HOLDER), "-o", str(out)], check=True)
    return out


def add_version(root: Path, version: str, stand_ins: Path) -> Path:
    """Lay a complete version into ``root``/versions; return its folder."""
    tree = root / "versions" / version
    shutil.copytree(stand_ins, tree / "python")
    (tree / "python" / "ünï 中 文.txt").write_text(version, "utf-8")
    write_manifest(tree, Facts(version, "windows-x86_64", "3.11.7", "2.13.0+cpu", ""))
    return tree


def make_root(root: Path, version: str, stand_ins: Path) -> Path:
    """Make what installers/build.py leaves on Windows; return it."""
    add_version(root, version, stand_ins)
    (root / "current").write_text(f"{version}\n", "utf-8")
    (root / "channel").write_text("tree\n", "utf-8")
    return root


def marks(root: Path) -> dict[str, str]:
    """Return the one-line files of a ROOT that switching is about."""
    return {n: (root / n).read_text("utf-8").strip() for n in MARKS if (root / n).exists()}


def told(root: Path) -> list[str]:
    """Return what the last start was: program, its folder, and its arguments; forget it."""
    path = root / "told.txt"
    lines = path.read_text("utf-8").splitlines()
    path.unlink()
    return lines
