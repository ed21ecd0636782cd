"""Counting: what is counted stands in the question, and the count is right."""

import random
import re
from itertools import pairwise

from engine.training.corpus.counting import Counting, counted

SKILL = Counting()


def test_the_count_runs_along():
    assert counted("strawberry", lambda part: part == "r") == (
        "s t r(1) a w b e r(2) r(3) y, so 3."
    )
    assert counted(["pear"], lambda part: part == "apple") == "pear, so 0."


def test_answers_count_what_was_asked():
    rng = random.Random(1)
    rows = 0
    for _ in range(2000):
        exchange = SKILL.exchange(rng)
        if ", so " not in exchange.assistant:
            rows += 1
            continue
        parts, number = exchange.assistant.rsplit(", so ", 1)
        marks = [int(mark) for mark in re.findall(r"\((\d+)\)", parts)]
        assert marks == list(range(1, int(number.rstrip(".")) + 1))
        plain = re.sub(r"\(\d+\)", "", parts)
        found = exchange.user.replace(",", "").replace(".", "").replace("!", "")
        assert plain in found or plain.replace(" ", "") in found, exchange
    assert 350 < rows < 650


def test_rows_of_numbers_go_from_end_to_end():
    rng = random.Random(2)
    for _ in range(1000):
        exchange = SKILL.exchange(rng)
        if ", so " in exchange.assistant:
            continue
        numbers = [int(number) for number in re.findall(r"\d+", exchange.assistant)]
        steps = {after - before for before, after in pairwise(numbers)}
        asked = [int(number) for number in re.findall(r"\d+", exchange.user)]
        assert len(steps) == 1
        assert {numbers[0], numbers[-1]} <= set(asked)
        assert len(asked) == 2 or steps <= set(asked)


def test_probes_grade_the_count_or_the_whole_row():
    rng = random.Random(3)
    for _ in range(300):
        probe = SKILL.probe(rng)
        assert probe.grade(probe.expected), probe
        assert not probe.grade("")
        numbers = re.findall(r"\d+", probe.expected)
        assert not probe.grade(f"There are {int(numbers[-1]) + 1}.")
        if ", so " in probe.expected:
            assert probe.grade(f"There are {numbers[-1]}.")
        else:
            assert not probe.grade(", ".join(numbers[:1] + numbers[2:]))


def test_training_and_test_have_different_content():
    rng = random.Random(4)
    trained = {SKILL.exchange(rng).assistant for _ in range(1500)}
    asked = {SKILL.probe(rng).expected for _ in range(300)}
    assert not trained & asked
