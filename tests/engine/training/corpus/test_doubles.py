"""Two questions in one message: both answers come, in their order."""

import random

from engine.training.corpus.arithmetic import Arithmetic
from engine.training.corpus.doubles import Doubles, is_short, joined
from engine.training.corpus.exchange import Exchange
from engine.training.corpus.letters import Backwards

ROUNDS = 200


def doubles() -> Doubles:
    return Doubles((Arithmetic(), Backwards()))


def test_both_answers_come_in_the_order_of_the_questions() -> None:
    first = Exchange("What is 17 + 5?", "17 + 5 = 22.")
    second = Exchange("How do I switch on dark mode?", "Choose Theme in Settings.")
    for seed in range(ROUNDS):
        both = joined(first, second, random.Random(seed))
        assert both.assistant == "17 + 5 = 22. Choose Theme in Settings."
        assert both.user.startswith("What is 17 + 5")
        assert both.user.lower().endswith("how do i switch on dark mode?")


def test_a_name_keeps_its_capital() -> None:
    first, second = Exchange("What is 2 + 2?", "4."), Exchange("Selim backwards?", "m i l e S")
    assert all(
        joined(first, second, random.Random(seed)).user.endswith("Selim backwards?")
        for seed in range(ROUNDS)
    )


def test_the_expected_answer_is_right_and_half_of_it_is_not() -> None:
    for seed in range(ROUNDS):
        probe = doubles().probe(random.Random(seed))
        assert probe.grade(probe.expected)
        assert not probe.grade("I do not know.")


def test_parts_are_short() -> None:
    assert not is_short(Exchange("Why?", "Because.", thought="Let me see."))
    assert not is_short(Exchange("Two\nlines", "One."))
    assert all(is_short(doubles().part(random.Random(seed))) for seed in range(ROUNDS))
