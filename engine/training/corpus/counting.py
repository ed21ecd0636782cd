"""Counting: letters in a word, words in a sentence, things in a list, and up and down.

The answers carry their count along: ``s t r(1) a w b e r(2) r(3) y, so 3.``
"""

import random
from collections.abc import Callable, Iterable

from engine.training.corpus.common_words import any_word
from engine.training.corpus.copying import sentence
from engine.training.corpus.exchange import Exchange, Probe, held_out
from engine.training.corpus.graders import AllNumbers, LastNumber, last_number
from engine.training.corpus.wordings import asked
from engine.training.corpus.words import ANIMALS, COLOURS, THINGS

_LETTER = (
    "How many {letter} are in {word}?",
    "How many {letter}'s are in {word}?",
    "How many {letter}'s are there in the word {word}?",
    'How many "{letter}" are in "{word}"?',
    "How many times does {letter} occur in {word}?",
    'How often is the letter {letter} in "{word}"?',
    "Count the letter {letter} in {word}.",
    "Count the {letter}'s in {word}.",
    "How many letters {letter} does {word} have?",
)
_LETTERS = (
    "How many letters does {word} have?",
    "How many letters are in {word}?",
    'How many letters are in the word "{word}"?',
    "How long is the word {word}?",
    "Count the letters of {word}.",
)
_VOWELS = (
    "How many vowels are in {word}?",
    "How many vowels does {word} have?",
    "Count the vowels in {word}.",
)
_WORDS = (
    "How many words are in this sentence: {text}",
    "How many words does this sentence have? {text}",
    "Count the words: {text}",
    "Count the words in this sentence: {text}",
    "How many words are there in: {text}",
)
_THINGS = (
    "{things}: how many {one}?",
    "How many times is {one} in this list: {things}?",
    "How many {one} do you see here: {things}?",
    "Count the {one}: {things}",
    "Here is a list: {things}. How often is {one} in it?",
    "How often does {one} come up in {things}?",
)
_ITEMS = (
    "How many things are in this list: {things}?",
    "How many words are these: {things}?",
    "Count these: {things}",
    "How long is this list: {things}?",
)
_UP = (
    "Count from {a} to {b}.",
    "Count up from {a} to {b}.",
    "Can you count from {a} to {b}?",
    "Please count from {a} to {b}.",
    "List the numbers from {a} to {b}.",
    "Say the numbers from {a} to {b}.",
)
_DOWN = (
    "Count from {a} down to {b}.",
    "Count down from {a} to {b}.",
    "Count backwards from {a} to {b}.",
    "Can you count down from {a} to {b}?",
)
_STEPS = (
    "Count from {a} to {b} in steps of {step}.",
    "Count from {a} to {b} by {step}s.",
    "Count by {step} from {a} to {b}.",
)
_POOLS = (tuple(ANIMALS), tuple(COLOURS), tuple(THINGS))


class Counting:
    """How many there are, and numbers in a row."""

    name = "counting"

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return something to count."""
        return _exercise(rng, held)[0]

    def probe(self, rng: random.Random) -> Probe:
        """Return something to count whose content is not in training."""
        exchange, in_row = _exercise(rng, held=True)
        grade = AllNumbers(in_row) if in_row else LastNumber(last_number(exchange.assistant))
        return Probe(self.name, (), exchange.user, exchange.assistant, grade)


_Exercise = tuple[Exchange, tuple[int, ...]]
"""The exchange; and the numbers that are the answer, if it is a row of numbers."""


def _exercise(rng: random.Random, held: bool) -> _Exercise:
    chance = rng.random()
    if chance < 0.25:
        return _row(rng, held)
    kinds = (_one_letter, _one_letter, _one_letter, _letters, _vowels, _words, _one_thing, _items)
    return rng.choice(kinds)(rng, held), ()


def counted(parts: Iterable[str], counts: Callable[[str], bool]) -> str:
    """Return the parts in a row, with a running number behind each that counts, and the sum."""
    shown: list[str] = []
    number = 0
    for part in parts:
        if counts(part):
            number += 1
            part = f"{part}({number})"
        shown.append(part)
    return f"{' '.join(shown)}, so {number}."


def _one_letter(rng: random.Random, held: bool) -> Exchange:
    while True:
        word = any_word(rng).lower()
        letter = _asked_letter(word, rng)
        if word.isascii() and held_out("letter", word, letter) == held:
            break
    answer = counted(word, lambda part: part == letter)
    return Exchange(asked(_LETTER, rng, word=word, letter=letter), answer)


def _asked_letter(word: str, rng: random.Random) -> str:
    """Return a letter worth asking for: rather one that occurs twice, seldom one that is not in."""
    doubled = [letter for letter in word if word.count(letter) > 1]
    chance = rng.random()
    if doubled and chance < 0.5:
        return rng.choice(doubled)
    return rng.choice(word) if chance < 0.85 else rng.choice("abcdefghiklmnoprstuwy")


def _letters(rng: random.Random, held: bool) -> Exchange:
    word = _word(rng, "letters", held)
    return Exchange(asked(_LETTERS, rng, word=word), counted(word, bool))


def _vowels(rng: random.Random, held: bool) -> Exchange:
    word = _word(rng, "vowels", held)
    return Exchange(asked(_VOWELS, rng, word=word), counted(word, lambda part: part in "aeiou"))


def _word(rng: random.Random, task: str, held: bool) -> str:
    while True:
        word = any_word(rng).lower()
        if word.isascii() and held_out(task, word) == held:
            return word


def _words(rng: random.Random, held: bool) -> Exchange:
    while True:
        text = sentence(rng)
        if held_out("words", text) == held:
            break
    parts = (part.strip(".,!?") for part in text.split(" "))
    return Exchange(asked(_WORDS, rng, text=text), counted(parts, bool))


def _one_thing(rng: random.Random, held: bool) -> Exchange:
    things = _list(rng, held)
    one = rng.choice(things)
    question = asked(_THINGS, rng, things=_joined(things, rng), one=one)
    return Exchange(question, counted(things, lambda part: part == one))


def _items(rng: random.Random, held: bool) -> Exchange:
    things = _list(rng, held)
    return Exchange(asked(_ITEMS, rng, things=_joined(things, rng)), counted(things, bool))


def _joined(things: tuple[str, ...], rng: random.Random) -> str:
    return rng.choice((" ", ", ", ", ")).join(things)


def _list(rng: random.Random, held: bool) -> tuple[str, ...]:
    """Return 3 to 12 things of two to four kinds, some of them several times."""
    while True:
        kinds = rng.sample(rng.choice(_POOLS), rng.randint(2, 4))
        things = tuple(rng.choice(kinds) for _ in range(rng.randint(3, 12)))
        if held_out("list", things) == held:
            return things


def _row(rng: random.Random, held: bool) -> _Exercise:
    """Numbers up, down or in steps: 3 to 20 of them, between 0 and 200."""
    step = rng.choice((1, 1, 1, 1, -1, -1, -1, 2, 3, 5, 10))
    while True:
        length = rng.randint(3, 20 if step in (1, -1, 10) else 12)
        a = rng.randrange(0, 100)
        b = a + step * (length - 1)
        if 0 <= b <= 200 and held_out("row", a, b, step) == held:
            break
    wordings = _UP if step == 1 else _DOWN if step == -1 else _STEPS
    numbers = tuple(range(a, b + step, step))
    answer = ", ".join(map(str, numbers)) + "."
    return Exchange(asked(wordings, rng, a=a, b=b, step=step), answer), numbers
