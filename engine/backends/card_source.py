"""Weights on their way from a file to a card: one tensor at a time, through two small buffers.

The file is read into one page-locked buffer while the card fetches the other, so that a model of
any size loads with a few MB of main memory. Knows files, LoRAs and devices; knows nothing of what
the weights mean.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from engine.backends.base import IsCancelled, Progress
from engine.errors import Cancelled, DamagedFile

if TYPE_CHECKING:
    from engine.backends.lora import LoraMerge
    from engine.checkpoint import Checkpoint

_DTYPES = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp64": torch.float64,
}
_PIECE_BYTES = 16 << 20
_MOST_ELEMENTS = 32 << 20  # of a tensor that are on the card before they are put in their place
_ROW_STEP = 64


class Source(Protocol):
    """Named tensors, in the names of BlinkDL's files."""

    def names(self) -> Iterable[str]:
        """Return all names."""
        ...

    def pieces(self, name: str) -> Iterator[tuple[int, Tensor]]:
        """Yield a tensor on the card, in the file's type: whole, or large ones by rows.

        Each with its first row, in order. Raises KeyError, DamagedFile, or Cancelled.
        """
        ...


class FileSource:
    """The tensors of an open checkpoint, changed by LoRAs on their way."""

    def __init__(
        self,
        checkpoint: "Checkpoint",
        device: torch.device,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
        loras: "LoraMerge | None" = None,
    ) -> None:
        """progress: called with bytes read and bytes in all."""
        self._checkpoint = checkpoint
        self._device = device
        self._loras = loras
        self._progress = progress or (lambda _done, _total: None)
        self._cancelled = cancelled or (lambda: False)
        self._done = 0
        self._total = sum(entry.size_bytes for entry in checkpoint.entries.values())
        on_card = device.type == "cuda"
        self._buffers = [
            torch.empty(_PIECE_BYTES, dtype=torch.uint8, pin_memory=on_card) for _ in range(2)
        ]
        self._fetched = [torch.cuda.Event() if on_card else None for _ in range(2)]
        self._turn = 0

    def names(self) -> Iterable[str]:
        """See ``Source``."""
        return self._checkpoint.entries

    def pieces(self, name: str) -> Iterator[tuple[int, Tensor]]:
        """See ``Source``. What a LoRA changes comes as fp32."""
        rows, *others = self._checkpoint.entries[name].shape
        row = torch.Size(others).numel()
        at_once = rows
        if others and name.endswith(".weight"):
            at_once = max(_ROW_STEP, _MOST_ELEMENTS // row // _ROW_STEP * _ROW_STEP)
        for first in range(0, rows, at_once):
            count = min(at_once, rows - first)
            yield first, self._rows(name, first * row, (count, *others))

    def _rows(self, name: str, begin: int, shape: tuple[int, ...]) -> Tensor:
        """Return the elements from ``begin`` on, on the card."""
        entry = self._checkpoint.entries[name]
        changed = self._loras is not None and name in self._loras
        source = _DTYPES[entry.dtype]
        narrow = torch.float32 if changed or source == torch.float64 else source
        result = torch.empty(shape, dtype=narrow, device=self._device)
        flat = result.view(-1)
        step = _PIECE_BYTES // source.itemsize
        for start in range(0, flat.numel(), step):
            if self._cancelled():
                raise Cancelled
            self._fill(name, source, begin + start, flat[start : start + step])
        self._require_finite(name, flat)
        return result

    def _fill(self, name: str, source: torch.dtype, start: int, part: Tensor) -> None:
        size = part.numel() * source.itemsize
        self._turn = 1 - self._turn
        buffer, fetched = self._buffers[self._turn], self._fetched[self._turn]
        if fetched is not None:
            fetched.synchronize()
        view = buffer[:size]
        offset = start * source.itemsize
        self._checkpoint.read_into(name, view.numpy().data, offset, size)
        values = view.view(source)
        if self._loras is not None:
            values = self._loras.changed(name, values, start)
        if values.dtype != part.dtype:
            values = values.to(part.dtype)
        part.copy_(values, non_blocking=True)
        if fetched is not None:
            fetched.record()
        self._done += size
        self._progress(self._done, self._total)

    def _require_finite(self, name: str, flat: Tensor) -> None:
        """A sum is finite only if every value is; the card adds while it is there anyway."""
        if bool(torch.isfinite(flat.sum(dtype=torch.float64))):
            return
        raise DamagedFile(
            f"{self._checkpoint.info.path.name} holds values that are not numbers "
            f"(NaN or infinity) in {name}.",
            "Download the file again; if that does not help, the model itself is broken.",
        )
