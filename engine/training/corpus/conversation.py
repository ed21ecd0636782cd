"""Whole chats composed out of skills: facts told, other talk, questions; or other talk alone.

Knows nothing of tokens: what an exchange costs is asked of the caller.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from engine.training.corpus import names
from engine.training.corpus.doubles import is_short, joined
from engine.training.corpus.exchange import Exchange
from engine.training.corpus.facts import kinds
from engine.training.corpus.memory import Talk, distraction, other_fact, some_facts
from engine.training.corpus.stories import about_own
from engine.training.corpus.teller import Key, Teller

Measure = Callable[[Exchange], int]

SMALLEST_ROOM = 64
"""Tokens that any chat may have; below this nothing useful can be said."""
_QUESTION_ROOM = 32
"""About what a question for a fact costs with its answer."""
_SYSTEM_SHARE = 0.05
_SYSTEM_ROOM = 40
_SYSTEMS = (
    "You are Gosling, a small and friendly assistant.",
    "You are a helpful assistant.",
    "You are Gosling, the built-in model of Skein.",
    "Answer shortly and kindly.",
    "You are a friendly helper who remembers what the user says.",
    "Be brief.",
    "Help the user as well as you can.",
    "You are talking with a user of Skein.",
    "You are an assistant that answers in short sentences.",
    "The user likes short answers.",
    "Be polite and honest.",
    "You run offline on this computer.",
)


@dataclass(frozen=True, slots=True)
class Chat:
    """One document: what stands before it, if anything, and its exchanges."""

    exchanges: tuple[Exchange, ...]
    system: str = ""


@dataclass(frozen=True, slots=True)
class Style:
    """How a user asks. asking: how often an exchange is a question for a fact; early: when all
    has been told (as a part of the chat); closing: whether every fact is asked at the end."""

    asking: float
    early: float
    closing: bool


_STYLES = (
    (0.35, Style(asking=0.45, early=0.8, closing=False)),
    (0.25, Style(asking=0.15, early=0.6, closing=True)),
    (0.4, Style(asking=0.02, early=0.25, closing=True)),
)


def memory_chat(rng: random.Random, room: int, talk: Talk, measure: Measure) -> Chat:
    """Return a chat of at most ``room`` tokens (as measured) in which facts are remembered."""
    chat = _MemoryChat(rng, room, talk, measure).compose()
    return chat if chat.exchanges else talk_chat(rng, room, talk, measure)


def talk_chat(rng: random.Random, room: int, talk: Talk, measure: Measure) -> Chat:
    """Return other talk alone: often a single exchange, else as much as fits into ``room``.

    The first exchange is kept in any case, unless ten draws in turn are too long.
    """
    turns = 1 if rng.random() < 0.4 else rng.randint(2, 12)
    begun = rng.random() < _SYSTEM_SHARE and room > 2 * _SYSTEM_ROOM
    system = rng.choice(_SYSTEMS) if begun else ""
    left = room - (_SYSTEM_ROOM if system else 0)
    exchanges: list[Exchange] = []
    for _ in range(turns + 10):
        other = talk(rng)
        cost = measure(other)
        if cost <= left:
            exchanges.append(other)
            left -= cost
        elif exchanges:
            break
        if len(exchanges) == turns:
            break
    return Chat(tuple(exchanges), system)


class _MemoryChat:
    """The plan of one chat, and what has come of it so far."""

    def __init__(self, rng: random.Random, room: int, talk: Talk, measure: Measure) -> None:
        self._rng, self._room, self._left = rng, room, room
        self._talk, self._measure = talk, measure
        self._teller = Teller(rng, kinds())
        self._exchanges: list[Exchange] = []
        (self._style,) = rng.choices(
            [style for _, style in _STYLES], [share for share, _ in _STYLES]
        )
        self._events = self._plan()

    def compose(self) -> Chat:
        """Return the chat."""
        rng = self._rng
        begun = rng.random() < _SYSTEM_SHARE and self._room > 2 * _SYSTEM_ROOM
        system = self._system() if begun else ""
        while self._left > self._reserve():
            known = dict(self._teller.known)
            if not self._add(self._next()):
                self._teller.known = known  # what found no room was not told
                break
        if self._style.closing:
            self._ask_all()
        return Chat(tuple(self._exchanges), system)

    def _system(self) -> str:
        """Return a text that stands before the chat; now and then it tells the user's name."""
        self._left -= _SYSTEM_ROOM
        if self._rng.random() > 0.3:
            return self._rng.choice(_SYSTEMS)
        name, key = names.person(self._rng), ("name", "")
        self._teller.known[key] = name
        without = [(when, what, _less(keys, key, what)) for when, what, keys in self._events]
        self._events = [event for event in without if event[2]]
        return self._rng.choice(
            ("The user's name is {}.", "You are talking with {}.", "The user is called {}.")
        ).format(name)

    def _plan(self) -> list[tuple[float, str, tuple[Key, ...]]]:
        """Return what is told and corrected, and when (as a part of the room)."""
        rng = self._rng
        keys = some_facts(rng, min(10, 1 + self._room // 70))
        events: list[tuple[float, str, tuple[Key, ...]]] = []
        while keys:
            count = rng.choice((1, 1, 1, 2, 2, 3, 4))
            told, keys = keys[:count], keys[count:]
            when = 0.0 if rng.random() < 0.35 else rng.random() * self._style.early
            events.append((when, "tell", tuple(told)))
            if rng.random() < 0.3:
                wrong = rng.sample(told, rng.randint(1, min(2, len(told))))
                events += [(when + rng.random() * (0.9 - when), "correct", (key,)) for key in wrong]
        return sorted(events, key=lambda event: event[0])

    def _reserve(self) -> int:
        """Return the tokens that are kept for the questions at the end."""
        return _QUESTION_ROOM * len(self._teller.known) if self._style.closing else 0

    def _next(self) -> Exchange:
        """Return what comes next: what is due, a question, or other talk."""
        rng = self._rng
        part = 1 - self._left / self._room
        if self._events and self._events[0][0] <= part:
            _, what, keys = self._events.pop(0)
            return self._tell(keys) if what == "tell" else self._teller.correct(keys[0])
        chance = rng.random()
        if chance < self._style.asking:
            return self._question()
        return distraction(rng) if chance > 0.93 else self._talk(rng)

    def _tell(self, keys: tuple[Key, ...]) -> Exchange:
        told = self._teller.tell(*keys)
        if self._rng.random() > 0.1:
            return told
        other = self._talk(self._rng)  # told in passing: the answer is to the rest
        if other.thought or "\n" in other.user:
            return told
        text = told.user if told.user[-1] in ".?!" else told.user + "."
        return Exchange(f"{text} {other.user}", other.assistant)

    def _question(self) -> Exchange:
        rng, teller = self._rng, self._teller
        known = list(teller.known)
        chance = rng.random()
        if not known or chance < 0.12:
            return teller.ask(other_fact(rng, teller.known))
        key = rng.choice(known)
        if chance < 0.24:
            return teller.check(key, rng.random() < 0.5)
        if chance < 0.32:
            return teller.ask_everything()
        if chance < 0.36 and key[0] == "pet":
            return about_own(teller.known[key], key[1], rng)
        if chance < 0.40:
            return self._with_another(teller.ask(key))
        if chance < 0.44:
            other = rng.choice(known) if rng.random() < 0.85 else other_fact(rng, teller.known)
            return teller.ask(key) if other == key else teller.ask_two(key, other)
        return teller.ask(key)

    def _with_another(self, asked: Exchange) -> Exchange:
        """Return a question for a fact together with one that has nothing to do with it."""
        other = self._talk(self._rng)
        if not is_short(other):
            return asked
        pair = (asked, other) if self._rng.random() < 0.6 else (other, asked)
        return joined(*pair, self._rng)

    def _ask_all(self) -> None:
        """Ask for every fact once, in any order, as long as there is room."""
        keys = list(self._teller.known)
        self._rng.shuffle(keys)
        for key in keys:
            if self._rng.random() < 0.1:
                self._add(self._question())
            if not self._add(self._teller.ask(key)):
                return

    def _add(self, exchange: Exchange) -> bool:
        """Append an exchange if there is room for it."""
        cost = self._measure(exchange)
        if cost > self._left:
            return False
        self._exchanges.append(exchange)
        self._left -= cost
        return True


def _less(keys: tuple[Key, ...], key: Key, what: str) -> tuple[Key, ...]:
    """Return what is told without what is known already; corrections stay."""
    return keys if what == "correct" else tuple(other for other in keys if other != key)
