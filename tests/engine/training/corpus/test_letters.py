"""Letters: the working is true, the result is quoted, and the test has other words."""

import random
from collections import Counter

import pytest

from engine.training.corpus.common_words import COMMON_WORDS, LETTER_WORDS, invented_word
from engine.training.corpus.exchange import Exchange, held_out
from engine.training.corpus.letters import Backwards, SortLetters, Spelling, spaced


def _parts(exchange: Exchange, joint: str) -> tuple[str, str, str]:
    """Return the letters, the letters after the work, and the result."""
    letters, rest = exchange.assistant.split(f", {joint}: ")
    worked, result = rest.split(". That is ")
    return letters, worked, result.strip('".')


def test_the_words_are_many_and_plain():
    assert len(COMMON_WORDS) > 2500
    assert all(word.isascii() and word.isalpha() and word.islower() for word in COMMON_WORDS)
    assert all(3 <= len(word) <= 10 for word in LETTER_WORDS)
    assert set(COMMON_WORDS) < set(LETTER_WORDS)
    rng = random.Random(0)
    invented = {invented_word(rng) for _ in range(500)}
    assert len(invented) > 450
    assert all(3 <= len(word) <= 10 for word in invented)


def test_spelling_reaches_every_word():
    rng = random.Random(1)
    skill = Spelling(["garden", "flower"])
    seen = Counter()
    for _ in range(300):
        exchange = skill.exchange(rng)
        if exchange.assistant.startswith("The word is "):
            word = exchange.assistant.removeprefix("The word is ").rstrip(".")
            assert spaced(word) in exchange.user
        else:
            word = exchange.assistant.rstrip(".").replace(" ", "")
            assert word in exchange.user
        seen[word.lower()] += 1
    assert seen["garden"] > 50
    assert seen["flower"] > 50


def test_backwards_turns_the_very_word_that_was_asked():
    rng = random.Random(2)
    skill = Backwards()
    for _ in range(1000):
        exchange = skill.exchange(rng)
        letters, turned, result = _parts(exchange, "backwards")
        word = letters.replace(" ", "")
        assert word in exchange.user
        assert not held_out("backwards", word)
        assert turned == spaced(word[::-1])
        assert result == word[::-1]


def test_sorting_keeps_every_letter():
    rng = random.Random(3)
    skill = SortLetters()
    for _ in range(1000):
        exchange = skill.exchange(rng)
        letters, in_order, result = _parts(exchange, "sorted")
        word = letters.replace(" ", "")
        assert word in exchange.user or letters in exchange.user
        assert not held_out("sorting", word)
        assert in_order == spaced("".join(sorted(word)))
        assert result == "".join(sorted(word))


@pytest.mark.parametrize("skill", [Backwards(), SortLetters()])
def test_probes_ask_held_words_and_grade_the_quoted_result(skill: Backwards | SortLetters):
    rng = random.Random(4)
    for _ in range(200):
        probe = skill.probe(rng)
        word = probe.expected.split(",")[0].replace(" ", "")
        result = probe.expected.split('"')[1]
        assert held_out(skill.name, word)
        assert probe.grade(probe.expected)
        assert probe.grade(f'"{result}"')
        assert not probe.grade(f'"{result}x"')
        assert not probe.grade(result)
        assert not probe.grade("")


def test_spelling_probes_are_words_that_nobody_spelled():
    rng = random.Random(5)
    for _ in range(100):
        probe = Spelling().probe(rng)
        assert held_out("spelling", probe.expected.rstrip(".").replace(" ", ""))
        assert probe.grade(probe.expected)
        assert not probe.grade("x " + probe.expected)
