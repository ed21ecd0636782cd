"""Runs CUDA sources on the CPU, thread for thread: same interface as ``kernels.cuda.program``.

The sources are compiled by g++ after ``device.h``, the twin of ``kernels/cuda/device.cuh``, and
kept in the system's temporary folder under a hash of their text. Tensors are CPU tensors. What is
checked along the way: see threads.h. `backward` takes threads and blocks in the opposite order: a
result that changes with it comes from a missing barrier.
"""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import torch

import kernels.cuda
from kernels.cuda.arguments import Argument, CudaProblem, PackedArguments, three

FOLDER = Path(__file__).parent
SOURCES = Path(str(kernels.cuda.__file__)).parent
HEADERS = ("threads.h", "builtins.h", "device.h")
FLAGS = (
    *("-std=c++17", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-gnu-unique"),
    *("-fno-exceptions", "-fno-strict-aliasing", "-ffp-contract=off", "-fno-stack-protector"),
    *("-fcf-protection=none", "-Wall", "-Wno-unknown-pragmas", "-Wno-unused", "-Wno-attributes"),
    *("-Wno-maybe-uninitialized", "-Wno-uninitialized", "-Wno-comment", "-Wl,-z,noexecstack"),
)
MANY_THREADS = 1 << 14
"""Threads of a launch from which two of the host's are worth their start."""

_EXTERN_SHARED = re.compile(
    r"extern\s+__shared__\s+(?:__align__\(\d+\)\s+)?([\w:]+(?:\s+[\w:]+)?)\s+(\w+)\[\];"
)
_KERNEL = re.compile(r"EMULATED_GLOBAL_MARK\s+void\s+(\w+)\s*\(")
_PROBLEM_BYTES = 400
_COPIES = 2


class _LaunchData(ctypes.Structure):
    """As threads.h's Launch."""

    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_int),
        ("dynamic_bytes", ctypes.c_int),
        ("first", ctypes.c_int),
        ("step", ctypes.c_int),
        ("backward", ctypes.c_int),
        ("arguments", ctypes.c_void_p),
        ("problem", ctypes.c_void_p),
    )


class EmulatedPrograms:
    """The twin of ``kernels.cuda.program.CardPrograms``: hands out programs for the CPU."""

    device = torch.device("cpu")

    def __init__(self, *, backward: bool = False) -> None:
        self._backward = backward

    def __call__(
        self,
        sources: Sequence[str | Path],
        macros: Mapping[str, int | str | None] | None = None,
    ) -> "EmulatedProgram":
        return EmulatedProgram(sources, macros, backward=self._backward)


class EmulatedProgram:
    """Sources compiled for the CPU; names are found in ``kernels/cuda``."""

    def __init__(
        self,
        sources: Sequence[str | Path],
        macros: Mapping[str, int | str | None] | None = None,
        *,
        backward: bool = False,
    ) -> None:
        paths = [SOURCES / source for source in sources if Path(source).name != "device.cuh"]
        text = "".join(_source(path) for path in paths)
        defines = [f"-D{n}" if v is None else f"-D{n}={v}" for n, v in (macros or {}).items()]
        self._library = _library(text, tuple(defines))
        self._loaded: dict[int, ctypes.CDLL] = {}
        self._backward = backward
        self._kernels: dict[str, EmulatedKernel] = {}

    def kernel(self, name: str) -> "EmulatedKernel":
        """Return a kernel by its C name; CudaProblem where there is none."""
        if name not in self._kernels:
            self._kernels[name] = EmulatedKernel(self, name, backward=self._backward)
        return self._kernels[name]

    def entry(self, name: str, copy: int = 0) -> Any:
        """Return what runs kernel `name` in one of the library's copies (each runs one block)."""
        if copy not in self._loaded:
            self._loaded[copy] = ctypes.CDLL(str(_copy_of(self._library, copy)))
        try:
            return self._loaded[copy][name]
        except AttributeError:
            raise CudaProblem(f"The program has no kernel {name}.") from None


class EmulatedKernel:
    """One kernel; see ``kernels.cuda.program.Kernel``."""

    def __init__(self, program: EmulatedProgram, name: str, *, backward: bool) -> None:
        self._program = program
        self.name = name
        self.backward = backward
        kinds = program.entry(f"kinds_{name}")
        kinds.restype = ctypes.c_char_p
        self._kinds = kinds().decode()

    def launch(
        self,
        grid: int | Sequence[int],
        block: int,
        arguments: Sequence[Argument],
        *,
        shared_bytes: int = 0,
        dependent: bool = False,
    ) -> None:
        """Run all blocks now."""
        self.bind(grid, block, arguments, shared_bytes=shared_bytes, dependent=dependent).run()

    def bind(
        self,
        grid: int | Sequence[int],
        block: int,
        arguments: Sequence[Argument],
        *,
        shared_bytes: int = 0,
        dependent: bool = False,
    ) -> "EmulatedLaunch":
        """Check what a card would not check, and return what runs all blocks."""
        packed = PackedArguments(arguments)
        self._check(packed.kinds, arguments)
        if not 0 < block <= 1024 or min(three(grid)) < 1:
            raise CudaProblem(f"{self.name} cannot be launched with {grid} blocks of {block}.")
        return EmulatedLaunch(self, three(grid), block, packed, shared_bytes)

    def _check(self, kinds: str, arguments: Sequence[Argument]) -> None:
        if len(kinds) != len(self._kinds):
            raise CudaProblem(f"{self.name} takes {len(self._kinds)} arguments, not {len(kinds)}.")
        for i, (given, wanted) in enumerate(zip(kinds, self._kinds, strict=True)):
            if given != wanted and (given, wanted) != ("i", "p"):
                raise CudaProblem(f"Argument {i} of {self.name} is of kind {wanted}, not {given}.")
        for i, argument in enumerate(arguments):
            if isinstance(argument, torch.Tensor) and argument.device.type != "cpu":
                raise CudaProblem(f"Argument {i} of {self.name} is no CPU tensor.")

    def run(
        self, grid: tuple[int, int, int], block: int, packed: PackedArguments, shared_bytes: int
    ) -> None:
        """Run all blocks, on two threads where that is worth it."""
        copies = _COPIES if grid[0] * grid[1] * grid[2] * block >= MANY_THREADS else 1
        if copies == 1:
            self._run(0, 1, grid, block, packed, shared_bytes)
            return
        with ThreadPoolExecutor(copies) as pool:
            runs = [
                pool.submit(self._run, i, copies, grid, block, packed, shared_bytes)
                for i in range(copies)
            ]
            for run in runs:
                run.result()

    def _run(
        self,
        copy: int,
        copies: int,
        grid: tuple[int, int, int],
        block: int,
        packed: PackedArguments,
        shared_bytes: int,
    ) -> None:
        problem = ctypes.create_string_buffer(_PROBLEM_BYTES)
        data = _LaunchData(
            (ctypes.c_uint * 3)(*grid),
            *(block, shared_bytes, copy, copies, int(self.backward)),
            ctypes.addressof(packed.pointers),
            ctypes.addressof(problem),
        )
        if self._program.entry(f"run_{self.name}", copy)(ctypes.byref(data)):
            raise CudaProblem(f"{self.name}: {problem.value.decode() or 'no memory'}.")


class EmulatedLaunch:
    """A launch that is ready; `run` may be called again and again."""

    def __init__(
        self,
        kernel: EmulatedKernel,
        grid: tuple[int, int, int],
        block: int,
        packed: PackedArguments,
        shared_bytes: int,
    ) -> None:
        self._kernel = kernel
        self._rest = (grid, block, packed, shared_bytes)

    def run(self) -> None:
        """Run all blocks now."""
        self._kernel.run(*self._rest)


def _source(path: Path) -> str:
    """Return a source's text, numbered as its file, without `extern __shared__`."""
    text = _EXTERN_SHARED.sub(
        r"\1* \2 = static_cast<\1*>(emulated::dynamic_shared());", path.read_text("utf-8")
    )
    return f'#line 1 "{path}"\n{text}\n'


@cache
def _compiler() -> str:
    found = shutil.which("g++") or shutil.which("c++")
    if found is None:
        raise CudaProblem("There is no C++ compiler to emulate kernels with.")
    return found


def _library(text: str, defines: tuple[str, ...]) -> Path:
    """Return the compiled library, made now or at an earlier run."""
    headers = "".join((FOLDER / name).read_text("utf-8") for name in HEADERS)
    flags = (*FLAGS, "-march=native", *defines, f"-I{FOLDER}", "-x", "c++", "-")
    key = hashlib.sha256("\0".join((text, headers, *flags)).encode()).hexdigest()[:32]
    folder = Path(tempfile.gettempdir()) / f"skein-emulator-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"{key}.so"
    if not library.exists():
        whole = f'#include "device.h"\n{text}'
        entries = "".join(f"EMULATED_KERNEL({name})\n" for name in _kernel_names(whole, flags))
        _compile((*flags, "-o"), library, f'{whole}#line 1 "entries"\n{entries}')
    return library


def _kernel_names(text: str, flags: tuple[str, ...]) -> list[str]:
    mark = "-DEMULATED_GLOBAL=EMULATED_GLOBAL_MARK"
    expanded = _g_plus_plus((*flags, mark, "-E", "-P"), text)
    return list(dict.fromkeys(_KERNEL.findall(expanded)))


def _compile(flags: tuple[str, ...], library: Path, text: str) -> None:
    """Write the library under another name first: two runs may compile the same."""
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        made = Path(folder) / "made.so"
        _g_plus_plus((*flags, str(made)), text)
        made.replace(library)


def _g_plus_plus(flags: tuple[str, ...], text: str) -> str:
    done = subprocess.run(
        (_compiler(), *flags), input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CudaProblem(f"The sources do not compile:\n{done.stderr[:4000]}")
    return done.stdout


def _copy_of(library: Path, copy: int) -> Path:
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
