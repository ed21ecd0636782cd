"""Exercises: every line of a working is true, and what is tested is never trained on."""

import random
import re

import pytest

from engine.training.corpus.arithmetic import Arithmetic, held_pair, times_steps

_STEP = re.compile(r"(\d+) ([-+x/]) (\d+) = (-?\d+)(?!\d| x)")
_DO = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "x": lambda a, b: a * b,
    "/": lambda a, b: a // b,
}
SKILL = Arithmetic()


@pytest.mark.parametrize("held", [False, True])
def test_every_step_of_an_answer_is_true(held: bool):
    rng = random.Random(3)
    checked = 0
    for _ in range(2000):
        answer = SKILL.exchange(rng, held).assistant
        for a, sign, b, result in _STEP.findall(answer):
            assert _DO[sign](int(a), int(b)) == int(result), answer
            checked += 1
    assert checked > 2000


@pytest.mark.parametrize(
    ("a", "b", "steps"),
    [
        (7, 8, "7 x 8 = 8 x 7 = 56"),
        (47, 8, "47 x 8 = 376"),
        (8, 47, "8 x 47 = 47 x 8 = 376"),
        (47, 30, "47 x 30 = 1410"),
        (12, 12, "12 x 12: 12 x 10 = 120, 12 x 2 = 24, 120 + 24 = 144, so 12 x 12 = 144"),
        (
            47,
            38,
            "47 x 38: 47 x 30 = 1410, 47 x 8 = 376, 1410 + 300 = 1710, 1710 + 76 = 1786, "
            "so 47 x 38 = 1786",
        ),
    ],
)
def test_how_a_product_is_worked_out(a: int, b: int, steps: str):
    assert times_steps(a, b) == steps


def test_training_never_asks_a_pair_of_the_test():
    rng = random.Random(4)
    signs = {"+": "plus", "-": "minus", "x": "times"}
    for _ in range(3000):
        exchange = SKILL.exchange(rng)
        asked = re.match(r"(\d+) ([-+x]) (\d+)", exchange.assistant)
        if asked and int(asked[1]) < 100 and int(asked[3]) < 100:
            assert not held_pair(signs[asked[2]], int(asked[1]), int(asked[3])), exchange


def test_both_orders_are_one_pair_where_they_give_the_same():
    pairs = [(a, b) for a in range(100) for b in range(100)]
    for task in ("plus", "times"):
        assert all(held_pair(task, a, b) == held_pair(task, b, a) for a, b in pairs)
    share = sum(held_pair("minus", a, b) for a, b in pairs) / len(pairs)
    assert 0.1 < share < 0.15
    assert not any(held_pair("times", a, b) for a in range(10) for b in range(10))


def test_probes_are_graded_by_the_result():
    rng = random.Random(5)
    kinds = set()
    for _ in range(300):
        probe = SKILL.probe(rng)
        kinds.add(re.findall(r"[-+x]", probe.expected)[0])
        result = re.findall(r"(?<!\d)-?\d+", probe.expected)[-1]
        assert probe.grade(probe.expected)
        assert probe.grade(f"That is {result}.")
        assert not probe.grade(f"{probe.expected} Or {int(result) + 1}?")
        assert not probe.grade(str(int(result) + 10))
        assert not probe.grade("I do not know.")
        assert not probe.grade("")
    assert kinds == {"+", "-", "x"}


def test_the_same_seed_gives_the_same_exercise():
    assert [SKILL.exchange(random.Random(9)) for _ in range(2)] == [
        SKILL.exchange(random.Random(9))
    ] * 2
