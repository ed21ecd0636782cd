"""Kernels by name, ready to launch: sources compiled for the card at hand, or taken from a cache.

Knows sources and launches; knows nothing of models. Nothing is installed for it: NVRTC comes with
torch's CUDA build, the rest is the driver. Every failure is a CudaProblem.
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch

from kernels.cuda.arguments import Argument, CudaProblem, PackedArguments, three
from kernels.cuda.compiler import Macros, compile_cubin, find_compiler
from kernels.cuda.cubins import CubinCache, CubinKey
from kernels.cuda.driver import DEPENDENT_FROM, Card, find_driver, launch_config

__all__ = [
    "Argument",
    "CardPrograms",
    "CubinCache",
    "CudaProblem",
    "KernelLike",
    "LaunchLike",
    "Macros",
    "Program",
    "ProgramLike",
    "Programs",
    "compile_cubin",
    "joined",
    "missing",
]

FOLDER = Path(__file__).parent
BASE = "device.cuh"
SHARED_BYTES_OF_ALL = 48 * 1024
"""Shared memory that a block gets without asking, static and dynamic."""


class LaunchLike(Protocol):
    """A kernel with its arguments, to be launched any number of times."""

    def run(self) -> None:
        """Launch on torch's current stream, or into the graph that is being captured."""
        ...


class KernelLike(Protocol):
    """One kernel."""

    def bind(
        self,
        grid: int | Sequence[int],
        block: int,
        arguments: Sequence[Argument],
        *,
        shared_bytes: int = 0,
        dependent: bool = False,
    ) -> LaunchLike:
        """Prepare a launch of `grid` blocks (x, or x, y, z) of `block` threads.

        arguments: a tensor or None is passed as its address, an int as 64 bits (``long long``; the
        low half for an ``int``), a float as 32 bits, bytes as a struct by value. The launch keeps
        the tensors alive. shared_bytes: dynamic shared memory of a block. dependent: may begin
        before the kernel before has ended, and calls wait_for_previous() itself.
        """
        ...

    def launch(
        self,
        grid: int | Sequence[int],
        block: int,
        arguments: Sequence[Argument],
        *,
        shared_bytes: int = 0,
        dependent: bool = False,
    ) -> None:
        """Launch once; see `bind`. The caller keeps the tensors alive until that is done."""
        ...


class ProgramLike(Protocol):
    """Sources, compiled."""

    def kernel(self, name: str) -> KernelLike:
        """Return a kernel by its C name; CudaProblem where there is none."""
        ...


class Programs(Protocol):
    """Makes programs for one device: a card, or the emulator of the tests."""

    @property
    def device(self) -> torch.device:
        """Where the tensors of every launch must be."""
        ...

    def __call__(self, sources: Sequence[str | Path], macros: Macros | None = None) -> ProgramLike:
        """Compile sources: names in this folder or paths, joined in order after device.cuh."""
        ...


class CardPrograms:
    """Programs for one card. The same sources and macros give the same program again."""

    def __init__(self, device: torch.device | int, cache: CubinCache | None = None) -> None:
        self.device = torch.device("cuda", device) if isinstance(device, int) else device
        self._cache = cache
        self._made: dict[tuple[object, ...], Program] = {}

    def __call__(self, sources: Sequence[str | Path], macros: Macros | None = None) -> "Program":
        """See Programs."""
        key = (*map(str, sources), None, *sorted((macros or {}).items()))
        if key not in self._made:
            self._made[key] = Program(sources, self.device, macros, self._cache)
        return self._made[key]

    def close(self) -> None:
        """Take all programs off the card. Nothing may be running, no graph may hold a kernel."""
        for program in self._made.values():
            program.close()
        self._made.clear()


class Program:
    """Sources compiled for one card and loaded onto it. Kernels are found by their C names."""

    def __init__(
        self,
        sources: Sequence[str | Path],
        device: torch.device | int,
        macros: Macros | None = None,
        cache: CubinCache | None = None,
        *,
        with_base: bool = True,
    ) -> None:
        """device: of torch. cache: where compiled code is kept, None for nowhere.

        with_base: device.cuh comes before the sources. Raises CudaProblem when they cannot be
        compiled or loaded.
        """
        ordinal = device if isinstance(device, int) else device.index or 0
        self._capability = torch.cuda.get_device_capability(ordinal)
        torch.cuda.current_stream(ordinal)  # torch is set up, so that its context is the one
        self._card = Card(find_driver(), ordinal)
        text = joined(sources, with_base=with_base)
        self._module: ctypes.c_void_p | None = self._load(text, dict(macros or {}), cache)
        self._kernels: dict[str, Kernel] = {}

    def kernel(self, name: str) -> "Kernel":
        """Return a kernel by its C name; CudaProblem where there is none."""
        if self._module is None:
            raise CudaProblem(f"The program of {name} was closed.")
        if name not in self._kernels:
            function = self._card.function(self._module, name)
            dependent = self._capability >= DEPENDENT_FROM
            self._kernels[name] = Kernel(self._card, function, name, can_depend=dependent)
        return self._kernels[name]

    def close(self) -> None:
        """Take the code off the card, now. No graph may hold a kernel of it."""
        module, self._module = self._module, None
        self._kernels.clear()
        if module is not None:
            self._card.unload(module)

    def _load(self, text: str, macros: Macros, cache: CubinCache | None) -> ctypes.c_void_p:
        """Load kept code, else (also where the driver refuses that) compile."""
        compiler = find_compiler()
        architecture = compiler.architecture_for(self._capability)
        driver = self._card.driver.version
        key = CubinKey(text, macros, architecture, compiler.version, driver)
        kept = cache.get(key) if cache else None
        if cache and kept is not None:
            try:
                return self._card.load(kept)
            except CudaProblem:
                cache.drop(key)
        cubin, _ = compiler.compile(text, architecture, macros)
        module = self._card.load(cubin)
        if cache:
            cache.put(key, cubin)
        return module


class Kernel:
    """One kernel of a program on a card: see KernelLike."""

    def __init__(
        self, card: Card, function: ctypes.c_void_p, name: str, *, can_depend: bool
    ) -> None:
        self.name = name
        self.card = card
        self.function = function
        self._can_depend = can_depend
        self._allowed_bytes = SHARED_BYTES_OF_ALL

    @property
    def resources(self) -> tuple[int, int, int]:
        """(registers, bytes of local memory) of a thread, and static shared bytes of a block."""
        return self.card.resources(self.function)

    def bind(
        self,
        grid: int | Sequence[int],
        block: int,
        arguments: Sequence[Argument],
        *,
        shared_bytes: int = 0,
        dependent: bool = False,
    ) -> "Launch":
        """See KernelLike. Cards before sm_90 wait for the kernel before, dependent or not."""
        if shared_bytes and shared_bytes + self.resources[2] > self._allowed_bytes:
            self.card.allow_shared(self.function, shared_bytes)
            self._allowed_bytes = shared_bytes + self.resources[2]
        return Launch(
            self,
            three(grid),
            block,
            PackedArguments(arguments),
            shared_bytes,
            dependent=dependent and self._can_depend,
        )

    def launch(
        self,
        grid: int | Sequence[int],
        block: int,
        arguments: Sequence[Argument],
        *,
        shared_bytes: int = 0,
        dependent: bool = False,
    ) -> None:
        """See KernelLike."""
        self.bind(grid, block, arguments, shared_bytes=shared_bytes, dependent=dependent).run()


class Launch:
    """A launch with all that the driver reads, made once: see LaunchLike."""

    __slots__ = ("_config", "_config_address", "_kernel", "_launch", "_packed")

    def __init__(
        self,
        kernel: Kernel,
        grid: tuple[int, int, int],
        block: int,
        packed: PackedArguments,
        shared_bytes: int,
        *,
        dependent: bool,
    ) -> None:
        self._kernel = kernel
        self._packed = packed
        self._config = launch_config(grid, block, shared_bytes, dependent=dependent)
        self._config_address = ctypes.addressof(self._config)
        self._launch = kernel.card.driver.launch_kernel

    def run(self) -> None:
        """Launch on torch's current stream of the kernel's card."""
        kernel = self._kernel
        self._config.stream = torch.cuda.current_stream(kernel.card.ordinal).cuda_stream
        result = self._launch(self._config_address, kernel.function, self._packed.pointers, None)
        if result:
            self._launch_with_context()

    def _launch_with_context(self) -> None:
        """Launch again: a thread that used no torch before has no context, or another card's."""
        kernel = self._kernel
        with kernel.card.current():
            result = self._launch(
                self._config_address, kernel.function, self._packed.pointers, None
            )
        kernel.card.driver.check(result, f"launching {kernel.name}")


def joined(sources: Sequence[str | Path], *, with_base: bool = True) -> str:
    """Return the text that is compiled: device.cuh and the sources, each with its own lines."""
    paths = [FOLDER / source for source in sources if Path(source).name != BASE]
    if with_base:
        paths.insert(0, FOLDER / BASE)
    texts = (f'#line 1 "{path.name}"\n{path.read_text("utf-8")}\n' for path in paths)
    return "".join(texts)


def missing() -> str | None:
    """Return one sentence on what this machine lacks to compile and launch, or None."""
    try:
        find_compiler()
        find_driver()
    except CudaProblem as problem:
        return str(problem)
    return None
