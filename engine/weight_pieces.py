"""A model's weights in another number type, a piece at a time, changed by LoRAs on the way.

For whoever writes weights: nothing larger than a piece is held, whatever the model's size. Knows
tensors and number types; knows nothing of files' formats.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.backends.base import IsCancelled, Progress
from engine.errors import Cancelled, EngineError

if TYPE_CHECKING:
    from engine.backends.lora import LoraMerge
    from engine.checkpoint import Checkpoint

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_PIECE_ELEMENTS = 1 << 21
_BITS = {
    torch.float32: (torch.int32, 0x7F800000),
    torch.bfloat16: (torch.int16, 0x7F80),
    torch.float16: (torch.int16, 0x7C00),
}
"""The whole numbers of a type's width, and its infinity as one."""


class WeightPieces:
    """Yields the tensors of an open checkpoint by name. For one thread."""

    def __init__(
        self,
        checkpoint: "Checkpoint",
        loras: "LoraMerge",
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self._loras = loras
        self._progress = progress or (lambda _done, _total: None)
        self._cancelled = cancelled or (lambda: False)
        self._done = 0
        self._total = sum(entry.size_bytes for entry in checkpoint.entries.values())

    def of(self, name: str, dtype: str) -> Iterator[Tensor]:
        """Yield the elements of a tensor in order, in pieces [n] of ``dtype``.

        All but the last have the same n, a power of two. Raises EngineError for values that are
        not finite in ``dtype`` (fp16 ends at 65504), DamagedFile, and Cancelled.
        """
        entry = self.checkpoint.entries[name]
        source = DTYPES[entry.dtype]
        step = _PIECE_ELEMENTS * source.itemsize
        buffer = memoryview(bytearray(min(step, entry.size_bytes)))
        for start in range(0, entry.size_bytes, step):
            if self._cancelled():
                raise Cancelled
            size = min(step, entry.size_bytes - start)
            self.checkpoint.read_into(name, buffer, start, size)
            values = torch.frombuffer(buffer[:size], dtype=source)
            changed = self._loras.changed(name, values, start // source.itemsize)
            yield _finite(changed.to(DTYPES[dtype]), name, dtype)
            self._done = min(self._done + size, self._total)  # some are read for two places
            self._progress(self._done, self._total)

    def whole(self, name: str, dtype: str) -> Tensor:
        """Return a small tensor in its shape; raises what ``of`` raises."""
        pieces = [piece.clone() for piece in self.of(name, dtype)]
        return torch.cat(pieces).view(self.checkpoint.entries[name].shape)

    def sample(self, name: str, start: int, buffer: memoryview) -> None:
        """Fill the buffer with bytes of a tensor in its own type, from byte ``start`` on.

        As ``Checkpoint.read_into``, after LoRAs: what a fingerprint is made from.
        """
        dtype = DTYPES[self.checkpoint.entries[name].dtype]
        self.checkpoint.read_into(name, buffer, start, len(buffer))
        values = torch.frombuffer(buffer, dtype=dtype)
        changed = self._loras.changed(name, values, start // dtype.itemsize)
        values.copy_(changed.to(dtype))


def _finite(values: Tensor, name: str, dtype: str) -> Tensor:
    # Infinity and NaN have all bits of the exponent set: as whole numbers without their sign they
    # are the largest. Four times faster than asking each value.
    whole, infinity = _BITS[values.dtype]
    if int((values.view(whole) & torch.iinfo(whole).max).max()) >= infinity:
        raise EngineError(
            f"The model cannot be written: {name} holds values that are not finite as {dtype}.",
            "Write bf16 or f32 (--type); if that fails too, the model itself is broken.",
        )
    return values


def raw_bytes(values: Tensor) -> memoryview:
    """Return the bytes of a contiguous tensor, without a copy."""
    return values.reshape(-1).view(torch.uint8).numpy().data
