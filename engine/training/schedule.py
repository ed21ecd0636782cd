"""Where a run is, which phase that is, and how high the learning rate is there.

Knows no model and no data. Without a budget everything follows the step, so a run can be repeated
exactly; with ``train.budget_seconds`` the cosine and the phases follow the clock instead.
"""

import math
from dataclasses import dataclass, replace

from engine.training.config import Phase, RunConfig


@dataclass(frozen=True, slots=True)
class Position:
    """How far a run is: what a checkpoint must know to go on.

    step: steps done. phase: the number of the one that is on. phase_step: steps done in it.
    tokens: predicted so far. seconds: wall clock spent, over all resumes.
    """

    step: int = 0
    phase: int = 0
    phase_step: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def after_step(self, tokens: int) -> "Position":
        """Return the position one step of so many tokens later."""
        return replace(
            self,
            step=self.step + 1,
            phase_step=self.phase_step + 1,
            tokens=self.tokens + tokens,
        )

    def next_phase(self) -> "Position":
        """Return the beginning of the next phase."""
        return replace(self, phase=self.phase + 1, phase_step=0)

    def at(self, seconds: float) -> "Position":
        """Return the same position at another time."""
        return replace(self, seconds=seconds)


class Schedule:
    """What a configuration says about any position."""

    def __init__(self, config: RunConfig) -> None:
        self._phases = config.phases
        self._train = config.train
        self._steps = config.steps
        self._shares = sum(phase.share for phase in config.phases)

    def phase(self, position: Position) -> Phase | None:
        """The phase that is on, or None behind the last one."""
        return self._phases[position.phase] if position.phase < len(self._phases) else None

    def is_over(self, position: Position) -> bool:
        """Tell whether the phase that is on has come to its end."""
        phase = self._phases[position.phase]
        if not self._train.budget_seconds:
            return position.phase_step >= phase.steps
        behind = sum(one.share for one in self._phases[: position.phase + 1])
        return position.seconds >= self._train.budget_seconds * behind / self._shares

    def done(self, position: Position) -> float:
        """The part of the run that is done, 0 to 1: of its steps, or of its budget."""
        if self._train.budget_seconds:
            return min(position.seconds / self._train.budget_seconds, 1.0)
        return min(position.step / self._steps, 1.0)

    def learning_rate(self, position: Position) -> float:
        """The rate of the step that comes next.

        RWKV-LM's (train/trainer.py): a cosine from the peak to the final rate over the run, times
        0.01 + 0.99 s/S in the first S = ``warmup_steps`` steps. A phase with a peak of its own
        scales the whole curve.
        """
        train = self._train
        peak = self._phases[position.phase].learning_rate or train.learning_rate
        floor = train.final_learning_rate * peak / train.learning_rate
        rate = floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * self.done(position)))
        if position.step < train.warmup_steps:
            rate *= 0.01 + 0.99 * position.step / train.warmup_steps
        return rate

    def seconds_left(self, position: Position, tokens_per_second: float) -> float:
        """How long the rest takes at this speed; NaN while none is known."""
        if self._train.budget_seconds:
            return max(self._train.budget_seconds - position.seconds, 0.0)
        left = sum(one.steps * one.batch * one.length for one in self._phases[position.phase :])
        if position.phase < len(self._phases):
            now = self._phases[position.phase]
            left -= position.phase_step * now.batch * now.length
        return left / tokens_per_second if tokens_per_second > 0 else math.nan
