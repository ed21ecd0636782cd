"""CUDA sources compiled by NVRTC for the card at hand, through ``cuda-core``: no compiler needed.

Knows sources and launches; knows nothing of models. Importing this module fails with
ImportError where the package ``cuda-core`` is missing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from cuda.bindings import driver  # pyright: ignore[reportMissingImports]

try:
    from cuda.core import (  # pyright: ignore[reportMissingImports]
        Device,
        LaunchConfig,
        Program,
        ProgramOptions,
        Stream,
        launch,
    )
except ImportError:  # releases before 0.5
    from cuda.core.experimental import (  # pyright: ignore[reportMissingImports]
        Device,
        LaunchConfig,
        Program,
        ProgramOptions,
        Stream,
        launch,
    )

SHARED_BYTES_OF_ALL = 48 * 1024
"""Shared memory that a block gets without asking."""


class CompiledProgram:
    """Sources joined to one, compiled for one card. Kernels are found by their C names.

    Raises what NVRTC or the driver raised when they cannot be compiled, loaded or launched.
    """

    def __init__(
        self,
        sources: Sequence[Path],
        device: int,
        *,
        macros: Sequence[str] = (),
    ) -> None:
        """device: torch's number of the card. macros: names that the sources ask for."""
        card = Device(device)
        card.set_current()
        major, minor = card.compute_capability
        self._device = device
        options = ProgramOptions(
            arch=f"sm_{major}{minor}", std="c++17", define_macro=list(macros) or None
        )
        self._kernels: dict[str, Any] = {}
        text = "".join(source.read_text("utf-8") for source in sources)
        self._code = Program(text, "c++", options).compile("cubin")

    def launch(
        self,
        kernel: str,
        blocks: int,
        threads: int,
        arguments: Sequence[object],
        *,
        shared_bytes: int = 0,
    ) -> None:
        """Run a kernel on torch's current stream.

        arguments: tensors (their addresses are passed), None (as a null address) and ints (as 64
        bits). The caller keeps the tensors alive until the stream has done its work, as torch's
        allocator does. shared_bytes: dynamic shared memory of a block, the same at every launch.
        """
        found = self._kernels.get(kernel)
        if found is None:
            found = self._kernels[kernel] = self._code.get_kernel(kernel)
            self._ask_for_shared(found, shared_bytes)
        stream = Stream.from_handle(torch.cuda.current_stream().cuda_stream)
        config = LaunchConfig(grid=blocks, block=threads, shmem_size=shared_bytes)
        launch(stream, config, found, *(_plain(argument) for argument in arguments))

    def _ask_for_shared(self, kernel: Any, size_bytes: int) -> None:  # noqa: ANN401 - cuda-core's
        """Raise the kernel's limit of dynamic shared memory where that is needed."""
        if size_bytes <= SHARED_BYTES_OF_ALL:
            return
        limit = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        handle = driver.CUkernel(int(getattr(kernel, "handle", None) or kernel._handle))  # noqa: SLF001
        (result,) = driver.cuKernelSetAttribute(
            limit, size_bytes, handle, driver.CUdevice(self._device)
        )
        if result != driver.CUresult.CUDA_SUCCESS:
            raise RuntimeError(f"{size_bytes} bytes of shared memory: {result.name}")


def _plain(argument: object) -> object:
    if argument is None:
        return 0
    return argument.data_ptr() if isinstance(argument, torch.Tensor) else argument
