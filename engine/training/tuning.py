"""State tuning: the wkv state that a chat begins with, learned from a few examples.

All weights stay; only one [H, N, N] matrix per layer is trained, from zero, with both shifts
zero. Read as it is used: a state that has read nothing is followed by id 0 and the first message
(``engine.segments``), so rows begin with id 0, too. RWKV-PEFT trains the same tensors under the
name ``blocks.N.att.time_state``. Knows nothing of where states are kept.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from engine.state import State
from engine.training.descent import TuneOptions, TuneProgress, TuneResult, descend
from engine.training.loss import training_loss
from engine.training.model import InitialState, TrainedModel
from engine.training.rows import Row

LEARNING_RATE = 1.0
"""Of Adam on the state's own numbers, as in RWKV-PEFT's scripts. Measured on a model of 8 layers
and 256 wide, 12 examples, 120 steps; loss of other questions than the examples', 6.2 untuned:
rate 0.3 gave 0.60, 1 gave 0.59, 3 gave 0.69; with 40 steps 1.64, 1.15, 1.07."""


def tune_state(
    model: TrainedModel,
    batches: Iterator[list[Row]],
    options: TuneOptions,
    *,
    progress: Callable[[TuneProgress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[State, TuneResult]:
    """Return the learned state, on the CPU with 0 tokens read, and how it went.

    batches: as ``examples.batches`` yields them. The model's weights are frozen, not changed.
    Raises what ``descend`` raises.
    """
    model.requires_grad_(False)
    shape, device = model.shape, model.emb.weight.device
    wkv = torch.zeros(
        shape.layers, shape.heads, shape.head_size, shape.head_size,
        device=device, requires_grad=True,
    )  # fmt: skip
    start = InitialState(wkv)

    def step_loss() -> tuple[Tensor, Tensor]:
        return batch_loss(model, next(batches), start)

    result = descend([wkv], step_loss, options.validated(), progress, cancelled)
    state = State.zeros(shape)
    state.wkv.copy_(wkv.detach())
    return state, result


def batch_loss(
    model: TrainedModel, rows: Sequence[Row], start: InitialState | None = None
) -> tuple[Tensor, Tensor]:
    """Return (the loss to descend, its cross entropy) of rows that may differ in length."""
    tokens, weights = _padded(rows, model.emb.weight.device)
    logits = model(tokens[:, :-1], start)
    return training_loss(logits, tokens[:, 1:], weights)


def _padded(rows: Sequence[Row], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return tokens int64 [B, T + 1] and weights fp32 [B, T]; what is filled up counts nothing."""
    longest = max(len(row.weights) for row in rows)
    tokens = np.zeros((len(rows), longest + 1), np.int64)
    weights = np.zeros((len(rows), longest), np.float32)
    for i, row in enumerate(rows):
        tokens[i, : len(row.tokens)] = row.tokens
        weights[i, : len(row.weights)] = row.weights
    return torch.from_numpy(tokens).to(device), torch.from_numpy(weights).to(device)
