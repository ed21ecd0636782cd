"""Questions on how to use this app, and the one true answer to each.

The topics, their answers and their wordings stand in resources/training/topics.toml, the held-out
questions in resources/training/app_questions.toml. Knows nothing of tokens or of a model.
"""

import random
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from engine.training.corpus.exchange import Exchange, Probe
from engine.training.corpus.grammar import Grammar, Node, say
from engine.training.corpus.loose_wording import loosened
from engine.training.corpus.typing_habits import plain_words, typed, with_manners

_SHARES = (("tasks", 0.42), ("wordings", 0.42), ("things", 0.16))
"""How often a question is made of each kind of wording."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing to know. needs: what a right answer contains, and no other topic's does."""

    name: str
    answer: str
    needs: tuple[str, ...]
    wordings: Mapping[str, Sequence[str]]

    def is_answered_by(self, answer: str) -> bool:
        """Tell whether an answer, however it is written, says what is needed."""
        said = answer.lower()
        return all(need.lower() in said for need in self.needs)


@dataclass(frozen=True, slots=True)
class TopicFile:
    """What topics.toml holds."""

    topics: tuple[Topic, ...]
    words: Mapping[str, str]
    frames: Mapping[str, Sequence[str]]


def load_topics() -> TopicFile:
    """Read the topics from the resources."""
    found = read_training_file("topics.toml")
    topics = tuple(
        Topic(
            name,
            table["answer"],
            tuple(table["needs"]),
            {kind: tuple(table[kind]) for kind, _share in _SHARES},
        )
        for name, table in found["topic"].items()
    )
    return TopicFile(topics, found["words"], found["frames"])


def load_held_out() -> tuple[tuple[str, str], ...]:
    """Return the held-out questions, each with the name of its topic."""
    found = read_training_file("app_questions.toml")["questions"]
    return tuple((name, question) for name, asked in found.items() for question in asked)


def read_training_file(name: str) -> dict[str, Any]:
    """Return a TOML file of resources/training."""
    path = resources.files("resources").joinpath("training", name)
    return tomllib.loads(path.read_text(encoding="utf-8"))


class AppKnowledge:
    """The skill: every topic is asked about equally often."""

    name = "app knowledge"

    def __init__(self) -> None:
        found = load_topics()
        self._frames = found.frames
        self.topics = found.topics
        self._grammar = Grammar(found.words)
        self._made: list[_Questions | None] = [None] * len(found.topics)
        self._by_name = {topic.name: topic for topic in found.topics}
        self._held = load_held_out()
        self._held_words = frozenset(tuple(plain_words(question)) for _name, question in self._held)
        self._asked = 0

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return a question and its answer; with ``held`` one of the held-out questions."""
        if held:
            name, question = rng.choice(self._held)
            return Exchange(question, self._by_name[name].answer)
        place = int(rng.random() * len(self.topics))
        return Exchange(self._question(place, rng), self.topics[place].answer)

    def probe(self, rng: random.Random) -> Probe:
        """Return a held-out question: so many calls as there are questions ask each once."""
        name, question = self._held[self._asked % len(self._held)]
        self._asked += 1
        topic = self._by_name[name]
        return Probe(self.name, (), question, topic.answer, topic.is_answered_by)

    def _question(self, place: int, rng: random.Random) -> str:
        questions = self._made[place]
        if questions is None:
            questions = self._made[place] = _Questions(
                self.topics[place], self._grammar, self._frames
            )
        while True:  # what is held out is hardly ever hit, and then drawn again
            bare, asked = questions.draw(rng)
            drawn = {tuple(plain_words(bare)), tuple(plain_words(asked))}
            if not drawn & self._held_words:
                return asked


class _Questions:
    """The wordings of one topic, read and framed."""

    def __init__(self, topic: Topic, grammar: Grammar, frames: Mapping[str, Sequence[str]]) -> None:
        self._openers, self._closers = frames["openers"], frames["closers"]
        self._kinds: list[tuple[float, Callable[[random.Random], str]]] = []
        total = 0.0
        for kind, share in _SHARES:
            nodes = [grammar.read(wording) for wording in topic.wordings[kind]]
            total += share
            slot = {"tasks": "task", "things": "thing"}.get(kind)
            if slot is None:
                draw = _one_of(nodes)
            else:
                draw = _framed([_halves(grammar, frame, slot) for frame in frames[kind]], nodes)
            self._kinds.append((total, draw))

    def draw(self, rng: random.Random) -> tuple[str, str]:
        """Return a question as it was written, and as somebody types it."""
        chance = rng.random() * self._kinds[-1][0]
        draw = next(draw for until, draw in self._kinds if chance < until)
        bare = loosened(draw(rng), rng)
        return bare, typed(with_manners(bare, self._openers, self._closers, rng), rng)


def _one_of(nodes: Sequence[Node]) -> Callable[[random.Random], str]:
    return lambda rng: say(nodes[int(rng.random() * len(nodes))], rng)


def _framed(
    frames: Sequence[tuple[Node, Node]], nodes: Sequence[Node]
) -> Callable[[random.Random], str]:
    def draw(rng: random.Random) -> str:
        before, after = frames[int(rng.random() * len(frames))]
        inner = nodes[int(rng.random() * len(nodes))]
        return say(before, rng) + say(inner, rng) + say(after, rng)

    return draw


def _halves(grammar: Grammar, frame: str, slot: str) -> tuple[Node, Node]:
    """Return what a frame says before and after its slot."""
    before, _, after = frame.partition("{" + slot + "}")
    return grammar.read(before), grammar.read(after)
