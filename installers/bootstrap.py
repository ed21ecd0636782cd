#!/usr/bin/env python3
"""Sets Skein up in a folder of its own and starts it, or runs its tests. Standard library only.

    python installers/bootstrap.py run [--gpu] [-- arguments of Skein]
    python installers/bootstrap.py test [-- arguments of pytest]

It makes a virtual environment in ``.venv`` (``SKEIN_VENV`` names another place), chooses torch's
build for this machine, installs, and starts. The second time it starts at once.
"""

from __future__ import annotations  # an older Python must get as far as being told so

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TORCH = "torch>=2.9,<=2.13.0"
OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 14)

_QT_CHECK = """
import ctypes, pathlib, sys, PySide6
root = pathlib.Path(PySide6.__file__).parent / "Qt"
for name in ["lib/libQt6Widgets.so.6", *sys.argv[1:]]:
    try:
        ctypes.CDLL(str(root / name))
    except OSError as error:
        print(error)
        sys.exit(1)
"""

_QT_PACKAGES = {
    "apt-get": "sudo apt-get install -y libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 "
    "libglib2.0-0 libgssapi-krb5-2 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 "
    "libxkbcommon-x11-0 fonts-noto-cjk",
    "dnf": "sudo dnf install -y libglvnd-egl libglvnd-glx libxkbcommon libxkbcommon-x11 dbus-libs "
    "fontconfig xcb-util-cursor xcb-util-wm xcb-util-keysyms google-noto-sans-cjk-fonts",
    "pacman": "sudo pacman -S --needed libglvnd libxkbcommon libxkbcommon-x11 fontconfig "
    "xcb-util-cursor xcb-util-wm xcb-util-keysyms noto-fonts-cjk",
    "zypper": "sudo zypper install libglvnd libxkbcommon0 libxkbcommon-x11-0 fontconfig "
    "libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 google-noto-sans-cjk-fonts",
}


_COMPILER_HINT = {
    "Darwin": "run “xcode-select --install”",
    "Windows": "install the “Desktop development with C++” of Visual Studio's Build Tools",
}.get(platform.system(), "install g++ (on Debian and Ubuntu: sudo apt-get install -y g++)")


_AT_ONCE = ("-n", "2", "--dist", "loadfile")  # one process took 13 minutes of two cores


class SetupFailed(Exception):
    """A sentence for the user: what went wrong and what to do."""


@dataclass(frozen=True)
class Card:
    """An NVIDIA card, as its driver names it."""

    name: str
    driver: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up, then run or test; return the exit code of what was started."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    given, passed_on = _cut(given)
    parser = argparse.ArgumentParser(
        prog="bootstrap.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("run", "test"))
    parser.add_argument("--gpu", action="store_true", help="torch with CUDA (a 2.8 GB download)")
    options = parser.parse_args(given)
    try:
        return _set_up_and_start(options.what, passed_on, gpu=options.gpu)
    except SetupFailed as error:
        print(f"\nSkein could not be set up. {error}", file=sys.stderr)
        return 1


def _cut(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Split at "--": ours, and those of what is started."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _set_up_and_start(what: str, passed_on: list[str], *, gpu: bool) -> int:
    _require_python()
    python = _environment()
    card = find_card()
    _install(python, what, card, gpu=gpu)
    _require_qt(python, window=what == "run")
    if what == "test":
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        return subprocess.call([str(python), "-m", "pytest", *_AT_ONCE, *passed_on], cwd=PROJECT)
    if card and not gpu and _is_for_processors(_torch_build(python)):
        print(
            f"An {card.name} was found (driver {card.driver}). Skein now runs on the processor; "
            "for the card start it once with:\n"
            "    python installers/bootstrap.py run --gpu     (a 2.8 GB download)"
        )
    return subprocess.call([str(python), "-m", "app", *passed_on], cwd=PROJECT)


def _require_python() -> None:
    version = sys.version_info[:2]
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        raise SetupFailed(
            f"It needs Python 3.{OLDEST_PYTHON[1]} to 3.{NEWEST_PYTHON[1]}, and this is "
            f"{platform.python_version()}. Install one of those and start this program with it."
        )


def _environment() -> Path:
    """Make the virtual environment if need be; return its Python."""
    folder = Path(os.environ.get("SKEIN_VENV", PROJECT / ".venv"))
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists() or not _has_pip(folder):
        print(f"Making an environment in {folder}", flush=True)
        if subprocess.call([sys.executable, "-m", "venv", str(folder)]) != 0:
            raise SetupFailed(
                "The virtual environment could not be made. On Debian and Ubuntu: "
                "sudo apt-get install -y python3-venv"
            )
    return python


def _has_pip(folder: Path) -> bool:
    """Say whether an environment was finished: pip comes last, its list of files at the end."""
    places = [folder / "Lib" / "site-packages", *folder.glob("lib/python3*/site-packages")]
    return any(next(place.glob("pip-*.dist-info/RECORD"), None) for place in places)


# -- installing


def _install(python: Path, what: str, card: Card | None, *, gpu: bool) -> None:
    """Install torch's build for this machine, then the project; skip what is done already."""
    stamp = python.parent.parent / f"skein-{what}.stamp"
    done = _fingerprint()
    if gpu and card is None:
        raise SetupFailed("--gpu needs an NVIDIA card, and nvidia-smi finds none.")
    build = _torch_build(python)
    if not build or (gpu and _is_for_processors(build)):
        _install_torch(python, gpu=gpu)
        stamp.unlink(missing_ok=True)
    if stamp.exists() and stamp.read_text() == done:
        return
    extra = "[dev]" if what == "test" else ""
    _pip(python, "install", "-e", f"{PROJECT}{extra}")
    stamp.write_text(done)
    if not _has_cpu_engine(python):
        print(
            "There is no working C++ compiler, so Skein's engine for processors was left out and "
            f"torch computes instead: slower, but all works. To have it, {_COMPILER_HINT}, delete "
            f"{stamp} and start this again."
        )


def _fingerprint() -> str:
    """Return a hash of all that an installation is made from: the native engine is compiled."""
    native = sorted(
        path
        for pattern in ("*.cpp", "*.h", "CMakeLists.txt")
        for path in (PROJECT / "kernels/cpu").glob(pattern)
    )
    made_from = [PROJECT / "pyproject.toml", PROJECT / "CMakeLists.txt", *native]
    return hashlib.sha256(b"".join(path.read_bytes() for path in made_from)).hexdigest()


def _has_cpu_engine(python: Path) -> bool:
    ask = "from kernels.cpu.library import find_library; raise SystemExit(not find_library())"
    return subprocess.call([str(python), "-c", ask], cwd=PROJECT) == 0


def _install_torch(python: Path, *, gpu: bool) -> None:
    """Install torch without CUDA's gigabytes, unless they are asked for.

    On Windows and macOS the ordinary build is the small one. On Linux it is not: there pip is
    used only where it has a "+cpu" build at hand, else uv, which knows where torch keeps them.
    """
    backend = "auto" if gpu else "cpu"
    if not gpu and (platform.system() != "Linux" or _pip_offers_cpu_build(python)):
        _pip(python, "install", TORCH)
        return
    _pip(python, "install", "uv")
    uv = [str(python), "-m", "uv", "pip", "install", "--python", str(python)]
    if subprocess.call([*uv, "--torch-backend", backend, "--reinstall-package", "torch", TORCH]):
        raise SetupFailed(
            f"torch ({backend}) could not be downloaded. Check the connection and run this again: "
            "what was downloaded is kept."
        )


def _pip_offers_cpu_build(python: Path) -> bool:
    asked = [str(python), "-m", "pip", "index", "versions", "torch"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    return "2.13.0+cpu" in answer.stdout


def _torch_build(python: Path) -> str:
    """Return torch's version as installed ("2.13.0+cpu"), or "" without torch."""
    ask = "import importlib.metadata as m; print(m.version('torch'))"
    answer = subprocess.run([str(python), "-c", ask], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def _is_for_processors(build: str) -> bool:
    """Say whether a build of torch knows no card: a bare number does so only on Linux."""
    return build.endswith("+cpu") or ("+" not in build and platform.system() != "Linux")


def _pip(python: Path, *arguments: str) -> None:
    quiet = ["--quiet", "--disable-pip-version-check"]
    print(
        f"Installing {' '.join(a for a in arguments[1:] if not a.startswith('-'))} ...", flush=True
    )
    if subprocess.call([str(python), "-m", "pip", *arguments, *quiet]) != 0:
        raise SetupFailed("pip failed (see above). Check the connection and run this again.")


# -- looking


def find_card() -> Card | None:
    """Return the first NVIDIA card that its driver reports, if any."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    ask = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    name, _, driver = (answer.stdout.splitlines() or [""])[0].partition(",")
    return Card(name.strip(), driver.strip()) if answer.returncode == 0 and driver else None


def _require_qt(python: Path, *, window: bool) -> None:
    """Say which system libraries Qt lacks: without them it would abort without a word."""
    if platform.system() != "Linux":
        return
    plugin = "plugins/platforms/libqxcb.so" if window else "plugins/platforms/libqoffscreen.so"
    check = [str(python), "-c", _QT_CHECK, plugin]
    answer = subprocess.run(check, capture_output=True, text=True, check=False)
    if answer.returncode == 0:
        return
    tool = next((tool for tool in _QT_PACKAGES if shutil.which(tool)), "apt-get")
    raise SetupFailed(
        f"Qt needs libraries of the system that are not there ({answer.stdout.strip()}). "
        f"Install them with:\n    {_QT_PACKAGES[tool]}"
    )


if __name__ == "__main__":
    sys.exit(main())
