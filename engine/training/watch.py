"""The rule that stops a run which has gone wrong. Knows only losses and norms, no model.

A step whose gradient is not finite never reaches the weights; more than ``skip_limit`` of them
stop the run. A spike stops it too: when the mean loss of the last few steps (a step counts 0.2 of
it, so about 5) is more than ``spike`` nats above that of the last many (0.02, so about 50). Above
half of that no checkpoint is written on the way: the ones that are kept are from before.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from engine.errors import EngineError

_FEW, _MANY = 0.2, 0.02
_FIRST = 5
"""Steps that only teach the means what is usual."""


class TrainingStopped(EngineError):
    """The numbers went wrong: a gradient that is not finite, or a spike of the loss."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What the rule remembers: both means, steps that went into them, steps passed over."""

    few: float = 0.0
    many: float = 0.0
    seen: int = 0
    skipped: int = 0


class Watch:
    """The rule, with a run's limits; ``memory`` goes into its checkpoints."""

    def __init__(self, spike: float, skip_limit: int, memory: Watched | None = None) -> None:
        self.memory = memory or Watched()
        self._spike = spike
        self._skip_limit = skip_limit

    @property
    def calm(self) -> bool:
        """Whether nothing looks like the beginning of a spike."""
        return not self._spike or self.memory.few <= self.memory.many + self._spike / 2

    def look(self, first_step: int, measured: Iterable[tuple[float, float]]) -> None:
        """Look at steps from ``first_step`` on: (loss in nats, gradient norm).

        Raises TrainingStopped, which names the step.
        """
        for step, (loss, norm) in enumerate(measured, first_step):
            if math.isfinite(loss) and math.isfinite(norm):
                self._usual(step, loss)
            else:
                self._skipped(step)

    def _skipped(self, step: int) -> None:
        self.memory = replace(self.memory, skipped=self.memory.skipped + 1)
        if self.memory.skipped > self._skip_limit:
            raise TrainingStopped(
                f"Training stopped at step {step}: its loss or gradient is not a finite number.",
                "Lower train.learning_rate, look at the data there, "
                "or allow some such steps with train.skip_limit.",
            )

    def _usual(self, step: int, loss: float) -> None:
        memory = self.memory
        if not memory.seen:
            self.memory = replace(memory, few=loss, many=loss, seen=1)
            return
        few = memory.few + _FEW * (loss - memory.few)
        many = memory.many + _MANY * (loss - memory.many)
        self.memory = replace(memory, few=few, many=many, seen=memory.seen + 1)
        if self._spike and memory.seen >= _FIRST and few > many + self._spike:
            raise TrainingStopped(
                f"Training stopped at step {step}: "
                f"the loss rose from about {many:.2f} to {few:.2f}.",
                "Lower train.learning_rate or lengthen train.warmup_steps; "
                "train.spike says how much is too much.",
            )
