"""How far a run is, in numbers and in one line of text. Knows no model and no terminal."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainProgress:
    """What is told each time the losses were fetched.

    step: steps done; steps: of the run, 0 when a budget decides. phase: from 1, of ``phases``.
    loss: mean cross-entropy in nats per token since the last telling. tokens: predicted so far.
    tokens_per_second: lately, over all processes. seconds: spent, over all resumes.
    seconds_left: NaN while unknown. skipped: steps that were passed over.
    """

    step: int
    steps: int
    phase: int
    phases: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int
    tokens_per_second: float
    seconds: float
    seconds_left: float
    skipped: int = 0

    @property
    def perplexity(self) -> float:
        """e to the loss."""
        return math.exp(min(self.loss, 700.0))

    def line(self) -> str:
        """Return it all as one line."""
        of = f"/{self.steps}" if self.steps else ""
        parts = [
            f"step {self.step}{of}",
            f"phase {self.phase}/{self.phases}",
            f"loss {self.loss:.4f}",
            f"perplexity {self.perplexity:.2f}",
            f"lr {self.learning_rate:.2e}",
            f"norm {self.gradient_norm:.2f}",
            f"{self.tokens_per_second:,.0f} tokens/s",
            f"{self.tokens / 1e6:,.1f} M tokens",
            f"{clock(self.seconds_left)} left",
        ]
        if self.skipped:
            parts.append(f"{self.skipped} skipped")
        return "  ".join(parts)


class Meter:
    """Tokens per second between two looks, smoothed a little; told the time, it has no clock."""

    def __init__(self, seconds: float, tokens: int) -> None:
        self._seconds, self._tokens = seconds, tokens
        self.tokens_per_second = 0.0

    def look(self, seconds: float, tokens: int) -> float:
        """Return the speed now; half of it is what it was before."""
        passed = seconds - self._seconds
        if passed > 0:
            now = (tokens - self._tokens) / passed
            self.tokens_per_second = (now + (self.tokens_per_second or now)) / 2
        self._seconds, self._tokens = seconds, tokens
        return self.tokens_per_second

    def pause(self, seconds: float) -> None:
        """Leave out the time since the last look, in which nothing was trained."""
        self._seconds = seconds


def clock(seconds: float) -> str:
    """Return a length of time as people write it: 1:02:03, 2:03, or -- when it is unknown."""
    if not math.isfinite(seconds):
        return "--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
