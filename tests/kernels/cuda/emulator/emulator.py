"""Runs CUDA sources on the CPU, thread for thread: same interface as ``kernels.cuda.program``.

Tensors are CPU tensors. What is found along the way that a card would punish or leave to chance:
threads.h (waits that never end, shared memory read before it is written) and checks.h (alignment,
indices, shifts). Two more ways to run find more:

backward: threads and blocks in the opposite order; a result that changes with it comes from a
missing barrier, or from blocks that depend on each other.
checked: each access must lie within a tensor of the launch; a dependent launch must not touch
before its wait what may still be written. Slow; where addresses reach kernels
otherwise (ints, in tables), `EmulatedPrograms.allow` names the tensors. The environment's
SKEIN_EMULATOR_CHECKED=1 and SKEIN_EMULATOR_BACKWARD=1 do the same for every program.
"""

import ctypes
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kernels.cuda.arguments import Argument, CudaProblem, PackedArguments, three
from tests.kernels.cuda.emulator.build import copy_of, library_of

MANY_THREADS = 1 << 14
"""Threads of a launch from which two of the host's are worth their start."""

Marks = NDArray[np.uint8]
Macros = Mapping[str, int | str | None]
_PROBLEM_BYTES = 400
_COPIES = 2
_STORED_BYTES = 64


class _Memory(ctypes.Structure):
    """As threads.h's."""

    _fields_ = (
        ("begin", ctypes.c_void_p),
        ("size_bytes", ctypes.c_size_t),
        ("stored", ctypes.c_void_p),
    )


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
        ("memory", ctypes.c_void_p),
        ("memory_count", ctypes.c_int),
        ("dependent", ctypes.c_int),
        ("pending", ctypes.c_void_p),
        ("pending_count", ctypes.c_int),
    )


@dataclass(slots=True)
class Stream:
    """What a card's stream knows: which memory the kernels have written that may still run.

    allowed: tensors that every kernel may touch. written: (address, bytes), since the last launch
    that was not dependent, and so waited for all before it.
    """

    allowed: list[Tensor] = field(default_factory=list)
    written: list[tuple[int, int]] = field(default_factory=list)


class EmulatedPrograms:
    """The twin of ``kernels.cuda.program.CardPrograms``: hands out programs for the CPU."""

    device = torch.device("cpu")

    def __init__(self, *, backward: bool = False, checked: bool = False) -> None:
        self._backward = backward
        self._checked = checked
        self._stream = Stream()

    def __call__(
        self, sources: Sequence[str | Path], macros: Macros | None = None
    ) -> "EmulatedProgram":
        """See ``kernels.cuda.program.Programs``."""
        return EmulatedProgram(
            sources,
            macros,
            backward=self._backward,
            checked=self._checked,
            stream=self._stream,
        )

    def allow(self, *tensors: Tensor) -> None:
        """Let every kernel touch these, whether or not they are among its arguments."""
        self._stream.allowed.extend(tensors)


class EmulatedProgram:
    """Sources compiled for the CPU; names are found in ``kernels/cuda``."""

    def __init__(
        self,
        sources: Sequence[str | Path],
        macros: Macros | None = None,
        *,
        backward: bool = False,
        checked: bool = False,
        stream: Stream | None = None,
    ) -> None:
        self.checked = checked or os.environ.get("SKEIN_EMULATOR_CHECKED") == "1"
        self.backward = backward or os.environ.get("SKEIN_EMULATOR_BACKWARD") == "1"
        self.stream = stream or Stream()
        self._library = library_of(sources, macros or {}, checked=self.checked)
        self._loaded: dict[int, ctypes.CDLL] = {}
        self._kernels: dict[str, EmulatedKernel] = {}

    def kernel(self, name: str) -> "EmulatedKernel":
        """Return a kernel by its C name; CudaProblem where there is none."""
        if name not in self._kernels:
            self._kernels[name] = EmulatedKernel(self, name)
        return self._kernels[name]

    def entry(self, name: str, copy: int = 0) -> Any:
        """Return a function of one of the library's copies (each runs one block at a time)."""
        if copy not in self._loaded:
            self._loaded[copy] = ctypes.CDLL(str(copy_of(self._library, copy)))
        try:
            return self._loaded[copy][name]
        except AttributeError:
            kernel = name.partition("_")[2]
            raise CudaProblem(f"The program has no kernel {kernel}.") from None


class EmulatedKernel:
    """One kernel; see ``kernels.cuda.program.KernelLike``."""

    def __init__(self, program: EmulatedProgram, name: str) -> None:
        self.program = program
        self.name = name
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
        self._check(PackedArguments(arguments).kinds, arguments)
        if not 0 < block <= 1024 or min(three(grid)) < 1:
            raise CudaProblem(f"{self.name} cannot be launched with {grid} blocks of {block}.")
        return EmulatedLaunch(
            self, three(grid), block, tuple(arguments), shared_bytes, dependent=dependent
        )

    def _check(self, kinds: str, arguments: Sequence[Argument]) -> None:
        if len(kinds) != len(self._kinds):
            raise CudaProblem(f"{self.name} takes {len(self._kinds)} arguments, not {len(kinds)}.")
        for i, (given, wanted) in enumerate(zip(kinds, self._kinds, strict=True)):
            if given != wanted and (given, wanted) != ("i", "p"):
                raise CudaProblem(f"Argument {i} of {self.name} is of kind {wanted}, not {given}.")
        for i, argument in enumerate(arguments):
            if isinstance(argument, Tensor) and argument.device.type != "cpu":
                raise CudaProblem(f"Argument {i} of {self.name} is no CPU tensor.")


class EmulatedLaunch:
    """A launch that is ready; `run` may be called again and again."""

    def __init__(
        self,
        kernel: EmulatedKernel,
        grid: tuple[int, int, int],
        block: int,
        arguments: tuple[Argument, ...],
        shared_bytes: int,
        *,
        dependent: bool,
    ) -> None:
        self._kernel = kernel
        self._dependent = dependent
        self._sizes = (grid, block, shared_bytes)
        self._arguments = arguments
        self._packed = PackedArguments(arguments)

    def run(self) -> None:
        """Run all blocks now, on two threads where that is worth it."""
        (x, y, z), block, _ = self._sizes
        stream = self._kernel.program.stream
        if not self._dependent:
            stream.written.clear()
        before = _merged(stream.written)
        copies = _COPIES if x * y * z * block >= MANY_THREADS else 1
        if copies == 1:
            stream.written += self._run(0, 1, before)
            return
        with ThreadPoolExecutor(copies) as pool:
            for run in [pool.submit(self._run, i, copies, before) for i in range(copies)]:
                stream.written += run.result()

    def _run(self, copy: int, copies: int, before: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Run each of a copy's blocks; return what they have written, if that is checked."""
        program, name = self._kernel.program, self._kernel.name
        grid, block, shared_bytes = self._sizes
        problem = ctypes.create_string_buffer(_PROBLEM_BYTES)
        tensors = self._tensors()
        stored = [_marks(tensor) for tensor in tensors] if program.checked else []
        memory = self._memory(tensors, stored)
        pending = (_Memory * len(before))(*before)
        data = _LaunchData(
            (ctypes.c_uint * 3)(*grid),
            *(block, shared_bytes, copy, copies, int(program.backward)),
            ctypes.addressof(self._packed.pointers),
            ctypes.addressof(problem),
            ctypes.addressof(memory),
            *(len(memory), int(self._dependent), ctypes.addressof(pending), len(before)),
        )
        if program.entry(f"run_{name}", copy)(ctypes.byref(data)):
            raise CudaProblem(f"{name}: {problem.value.decode() or 'no memory'}.")
        return [
            (tensor.data_ptr() + begin * _STORED_BYTES, (end - begin) * _STORED_BYTES)
            for tensor, marks in zip(tensors, stored, strict=False)
            for begin, end in _runs(marks)
        ]

    def _tensors(self) -> list[Tensor]:
        """Return the arguments' tensors in their order, and those that all may touch."""
        own = [a for a in self._arguments if isinstance(a, Tensor)]
        return own + self._kernel.program.stream.allowed

    def _memory(self, tensors: list[Tensor], stored: list[Marks]) -> ctypes.Array[_Memory]:
        """Return what the kernel may touch: tensors (writes are marked) and the arguments."""
        places = [marks.ctypes.data for marks in stored] or [0] * len(tensors)
        own = (*self._packed.values, self._packed.pointers)
        parts = [
            (tensor.data_ptr(), _extent_bytes(tensor), place)
            for tensor, place in zip(tensors, places, strict=True)
        ]
        parts += [(ctypes.addressof(part), ctypes.sizeof(part), 0) for part in own]
        return (_Memory * len(parts))(*parts)


def _merged(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (address, bytes) in order, what touches or overlaps as one."""
    merged: list[tuple[int, int]] = []
    for begin, size in sorted(parts):
        last, last_size = merged[-1] if merged else (0, -1)
        if begin <= last + last_size:
            merged[-1] = (last, max(last_size, begin + size - last))
        else:
            merged.append((begin, size))
    return merged


def _marks(tensor: Tensor) -> Marks:
    return np.zeros(_extent_bytes(tensor) // _STORED_BYTES + 1, np.uint8)


def _runs(marks: Marks) -> list[tuple[int, int]]:
    """Return where marks begin and end."""
    edges = np.flatnonzero(np.diff(marks, prepend=0, append=0))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _extent_bytes(tensor: Tensor) -> int:
    """Return the bytes from a tensor's first element to its last, gaps and all."""
    if tensor.numel() == 0:
        return 0
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    return (sum((size - 1) * stride for size, stride in steps) + 1) * tensor.element_size()
