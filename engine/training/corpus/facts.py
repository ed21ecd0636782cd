"""The kinds of facts that users tell about themselves: their values, and the wordings about them.

The wordings stand in resources/training/facts.toml. Knows nothing of when something is said.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from engine.training.corpus import names, words
from engine.training.corpus.exchange import chosen, held_out
from engine.training.corpus.knowledge import read_training_file


@dataclass(frozen=True, slots=True)
class Wordings:
    """Ways to say one thing: those for training, and those that only the test knows."""

    train: tuple[str, ...]
    held: tuple[str, ...] = ()

    def pick(self, rng: random.Random, held: bool = False) -> str:
        """Return one of them, with one of each ``[[a|b]]`` in it."""
        return chosen(rng.choice(self.held if held and self.held else self.train), rng)


@dataclass(frozen=True, slots=True)
class FactKind:
    """One kind of fact. clauses: telling; questions: asked directly; what: "what my name is".

    said: how the assistant says it (the first is the usual one); greetings: an answer when it is
    told; corrections: only for what was told before; missing: what was never told; checks: yes or
    no questions. value and which draw what is told (held-out values with True).
    """

    clauses: Wordings
    questions: Wordings
    what: Wordings
    corrections: Wordings
    checks: Wordings
    said: tuple[str, ...]
    greetings: tuple[str, ...]
    missing: tuple[str, ...]
    value: Callable[[random.Random, bool], str]
    which: Callable[[random.Random], str]


@cache
def kinds() -> Mapping[str, FactKind]:
    """Return every kind by its name, in the order in which facts are listed."""
    found = read_training_file("facts.toml")
    made = {
        "name": (names.person, _only),
        "city": (names.city, _only),
        "pet": (names.pet, _pet_kind),
        "colour": (_colour, _only),
        "number": (_number, _only),
        "job": (_one_of(words.JOBS), _only),
        "food": (_one_of(words.FOODS), _only),
        "hobby": (_one_of(words.HOBBIES), _only),
        "relation": (names.person, _relation),
    }
    return {kind: _kind(found[kind], value, which) for kind, (value, which) in made.items()}


def _kind(
    found: Mapping[str, Sequence[str]],
    value: Callable[[random.Random, bool], str],
    which: Callable[[random.Random], str],
) -> FactKind:
    def wordings(name: str) -> Wordings:
        return Wordings(tuple(found[name]), tuple(found[f"{name}_held"]))

    return FactKind(
        clauses=wordings("clauses"),
        questions=wordings("questions"),
        what=wordings("what"),
        corrections=wordings("corrections"),
        checks=wordings("checks"),
        said=tuple(found["said"]),
        greetings=tuple(found["greetings"]),
        missing=tuple(found["missing"]),
        value=value,
        which=which,
    )


def _number(rng: random.Random, held: bool) -> str:
    """Return a number of one to three digits, mostly of two."""
    while True:
        number = rng.randint(1, rng.choice((9, 99, 99, 999)))
        if held_out("number", number) == held:
            return str(number)


def _one_of(listed: tuple[str, ...]) -> Callable[[random.Random, bool], str]:
    return lambda rng, held: rng.choice(listed)


def _colour(rng: random.Random, held: bool) -> str:
    shade = rng.choice(("dark ", "light ", "bright ")) if rng.random() < 0.12 else ""
    return shade + rng.choice(words.COLOURS)


def _only(rng: random.Random) -> str:
    return ""


def _pet_kind(rng: random.Random) -> str:
    return rng.choice(("cat", "dog")) if rng.random() < 0.5 else rng.choice(words.PET_KINDS)


def _relation(rng: random.Random) -> str:
    if rng.random() < 0.45:
        return rng.choice(("friend", "best friend"))
    return rng.choice(words.RELATIONS)
