"""What every skill of the corpus speaks in: exchanges, probes, and what is held out of training.

Knows nothing of tokens or of any one skill.
"""

import hashlib
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_CHOICE = re.compile(r"\[\[(.*?)\]\]")
_HELD_SHARE = 8
"""One key in so many is kept for the test and never trained on."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and its answer; ``thought``: what is written between the think tags, if any."""

    user: str
    assistant: str
    thought: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """One held-out question with the chat before it.

    skill: the row of the table that it counts for. grade: whether an answer (without its thought)
    is right. think: whether the model is to think first. expected: shown when it fails.
    """

    skill: str
    context: tuple[Exchange, ...]
    question: str
    expected: str
    grade: Callable[[str], bool]
    think: bool = False


class Skill(Protocol):
    """One thing that the model is taught."""

    name: str

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return one exchange whose content is for training, or with ``held`` for the test."""
        ...

    def probe(self, rng: random.Random) -> Probe:
        """Return one test question with held-out content."""
        ...


def held_out(*key: object) -> bool:
    """Tell whether content with this key is kept for the test: the same on every machine."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") % _HELD_SHARE == 0


def chosen(wording: str, rng: random.Random) -> str:
    """Return a wording with one of the texts of each ``[[a|b]]`` in it; these do not nest."""
    return _CHOICE.sub(lambda found: rng.choice(found[1].split("|")), wording)


def casual(text: str, rng: random.Random) -> str:
    """Return a question as people type it: now and then in lower case or without its last mark."""
    if rng.random() < 0.12:
        text = text.lower()
    if rng.random() < 0.12:
        text = text.rstrip(".?!")
    return text
