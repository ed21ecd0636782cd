"""Questions put loosely: small words left out, swapped or added, so that the content words count.

Knows no topic and no answer. What carries the meaning of a question is never touched.
"""

import random

from engine.training.corpus.words import words_of

_SMALL = frozenset(
    words_of(
        "a an the of to for in on at is are was be been do does did can could would should will "
        "i we one it its this that these there here how what which so and but then with by from "
        "please just have has me some any am get way possible want tell know"
    )
)
"""Words that may go: none of them alone tells one question from another."""

_FILLERS = words_of(
    "just actually please maybe like somehow really now simply exactly again quickly also "
    "basically perhaps still normally usually even"
)
_SHARE = 0.3
"""How many of the questions are put loosely."""


def loosened(text: str, rng: random.Random) -> str:
    """Return a lower-case wording, now and then with its small words handled carelessly."""
    if rng.random() >= _SHARE:
        return text
    words = text.split(" ")
    chance = rng.random()
    if chance < 0.4:
        words = _with_fewer(words, rng)
    elif chance < 0.6:
        words = _swapped(words, rng)
    elif chance < 0.8:
        filler = _FILLERS[int(rng.random() * len(_FILLERS))]
        words.insert(int(rng.random() * (len(words) + 1)), filler)
    else:
        words = _content(words)
    return " ".join(words)


def _with_fewer(words: list[str], rng: random.Random) -> list[str]:
    """Leave out one or two small words, as long as two words stay."""
    for _ in range(1 + (rng.random() < 0.5)):
        small = [place for place, word in enumerate(words) if word in _SMALL]
        if not small or len(words) < 3:
            break
        del words[small[int(rng.random() * len(small))]]
    return words


def _swapped(words: list[str], rng: random.Random) -> list[str]:
    """Swap two neighbours, one of them small: the order of the content words stays."""
    places = [
        place
        for place in range(len(words) - 1)
        if words[place] in _SMALL or words[place + 1] in _SMALL
    ]
    if places:
        at = places[int(rng.random() * len(places))]
        words[at], words[at + 1] = words[at + 1], words[at]
    return words


def _content(words: list[str]) -> list[str]:
    """Keep only the words that count, if there are at least two of them."""
    content = [word for word in words if word not in _SMALL]
    return content if len(content) > 1 else words
