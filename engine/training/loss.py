"""The loss: weighted cross entropy, and a small pull on the largest logit. Knows no model.

The gradient is made in the forward pass, some rows at a time, in the logits' own type: no fp32
copy of all logits ever exists, which with a vocabulary of 65536 would be most of the memory.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

L2_WRAP = 1e-4
"""Factor of the pull on the largest logit of each token (RWKV-LM's L2Wrap): it stops the logits
from drifting away together, which the cross entropy does not see."""

_PIECE_ELEMENTS = 1 << 22
"""Logits worked on together: 16 MB as fp32, which the caches of a GPU still hold."""


def training_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return (the loss to descend, its cross entropy alone), fp32 scalars.

    logits [B, T, V]; targets [B, T] int64; weights [B, T] fp32. The cross entropy, in nats, is
    sum(w ce) / sum(w); the loss adds 1e-4 / 2 times the same mean of the squared largest logit,
    so a token of weight 0 has no gradient at all. Without any weight both are 0. Only the loss
    has a gradient, and it can be taken once.
    """
    total = weights.sum(dtype=torch.float32).clamp_min(torch.finfo(torch.float32).tiny)
    shares = (weights / total).view(-1)
    rows = logits.reshape(-1, logits.shape[-1])
    needed = torch.is_grad_enabled() and logits.requires_grad
    loss, cross_entropy = _WeightedLoss.apply(rows, targets.reshape(-1), shares, needed)
    return loss, cross_entropy


class _WeightedLoss(torch.autograd.Function):
    """logits [R, V], targets [R], shares [R] fp32 that sum to 1, whether a gradient is needed."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's context has no public type
        logits: Tensor,
        targets: Tensor,
        shares: Tensor,
        needed: bool,
    ) -> tuple[Tensor, Tensor]:
        gradient = torch.empty_like(logits) if needed else None
        cross_entropy = torch.zeros((), dtype=torch.float32, device=logits.device)
        wrap = torch.zeros_like(cross_entropy)
        step = max(1, _PIECE_ELEMENTS // logits.shape[1])
        for start in range(0, logits.shape[0], step):
            piece = slice(start, start + step)
            ce, squares, slope = _piece(logits[piece], targets[piece], shares[piece], needed)
            cross_entropy += ce
            wrap += squares
            if gradient is not None:
                gradient[piece] = slope
        if gradient is not None:
            ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(cross_entropy)
        return cross_entropy + 0.5 * L2_WRAP * wrap, cross_entropy

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any,  # noqa: ANN401
        *scales: Tensor,
    ) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient.mul_(scales[0]), None, None, None  # in place: it is large


def _piece(
    logits: Tensor, targets: Tensor, shares: Tensor, needed: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return, of some rows: cross entropy, squared largest logit, gradient [R, V] (if needed)."""
    targets, shares = targets.unsqueeze(-1), shares.unsqueeze(-1)
    exact = torch.promote_types(logits.dtype, torch.float32)
    log_p = torch.log_softmax(logits, -1, dtype=exact)
    largest, where = logits.max(-1, keepdim=True)
    largest = largest.to(exact)
    cross_entropy = -(log_p.gather(-1, targets) * shares).sum()
    squares = (largest.square() * shares).sum()
    if not needed:
        return cross_entropy, squares, log_p
    shares = shares.to(exact)
    slope = log_p.exp_().mul_(shares).scatter_add_(-1, targets, -shares)
    slope.scatter_add_(-1, where, L2_WRAP * largest * shares)
    return cross_entropy, squares, slope
