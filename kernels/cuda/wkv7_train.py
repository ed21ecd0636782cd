"""The WKV7 recurrence with gradients on an NVIDIA card: ``wkv7_train.cu`` behind autograd.

Knows tensors and the kernel; when it is used, ``engine.training.wkv`` decides.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kernels.cuda.program import CompiledProgram

CHUNK = 16
"""The backward pass goes on from a state that was kept after every so many tokens."""

HEAD_SIZE = 64
_THREADS = 4 * HEAD_SIZE


def wkv7_train(
    r: Tensor, log_w: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Return (y [B, T, H, 64] of r's type, the state after T tokens [B, H, 64, 64] fp32).

    r, k, v, a, b: [B, T, H, 64], all bf16 or all fp32, contiguous; log_w the same in fp32; state
    fp32, row = value index. T is a multiple of 16. Gradients flow to all seven; the same input
    gives the same bits. Between the kept states, which cost 1 KB per token and head, the backward
    pass runs the recurrence in reverse: decays above 0.545 leave it a relative error below 1e-4.
    """
    return _Recurrence.apply(r, log_w, k, v, a, b, state)


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401 - torch's
        r, log_w, *_, state = inputs
        rows, length, heads, n = r.shape
        if n != HEAD_SIZE or length % CHUNK:
            raise ValueError(f"heads of {HEAD_SIZE} and whole chunks of {CHUNK}, not {r.shape}")
        y, end = torch.empty_like(r), torch.empty_like(state)
        kept = torch.empty(
            (rows * heads, length // CHUNK, n, n), dtype=torch.float32, device=r.device
        )
        removed = torch.empty_like(log_w)
        _launch("forward", r, (*inputs, y, kept, removed, end))
        ctx.save_for_backward(*inputs[:-1], kept, removed)
        return y, end

    @staticmethod
    def backward(ctx: Any, dy: Tensor, d_end: Tensor | None) -> tuple[Tensor, ...]:  # noqa: ANN401
        *inputs, kept, removed = ctx.saved_tensors
        r = inputs[0]
        rows, _, heads, n = r.shape
        if d_end is None:
            d_end = torch.zeros((rows, heads, n, n), dtype=torch.float32, device=r.device)
        gradients = [torch.empty_like(part) for part in inputs]
        d_state = torch.empty_like(d_end)
        known = (*inputs, dy.contiguous(), d_end.contiguous(), kept, removed)
        _launch("backward", r, (*known, *gradients, d_state))
        return (*gradients, d_state)


def _launch(kernel: str, r: Tensor, tensors: tuple[Tensor, ...]) -> None:
    rows, length, heads, _ = r.shape
    kind = {torch.bfloat16: "bf16", torch.float32: "fp32"}[r.dtype]
    with torch.cuda.device(r.device):
        program = _program(r.device.index)
        program.launch(f"{kernel}_{kind}", rows * heads, _THREADS, (length, heads, *tensors))


@cache
def _program(device: int) -> CompiledProgram:
    """Return the kernels, compiled once per process and card (about a second)."""
    return CompiledProgram(Path(__file__).with_suffix(".cu"), device)
