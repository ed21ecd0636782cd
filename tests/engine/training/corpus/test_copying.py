"""Copying: the answer is exactly what stands in the question, which is of many kinds."""

import random

from engine.training.corpus.copying import Copying, code, salad, sentence
from engine.training.corpus.exchange import held_out

SKILL = Copying()


def test_the_answer_is_what_was_to_be_repeated():
    rng = random.Random(1)
    for _ in range(1000):
        exchange = SKILL.exchange(rng)
        assert exchange.assistant in exchange.user
        assert not held_out("copy", exchange.assistant)
        assert "\n\n" not in exchange.user
        assert not exchange.thought


def test_sentences_are_whole_and_of_many_kinds():
    rng = random.Random(2)
    said = [sentence(rng) for _ in range(1000)]
    assert len(set(said)) > 980
    assert not any("{" in text or "  " in text for text in said)
    assert all(3 <= len(text.split()) <= 24 for text in said)
    assert not any(f" a {vowel}" in text for text in said for vowel in "aeiou")


def test_nonsense_and_codes_are_copied_as_well():
    rng = random.Random(3)
    assert all(4 <= len(salad(rng).split()) <= 12 for _ in range(200))
    assert all(2 <= len(code(rng)) <= 40 for _ in range(200))


def test_probes_want_it_word_for_word():
    rng = random.Random(4)
    for _ in range(200):
        probe = SKILL.probe(rng)
        assert held_out("copy", probe.expected)
        assert probe.expected in probe.question
        assert probe.grade(probe.expected)
        assert not probe.grade(probe.expected + " Done.")
        assert not probe.grade(probe.expected[:-1])
        assert not probe.grade("")
