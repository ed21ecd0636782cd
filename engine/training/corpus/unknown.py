"""Questions that a small model cannot know the answer to, and the honest answer to them.

The wordings, and the words that fill them, stand in resources/training/unknown.toml. A part of
both is held out. Knows nothing of tokens or of a model.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.training.corpus.exchange import Exchange, Probe, held_out
from engine.training.corpus.grammar import Grammar, Node, say
from engine.training.corpus.knowledge import read_training_file
from engine.training.corpus.loose_wording import loosened
from engine.training.corpus.typing_habits import typed
from engine.training.corpus.words import words_of

ADMISSION = "small built-in model"
"""What every such answer says."""

_NEW = 2
"""How much oftener than their share those wordings are tested that are new as a whole."""

_SLOT = re.compile(r"\{\w+\}|<made>|<Name>")
_MADE = re.compile(r"<(made|Name|big|year)>")
_ONSETS = words_of(
    "b bl br c cl cr d dr f fl fr g gl gr h j k kr l m n p pl pr qu r s sk st t tr v w z zh"
)
_VOWELS = words_of("a e i o u ai ea ee ie oa oo ou y")
_CODAS = words_of("b ck d f g k l ll m mp n nd ng nt p r rk rm rt s sk st t th x z")

_OPENERS = (
    "hi, ", "hello, ", "hey, ", "please ", "please, ", "sorry, ", "ok, ", "so ", "so, ", "and ",
    "now ", "also, ", "by the way, ", "tell me, ", "i wonder, ", "quick question: ", "question: ",
    "one more question: ", "gosling, ", "hey gosling, ", "do you know: ", "another thing: ",
    "something else: ", "i have a question: ", "my son asks: ", "for school: ", "thanks. ",
    "well, ", "for my homework: ", "just for fun: ", "let me ask you: ", "my boss wants to know: ",
)  # fmt: skip
_CLOSERS = (
    " please", " please", ", please", " thanks", ", thank you", ", do you know", ", any idea",
    ", what do you think", " exactly", ", tell me", ", i need to know", " in short", " in detail",
    ", in one sentence", ", can you tell me", ", gosling", " quickly", " now",
)  # fmt: skip
_ASKED = re.compile(r"(what|who|when|where|why|how|which|whose|whom)\b")
_WRAPPED = (
    "do you know {}", "can you tell me {}", "could you tell me {}", "tell me {}", "i wonder {}",
    "i want to know {}", "i would like to know {}", "please tell me {}", "explain to me {}",
    "have you any idea {}", "you surely know {}", "i need to know {}", "can you find out {}",
    "let me know {}", "does gosling know {}", "i have always wondered {}", "say, {}",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Pools:
    """The wordings of one field. kind: which answers fit."""

    kind: str
    training: Sequence[Node]
    held: Sequence[Node]


class Unknowable:
    """The skill: whatever is asked here, the answer says what it is and does not know."""

    name = "unknown"

    def __init__(self) -> None:
        found = read_training_file("unknown.toml")
        self._answers: Mapping[str, Sequence[str]] = found["answers"]
        slots: Mapping[str, Sequence[str]] = found["slots"]
        training = Grammar({name: _kept(name, words, held=False) for name, words in slots.items()})
        held = Grammar({name: _kept(name, words, held=True) for name, words in slots.items()})
        self._fields = [
            _pools(name, field, training, held) for name, field in found["field"].items()
        ]
        self._until: list[float] = []
        for field in self._fields:  # a field with more wordings is asked about more often
            self._until.append((self._until or [0.0])[-1] + len(field.training))

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return a question that cannot be answered here, and what is said to it."""
        field = self._field(rng)
        pool = field.held if held else field.training
        question = _filled(say(pool[int(rng.random() * len(pool))], rng), rng, held=held)
        if not held:  # the test asks in whole sentences
            question = loosened(question, rng)
        answers = self._answers[field.kind]
        answer = answers[int(rng.random() * len(answers))]
        return Exchange(_asked(question, rng), answer)

    def probe(self, rng: random.Random) -> Probe:
        """Return a held-out question; right is whatever says what Gosling is."""
        exchange = self.exchange(rng, held=True)
        return Probe(
            self.name, (), exchange.user, exchange.assistant, lambda said: ADMISSION in said.lower()
        )

    def _field(self, rng: random.Random) -> _Pools:
        chance = rng.random() * self._until[-1]
        return next(
            field for field, until in zip(self._fields, self._until, strict=True) if chance < until
        )


def _kept(name: str, words: Sequence[str], *, held: bool) -> str:
    """Return the words of a slot that are for training, or those for the test."""
    tested = [word for word in words if held_out("unknown", name, word)] or [words[-1]]
    return "|".join(tested if held else [word for word in words if word not in tested])


def _pools(name: str, field: Mapping[str, Any], training: Grammar, held: Grammar) -> _Pools:
    """Divide the wordings of a field: some are for the test, and so are the words in all of it."""
    wordings: Sequence[str] = field["wordings"]
    tested = [wording for wording in wordings if held_out("unknown", name, wording)]
    trained = [wording for wording in wordings if wording not in tested]
    filled = [wording for wording in trained if _always_filled(wording)]
    return _Pools(
        field["kind"],
        [training.read(wording) for wording in trained],
        [held.read(wording) for wording in [*tested * _NEW, *filled]],
    )


def _always_filled(wording: str) -> bool:
    """Tell whether a word is always filled in: what stands in brackets may be left out."""
    return bool(_SLOT.search(re.sub(r"\[\[.*?\]\]", "", wording)))


def _filled(text: str, rng: random.Random, *, held: bool) -> str:
    if "<" not in text:
        return text
    return _MADE.sub(lambda found: _made(found[1], rng, held=held), text)


def _made(kind: str, rng: random.Random, *, held: bool) -> str:
    if kind == "big":
        return str(int(10 ** (2 + rng.random() * 4)))
    if kind == "year":
        return str(int(900 + rng.random() * 1200))
    while True:
        count = 1 + (rng.random() < 0.75) + (rng.random() < 0.2)
        word = "".join(_syllable(rng) for _ in range(count))
        if len(word) > 3 and held_out("made", word) == held:
            return word.capitalize() if kind == "Name" else word


def _syllable(rng: random.Random) -> str:
    coda = rng.choice(_CODAS) if rng.random() < 0.5 else ""
    return rng.choice(_ONSETS) + rng.choice(_VOWELS) + coda


def _asked(question: str, rng: random.Random) -> str:
    """Return a question as people put it: asked straight, or wrapped, with manners, typed."""
    chance = rng.random()
    if chance < 0.12 and _ASKED.match(question):
        question = _WRAPPED[int(rng.random() * len(_WRAPPED))].format(question)
    elif chance < 0.3:
        question = _OPENERS[int(rng.random() * len(_OPENERS))] + question
    if rng.random() < 0.1:
        question += _CLOSERS[int(rng.random() * len(_CLOSERS))]
    return typed(question, rng, slips=0.06)
