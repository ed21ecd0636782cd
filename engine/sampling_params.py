"""How tokens are chosen, as plain values: what travels from a drawer to a sampler.

Knows no numpy, so that a window can be shown without it.
"""

import math
from dataclasses import dataclass

from engine.errors import EngineError


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are chosen; the same names and meanings as elsewhere in the RWKV world.

    temperature 0 or top_p 0 always takes the most likely token; top_k 0, min_p 0 and top_p 1 are
    off. Penalties count generated tokens only. seed None draws fresh entropy; max_tokens 0 is no
    limit. ``bias``: (token, what is added to its logit) pairs.
    """

    temperature: float = 1.0
    top_p: float = 0.5
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.5
    frequency_penalty: float = 0.1
    penalty_decay: float = 0.996
    seed: int | None = None
    max_tokens: int = 0
    stop: tuple[str, ...] = ()
    banned: tuple[int, ...] = ()
    bias: tuple[tuple[int, float], ...] = ()

    def validated(self) -> "SamplingParams":
        """Return self. Raises EngineError with a sentence about the first value out of range."""
        _check("Temperature", self.temperature, 0, 10)
        _check("Top-p", self.top_p, 0, 1)
        _check("Top-k", self.top_k, 0, math.inf, whole=True)
        _check("Min-p", self.min_p, 0, 1)
        _check("The presence penalty", self.presence_penalty, -10, 10)
        _check("The frequency penalty", self.frequency_penalty, -10, 10)
        _check("The penalty decay", self.penalty_decay, 0, 1)
        _check("The number of tokens", self.max_tokens, 0, math.inf, whole=True)
        if self.seed is not None:
            _check("The seed", self.seed, 0, math.inf, whole=True)
        for token in (*self.banned, *(token for token, _ in self.bias)):
            _check("A token id", token, 0, math.inf, whole=True)
        for _, amount in self.bias:
            _check("A token's bias", amount, -1000, 1000)
        if any(not isinstance(stop, str) or not stop for stop in self.stop):
            raise EngineError("A stop string is empty.", "Remove it from the list.")
        return self


def _check(name: str, value: float, lowest: float, highest: float, *, whole: bool = False) -> None:
    kinds = int if whole else (int, float)
    right = isinstance(value, kinds) and not isinstance(value, bool) and lowest <= value <= highest
    if right and (whole or math.isfinite(value)):
        return
    span = f"{lowest:g} or more" if highest == math.inf else f"from {lowest:g} to {highest:g}"
    raise EngineError(
        f"{name} cannot be {value}.", f"Use a {'whole ' if whole else ''}number {span}."
    )
