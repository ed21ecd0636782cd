"""A relocatable CPython, copied without what Skein never uses.

The source is any unpacked relocatable Python (python-build-standalone's "install_only", pyenv's on
the machine where Skein is developed). Its own site-packages are left behind.
"""

import fnmatch
import json
import shutil
import subprocess
from pathlib import Path

from installers.builder.failure import BuildFailed
from installers.builder.target import Target

_EVERYWHERE = ("__pycache__", "*.pyc", "*.a", "*.exp", "*.pdb", "*.whl", "*.opt-[12].pyc")

_FOLDERS_OF_LIBRARY = (
    *("site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3"),
    *("ensurepip", "pydoc_data", "distutils", "config-3.*"),
)
_FILES_OF_LIBRARY = ("turtle.py", "_tkinter*", "_test*", "_xx*", "xxlimited*", "_ctypes_test*")

# readline is under the GPL and needs a terminal; the others want libraries for nothing.
_MODULES = ("readline.*", "_curses*", "_crypt.*", "nis.*", "ossaudiodev.*", "spwd.*", "_uuid.*")
_TK_DLLS = ("tcl8*.dll", "tk8*.dll", "zlib1.dll")

_AT_TOP = ("include", "share", "tcl", "libs", "Doc", "Tools", "Scripts", "pkgconfig", "*.chm")
_LIBRARIES = (
    "pkgconfig",
    "tcl*",
    "tk*",
    "itcl*",
    "thread2*",
    "libtcl*",
    "libtk*",
    "libpython3*.so",
)

_SHARED = (Path("/"), Path("/usr"), Path("/usr/local"))


def copy_python(source: Path, to: Path, target: Target) -> str:
    """Copy the Python in ``source`` to ``to``; return its version ("3.11.7").

    Raises BuildFailed where there is none, the system's, or one of another version than 3.11.
    """
    if source in _SHARED:
        raise BuildFailed(
            f"{source} is the system's Python, which cannot be copied: name a relocatable one "
            "(python-build-standalone, pyenv) with --python."
        )
    version = _version(target.python(source))
    if not version.startswith("3.11."):
        raise BuildFailed(f"{source} is Python {version}; the locks are made for Python 3.11.")
    shutil.copytree(source, to, symlinks=False, ignore=_Ignored(source, target))
    target.site(to).mkdir()
    return version


def _version(python: Path) -> str:
    ask = "import json, platform; print(json.dumps(platform.python_version()))"
    try:
        answer = subprocess.run([str(python), "-I", "-c", ask], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildFailed(
            f"{python} does not start ({error}): name a Python with --python."
        ) from error
    return json.loads(answer.stdout)


class _Ignored:
    """For copytree: the names in a folder that are left behind."""

    def __init__(self, source: Path, target: Target) -> None:
        self._source = source
        self._library = target.library(source)
        self._libraries = source / "lib"

    def __call__(self, folder: str, names: list[str]) -> set[str]:
        patterns: list[str] = list(_EVERYWHERE)
        here = Path(folder)
        if here == self._source:
            patterns += _AT_TOP
        if here == self._source / "bin":
            return set(names) - {"python3", "python3.11"}
        if here == self._libraries:
            patterns += _LIBRARIES
        if here == self._library:
            patterns += (*_FOLDERS_OF_LIBRARY, *_FILES_OF_LIBRARY)
        if here.name in ("lib-dynload", "DLLs"):
            patterns += (*_FILES_OF_LIBRARY, *_MODULES, *_TK_DLLS)
        if self._library in here.parents and here.name != "lib-dynload":
            patterns += ("test", "tests", "idle_test")
        return {name for name in names for pattern in patterns if fnmatch.fnmatch(name, pattern)}
