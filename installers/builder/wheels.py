"""Packages: the project's own wheel with the native library, and the locked ones.

pip does the work: that of the Python the tree was copied from, told to install into the tree.
"""

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from installers.builder.failure import BuildFailed

PROJECT = Path(__file__).parents[2]
UNPINNED = "# not pinned: torch"
"""How a lock says that the index that was asked did not have torch's build for processors."""

# Quiet twice: not a line about each index without a package.
_QUIET = ("-qq", "--disable-pip-version-check", "--no-input")

_ELSEWHERE = frozenset(
    {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_PYTHON"}
)
"""What would let pip find a package in another place, or lay it there, and not into the tree."""


def project_wheel(python: Path, work: Path) -> Path:
    """Build the project's wheel in ``work`` and return it.

    Raises BuildFailed when pip fails, or when the wheel came out without the native library (no
    compiler): that would be a program that computes slowly for everybody.
    """
    work.mkdir(parents=True, exist_ok=True)
    _pip(python, "wheel", "--no-deps", "--wheel-dir", str(work), str(PROJECT))
    (wheel,) = work.glob("skein-*.whl")
    with zipfile.ZipFile(wheel) as content:
        if not any("skein_cpu." in name for name in content.namelist()):
            raise BuildFailed("The wheel has no native library: is there a C++ compiler?")
    return wheel


def install(python: Path, tree_python: Path, lock: Path, wheel: Path) -> None:
    """Install the locked packages, each with its SHA-256, and the project into a tree's Python."""
    if not lock.is_file():
        raise BuildFailed(f"{lock} is missing: run installers/lock.py.")
    if UNPINNED in lock.read_text("utf-8"):
        raise BuildFailed(f"{lock} has no torch: run installers/lock.py with --torch-index.")
    into = ("--python", str(tree_python))
    plain = ("--no-deps", "--no-compile", "--no-warn-script-location", "--only-binary", ":all:")
    _pip(python, *into, "install", *plain, "--require-hashes", "-r", str(lock))
    _pip(python, *into, "install", *plain, str(wheel))


def tidy(python: Path, site: Path) -> None:
    """Remove what pip leaves: the wheel's address in this machine, programs with its paths."""
    for path in site.glob("*.dist-info/direct_url.json"):
        path.unlink()
    for name in ("Scripts", "share", "etc", "include"):
        shutil.rmtree(python / name, ignore_errors=True)
    for path in (python / "bin").glob("*"):
        if path.name not in ("python3", "python3.11"):
            path.unlink()


def torch_version(python: Path) -> str:
    """Return torch's version as installed in a tree ("2.13.0+cpu")."""
    ask = "import importlib.metadata as m, json; print(json.dumps(m.version('torch')))"
    answer = subprocess.run([str(python), "-I", "-c", ask], capture_output=True, check=True)
    return json.loads(answer.stdout)


def _pip(python: Path, *arguments: str) -> None:
    words = [str(python), "-m", "pip", *arguments, *_QUIET]
    environ = {name: text for name, text in os.environ.items() if name.upper() not in _ELSEWHERE}
    if subprocess.call(words, env={**_compiler(), **environ, "PYTHONNOUSERSITE": "1"}) != 0:
        raise BuildFailed(f"pip failed (see above): {' '.join(arguments)}")


def _compiler() -> dict[str, str]:
    """On Windows prefer mingw's, where there is one, unless the environment names another.

    Its library passes all checks under wine (tests/kernels/cpu/check_windows.sh); Visual Studio's
    was never built, and would lack the products of bf16 and int8, for which it has no switches.
    """
    if os.name != "nt" or shutil.which("g++") is None:
        return {}
    return {"CMAKE_GENERATOR": "Ninja", "CXX": "g++"}
