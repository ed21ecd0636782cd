"""Repeating a sentence word for word: sense, nonsense, names, numbers and codes.

Knows nothing of the other skills; ``sentence`` is a sentence of no importance for anyone.
"""

import random
import re
from collections.abc import Callable

from engine.training.corpus.common_words import LETTER_WORDS, invented_word
from engine.training.corpus.exchange import Exchange, Probe, held_out
from engine.training.corpus.graders import Exactly
from engine.training.corpus.names import city, person
from engine.training.corpus.wordings import asked
from engine.training.corpus.words import (
    ADJECTIVES,
    ADVERBS,
    ANIMALS,
    COLOURS,
    FOODS,
    HOBBIES,
    JOBS,
    RELATIONS,
    THINGS,
    VERBS,
)

_AFTER_COLON = (
    "Repeat after me: {text}",
    "Repeat this: {text}",
    "Repeat this sentence: {text}",
    "Say this: {text}",
    "Say exactly this: {text}",
    "Copy this: {text}",
    "Copy this sentence: {text}",
    "Copy the following sentence: {text}",
    "Please copy this sentence exactly: {text}",
    "Please repeat: {text}",
    "Write this again: {text}",
    "Write the same again: {text}",
    "Echo: {text}",
    "Can you repeat this for me: {text}",
    "Copy what I write: {text}",
    "Give me back this text: {text}",
    "Answer only with this sentence: {text}",
)
_QUOTED = (
    'Repeat after me: "{text}"',
    'Copy this sentence exactly: "{text}"',
    'Repeat "{text}"',
    'Say "{text}"',
    'Please write "{text}" again.',
    'Can you repeat "{text}"?',
)
_LINE = ("Copy this:\n{text}", "Repeat this sentence:\n{text}", "Say this:\n{text}")

_PATTERNS = (
    "{who} {verb} {it}",
    "{who} {verb} {it} {where}",
    "{who} {verb} {it} {when}",
    "{who} {adverb} {verb} {it}",
    "{it} {verb} {it} {where}",
    "{it} is {where}",
    "{it} is {adjective} and {adjective}",
    "{it} was {adjective} {when}, but now it is {adjective}",
    "{person} lives in {city} and works as a {job}",
    "{person} comes from {city} and likes {food}",
    "{person} likes {food}, {food} and {food}",
    "{person} likes {hobby} more than {hobby}",
    "my {relation} is called {person} and is {number} years old",
    "my {relation} bought {number} {adjective} things {where}",
    "the train to {city} leaves {when}",
    "we meet {person} {where} {when}",
    "{when} {who} {verb} {it}",
    "{where} there is a {adjective} {thing}",
    "there are {number} people {where}",
    "I saw {number} of them {where} {when}",
    "I think that {who} {verb} {it}",
    "do you know where {it} is",
    "why is {it} so {adjective}",
    "has {person} seen {it} {when}",
    "please bring {it} and {it} to {person}",
    "never put {it} {where}",
    "if {it} is {adjective}, {who} {verb} it",
    "{person} said that {it} was {adjective}",
    "the {colour} {animal} and the {colour} {animal} are friends",
    "the word {odd} means {adjective} {thing}",
    "nobody knows what a {odd} is, but {person} has {number} of them",
    "{odd} and {odd} went to {city} {when}",
    "room {number} is {where}, room {number} is not",
    "{person}, {person} and {person} eat {food} {when}",
    "call me {person}, not {person}",
    "the {job} from {city} speaks {adverb} and {adverb}",
)
_PHRASES = {
    "who": (
        "{person}", "{person}", "{person} and {person}", "my {relation}", "the {adjective} {job}",
        "a {job} from {city}", "{person}'s {relation}",
    ),
    "it": (
        "the {adjective} {animal}", "a {adjective} {animal}", "the {colour} {thing}",
        "the {thing}", "my {adjective} {thing}", "{person}'s {thing}", "the {animal}",
    ),
    "where": (
        "in {city}", "in the {thing}", "under the {thing}", "near the {adjective} {thing}",
        "behind the {thing}", "on the way to {city}", "at home", "next to the {thing}",
    ),
    "when": (
        "at {hour} o'clock", "on Monday", "on Tuesday", "on Wednesday", "on Thursday", "on Friday",
        "on Saturday", "on Sunday", "in January", "in April", "in July", "in October", "yesterday",
        "tomorrow", "every morning", "after {number} days", "in the evening", "last night",
    ),
}  # fmt: skip
_LISTS: dict[str, tuple[str, ...]] = {
    **_PHRASES,
    "relation": RELATIONS,
    "job": JOBS,
    "adjective": ADJECTIVES,
    "animal": ANIMALS,
    "thing": THINGS,
    "colour": COLOURS,
    "verb": VERBS,
    "adverb": ADVERBS,
    "food": FOODS,
    "hobby": HOBBIES,
}
_DRAWN: dict[str, Callable[[random.Random], str]] = {
    "person": person,
    "city": city,
    "odd": invented_word,
    "number": lambda rng: str(rng.randrange(2, rng.choice((10, 100, 1000)))),
    "hour": lambda rng: str(rng.randint(1, 12)),
}
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou])")


class _Slots:
    """What ``str.format_map`` asks for each field: a new phrase every time."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def __getitem__(self, field: str) -> str:
        if field in _DRAWN:
            return _DRAWN[field](self._rng)
        chosen = self._rng.choice(_LISTS[field])
        return chosen.format_map(self) if "{" in chosen else chosen


def sentence(rng: random.Random) -> str:
    """Return a sentence of 3 to 20 words, with a mark at its end or without one."""
    text = rng.choice(_PATTERNS).format_map(_Slots(rng))
    text = _ARTICLE.sub(r"\1n ", text)
    if rng.random() < 0.85:
        text = text[0].upper() + text[1:]
    asks = text.lower().startswith(("do ", "why ", "has "))
    return text + rng.choice(("?", "?", "") if asks else (".", ".", ".", ".", "!", ""))


def salad(rng: random.Random) -> str:
    """Return 4 to 12 words that make no sense, now and then an invented one or a number."""
    words = [_salad_word(rng) for _ in range(rng.randint(4, 12))]
    if rng.random() < 0.4:
        words[0] = words[0][0].upper() + words[0][1:]
    return " ".join(words) + rng.choice(("", ".", "."))


def _salad_word(rng: random.Random) -> str:
    chance = rng.random()
    if chance < 0.88:
        return rng.choice(LETTER_WORDS)
    return invented_word(rng) if chance < 0.94 else str(rng.randrange(1000))


def code(rng: random.Random) -> str:
    """Return numbers in a row, or a code of letters and digits."""
    if rng.random() < 0.5:
        return " ".join(str(rng.randrange(100)) for _ in range(rng.randint(3, 9)))
    groups = (
        "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", k=rng.randint(2, 4)))
        for _ in range(rng.randint(2, 3))
    )
    return "-".join(groups)


class Copying:
    """The same text again, and nothing else."""

    name = "copying"

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return a text to repeat."""
        text = _text(rng, held, codes=0.07)
        chance = rng.random()
        wordings = _AFTER_COLON if chance < 0.72 else _QUOTED if chance < 0.92 else _LINE
        return Exchange(asked(wordings, rng, text=text), text)

    def probe(self, rng: random.Random) -> Probe:
        """Return a sentence to repeat that is not in training."""
        text = _text(rng, held=True, codes=0)
        question = asked(_AFTER_COLON if rng.random() < 0.75 else _QUOTED, rng, text=text)
        return Probe(self.name, (), question, text, Exactly(text))


def _text(rng: random.Random, held: bool, codes: float) -> str:
    while True:
        chance = rng.random()
        text = (code if chance < codes else salad if chance < 0.35 else sentence)(rng)
        if held_out("copy", text) == held and len(text) < 120:
            return text
