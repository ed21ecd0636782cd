"""Compiles CUDA sources for the CPU with g++; libraries are kept in the system's temporary folder.

Knows sources and files; what the compiled code does say threads.h, builtins.h and device.h.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import kernels.cuda
from kernels.cuda.arguments import CudaProblem

FOLDER = Path(__file__).parent
SOURCES = Path(str(kernels.cuda.__file__)).parent
HEADERS = ("threads.h", "builtins.h", "entries.h", "checks.h", "device.h")
FLAGS = (
    *("-std=c++17", "-O2", "-march=native", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique"),
    *("-fno-exceptions", "-fno-strict-aliasing", "-ffp-contract=off", "-fno-stack-protector"),
    *("-fcf-protection=none", "-Wall", "-Wno-unknown-pragmas", "-Wno-unused", "-Wno-attributes"),
    *("-Wno-maybe-uninitialized", "-Wno-uninitialized", "-Wno-comment", f"-I{FOLDER}"),
    "-fsanitize=alignment,bounds,shift-exponent,null,integer-divide-by-zero,bool",
)
MEMORY_FLAGS = (
    *("-DEMULATED_MEMORY", "-fsanitize=kernel-address"),
    *("--param", "asan-instrumentation-with-call-threshold=0"),
    *("--param", "asan-stack=0", "--param", "asan-globals=0"),
)
LAST_FLAGS = ("-fno-sanitize-recover=all", "-x", "c++", "-")
LINK_FLAGS = ("-shared", "-Wl,-z,noexecstack", "-Wl,-Bsymbolic")
KEPT_LIBRARIES = 400

_EXTERN_SHARED = re.compile(
    r"extern\s+__shared__\s+(?:__align__\(\d+\)\s+)?([\w:]+(?:\s+[\w:]+)?)\s+(\w+)\[\];"
)
_KERNEL = re.compile(r"EMULATED_GLOBAL_MARK\s+void\s+(\w+)\s*\(")


def library_of(
    sources: Sequence[str | Path], macros: Mapping[str, int | str | None], *, checked: bool
) -> Path:
    """Return the compiled library, made now or at an earlier run. Names are of kernels/cuda.

    checked: every access to memory is checked. Raises CudaProblem with g++'s words.
    """
    paths = [SOURCES / source for source in sources if Path(source).name != "device.cuh"]
    text = '#include "device.h"\n' + "".join(_source(path) for path in paths)
    defines = (f"-D{n}" if v is None else f"-D{n}={v}" for n, v in macros.items())
    flags = (*FLAGS, *(MEMORY_FLAGS if checked else ()), *defines, *LAST_FLAGS)
    headers = "".join((FOLDER / name).read_text("utf-8") for name in HEADERS)
    key = hashlib.sha256("\0".join((text, headers, *flags, *LINK_FLAGS)).encode()).hexdigest()
    library = _folder() / f"{key[:32]}.so"
    if not library.exists():
        _make_room(library.parent)
        names = _kernel_names(text, flags)
        entries = "".join(f"EMULATED_KERNEL({name})\n" for name in names)
        _compile(flags, library, f'{text}#line 1 "entries"\n{entries}')
    return library


def copy_of(library: Path, copy: int) -> Path:
    """Return the library, or a copy of the file: another copy has static variables of its own."""
    if copy == 0:
        return library
    other = library.with_suffix(f".{copy}.so")
    if not other.exists():
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            made = Path(folder) / "made.so"
            shutil.copyfile(library, made)
            made.replace(other)
    return other


def _source(path: Path) -> str:
    """Return a source's text, numbered as its file, without `extern __shared__`."""
    text = _EXTERN_SHARED.sub(
        r"\1* \2 = static_cast<\1*>(emulated::dynamic_shared());", path.read_text("utf-8")
    )
    return f'#line 1 "{path}"\n{text}\n'


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"skein-emulator-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _make_room(folder: Path) -> None:
    """Let the oldest libraries go; whoever has one loaded keeps it."""
    libraries = sorted(folder.glob("*.so"), key=lambda path: path.stat().st_mtime_ns)
    for path in libraries[:-KEPT_LIBRARIES]:
        path.unlink(missing_ok=True)


def _kernel_names(text: str, flags: tuple[str, ...]) -> list[str]:
    mark = "-DEMULATED_GLOBAL=EMULATED_GLOBAL_MARK"
    expanded = _g_plus_plus((mark, "-E", "-P", *flags), text)
    return list(dict.fromkeys(_KERNEL.findall(expanded)))


def _compile(flags: tuple[str, ...], library: Path, text: str) -> None:
    """Write the library under another name first: two runs may compile the same.

    It is linked without -fsanitize: the checks' answers are in checks.h.
    """
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        compiled, linked = Path(folder) / "made.o", Path(folder) / "made.so"
        _g_plus_plus(("-c", "-o", str(compiled), *flags), text)
        _g_plus_plus((*LINK_FLAGS, "-o", str(linked), str(compiled)), "")
        linked.replace(library)


def _g_plus_plus(flags: tuple[str, ...], text: str) -> str:
    done = subprocess.run(
        (_compiler(), *flags), input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CudaProblem(f"The sources do not compile:\n{done.stderr[:4000]}")
    return done.stdout


@cache
def _compiler() -> str:
    found = shutil.which("g++") or shutil.which("c++")
    if found is None:
        raise CudaProblem("There is no C++ compiler to emulate kernels with.")
    return found
