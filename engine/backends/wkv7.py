"""The WKV7 recurrence in plain torch: one token at a time, and many tokens in chunks.

Both compute, per head, with S the state [N, N] (row = value index, column = key index)::

    S_t = S_{t-1} diag(w_t) + (S_{t-1} A_t) B_t^T + v_t k_t^T        y_t = S_t r_t

with A = -kk and B = kk * a (RWKV-7, https://arxiv.org/abs/2503.14456, section 3).
Batch and heads are one leading dimension G here: heads never mix.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]

CPU_CHUNK = 16
GPU_CHUNK = 64
"""Tokens per chunk: longer ones are more work in fewer launches, which is what a GPU wants.

-log w <= 0.6065, so 1 / P stays below e^38.8 in 64 tokens: far inside fp32, and every product
of P_t / P_s keeps its relative precision.
"""


def wkv7_step(
    state: Tensor, r: Tensor, log_w: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor
) -> Tensor:
    """Advance ``state`` [G, N, N] fp32 by one token, in place; return y [G, N].

    r, log_w, k, v, a, b: [G, N] fp32; ``a`` is -kk and ``b`` is kk * a of the paper.
    """
    removed = torch.bmm(state, a.unsqueeze(-1))
    state.mul_(torch.exp(log_w).unsqueeze(-2))
    state.baddbmm_(removed, b.unsqueeze(-2))
    state.baddbmm_(v.unsqueeze(-1), k.unsqueeze(-2))
    return torch.bmm(state, r.unsqueeze(-1)).squeeze(-1)


def wkv7_sequential(
    state: Tensor, r: Tensor, log_w: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor
) -> Tensor:
    """Advance ``state`` [G, N, N] over T tokens, in place; return y [G, T, N].

    One step after the other: slow, and what ``wkv7_chunked`` is checked against.
    """
    parts = (r, log_w, k, v, a, b)
    steps = [wkv7_step(state, *(part[:, t] for part in parts)) for t in range(r.shape[1])]
    return torch.stack(steps, dim=1)


def wkv7_chunked(
    state: Tensor, r: Tensor, log_w: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor
) -> Tensor:
    """Advance ``state`` [G, N, N] over T tokens, in place; return y [G, T, N].

    r, log_w, k, v, a, b: [G, T, N] fp32. Exact up to rounding: within a chunk the products
    of decays P_t are taken out of the keys, which leaves triangular systems
    (the WY form of the delta rule, https://arxiv.org/abs/2406.06484).
    """
    y, _ = in_chunks(partial(_scan_in_place, state), r, log_w, k, v, a, b)
    return y


def in_chunks(
    scan: Scan, r: Tensor, log_w: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor
) -> tuple[Tensor, Tensor]:
    """Return (y [G, T, N], what ``scan`` ends with); pure, so gradients flow where ``scan`` lets.

    r, log_w, k, v, a, b: [G, T, N] fp32, see ``wkv7_chunked``. ``scan`` carries the state from
    chunk to chunk: it is given, per chunk, how U depends on the state at the chunk's start
    ([G, chunks, C, N]), U's rest (the same), what the chunk writes ([G, chunks, N, N]), B at the
    chunk's end ([G, chunks, C, N]) and the decay ([G, chunks, 1, N]); it returns the state at
    each start [G, chunks, N, N], U [G, chunks, C, N] and the state after all.
    """
    length = r.shape[1]
    r, log_w, k, v, a, b = (_split(part) for part in (r, log_w, k, v, a, b))
    log_p = log_w.cumsum(-2)
    total = log_p[..., -1:, :]
    r_out = r * torch.exp(log_p)
    a_in = a * torch.exp(log_p - log_w)
    k_in, b_in = k * torch.exp(-log_p), b * torch.exp(-log_p)
    k_end, b_end = k * torch.exp(total - log_p), b * torch.exp(total - log_p)

    a_b = (a_in @ b_in.mT).tril(-1)
    a_k = (a_in @ k_in.mT).tril(-1)
    eye = torch.eye(a_b.shape[-1], dtype=a_b.dtype, device=a_b.device)
    known = torch.cat((a_in, a_k @ v), -1)
    solved = torch.linalg.solve_triangular(eye - a_b, known, upper=False, unitriangular=True)
    from_state, from_values = solved.chunk(2, -1)

    written = v.mT @ k_end
    starts, removed, end = scan(from_state, from_values, written, b_end, torch.exp(total))
    y = (r_out @ k_in.mT).tril() @ v + (r_out @ b_in.mT).tril() @ removed + r_out @ starts.mT
    return y.flatten(1, 2)[:, :length], end


def _split(part: Tensor) -> Tensor:
    """[G, T, N] -> [G, chunks, C, N]; padding by zeros leaves the state as it is."""
    groups, length, n = part.shape
    size = min(CPU_CHUNK if part.device.type == "cpu" else GPU_CHUNK, length)
    padding = -length % size
    if padding:
        part = torch.nn.functional.pad(part, (0, 0, 0, padding))
    return part.reshape(groups, -1, size, n)


def _scan_in_place(
    state: Tensor,
    from_state: Tensor,
    from_values: Tensor,
    written: Tensor,
    b_end: Tensor,
    decay: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """See ``in_chunks``; the state itself is carried on, so no gradient can flow."""
    starts, removed = torch.empty_like(written), torch.empty_like(from_values)
    for i in range(written.shape[1]):
        starts[:, i] = state
        u = torch.baddbmm(from_values[:, i], from_state[:, i], state.mT)
        removed[:, i] = u
        state.mul_(decay[:, i]).add_(written[:, i]).baddbmm_(u.mT, b_end[:, i])
    return starts, removed, state
