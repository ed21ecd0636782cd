"""Products of many rows with a weight matrix, by torch (cuBLAS on a card).

Operands are fp16, sums fp32. Knows no model. On a CPU, where kernels are emulated, the same sums
are made in fp32.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

Work = Callable[[], object]


class Products:
    """How a device multiplies. left: the best type in which it can leave sums of fp16 products."""

    def __init__(self, device: torch.device) -> None:
        self._on_card = device.type == "cuda"
        self.left = torch.float32 if self._leaves_sums(device) else torch.float16

    def sums(self, out: Tensor, x: Tensor, weights: Tensor) -> None:
        """Fill out [T, N] with x [T, K] weights [K, N], or B of such: fp16 or ``left``."""
        multiply = torch.bmm if x.dim() == 3 else torch.mm
        if not self._on_card:
            out.copy_(x.float() @ weights.float())
        elif out.dtype == x.dtype:
            multiply(x, weights, out=out)
        else:
            multiply(x, weights, out_dtype=out.dtype, out=out)

    def add(self, out: Tensor, x: Tensor, weights: Tensor) -> None:
        """Add x [T, K] weights [K, N] to out [T, N], fp32, where ``left`` is."""
        if not self._on_card:
            out.add_(x.float() @ weights.float())
        else:
            torch.addmm(out, x, weights, out_dtype=out.dtype, out=out)

    def _leaves_sums(self, device: torch.device) -> bool:
        """Tell whether fp16 products can be left in fp32: not before torch 2.8, not on any card."""
        if not self._on_card:
            return True
        x = torch.zeros(2, 16, 16, dtype=torch.float16, device=device)
        try:
            torch.mm(x[0], x[0], out_dtype=torch.float32, out=x[0].float())
            torch.bmm(x, x, out_dtype=torch.float32, out=x.float())
            sums = x[0].float()
            torch.addmm(sums, x[0], x[0], out_dtype=torch.float32, out=sums)
        except (RuntimeError, TypeError, NotImplementedError):
            return False
        return True


class Beside:
    """Work on two streams of a device at once, where it has streams."""

    def __init__(self, device: torch.device) -> None:
        self._side = torch.cuda.Stream(device) if device.type == "cuda" else None

    def both(self, own: Sequence[Work], other: Sequence[Work]) -> None:
        """Do `own` on the current stream and `other` beside it; what follows waits for both."""
        if self._side is None:
            for work in (*own, *other):
                work()
            return
        current = torch.cuda.current_stream(self._side.device)
        self._side.wait_stream(current)
        with torch.cuda.stream(self._side):
            for work in other:
                work()
        for work in own:
            work()
        current.wait_stream(self._side)


@contextmanager
def whole_sums() -> Iterator[None]:
    """While products are chosen, let none add its parts in fp16."""
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_fp16_reduced_precision_reduction
    matmul.allow_fp16_reduced_precision_reduction = False
    try:
        yield
    finally:
        matmul.allow_fp16_reduced_precision_reduction = before
