"""Sums of two steps, answered at once or after a thought that writes the steps.

The question is the same either way: whether the model thinks is decided by how its reply begins.
"""

import random
from dataclasses import dataclass
from typing import Literal

from engine.training.corpus.arithmetic import PLURALS, held_pair
from engine.training.corpus.exchange import Exchange, Probe, held_out
from engine.training.corpus.graders import LastNumber
from engine.training.corpus.names import person
from engine.training.corpus.wordings import asked

Sign = Literal["+", "-", "*"]

_BARE = (
    "{sum}",
    "{sum} =",
    "What is {sum}?",
    "What's {sum}?",
    "Calculate {sum}.",
    "How much is {sum}?",
    "Please compute {sum}.",
    "Can you work out {sum}?",
)
_STORIES: dict[str, tuple[str, ...]] = {
    "+-": (
        "{name} has {a} {things}, buys {b} and gives away {c}. How many now?",
        "{name} had {a} {things}, found {b} more and lost {c}. How many {things} are left?",
        "A box holds {a} {things}. {name} puts in {b} and takes out {c}. How many are in it?",
    ),
    "++": (
        "{name} has {a} {things}, buys {b} and then {c} more. How many now?",
        "There are {a} {things} here, {b} there and {c} at home. How many {things} in all?",
    ),
    "-+": (
        "{name} has {a} {things}, gives away {b} and buys {c}. How many now?",
        "There were {a} {things}. {name} took {b} and brought {c} back. How many are there now?",
    ),
    "--": (
        "{name} has {a} {things}, gives {b} away and loses {c}. How many are left?",
        "A shop had {a} {things}, sold {b} and then {c}. How many {things} are left?",
    ),
    "+*": (
        "{name} packs {a} red and {b} blue {things} into each of {c} bags. How many are that?",
        "Each of {c} boxes holds {a} old and {b} new {things}. How many {things} in all?",
    ),
    "-*": (
        "Each of {c} boxes held {a} {things}, and {b} were taken out of each. How many are left?",
        "{c} friends had {a} {things} each, and each lost {b}. How many {things} are left?",
    ),
    "*+": (
        "{name} has {a} boxes with {b} {things} each and {c} more. How many {things} in all?",
        "{name} buys {a} bags of {b} {things} and finds {c}. How many {things} are that?",
    ),
    "*-": (
        "{name} has {a} boxes with {b} {things} each and gives away {c}. How many are left?",
        "{name} buys {a} bags of {b} {things} and loses {c}. How many {things} are left?",
    ),
}


@dataclass(frozen=True, slots=True)
class TwoSteps:
    """(a first b) second c, worked out from the left."""

    a: int
    first: Sign
    b: int
    second: Sign
    c: int

    @property
    def between(self) -> int:
        """The result of the first step."""
        return _apply(self.a, self.first, self.b)

    @property
    def result(self) -> int:
        """The result."""
        return _apply(self.between, self.second, self.c)

    def thought(self) -> str:
        """Return the steps, a line each."""
        return (
            f"{self.a} {self.first} {self.b} = {self.between}\n"
            f"{self.between} {self.second} {self.c} = {self.result}"
        )

    def written(self, rng: random.Random) -> str:
        """Return the sum as a formula; brackets where they are needed, and in half of the rest."""
        inner = f"{self.a} {self.first} {self.b}"
        if self.second == "*" or rng.random() < 0.5:
            inner = f"({inner})"
        text = f"{inner} {self.second} {self.c}"
        return text.replace(" ", "") if rng.random() < 0.15 else text

    @property
    def held(self) -> bool:
        """Whether it is kept for the test."""
        return held_out("two steps", self.a, self.first, self.b, self.second, self.c)

    @property
    def tests_arithmetic(self) -> bool:
        """Whether a step is one of the exercises that the test of arithmetic asks for."""
        steps = ((self.a, self.first, self.b), (self.between, self.second, self.c))
        return any(
            held_pair({"+": "plus", "-": "minus", "*": "times"}[sign], a, b)
            for a, sign, b in steps
            if 0 <= a < 100
        )


def _apply(a: int, sign: Sign, b: int) -> int:
    return a + b if sign == "+" else a - b if sign == "-" else a * b


class TwoStepSums:
    """Two steps of arithmetic, in half of the exchanges with a thought."""

    name = "thinking"

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return a sum with its answer, and in half of the cases the steps as the thought."""
        sum_ = _draw(rng, held)
        thought = sum_.thought() if rng.random() < 0.5 else ""
        return Exchange(_question(sum_, rng), f"{sum_.result}.", thought)

    def probe(self, rng: random.Random) -> Probe:
        """Return a sum that is not in training, to be thought about first."""
        sum_ = _draw(rng, held=True)
        expected = f"{sum_.result}."
        return Probe(
            self.name, (), _question(sum_, rng), expected, LastNumber(sum_.result), think=True
        )


def _draw(rng: random.Random, held: bool) -> TwoSteps:
    while True:
        sum_ = _any_sum(rng)
        if sum_.held == held and not sum_.tests_arithmetic and sum_.result >= 0:
            return sum_


def _any_sum(rng: random.Random) -> TwoSteps:
    """Draw numbers below 100; a product has one factor below 10, which takes no further steps."""
    kind = rng.random()
    second: Sign = "+" if rng.random() < 0.5 else "-"
    if kind < 0.35:
        return TwoSteps(rng.randint(2, 9), "*", rng.randint(2, 99), second, rng.randint(2, 99))
    first: Sign = "+" if rng.random() < 0.5 else "-"
    a, b, c = (rng.randint(2, 99) for _ in range(3))
    if first == "-" and a < b:
        a, b = b, a
    if kind < 0.6 and _apply(a, first, b) < 100:
        return TwoSteps(a, first, b, "*", rng.randint(2, 9))
    return TwoSteps(a, first, b, second, c)


def _question(sum_: TwoSteps, rng: random.Random) -> str:
    if rng.random() < 0.6:
        return asked(_BARE, rng, sum=sum_.written(rng))
    return asked(
        _STORIES[sum_.first + sum_.second],
        rng,
        a=sum_.a,
        b=sum_.b,
        c=sum_.c,
        name=person(rng),
        things=rng.choice(PLURALS),
    )
