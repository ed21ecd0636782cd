"""Products of many rows with a weight matrix, by torch (cuBLAS on a card).

Operands are fp16, sums fp32. Knows no model. On a CPU, where kernels are emulated, the same sums
are made in fp32.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class Products:
    """How a device multiplies. delta: the type in which it can leave a sum of fp16 products."""

    def __init__(self, device: torch.device) -> None:
        self._on_card = device.type == "cuda"
        self.delta = torch.float32 if self._leaves_sums(device) else torch.float16

    def sums(self, out: Tensor, x: Tensor, weights: Tensor) -> None:
        """Fill out [T, N] with x [T, K] weights [K, N]: fp16 or ``delta``; B of such: fp16."""
        if not self._on_card:
            out.copy_(x.float() @ weights.float())
        elif x.dim() == 3:
            torch.bmm(x, weights, out=out)
        elif out.dtype == x.dtype:
            torch.mm(x, weights, out=out)
        else:
            torch.mm(x, weights, out_dtype=out.dtype, out=out)

    def _leaves_sums(self, device: torch.device) -> bool:
        """Tell whether fp16 products can be left in fp32: not before torch 2.8, not on any card."""
        if not self._on_card:
            return True
        x = torch.zeros(16, 16, dtype=torch.float16, device=device)
        try:
            torch.mm(x, x, out_dtype=torch.float32, out=x.float())
        except (RuntimeError, TypeError, NotImplementedError):
            return False
        return True


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
