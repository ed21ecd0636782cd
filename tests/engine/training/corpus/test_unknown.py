"""Unknowable: the answer always admits what it is, and a part of the questions is never trained."""

import random
import re

import pytest

from engine.training.corpus.exchange import held_out
from engine.training.corpus.knowledge import AppKnowledge, read_training_file
from engine.training.corpus.typing_habits import plain_words
from engine.training.corpus.unknown import ADMISSION, Unknowable


@pytest.fixture(scope="module")
def skill() -> Unknowable:
    return Unknowable()


def test_every_answer_says_what_it_is_in_few_words() -> None:
    answers = read_training_file("unknown.toml")["answers"]
    for said in (answer for variants in answers.values() for answer in variants):
        assert ADMISSION in said
        assert "Gosling" in said
        assert len(said.split()) <= 30


def test_there_are_hundreds_of_wordings_in_many_fields() -> None:
    found = read_training_file("unknown.toml")
    wordings = [(n, w) for n, field in found["field"].items() for w in field["wordings"]]
    assert len(found["field"]) >= 15
    assert len(wordings) >= 500
    share = sum(held_out("unknown", name, wording) for name, wording in wordings) / len(wordings)
    assert 0.08 < share < 0.2
    for field in found["field"].values():
        assert field["kind"] in found["answers"]


def test_an_exchange_is_one_line_and_nothing_is_left_unfilled(skill: Unknowable) -> None:
    rng = random.Random(1)
    for held in (False, True):
        for _ in range(4_000):
            exchange = skill.exchange(rng, held=held)
            assert exchange.user.strip()
            assert not re.search(r"[\n{}<>\[\]|]", exchange.user), exchange.user
            assert ADMISSION in exchange.assistant


def test_held_out_words_are_never_trained_on(skill: Unknowable) -> None:
    slots = read_training_file("unknown.toml")["slots"]
    held = [name for name in slots["city"] if held_out("unknown", "city", name)]
    kept = [name for name in slots["city"] if name not in held]
    assert held
    rng = random.Random(2)
    trained = " ".join(skill.exchange(rng).user.lower() for _ in range(8_000)).split()
    tested = " ".join(skill.exchange(rng, held=True).user.lower() for _ in range(8_000)).split()
    assert set(map(str.lower, kept)) & set(trained)
    assert not set(map(str.lower, held)) & set(trained)
    assert set(map(str.lower, held)) & set(tested)


def test_hardly_a_question_of_the_test_is_trained_on(skill: Unknowable) -> None:
    rng = random.Random(3)
    trained = {tuple(plain_words(skill.exchange(rng).user)) for _ in range(60_000)}
    tested = [tuple(plain_words(skill.probe(rng).question)) for _ in range(2_000)]
    assert not [words for words in tested if words in trained]


def test_its_questions_are_none_of_the_app(skill: Unknowable) -> None:
    rng = random.Random(4)
    app = AppKnowledge()
    asked = {tuple(plain_words(app.exchange(rng).user)) for _ in range(20_000)}
    unknown = {tuple(plain_words(skill.exchange(rng).user)) for _ in range(20_000)}
    assert not asked & unknown


def test_it_asks_in_many_ways(skill: Unknowable) -> None:
    rng = random.Random(5)
    asked = {skill.exchange(rng).user for _ in range(10_000)}
    assert len(asked) > 8_000


def test_a_probe_grades_by_the_admission(skill: Unknowable) -> None:
    probe = skill.probe(random.Random(6))
    assert probe.grade(probe.expected)
    assert not probe.grade("The capital of France is Paris.")
    assert probe.context == ()


def test_the_same_seed_asks_the_same(skill: Unknowable) -> None:
    first = [skill.exchange(random.Random(n)) for n in range(50)]
    other = Unknowable()
    assert first == [other.exchange(random.Random(n)) for n in range(50)]
