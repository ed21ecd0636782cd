"""The loop that tuning and LoRA share: Adam on a few parameters until steps or seconds are over.

Knows no data, files or models: a step is a function that returns its loss.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.errors import Cancelled, EngineError
from engine.training.progress import clock

_WARM_UP = 10
_LAST_RATE = 0.01  # of the learning rate, as in RWKV-PEFT's scripts (1 to 0.01)
_LOSSES_SHOWN = 4


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """How long and how fast. steps: 0 for as many as fit into ``seconds``, of wall clock.

    learning_rate: the peak, after ten steps; from there a cosine to a hundredth of it.
    """

    learning_rate: float
    steps: int = 0
    seconds: float = 45.0
    seed: int = 0

    def validated(self) -> "TuneOptions":
        """Return it, or raise EngineError with what is wrong."""
        if not 0 < self.learning_rate < math.inf:
            raise EngineError("The learning rate is a number above 0.")
        if self.steps < 0 or (not self.steps and not 0 < self.seconds < math.inf):
            raise EngineError("Training needs a number of steps or of seconds above 0.")
        return self


@dataclass(frozen=True, slots=True)
class TuneProgress:
    """What is told after each step.

    steps: 0 when the clock decides. loss: nats per learned token, the mean of the last four steps.
    seconds_left: estimated, or what the clock leaves.
    """

    step: int
    steps: int
    loss: float
    seconds: float
    seconds_left: float

    def line(self) -> str:
        """Return it all as one line."""
        of = f"/{self.steps}" if self.steps else ""
        left = clock(self.seconds_left)
        return (
            f"step {self.step}{of}  loss {self.loss:.4f}  {clock(self.seconds)} gone, {left} left"
        )


@dataclass(frozen=True, slots=True)
class TuneResult:
    """How it went. losses: of every step, nats per learned token, before the step."""

    losses: tuple[float, ...]
    seconds: float

    @property
    def first_loss(self) -> float:
        """The mean of the first two steps: one of single exchanges, one of joined ones."""
        return _mean(self.losses[:2])

    @property
    def last_loss(self) -> float:
        """The mean of the last four steps."""
        return _mean(self.losses[-_LOSSES_SHOWN:])


def descend(
    parameters: Sequence[Tensor],
    step_loss: Callable[[], tuple[Tensor, Tensor]],
    options: TuneOptions,
    progress: Callable[[TuneProgress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> TuneResult:
    """Train ``parameters`` in place. step_loss: returns (the loss to descend, the one to show).

    Adam with betas 0.9 and 0.99. Raises Cancelled when asked to stop, EngineError when the loss is
    no number any more.
    """
    optimizer = torch.optim.Adam(parameters, options.learning_rate, betas=(0.9, 0.99))
    losses: list[float] = []
    began = time.perf_counter()
    done = seconds = 0.0
    while done < 1:
        if cancelled():
            raise Cancelled
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * _rate(len(losses), done)
        losses.append(_step(optimizer, step_loss))
        seconds = time.perf_counter() - began
        done = len(losses) / options.steps if options.steps else seconds / options.seconds
        left = max(0.0, seconds / done - seconds)
        shown = _mean(losses[-_LOSSES_SHOWN:])
        progress(TuneProgress(len(losses), options.steps, shown, seconds, left))
    return TuneResult(tuple(losses), seconds)


def _rate(step: int, done: float) -> float:
    """Return the learning rate as a share of its peak. done: share of the run that is over."""
    cosine = _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * done)) / 2
    return cosine * min(1.0, (step + 1) / _WARM_UP)


def _step(
    optimizer: torch.optim.Optimizer, step_loss: Callable[[], tuple[Tensor, Tensor]]
) -> float:
    loss, shown = step_loss()
    value = float(shown.detach())
    if not math.isfinite(value):
        raise EngineError(
            "The loss is not a number any more: what was learned is of no use.",
            "Try again with a lower learning rate.",
        )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return value


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
