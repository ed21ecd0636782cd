"""Programs that are compiled for a card that is not there, and whose launches are only checked.

A stand-in for ``kernels.cuda.program.CardPrograms``: what a card of this architecture would
refuse (a kernel that is not there, too much shared memory, too many registers) is a CudaProblem.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from kernels.cuda.arguments import Argument, CudaProblem, three
from kernels.cuda.compiler import Macros
from tests.kernels.cuda.resources import Resources, resources

SHARED_KIB = {75: 64, 80: 163, 86: 99, 89: 99, 90: 227, 100: 227, 120: 99}
"""Shared memory that a block can have, by architecture."""

REGISTERS = 65536
"""Registers of a processor; those of a block are given out by warps, in steps of eight a thread."""


class CompiledPrograms:
    """Programs for cards of `architecture`, e.g. 90."""

    device = torch.device("cpu")

    def __init__(self, architecture: int) -> None:
        self.architecture = architecture
        self.made: list[CompiledProgram] = []

    def __call__(
        self, sources: Sequence[str | Path], macros: Macros | None = None
    ) -> "CompiledProgram":
        """See ``kernels.cuda.program.Programs``."""
        self.made.append(CompiledProgram(sources, self.architecture, macros))
        return self.made[-1]


class CompiledProgram:
    """What the compiler says of each kernel. used: the names that were asked for."""

    def __init__(
        self, sources: Sequence[str | Path], architecture: int, macros: Macros | None
    ) -> None:
        self.architecture = architecture
        self.resources = resources(sources, architecture, macros)
        self.used: set[str] = set()

    def kernel(self, name: str) -> "CompiledKernel":
        """Return a kernel; CudaProblem where there is none of this name."""
        if name not in self.resources:
            raise CudaProblem(f"The program has no kernel {name}.")
        self.used.add(name)
        return CompiledKernel(name, self.resources[name], self.architecture)


class CompiledKernel:
    """A kernel that is never run."""

    def __init__(self, name: str, taken: Resources, architecture: int) -> None:
        self._name = name
        self._taken = taken
        self._shared_bytes = SHARED_KIB[architecture] * 1024

    def bind(
        self,
        grid: int | Sequence[int],
        block: int,
        arguments: Sequence[Argument],
        *,
        shared_bytes: int = 0,
        dependent: bool = False,
    ) -> "CheckedLaunch":
        """Check the launch's sizes."""
        del arguments, dependent
        x, y, z = three(grid)
        shared = self._taken.shared_bytes + shared_bytes
        registers = -(-self._taken.registers // 8) * 8 * -(-block // 32) * 32
        well = min(x, y, z) > 0 and x < 2**31 and max(y, z) < 2**16 and 0 < block <= 1024
        if not well or shared > self._shared_bytes or registers > REGISTERS:
            raise CudaProblem(
                f"{self._name} cannot be launched: {grid} blocks of {block}, {shared} shared "
                f"bytes of {self._shared_bytes}, {registers} registers."
            )
        return CheckedLaunch()

    def launch(
        self,
        grid: int | Sequence[int],
        block: int,
        arguments: Sequence[Argument],
        *,
        shared_bytes: int = 0,
        dependent: bool = False,
    ) -> None:
        """Check the launch's sizes."""
        self.bind(grid, block, arguments, shared_bytes=shared_bytes, dependent=dependent)


class CheckedLaunch:
    """A launch that would be accepted."""

    def run(self) -> None:
        """Do nothing."""
