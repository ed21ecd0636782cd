"""Weight matrices as they lie in a card's memory, in the types that the kernels read.

Knows the layouts and nothing else; ``kernels.cuda.quantize`` makes them, all kernels read them.

A matrix W is [R, K]: y = W x, K a multiple of 64. Rows follow one another without gaps.

==== =============================== ==========================================================
kind data                            element (r, k)
==== =============================== ==========================================================
fp16 torch.float16 [R, K]            as it is
bf16 torch.bfloat16 [R, K]           as it is
int8 torch.int8 [R, K], -127 .. 127  scales[r, k // 64] * data[r, k]
q4   torch.uint8 [R, K / 2]          scales[r, k // 64] * Q4_LEVELS[n], n the nibble of k:
                                     data[r, k // 2] & 15 if k is even, >> 4 if it is odd
==== =============================== ==========================================================

scales: torch.bfloat16 [R, K / 64] (bf16, not fp16: as in ``kernels/cpu/packing.h``, whose values
these are bit for bit; its range holds every weight's scale). q4's scales may be negative.

``by_input``: the matrix lies transposed, so that all rows' weights of one input k are neighbours
and inputs that are zero need not be read (ffn.value). The values are the same:

==== =============================== ==========================================================
fp16 torch.float16 [K, R]            bf16 alike
int8 torch.int8 [K, R]               scales[k // 64, r] * data[k, r]
q4   torch.uint8 [K, R / 2]          the nibble of r: data[k, r // 2] & 15 if r is even, >> 4 if odd
==== =============================== ==========================================================

with scales torch.bfloat16 [K / 64, R].
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["fp16", "bf16", "int8", "q4"]

GROUP = 64
"""Weights along K that share a scale."""

Q4_LEVELS = (-127, -97, -77, -60, -46, -33, -21, -9, 2, 13, 24, 36, 49, 64, 82, 107)
"""What the sixteen nibbles of q4 mean; kQ4 of ``kernels/cpu/kernels.h``."""

KIND_NUMBERS: dict[Kind, int] = {"fp16": 0, "bf16": 1, "int8": 2, "q4": 3}
"""How the sources call the kinds: macros of these values, as in gemv.cuh."""

_TYPES: dict[Kind, torch.dtype] = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "int8": torch.int8,
    "q4": torch.uint8,
}


@dataclass(frozen=True, slots=True)
class Matrix:
    """A weight matrix W [rows, k] on a device, in one of the layouts above."""

    kind: Kind
    rows: int
    k: int
    data: Tensor
    scales: Tensor | None = None
    by_input: bool = False

    @classmethod
    def empty(
        cls, kind: Kind, rows: int, k: int, device: torch.device | str, *, by_input: bool = False
    ) -> "Matrix":
        """Return a matrix whose memory is there and whose values are not yet."""
        data = torch.empty(data_shape(kind, rows, k, by_input), dtype=_TYPES[kind], device=device)
        scales = None
        if kind in ("int8", "q4"):
            shape = (k // GROUP, rows) if by_input else (rows, k // GROUP)
            scales = torch.empty(shape, dtype=torch.bfloat16, device=device)
        return cls(kind, rows, k, data, scales, by_input)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.data.nbytes + (self.scales.nbytes if self.scales is not None else 0)

    def expanded(self) -> Tensor:
        """Return the values, fp32 [rows, k]: slow, for tests and for what has no kernel."""
        values = self.data
        if self.kind == "q4":
            levels = torch.tensor(Q4_LEVELS, dtype=torch.float32, device=values.device)
            nibbles = torch.stack((values & 15, values >> 4), -1).flatten(1)
            values = levels[nibbles.long()]
        values = values.float()
        if self.by_input:
            values = values.T
        if self.scales is None:
            return values.contiguous()
        scales = self.scales.T if self.by_input else self.scales
        return values * scales.float().repeat_interleave(GROUP, 1)


def data_shape(kind: Kind, rows: int, k: int, by_input: bool = False) -> tuple[int, int]:
    """Return the shape of ``Matrix.data``."""
    first, second = (k, rows) if by_input else (rows, k)
    return first, second // 2 if kind == "q4" else second
