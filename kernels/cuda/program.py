"""CUDA sources compiled by NVRTC for the card at hand, through ``cuda-core``: no compiler needed.

Knows sources, cubins and launches; knows nothing of models. Importing this module fails with
ImportError where the package ``cuda-core`` is missing.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

try:
    from cuda.core import Device, LaunchConfig, ObjectCode, Program, ProgramOptions, Stream, launch
except ImportError:  # releases before 0.5
    from cuda.core.experimental import (  # pyright: ignore[reportMissingImports]
        Device,
        LaunchConfig,
        ObjectCode,
        Program,
        ProgramOptions,
        Stream,
        launch,
    )


class CompiledProgram:
    """One source, compiled for one card. Kernels are found by their C names.

    Raises what NVRTC or the driver raised when the source cannot be compiled or loaded.
    """

    def __init__(self, source: Path, device: int, cache: Path | None = None) -> None:
        """device: torch's number of the card. cache: a folder for cubins; None keeps none."""
        card = Device(device)
        card.set_current()
        major, minor = card.compute_capability
        self._options = ProgramOptions(arch=f"sm_{major}{minor}", std="c++17")
        self._kernels: dict[str, Any] = {}
        self._code = self._compiled(source, cache)

    def launch(self, kernel: str, blocks: int, threads: int, arguments: Sequence[object]) -> None:
        """Run a kernel on torch's current stream.

        arguments: tensors (their addresses are passed) and ints (as 64 bits). The caller keeps
        the tensors alive until the stream has done its work, as torch's allocator does.
        """
        found = self._kernels.get(kernel)
        if found is None:
            found = self._kernels[kernel] = self._code.get_kernel(kernel)
        stream = Stream.from_handle(torch.cuda.current_stream().cuda_stream)
        plain = [a.data_ptr() if isinstance(a, torch.Tensor) else a for a in arguments]
        launch(stream, LaunchConfig(grid=blocks, block=threads), found, *plain)

    def _compiled(self, source: Path, cache: Path | None) -> Any:  # noqa: ANN401 - cuda-core's
        text = source.read_text("utf-8")
        file = cache / f"{source.stem}-{self._key(text)}.cubin" if cache else None
        if file is not None and file.is_file():
            return ObjectCode.from_cubin(file.read_bytes())
        code = Program(text, "c++", self._options).compile("cubin")
        if file is not None:
            _write(file, bytes(code.code))
        return code

    def _key(self, text: str) -> str:
        """Return what tells one compilation from another: source, card, compiler, driver."""
        versions = f"{torch.version.cuda} {torch.cuda.get_device_name()}"
        words = f"{text}\0{self._options.arch}\0{versions}"
        return hashlib.sha256(words.encode()).hexdigest()[:24]


def _write(file: Path, data: bytes) -> None:
    """Write under another name first: two programs may compile the same at once."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(file)
