"""Compiles the two launchers, Skein.exe and skein.com, with the compiler that is here.

mingw's cross compiler (on Linux), gcc of mingw, or Visual Studio's cl: the sources are plain C.
Standard library only.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from installers.builder.failure import BuildFailed

HERE = Path(__file__).resolve().parent
SOURCES = ("launcher.c", "versions.c", "words.c")
CROSS = "x86_64-w64-mingw32-"


@dataclass(frozen=True, slots=True)
class Tools:
    """``compiler`` and ``resources`` are programs; visual: they take Visual Studio's options."""

    compiler: str
    resources: str
    visual: bool = False


def find_tools() -> Tools:
    """Return a compiler for 64-bit Windows. Raises BuildFailed where there is none."""
    for compiler, resources in (
        (f"{CROSS}gcc", f"{CROSS}windres"),
        (f"{CROSS}gcc-posix", f"{CROSS}windres"),
    ):
        if shutil.which(compiler) and shutil.which(resources):
            return Tools(compiler, resources)
    if shutil.which("cl") and shutil.which("rc"):
        return Tools("cl", "rc", visual=True)
    if os.name == "nt" and shutil.which("gcc") and shutil.which("windres"):
        return Tools("gcc", "windres")
    raise BuildFailed(
        "The launchers need a C compiler for Windows. Install mingw-w64 (Debian: "
        "gcc-mingw-w64-x86-64), or call this from Visual Studio's command prompt."
    )


def numbers(version: str) -> str:
    """Return what Windows calls a version: "0.1.0rc2" -> "0.1.0.0"."""
    found = re.match(r"\d+(?:\.\d+){0,3}", version)
    parts = found.group().split(".") if found else []
    return ".".join([*parts, "0", "0", "0", "0"][:4])


def build_launchers(work: Path, version: str, tools: Tools | None = None) -> None:
    """Write Skein.exe and skein.com into ``work``, where skein.ico lies. Raises BuildFailed."""
    tools = tools or find_tools()
    compiled = _resources(tools, work, version)
    for name, console in (("Skein.exe", False), ("skein.com", True)):
        command = _cl if tools.visual else _gcc
        _run(command(tools, work / name, compiled, console), work)


def _resources(tools: Tools, work: Path, version: str) -> Path:
    """Compile icon, manifest and version. The latter in a header: quotes survive no two shells."""
    (work / "version.h").write_text(
        f'#define SKEIN_VERSION "{version}"\n'
        f"#define SKEIN_NUMBERS {numbers(version).replace('.', ',')}\n"
    )
    if tools.visual:
        out = work / "launcher.res"
        folders = ["/i", str(work), "/i", str(HERE)]
        _run([tools.resources, *folders, "/fo", str(out), _at("launcher.rc")], work)
        return out
    out = work / "launcher.res.o"
    folders = ["-I", str(work), "-I", str(HERE)]
    _run([tools.resources, *folders, _at("launcher.rc"), "-O", "coff", "-o", str(out)], work)
    return out


def _gcc(tools: Tools, out: Path, resources: Path, console: bool) -> list[str]:
    kind = ["-DSKEIN_CONSOLE", "-mconsole"] if console else ["-mwindows"]
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-municode", "-static", "-s"]
    return [tools.compiler, *flags, *kind, *map(_at, SOURCES), str(resources), "-o", str(out)]


def _cl(tools: Tools, out: Path, resources: Path, console: bool) -> list[str]:
    kind = ["/DSKEIN_CONSOLE"] if console else []
    system = "CONSOLE" if console else "WINDOWS"
    flags = ["/nologo", "/std:c11", "/O1", "/MT", "/W4", "/utf-8", "/D_CRT_SECURE_NO_WARNINGS"]
    return [tools.compiler, *flags, *kind, *map(_at, SOURCES), str(resources), f"/Fe:{out}",
            "user32.lib", "/link", f"/SUBSYSTEM:{system}"]  # fmt: skip


def _at(name: str) -> str:
    return str(HERE / name)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")
