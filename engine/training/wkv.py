"""The recurrence of RWKV-7 with gradients: our CUDA kernel where there is one, else plain torch.

What is computed, and how in chunks, says ``engine.backends.wkv7``; this module adds only what
gradients need. It knows nothing of models.
"""

import logging
from collections.abc import Callable
from functools import cache, partial
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import pad

from engine.backends.wkv7 import in_chunks

KERNEL_CHUNK = 16
"""The kernel reads whole chunks of so many tokens; shorter rows are padded here."""

KERNEL_HEAD = 64
"""The only N that the kernel knows."""

_Result = tuple[Tensor, Tensor]
_Kernel = Callable[..., _Result]
_log = logging.getLogger(__name__)


def wkv7(
    r: Tensor,
    log_w: Tensor,
    k: Tensor,
    v: Tensor,
    a: Tensor,
    b: Tensor,
    state: Tensor | None = None,
) -> _Result:
    """Return (y [B, T, H, N] of r's type, the state after T tokens [B, H, N, N] fp32).

    r, k, v, a, b: [B, T, H, N] in bf16 or fp32, where ``a`` is -kk and ``b`` is kk * a of the
    paper; log_w [B, T, H, N] fp32, within (-0.6066, 0); state [B, H, N, N] fp32, row = value
    index; None is zero. Any T. Gradients flow to all seven. Inside, everything is fp32
    (float64 inputs stay float64 in plain torch, for tests).
    """
    if state is None:
        rows, _, heads, n = r.shape
        state = log_w.new_zeros(rows, heads, n, n)
    if r.is_cuda:
        return _on_card(r, log_w, k, v, a, b, state)
    return wkv7_plain(r, log_w, k, v, a, b, state)


def wkv7_plain(
    r: Tensor, log_w: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor, state: Tensor
) -> _Result:
    """See ``wkv7``: in chunks of plain torch, on any device; autograd does the rest."""
    rows, length, heads, n = r.shape
    by_head = (
        part.to(log_w.dtype).transpose(1, 2).reshape(rows * heads, length, n)
        for part in (r, log_w, k, v, a, b)
    )
    y, end = in_chunks(partial(_scan, state.reshape(rows * heads, n, n)), *by_head)
    y = y.view(rows, heads, length, n).transpose(1, 2)
    return y.to(r.dtype), end.view(rows, heads, n, n)


def _scan(
    state: Tensor,
    from_state: Tensor,
    from_values: Tensor,
    written: Tensor,
    b_end: Tensor,
    decay: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """See ``in_chunks``: a new state for every chunk, because gradients need the old ones."""
    # Unbound once: the gradient of every single chunk taken out would be as large as them all.
    parts = (part.unbind(1) for part in (from_state, from_values, written, b_end, decay))
    starts, removed = [], []
    for chunk_from_state, chunk_from_values, chunk_written, chunk_b, chunk_decay in zip(
        *parts, strict=True
    ):
        starts.append(state)
        u = torch.baddbmm(chunk_from_values, chunk_from_state, state.mT)
        removed.append(u)
        state = torch.baddbmm(state * chunk_decay + chunk_written, u.mT, chunk_b)
    return torch.stack(starts, 1), torch.stack(removed, 1), state


def _by_kernel(*parts: Tensor) -> _Result:
    """See ``wkv7``: by the kernel, where it suits and runs."""
    *vectors, state = parts
    kernel = _kernel(state.device.index, vectors[0].dtype) if _suits(vectors) else None
    if kernel is None:
        return wkv7_plain(*parts)
    length = vectors[0].shape[1]
    # Zeros decay nothing, remove nothing and write nothing: the state is the same after them.
    padding = (0, 0, 0, 0, 0, -length % KERNEL_CHUNK)
    if padding[-1]:
        vectors = [pad(part, padding) for part in vectors]
    y, end = kernel(*(part.contiguous() for part in vectors), state.contiguous())
    return y[:, :length], end


_on_card = cast("_Kernel", torch.compiler.disable(_by_kernel))
"""Opaque to torch.compile, which cannot look into a kernel."""


def _suits(vectors: list[Tensor]) -> bool:
    """Tell whether the kernel was written for such heads and types."""
    r = vectors[0]
    return r.shape[-1] == KERNEL_HEAD and r.dtype in (torch.bfloat16, torch.float32)


@cache
def _kernel(card: int, dtype: torch.dtype) -> _Kernel | None:
    """Return the CUDA kernel, tried once on this card both ways, or None (and say so)."""
    size = (1, KERNEL_CHUNK, 1, KERNEL_HEAD)
    try:
        from kernels.cuda.wkv7_train import wkv7_train

        kernel: _Kernel = wkv7_train
        types = (dtype, torch.float32, dtype, dtype, dtype, dtype)
        zeros = [torch.zeros(size, dtype=each, device=f"cuda:{card}") for each in types]
        with torch.enable_grad():
            r = zeros[0].requires_grad_()
            y, _ = kernel(*zeros, torch.zeros(1, 1, KERNEL_HEAD, KERNEL_HEAD, device=r.device))
            torch.autograd.grad(y.sum(), r)
    except Exception as error:  # NVRTC and the driver raise types of their own
        _log.warning("Training without our CUDA kernel, in plain torch (slower): %s", error)
        return None
    return kernel
