"""Two questions in one message, answered one after the other. Knows how both are joined.

The parts are drawn by other skills; copying is none of them, as anything may belong to its text.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.training.corpus.exchange import Exchange, Probe, Skill

_LONGEST_PART = 240  # characters of a question or an answer that still is one of two
_BETWEEN = (", and ", ", and ", " and ", "? And ", ". And ", ". Also, ", "? Also: ", ". ", "? ")
_BEGINNINGS = re.compile(
    r"(?:what|what's|whats|how|where|when|why|which|who|is|are|am|can|could|do|does|did|please|tell"
    r"|say|write|spell|add|take|calculate|multiply|subtract|give|show|explain|help|will|would"
    r"|should|may|turn|reverse|read|sort|count|a|an|the|my|in|on|if|to|it|there|any)\b",
    re.IGNORECASE,
)
"""Words that have a capital only where a sentence begins."""


@dataclass(frozen=True, slots=True)
class BothRight:
    """Right when an answer is right for both questions."""

    first: Probe
    second: Probe

    def __call__(self, answer: str) -> bool:
        """Grade an answer to both: each must be found right in its own half, or in the whole."""
        return all(
            probe.grade(answer) or any(probe.grade(part) for part in _splits(answer))
            for probe in (self.first, self.second)
        )


class Doubles:
    """Two questions that have nothing to do with each other."""

    name = "two questions"

    def __init__(self, parts: Sequence[Skill]) -> None:
        """``parts``: the skills whose exchanges are joined."""
        self._parts = parts

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return two questions in one message, and both answers in their order."""
        first, second = self.part(rng, held), self.part(rng, held)
        return joined(first, second, rng)

    def probe(self, rng: random.Random) -> Probe:
        """Return two held-out questions in one message."""
        probes = [rng.choice(self._parts).probe(rng) for _ in range(2)]
        first, second = (Exchange(probe.question, probe.expected) for probe in probes)
        both = joined(first, second, rng)
        return Probe(self.name, (), both.user, both.assistant, BothRight(*probes))

    def part(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return an exchange that is short enough to be one of two."""
        while True:
            drawn = rng.choice(self._parts).exchange(rng, held)
            if is_short(drawn):
                return drawn


def is_short(exchange: Exchange) -> bool:
    """Tell whether an exchange may be one of two: short, on one line, without a thought."""
    texts = (exchange.user, exchange.assistant)
    plain = all(len(text) <= _LONGEST_PART and "\n" not in text for text in texts)
    return plain and not exchange.thought


def joined(first: Exchange, second: Exchange, rng: random.Random) -> Exchange:
    """Return both questions as one message, and both answers."""
    between = rng.choice(_BETWEEN)
    begun = first.user
    if between[0] in ".?" and begun[-1:] in ".?!":
        between = between[1:]  # the first question has its own mark
    elif between[0] not in ".?":
        begun = begun.rstrip(".?!")
    ending = second.user if between.endswith((". ", "? ")) else _lowered(second.user)
    return Exchange(f"{begun}{between}{ending}", f"{first.assistant} {second.assistant}")


def _lowered(question: str) -> str:
    """Return a question as it goes on in a sentence."""
    if _BEGINNINGS.match(question):
        return question[:1].lower() + question[1:]
    return question


def _splits(answer: str) -> list[str]:
    """Return what stands before and after every end of a sentence."""
    ends = [i + 1 for i, mark in enumerate(answer[:-1]) if mark in ".!?" and answer[i + 1] == " "]
    return [part for end in ends for part in (answer[:end], answer[end + 1 :])]
