"""Facts: told, asked, corrected; what the tests of memory ask and how they grade."""

import random

import pytest

from engine.training.corpus.exchange import Exchange, held_out
from engine.training.corpus.facts import kinds
from engine.training.corpus.memory import (
    DISTANCES,
    Correction,
    Memory,
    Tells,
    distraction,
    other_fact,
    some_facts,
)
from engine.training.corpus.teller import Key, Teller, listing, sentence, tells

ROUNDS = 200


def other(rng: random.Random) -> Exchange:
    return Exchange("What is 1 + 1?", "2.")


def every_key() -> list[Key]:
    rng = random.Random(1)
    return [(kind, table.which(rng)) for kind, table in kinds().items()]


def teller(seed: int, held: bool = False) -> Teller:
    return Teller(random.Random(seed), kinds(), held)


@pytest.mark.parametrize("kind", list(kinds()))
def test_a_fact_is_told_and_asked_in_many_wordings(kind: str) -> None:
    table = kinds()[kind]
    assert len(set(table.clauses.train)) >= 15
    assert len(set(table.questions.train)) >= 12
    for wordings in (table.clauses, table.questions, table.what, table.corrections, table.checks):
        assert wordings.held
        assert not set(wordings.held) & set(wordings.train)


@pytest.mark.parametrize("key", every_key(), ids=lambda key: key[0])
def test_what_was_told_is_answered(key: Key) -> None:
    for seed in range(ROUNDS):
        user = teller(seed)
        told = user.tell(key)
        value = user.known[key]
        assert tells(told.user, value)
        assert tells(user.ask(key).assistant, value)
        assert user.check(key, right=True).assistant.startswith("Yes, ")
        denied = user.check(key, right=False)
        assert denied.assistant.startswith("No, ")
        assert tells(denied.assistant, value)
        assert tells(user.ask_everything().assistant, value)


@pytest.mark.parametrize("key", every_key(), ids=lambda key: key[0])
def test_a_correction_changes_this_fact_alone(key: Key) -> None:
    for seed in range(ROUNDS):
        user = teller(seed)
        user.tell(*every_key())
        before = dict(user.known)
        corrected = user.correct(key)
        assert user.known[key] != before[key]
        assert tells(corrected.user, user.known[key])
        assert {**before, key: user.known[key]} == user.known


def test_what_was_never_told_is_not_known() -> None:
    for seed in range(ROUNDS):
        user = teller(seed)
        key = other_fact(random.Random(seed), {})
        assert "You have not told me" in user.ask(key).assistant
        assert "{" not in user.ask(key).user + user.ask(key).assistant


def test_two_facts_are_answered_together() -> None:
    user = teller(3)
    user.tell(("name", ""), ("city", ""))
    both = user.ask_two(("name", ""), ("city", "")).assistant
    assert all(tells(both, value) for value in user.known.values())
    half = user.ask_two(("name", ""), ("number", "")).assistant
    assert tells(half, user.known["name", ""])
    assert half.endswith("You have not told me your lucky number yet.")


def test_two_facts_may_be_asked_in_two_questions() -> None:
    user = teller(5)
    user.tell(("name", ""), ("city", ""))
    asked = [user.ask_two(("name", ""), ("city", "")).user for _ in range(60)]
    assert any(question.count("?") == 2 for question in asked)
    assert any(question.count("?") == 1 for question in asked)


def test_no_wording_of_the_test_can_be_drawn_in_training() -> None:
    rng = random.Random(7)
    for kind in kinds().values():
        for wordings in (kind.clauses, kind.questions, kind.what, kind.corrections):
            drawn = {wordings.pick(rng) for _ in range(3000)}
            assert not drawn & set(wordings.held)
            assert not any("[[" in wording for wording in drawn)


def test_one_pet_may_be_called_a_pet() -> None:
    user = teller(1)
    user.tell(("pet", "cat"))
    asked = [user.ask(("pet", "cat")) for _ in range(100)]
    assert any("my pet" in exchange.user for exchange in asked)
    assert all("your pet" not in exchange.assistant.lower() for exchange in asked)
    user.tell(("pet", "dog"))
    asked = [user.ask(("pet", "cat")) for _ in range(100)]
    assert not any("my pet" in exchange.user for exchange in asked)


def test_names_for_training_and_for_the_test_are_different_ones() -> None:
    for seed in range(ROUNDS):
        for held in (False, True):
            user = teller(seed, held)
            user.tell(("name", ""), ("city", ""), ("pet", "cat"), ("number", ""))
            number = user.known.pop(("number", ""))
            assert held_out("number", int(number)) == held
            assert all(held_out("name", value.lower()) == held for value in user.known.values())


def test_other_names_do_not_speak_of_the_user() -> None:
    for seed in range(ROUNDS):
        talk = distraction(random.Random(seed))
        assert "{" not in talk.user + talk.assistant
        assert not talk.user.lower().startswith(("my name", "i live", "call me"))


def test_facts_are_few_where_there_is_no_room() -> None:
    for seed in range(ROUNDS):
        assert len(some_facts(random.Random(seed), 2)) in (1, 2)


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_test_of_memory_asks_after_so_many_exchanges(distance: int) -> None:
    for seed in range(20):
        probe = Memory(other).probe_at(random.Random(seed), distance)
        assert probe.skill == "memory"
        assert distance + 1 <= len(probe.context) <= distance + 3
        assert probe.grade(probe.expected)
        assert not probe.grade("You have not told me that yet.")


def test_the_test_of_correction_wants_the_new_value_and_not_the_old() -> None:
    skill = Correction(other)
    probes = [skill.probe(random.Random(seed)) for seed in range(ROUNDS)]
    assert all(probe.grade(probe.expected) for probe in probes)
    assert Tells("Oslo", "Rome")("You live in Oslo.")
    assert not Tells("Oslo", "Rome")("You live in Rome, no, Oslo.")
    assert not Tells("Oslo")("You live in Oslostad.")
    assert Tells("dark green", "green")("Your favourite colour is dark green.")


def test_long_talk_in_a_test_is_cut_to_its_room() -> None:
    talk = Exchange("a" * 500, "b" * 500)
    probe = Memory(lambda rng: talk).probe_at(random.Random(1), 40)
    assert sum(len(said.user) + len(said.assistant) for said in probe.context) < 6500


def test_clauses_are_joined_and_begun() -> None:
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert sentence("my name is Mara", ".") == "My name is Mara."
    assert sentence("is it me?", ".") == "Is it me?"


def test_single_exchanges_of_both_skills() -> None:
    for seed in range(50):
        for skill in (Memory(other), Correction(other)):
            exchange = skill.exchange(random.Random(seed))
            assert exchange.user
            assert exchange.assistant
