"""Sums, differences and products of two numbers below 100, and what belongs to them.

Sums and differences are answered at once. A product of two numbers of two digits is worked out in
the answer: by tens and ones, then added in steps in which at most one digit carries.
"""

import random

from engine.training.corpus.exchange import Exchange, Probe, held_out
from engine.training.corpus.graders import LastNumber, last_number
from engine.training.corpus.names import person
from engine.training.corpus.wordings import asked
from engine.training.corpus.words import THINGS, words_of

_PLUS = (
    "What is {a} plus {b}?",
    "What is {a} + {b}?",
    "What's {a} + {b}?",
    "How much is {a} plus {b}?",
    "How much is {a} and {b}?",
    "Calculate {a} + {b}.",
    "Calculate {a} plus {b}.",
    "Add {a} and {b}.",
    "Add {b} to {a}.",
    "What is the sum of {a} and {b}?",
    "Can you add {a} and {b}?",
    "{a} + {b}",
    "{a}+{b}",
    "{a} + {b} =",
    "{a}+{b}=?",
    "{a} plus {b}?",
    "Please compute {a}+{b}.",
    "What do I get if I add {a} and {b}?",
)
_MINUS = (
    "What is {a} minus {b}?",
    "What is {a} - {b}?",
    "What's {a} - {b}?",
    "How much is {a} minus {b}?",
    "Calculate {a} - {b}.",
    "Calculate {a} minus {b}.",
    "Subtract {b} from {a}.",
    "Take {b} away from {a}.",
    "Can you subtract {b} from {a}?",
    "{a} - {b}",
    "{a}-{b}",
    "{a} - {b} =",
    "{a}-{b}=?",
    "{a} minus {b}?",
    "Please compute {a}-{b}.",
    "What is left when I take {b} from {a}?",
)
_TIMES = (
    "What is {a} times {b}?",
    "What is {a} x {b}?",
    "What's {a} * {b}?",
    "How much is {a} times {b}?",
    "Calculate {a} * {b}.",
    "Calculate {a} times {b}.",
    "Multiply {a} by {b}.",
    "Multiply {a} and {b}.",
    "What is the product of {a} and {b}?",
    "Can you multiply {a} by {b}?",
    "{a} * {b}",
    "{a}*{b}",
    "{a} x {b}",
    "{a} × {b} =",
    "{a}*{b}=?",
    "{a} times {b}?",
    "Please compute {a} x {b}.",
)
_DIVIDED = (
    "What is {a} divided by {b}?",
    "What is {a} / {b}?",
    "Calculate {a} / {b}.",
    "Divide {a} by {b}.",
    "{a} / {b}",
    "{a}/{b}",
    "{a} : {b}",
    "How often does {b} go into {a}?",
)
_LARGER = (
    "Which is larger, {a} or {b}?",
    "Which is bigger: {a} or {b}?",
    "Which number is greater, {a} or {b}?",
    "Is {a} larger than {b}?",
    "What is more, {a} or {b}?",
    "Is {a} less than {b}?",
    "Compare {a} and {b}.",
)
_AFTER = (
    "What number comes after {a}?",
    "Which number comes right after {a}?",
    "What comes after {a}?",
    "What is the next number after {a}?",
)
_BEFORE = (
    "What number comes before {a}?",
    "Which number comes right before {a}?",
    "What comes before {a}?",
)
_GAINS = (
    "{name} has {a} {things} and gets {b} more. How many {things} does {name} have now?",
    "{name} had {a} {things}, then bought {b} {things}. How many are there now?",
    "There are {a} {things} in one box and {b} in another. How many {things} are there in all?",
    "I have {a} {things} and you have {b}. How many {things} do we have together?",
    "{name} found {a} {things} on Monday and {b} on Tuesday. How many in total?",
)
_LOSSES = (
    "{name} has {a} {things} and gives {b} away. How many {things} are left?",
    "{name} had {a} {things} and lost {b} of them. How many are left?",
    "There were {a} {things} in a shop. {b} were sold. How many {things} remain?",
    "I had {a} {things} and sold {b}. How many {things} do I have now?",
)
_GROUPS = (
    "{name} has {a} boxes with {b} {things} in each. How many {things} are there?",
    "There are {a} rows of {b} {things}. How many {things} are there in all?",
    "One bag holds {b} {things}. How many {things} are in {a} bags?",
)

_SMALL = 10
"""Two numbers below this are the tables that one knows by heart: never held out, never asked."""


class Arithmetic:
    """Plus, minus and times with two numbers of 0 to 99; in training also their relatives."""

    name = "arithmetic"

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return one exercise."""
        chance = rng.random()
        if chance < 0.30:
            return _plus(rng, held)
        if chance < 0.54:
            return _minus(rng, held)
        if chance < 0.80 or held:
            return _times(rng, held)
        if chance < 0.86:
            return _large(rng)
        return rng.choice((_divided, _larger, _larger, _neighbour))(rng)

    def probe(self, rng: random.Random) -> Probe:
        """Return an exercise with two numbers that are not in training: a third of each kind."""
        kind = rng.choice((_plus, _minus, _times))
        asked_for = kind(rng, True)
        result = last_number(asked_for.assistant)
        return Probe(self.name, (), asked_for.user, asked_for.assistant, LastNumber(result))


def held_pair(task: str, a: int, b: int) -> bool:
    """Tell whether two numbers below 100 are kept for the test of plus, minus or times.

    For plus and times both orders are one pair.
    """
    if a < _SMALL and b < _SMALL:
        return False
    return held_out(task, a, b) if task == "minus" else held_out(task, min(a, b), max(a, b))


def _pair(rng: random.Random, task: str, held: bool) -> tuple[int, int]:
    while True:
        a, b = rng.randrange(100), rng.randrange(100)
        if held_pair(task, a, b) == held:
            return a, b


def _plus(rng: random.Random, held: bool) -> Exchange:
    a, b = _pair(rng, "plus", held)
    answer = f"{a} + {b} = {a + b}"
    return _worded(rng, _PLUS, _GAINS, a, b, answer, a + b)


def _minus(rng: random.Random, held: bool) -> Exchange:
    a, b = _pair(rng, "minus", held)
    answer = f"{a} - {b} = {a - b}"
    return _worded(rng, _MINUS, _LOSSES if a > b > 1 else (), a, b, answer, a - b)


def _worded(
    rng: random.Random,
    bare: tuple[str, ...],
    stories: tuple[str, ...],
    a: int,
    b: int,
    answer: str,
    result: int,
) -> Exchange:
    """Ask for a sum or a difference, with bare numbers or as a small story about things."""
    if not stories or min(a, b) < 2 or rng.random() > 0.2:
        return Exchange(asked(bare, rng, a=a, b=b), f"{answer}.")
    things = rng.choice(PLURALS)
    question = asked(stories, rng, a=a, b=b, name=person(rng), things=things)
    return Exchange(question, f"{answer}, so {result} {things}.")


def _times(rng: random.Random, held: bool) -> Exchange:
    a, b = _pair(rng, "times", held)
    if min(a, b) > 1 and rng.random() < 0.12:
        things = rng.choice(PLURALS)
        question = asked(_GROUPS, rng, a=a, b=b, name=person(rng), things=things)
    else:
        question = asked(_TIMES, rng, a=a, b=b)
    return Exchange(question, f"{times_steps(a, b)}.")


def times_steps(a: int, b: int) -> str:
    """Return a product as it is worked out: one line of text that ends with the result.

    a, b: 0 to 99. The smaller factor is taken apart if it has two digits.
    """
    whole = f"{a} x {b}"
    if min(a, b) < _SMALL:
        turned = f" = {b} x {a}" if a < b else ""
        return f"{whole}{turned} = {a * b}"
    tens, ones = b - b % 10, b % 10
    if not ones:
        return f"{whole} = {a * b}"
    large, small = a * tens, a * ones
    steps = [f"{a} x {tens} = {large}", f"{a} x {ones} = {small}", *_added(large, small)]
    return f"{whole}: {', '.join(steps)}, so {whole} = {a * b}"


def _added(large: int, small: int) -> list[str]:
    """Return the steps of adding: the hundreds of the smaller number first, then its rest."""
    hundreds, rest = small - small % 100, small % 100
    if not hundreds or not rest:
        return [f"{large} + {small} = {large + small}"]
    between = large + hundreds
    return [f"{large} + {hundreds} = {between}", f"{between} + {rest} = {between + rest}"]


def _large(rng: random.Random) -> Exchange:
    """Sums and differences beyond 100, which the steps of products and of sums need."""
    a = rng.randrange(100, rng.choice((1000, 10000)))
    b = rng.choice((rng.randrange(1, 100), 100 * rng.randint(1, 9), rng.randrange(1000)))
    if rng.random() < 0.3:
        return Exchange(asked(_MINUS, rng, a=a, b=b), f"{a} - {b} = {a - b}.")
    return Exchange(asked(_PLUS, rng, a=a, b=b), f"{a} + {b} = {a + b}.")


def _divided(rng: random.Random) -> Exchange:
    b, result = rng.randint(1, 12), rng.randint(0, 20)
    return Exchange(asked(_DIVIDED, rng, a=b * result, b=b), f"{b * result} / {b} = {result}.")


def _larger(rng: random.Random) -> Exchange:
    top = rng.choice((100, 100, 1000))
    a, b = rng.randrange(top), rng.randrange(top)
    answer = f"{max(a, b)} is larger than {min(a, b)}." if a != b else f"Both are {a}."
    question = rng.choice(_LARGER)
    if question.startswith("Is"):
        yes = a > b if "larger" in question else a < b
        answer = f"{'Yes' if yes else 'No'}, {answer[0].lower()}{answer[1:]}"
    return Exchange(asked((question,), rng, a=a, b=b), answer)


def _neighbour(rng: random.Random) -> Exchange:
    a = rng.randrange(1, rng.choice((100, 1000)))
    if rng.random() < 0.5:
        return Exchange(asked(_AFTER, rng, a=a), f"{a + 1} comes after {a}.")
    return Exchange(asked(_BEFORE, rng, a=a), f"{a - 1} comes before {a}.")


def _plural(word: str) -> str:
    """Return the plural of a thing that makes it with an s, else nothing."""
    odd = word.endswith(("s", "x", "ch", "sh", "z", "f", "fe", "o", "y")) or word in _UNCOUNTED
    return "" if odd else word + "s"


_UNCOUNTED = words_of(
    "cheese fire glass grass hair ice juice milk money music news paint paper rain salt sand soap "
    "sugar water wind wood wool snow mouse"
)
PLURALS = tuple(plural for plural in map(_plural, THINGS) if plural)
