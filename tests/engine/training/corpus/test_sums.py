"""Two steps: the same question with and without a thought, right either way."""

import random
import re

from engine.training.corpus.arithmetic import held_pair
from engine.training.corpus.sums import TwoSteps, TwoStepSums

SKILL = TwoStepSums()


def test_a_thought_leads_to_the_answer():
    rng = random.Random(1)
    thoughts = 0
    for _ in range(1000):
        exchange = SKILL.exchange(rng)
        assert re.fullmatch(r"\d+\.", exchange.assistant)
        if not exchange.thought:
            continue
        thoughts += 1
        first, second = exchange.thought.split("\n")
        for line in (first, second):
            formula, result = line.split(" = ")
            assert eval(formula) == int(result)  # only digits and signs: made above
        assert second.startswith(first.split(" = ")[1] + " ")
        assert second.split(" = ")[1] + "." == exchange.assistant
    assert 400 < thoughts < 600


def test_a_formula_means_what_is_worked_out():
    rng = random.Random(2)
    for sum_ in (
        TwoSteps(23, "+", 18, "-", 9),
        TwoSteps(4, "*", 17, "+", 25),
        TwoSteps(9, "-", 5, "*", 3),
    ):
        for _ in range(20):
            assert eval(sum_.written(rng)) == sum_.result


def test_stories_say_all_three_numbers():
    rng = random.Random(3)
    for _ in range(500):
        exchange = SKILL.exchange(rng)
        if not exchange.thought:
            continue
        a, b = re.findall(r"\d+", exchange.thought.split("\n")[0])[:2]
        c = re.findall(r"\d+", exchange.thought.split("\n")[1])[1]
        assert sorted([a, b, c]) == sorted(re.findall(r"\d+", exchange.user))


def test_what_is_tested_is_never_trained_on():
    rng = random.Random(4)
    for held in (False, True):
        for _ in range(500):
            thought = SKILL.exchange(rng, held).thought
            if not thought:
                continue
            a, first, b, _, between, _, second, c, *_ = re.findall(r"\d+|[-+*=]", thought)
            sum_ = TwoSteps(int(a), first, int(b), second, int(c))
            assert sum_.held == held
            assert between == str(sum_.between)
            assert first != "+" or not held_pair("plus", int(a), int(b))


def test_probes_think_and_are_graded_by_the_result():
    rng = random.Random(5)
    for _ in range(200):
        probe = SKILL.probe(rng)
        result = int(probe.expected.rstrip("."))
        assert probe.think
        assert probe.grade(probe.expected)
        assert probe.grade(f"He has {result} now.")
        assert not probe.grade(f"{result + 1}.")
        assert not probe.grade("")
