"""AppKnowledge: every topic has one true answer, and the test's questions are never trained on."""

import random
import re
from collections import Counter

import pytest

from engine.training.corpus.grammar import Grammar, Node, say
from engine.training.corpus.knowledge import (
    AppKnowledge,
    load_held_out,
    load_topics,
)
from engine.training.corpus.typing_habits import plain_words, typed


def squeezed(text: str) -> str:
    """Return a text without case, marks and blanks: as little as a wording may differ in."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def ends(node: Node, text: str, starts: frozenset[int]) -> frozenset[int]:
    """Return where a wording can end in a squeezed text when it begins at one of ``starts``."""
    if not starts:
        return starts
    if isinstance(node, str):
        piece = squeezed(node)
        return frozenset(at + len(piece) for at in starts if text.startswith(piece, at))
    kind, parts = node
    if kind == "one":
        return frozenset().union(*(ends(part, text, starts) for part in parts))
    for part in parts:
        starts = ends(part, text, starts)
    return starts


class Producer:
    """Tells which topic's wordings a question can be drawn from, with or without manners."""

    def __init__(self) -> None:
        found = load_topics()
        grammar = Grammar(found.words)
        self._frames = {
            kind: [self._read(grammar, frame) for frame in found.frames[kind]]
            for kind in ("tasks", "things")
        }
        self._openers = [squeezed(opener) for opener in found.frames["openers"]]
        self._closers = [squeezed(closer) for closer in found.frames["closers"]]
        self._wordings = {
            (topic.name, kind): [grammar.read(wording) for wording in wordings]
            for topic in found.topics
            for kind, wordings in topic.wordings.items()
        }

    def topics_of(self, question: str) -> set[str]:
        """Return the topics that can ask a question in these very words."""
        text = squeezed(question)
        starts = {0, *(len(piece) for piece in self._openers if text.startswith(piece))}
        closed = (len(text) - len(piece) for piece in self._closers if text.endswith(piece))
        return self._found(text, frozenset(starts), {len(text), *closed})

    def _found(self, text: str, starts: frozenset[int], stops: set[int]) -> set[str]:
        framed = {
            kind: [(ends(before, text, starts), after) for before, after in frames]
            for kind, frames in self._frames.items()
        }
        found = set()
        for (name, kind), nodes in self._wordings.items():
            for begins, after in framed.get(kind, [(starts, "")]):
                if begins and any(
                    ends(after, text, ends(node, text, begins)) & stops for node in nodes
                ):
                    found.add(name)
        return found

    def _read(self, grammar: Grammar, frame: str) -> tuple[Node, Node]:
        before, _, after = re.sub(r"\{(task|thing)\}", "\0", frame).partition("\0")
        return grammar.read(before), grammar.read(after)


@pytest.fixture(scope="module")
def skill() -> AppKnowledge:
    return AppKnowledge()


def test_every_topic_is_written_as_it_should_be() -> None:
    topics = load_topics().topics
    assert len(topics) >= 55
    for topic in topics:
        assert sum(len(wordings) for wordings in topic.wordings.values()) >= 25, topic.name
        assert len(topic.answer.split()) <= 45, topic.name
        assert "\n" not in topic.answer
        assert 1 <= len(topic.needs) <= 3, topic.name


def test_only_the_answer_of_a_topic_says_what_it_needs() -> None:
    topics = load_topics().topics
    for topic in topics:
        right = [other.name for other in topics if topic.is_answered_by(other.answer)]
        assert right == [topic.name]


def test_the_test_asks_two_hundred_questions_about_all_topics() -> None:
    held = load_held_out()
    names = {topic.name for topic in load_topics().topics}
    assert len(held) == len({question for _name, question in held}) == 200
    assert {name for name, _question in held} == names


def test_no_wording_can_produce_a_question_of_the_test() -> None:
    producer = Producer()
    assert producer.topics_of("Hi, how do I rename a chat please?") == {"rename_chat"}
    produced = {question: producer.topics_of(question) for _name, question in load_held_out()}
    assert {question: names for question, names in produced.items() if names} == {}


def test_no_question_of_the_test_is_among_many_samples(skill: AppKnowledge) -> None:
    held = {tuple(plain_words(question)) for _name, question in load_held_out()}
    rng = random.Random(4)
    drawn = {tuple(plain_words(skill.exchange(rng).user)) for _ in range(40_000)}
    assert not drawn & held
    assert len(drawn) > 33_000  # hardly anything is asked twice


def test_the_words_of_the_test_occur_in_training(skill: AppKnowledge) -> None:
    rng = random.Random(5)
    known: Counter[str] = Counter()
    for _ in range(40_000):
        known.update(plain_words(skill.exchange(rng).user))
    asked = [word for _name, question in load_held_out() for word in plain_words(question)]
    assert sum(known[word] >= 3 for word in asked) / len(asked) >= 0.97


def test_an_exchange_is_one_line_and_answers_its_topic(skill: AppKnowledge) -> None:
    rng = random.Random(6)
    answers = {topic.answer for topic in skill.topics}
    drawn = [skill.exchange(rng) for _ in range(5_000)]
    assert {exchange.assistant for exchange in drawn} == answers
    assert all("\n" not in exchange.user and exchange.user.strip() for exchange in drawn)
    assert not any(mark in exchange.user for exchange in drawn for mark in ("[[", "]]", "{", "|"))


def test_the_same_seed_asks_the_same(skill: AppKnowledge) -> None:
    first = [skill.exchange(random.Random(n)) for n in range(50)]
    other = AppKnowledge()
    again = [other.exchange(random.Random(n)) for n in range(50)]
    assert first == again


def test_as_many_probes_as_questions_ask_each_of_them_once() -> None:
    skill = AppKnowledge()
    rng = random.Random(1)
    probes = [skill.probe(rng) for _ in range(200)]
    assert {probe.question for probe in probes} == {question for _name, question in load_held_out()}
    for probe in probes:
        assert probe.grade(probe.expected)
        assert not probe.grade("I do not know.")


def test_held_exchanges_are_those_of_the_test(skill: AppKnowledge) -> None:
    held = {question for _name, question in load_held_out()}
    rng = random.Random(2)
    assert all(skill.exchange(rng, held=True).user in held for _ in range(100))


def test_a_grammar_says_all_that_a_wording_stands_for() -> None:
    grammar = Grammar({"pet": "cat|dog|{bird}", "bird": "hen"})
    node = grammar.read("[[the |a [[small |]]|]]{pet}")
    said = {say(node, random.Random(n)) for n in range(300)}
    starts = ("the ", "a small ", "a ", "")
    assert said == {start + pet for start in starts for pet in ("cat", "dog", "hen")}


@pytest.mark.parametrize("wording", ["[[a|b", "a]] b"])
def test_brackets_that_do_not_match_are_refused(wording: str) -> None:
    with pytest.raises(ValueError, match=r"bracket|closed"):
        Grammar({}).read(wording)


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(KeyError):
        Grammar({}).read("a {thing}")


def test_typing_keeps_the_words_but_for_slips() -> None:
    rng = random.Random(3)
    texts = {typed("how do i use a apple on my gpu", rng, slips=0.0) for _ in range(300)}
    assert "How do I use an apple on my GPU?" in texts
    assert any(text.islower() for text in texts)
