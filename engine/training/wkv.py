"""The recurrence of RWKV-7 with gradients: our CUDA kernel where there is one, else plain torch.

What is computed, and how in chunks, says ``engine.backends.wkv7``; this module adds only what
gradients need. It knows nothing of models.
"""

import logging
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn.functional import pad

from engine.backends.wkv7 import in_chunks

KERNEL_CHUNK = 16
"""The kernel reads whole chunks of so many tokens; shorter rows are padded here."""

_Result = tuple[Tensor, Tensor]
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
        state = torch.zeros(rows, heads, n, n, dtype=log_w.dtype, device=r.device)
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
    starts, removed = [], []
    for i in range(written.shape[1]):
        starts.append(state)
        u = torch.baddbmm(from_values[:, i], from_state[:, i], state.mT)
        removed.append(u)
        state = torch.baddbmm(state * decay[:, i] + written[:, i], u.mT, b_end[:, i])
    return torch.stack(starts, 1), torch.stack(removed, 1), state


@torch.compiler.disable
def _on_card(*parts: Tensor) -> _Result:
    """See ``wkv7``: opaque to torch.compile, which would only unroll what is fast already."""
    kernel = _kernel()
    if kernel is None:
        return wkv7_plain(*parts)
    *vectors, state = parts
    length = vectors[0].shape[1]
    # Zeros decay nothing, remove nothing and write nothing: the state is the same after them.
    padding = (0, 0, 0, 0, 0, -length % KERNEL_CHUNK)
    if padding[-1]:
        vectors = [pad(part, padding) for part in vectors]
    y, end = kernel(*(part.contiguous() for part in vectors), state.contiguous())
    return y[:, :length], end


@cache
def _kernel() -> Callable[..., _Result] | None:
    """Return the CUDA kernel, or None (and say so once) where it cannot be had."""
    try:
        from kernels.cuda.wkv7_train import wkv7_train
    except (ImportError, OSError) as error:
        _log.warning("Training without our CUDA kernel, in plain torch (slower): %s", error)
        return None
    return wkv7_train
