"""Weights on their way from a file to a device: read once, in small pieces, never twice.

Knows tensors, dtypes and devices; knows nothing of what the weights mean.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.backends.base import IsCancelled, Progress
from engine.backends.matrices import Matrix, make_matrix
from engine.checkpoint.names import is_table
from engine.errors import Cancelled, DamagedFile

if TYPE_CHECKING:
    from engine.backends.lora import LoraMerge
    from engine.checkpoint import Checkpoint

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_FILE_DTYPES = {**DTYPES, "fp64": torch.float64}
_PIECE_BYTES = 8 << 20


class WeightReader:
    """Reads named tensors straight into their final place.

    Only one piece of 8 MB is held besides the result, so that loading peaks at what stays.
    """

    def __init__(
        self,
        checkpoint: "Checkpoint",
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
        loras: "LoraMerge | None" = None,
    ) -> None:
        """Read from an open checkpoint; ``loras`` change the weights on their way."""
        self._checkpoint = checkpoint
        self._loras = loras
        self._progress = progress or (lambda _done, _total: None)
        self._cancelled = cancelled or (lambda: False)
        self._done = 0
        entries = checkpoint.entries.values()
        self._total = sum(entry.size_bytes for entry in entries if not is_table(entry.name))
        self._piece = bytearray(_PIECE_BYTES)
        self.resident_bytes = 0

    def __contains__(self, name: str) -> bool:
        return name in self._checkpoint.entries

    def file_dtype(self, name: str) -> torch.dtype:
        """Return the type in which the file holds this tensor."""
        return _FILE_DTYPES[self._checkpoint.entries[name].dtype]

    def read(
        self,
        name: str,
        dtype: torch.dtype,
        device: str | torch.device,
        shape: Sequence[int] | None = None,
    ) -> Tensor:
        """Return tensor ``name`` in ``dtype`` on ``device``, reshaped to ``shape`` if given.

        Raises DamagedFile when a value is not finite, Cancelled when asked to stop.
        """
        entry = self._checkpoint.entries[name]
        result = torch.empty(tuple(entry.shape), dtype=dtype, device=device)
        self._fill(name, result.view(-1))
        self.resident_bytes += result.nbytes
        return result if shape is None else result.view(*shape)

    def matrix(
        self, name: str, dtype: torch.dtype, device: str | torch.device, *, transpose: bool = False
    ) -> Matrix:
        """Return a matrix [M, K] that is ready to multiply; transpose: the file has [K, M]."""
        weight = self.read(name, dtype, device)
        return make_matrix(weight.mT.contiguous() if transpose else weight)

    def _fill(self, name: str, flat: Tensor) -> None:
        source = self.file_dtype(name)
        step = _PIECE_BYTES // source.itemsize
        for start in range(0, flat.numel(), step):
            if self._cancelled():
                raise Cancelled
            part = flat[start : start + step]
            self._fill_piece(name, source, start, part)
            self._done += part.numel() * source.itemsize
            self._progress(self._done, self._total)

    def _fill_piece(self, name: str, source: torch.dtype, start: int, part: Tensor) -> None:
        size = part.numel() * source.itemsize
        piece = memoryview(self._piece)[:size]
        self._checkpoint.read_into(name, piece, start * source.itemsize, size)
        values = torch.frombuffer(piece, dtype=source)
        # A sum is finite only if every value is: one pass while the piece is in the cache.
        if not bool(torch.isfinite(values.sum(dtype=torch.float64))):
            raise DamagedFile(
                f"{self._checkpoint.info.path.name} holds values that are not numbers "
                f"(NaN or infinity) in {name}.",
                "Download the file again; if that does not help, the model itself is broken.",
            )
        if self._loras is not None:
            values = self._loras.changed(name, values, start)
        part.copy_(values)
