"""What is taken out of a tree after its packages are installed, as one table.

Files only, never a Python module of torch: torch imports its own test helpers (gradcheck,
checkpoint, export do). Qt is the other way round: a list of what stays, because most of it goes.
The smoke test imports every module of Skein afterwards.
"""

import fnmatch
import os
import shutil
from pathlib import Path

DROPPED = (
    # torch: C++ test programs, headers, CMake files, libraries of its tests
    "torch/test",
    "torch/include",
    "torch/share",
    *(f"torch/lib/lib{n}.*" for n in ("aoti_custom_ops", "backend_with_compiler")),
    *(f"torch/lib/lib{n}.*" for n in ("jitbackend_test", "torchbind_test")),
    "torch/bin/[!t]*",
    "torch/bin/test_*",
    # Qt: programs for developers, QML, type stubs
    *(f"PySide6/{n}" for n in ("qmlls*", "qmlformat*", "qmllint*", "assistant*", "linguist*")),
    *(f"PySide6/{n}" for n in ("lupdate*", "lrelease*", "designer*", "svgtoqml*", "balsam*")),
    *(f"PySide6/{n}" for n in ("rcc*", "uic*", "qmlimportscanner*", "qmlcachegen*", "qsb*")),
    *(f"PySide6/{n}" for n in ("Assistant.app", "Designer.app", "Linguist.app", "metatypes")),
    *(f"PySide6/{n}" for n in ("qml", "resources", "scripts", "glue", "typesystems", "doc")),
    *(f"PySide6/{n}" for n in ("libpyside6qml.*", "pyside6qml.*", "QtAsyncio", "lib")),
    *(f"PySide6/Qt/{n}" for n in ("qml", "metatypes", "libexec", "resources", "doc")),
    # tests and examples that packages carry
    *("sympy/*/tests", "sympy/*/*/tests", "sympy/*/*/*/tests", "sympy/*/benchmarks"),
    *("sympy/testing/tests", "mpmath/tests", "networkx/tests", "networkx/*/tests"),
    *("networkx/*/*/tests", "networkx/*/*/*/tests", "psutil/tests", "fontTools/*/tests"),
    *("numpy/tests", "numpy/*/tests", "numpy/*/*/tests", "numpy/*/*/*/tests"),
    *("numpy/_core/include", "numpy/f2py/src", "numpy/_core/lib"),
    # what torch's use of sympy never reaches
    *(f"sympy/{n}" for n in ("physics", "stats", "crypto", "categories", "holonomic", "diffgeom")),
    *(f"sympy/parsing/{n}" for n in ("autolev", "latex", "fortran", "c")),
    *(
        "sympy/liealgebras",
        "sympy/sandbox",
        "numpy/f2py",
        "numpy/distutils",
        "huggingface_hub/cli",
        "torchgen/packaged",
    ),
    *("numpy/_core/_simd.*", "numpy/_core/_*_tests.*", "example.py", "isympy.py"),
    # lists of what pip wrote, for pip alone
    "*.dist-info/RECORD",
    "PySide6/include",
    "PySide6/opengl32sw.dll",
    # resources that only the repository shows
    *("resources/models/*/curve.*", "resources/models/*/losses.npz"),
    *("pip", "pip-*.dist-info"),
)
"""Patterns below site-packages; what matches goes with all that is in it."""

DROPPED_EVERYWHERE = ("*.pyi", "*.pxd", "*.pyx", "*.a", "*.lib", "*.pdb", "*.h", "*.hpp", "*.cuh")
"""Names of files that go wherever they lie in site-packages."""

QT_MODULES = ("Core", "Gui", "Widgets", "Network", "Svg")
"""The parts of Qt that app imports."""

_QT_INNER = ("DBus", "OpenGL", "XcbQpa", "WaylandClient", "WlShellIntegration")
"""What these and their plug-ins need."""

QT_PLUGINS = (
    *("platforms/*qxcb.*", "platforms/*qwayland*", "platforms/*qoffscreen.*"),
    *("platforms/qwindows.*", "platforms/libqcocoa.*", "styles/*", "iconengines/*"),
    *("imageformats/*q[gijs]*", "platforminputcontexts/*compose*"),
    *("platforminputcontexts/*ibus*", "platformthemes/*xdgdesktopportal*"),
    *("wayland-shell-integration/*xdg-shell*", "wayland-decoration-client/*"),
    *("wayland-graphics-integration-client/*wayland-egl*", "xcbglintegrations/*"),
)
"""Plug-ins that stay. Not among them: the GTK theme, which would load the system's newer glib."""

QT_TRANSLATIONS = ("qtbase_zh_CN.qm", "qtbase_ja.qm")


def prune(site: Path) -> int:
    """Remove what the table says below ``site`` (site-packages); return the bytes set free."""
    before = size_of(site)
    for pattern in DROPPED:
        for path in site.glob(pattern):
            _remove(path)
    for folder, _, names in os.walk(site):
        for name in names:
            if any(fnmatch.fnmatch(name, pattern) for pattern in DROPPED_EVERYWHERE):
                Path(folder, name).unlink()
    _prune_qt(site / "PySide6")
    return before - size_of(site)


def _prune_qt(package: Path) -> None:
    """Keep of Qt what is listed. Windows has libraries and plug-ins in the package itself."""
    inner = package / "Qt" if (package / "Qt").is_dir() else package
    for binding in [*package.glob("Qt*.so"), *package.glob("Qt*.pyd")]:
        if binding.name.split(".")[0].removeprefix("Qt") not in QT_MODULES:
            binding.unlink()
    kept = (*QT_MODULES, *_QT_INNER)
    libraries = [
        *inner.glob("lib/libQt6*"),
        *package.glob("Qt6*.dll"),
        *inner.glob("lib/Qt*.framework"),
    ]
    for library in libraries:
        name = library.name.split(".")[0].removeprefix("lib").removeprefix("Qt6").removeprefix("Qt")
        if name not in kept:
            _remove(library)
    _keep(inner / "plugins", QT_PLUGINS)
    _keep(inner / "translations", QT_TRANSLATIONS)


def _keep(folder: Path, patterns: tuple[str, ...]) -> None:
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        name = path.relative_to(folder).as_posix()
        if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            path.unlink()
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
