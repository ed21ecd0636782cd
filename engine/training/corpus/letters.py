"""Tasks on the letters of a word: spelling it, turning it round, sorting it.

A frequent word is one token to the model, so each answer first writes the letters out, then works
on them, and only then gives the result, in quotes: that is what is graded.
"""

import random
from collections.abc import Callable, Sequence

from engine.training.corpus.common_words import SPELLED_WORDS, any_word, invented_word
from engine.training.corpus.exchange import Exchange, Probe, held_out
from engine.training.corpus.graders import Exactly, LastQuoted
from engine.training.corpus.names import person
from engine.training.corpus.wordings import asked

_SPELL = (
    "Spell {word}.",
    "Spell the word {word}.",
    'Spell "{word}".',
    "How do you spell {word}?",
    'How do you spell "{word}"?',
    "How is {word} spelled?",
    "How is the word {word} written?",
    "Can you spell {word} for me?",
    "Please spell {word} letter by letter.",
    "Which letters are in {word}?",
    "What are the letters of {word}?",
    "Write {word} letter by letter.",
)
_JOIN = (
    "Which word is {letters}?",
    "What word do these letters make: {letters}?",
    "Put these letters together: {letters}.",
    "Join the letters {letters} to a word.",
    "What does {letters} spell?",
)
_BACKWARDS = (
    "Spell {word} backwards.",
    'Spell "{word}" backwards.',
    "Spell the word {word} backwards.",
    "Write {word} backwards.",
    'Write "{word}" backwards.',
    "What is {word} backwards?",
    'What is "{word}" backwards?',
    "What is {word} spelled backwards?",
    "How do you spell {word} backwards?",
    "Reverse {word}.",
    "Reverse the word {word}.",
    'Reverse the letters of "{word}".',
    "Turn the word {word} around.",
    "Say {word} backwards.",
    "Can you spell {word} backwards?",
    "{word} backwards?",
    "{word} in reverse, please.",
)
_SORT = (
    "Sort the letters of {word}.",
    'Sort the letters of "{word}".',
    "Sort the letters in the word {word}.",
    "Sort the letters of {word} alphabetically.",
    'Put the letters of "{word}" in alphabetical order.',
    "Put the letters of {word} in order.",
    "Order the letters of {word} from a to z.",
    "Arrange the letters of {word} by the alphabet.",
    "What are the letters of {word} in alphabetical order?",
    "Can you sort the letters of {word}?",
    "Alphabetize the letters of {word}.",
    "Sort {word} by letters.",
)
_SORT_LETTERS = (
    "Sort these letters: {letters}",
    "Sort the letters {letters}.",
    "Put these letters in alphabetical order: {letters}",
    "Order these letters from a to z: {letters}",
)


def spaced(word: str) -> str:
    """Return a word as its letters with blanks between them."""
    return " ".join(word)


class Spelling:
    """Letters of a word, and the word of letters. Every common word occurs: it is knowledge.

    Only invented words are held out.
    """

    name = "spelling"

    def __init__(self, words: Sequence[str] = SPELLED_WORDS) -> None:
        """words: what is spelled; best all words that are one token, as they stand in a text."""
        self._words = tuple(words)

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return a question for the letters of a word, or for the word of its letters."""
        word = self._word(rng, held)
        if rng.random() < 0.3:
            return Exchange(asked(_JOIN, rng, letters=spaced(word)), f"The word is {word}.")
        return Exchange(asked(_SPELL, rng, word=word), f"{spaced(word)}.")

    def probe(self, rng: random.Random) -> Probe:
        """Return the question for the letters of an invented word."""
        word = self._word(rng, held=True)
        right = f"{spaced(word)}."
        return Probe(self.name, (), asked(_SPELL, rng, word=word), right, Exactly(right))

    def _word(self, rng: random.Random, held: bool) -> str:
        if not held and rng.random() < 0.75:
            word = rng.choice(self._words)
            return word.capitalize() if rng.random() < 0.12 else word
        draw = invented_word if held or rng.random() < 0.7 else person
        return _drawn(rng, lambda: draw(rng), "spelling", held)


class Backwards:
    """A word spelled from its end."""

    name = "backwards"

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return a question for a word, or now and then a number, backwards."""
        word = _drawn(rng, lambda: self._word(rng), "backwards", held)
        turned = word[::-1]
        answer = f'{spaced(word)}, backwards: {spaced(turned)}. That is "{turned}".'
        return Exchange(asked(_BACKWARDS, rng, word=word), answer)

    def probe(self, rng: random.Random) -> Probe:
        """Return the question for a word that is not in training backwards."""
        return _probe(self.name, self.exchange(rng, held=True))

    @staticmethod
    def _word(rng: random.Random) -> str:
        if rng.random() < 0.04:
            return str(rng.randrange(100, 100_000_000))
        return any_word(rng)


class SortLetters:
    """The letters of a word in the order of the alphabet."""

    name = "sorting"

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return a question for the letters of a word, or for letters that mean nothing."""
        if rng.random() < 0.15:
            word = _drawn(rng, lambda: _random_letters(rng), "sorting", held)
            question = asked(_SORT_LETTERS, rng, letters=spaced(word))
        else:
            word = _drawn(rng, lambda: any_word(rng).lower(), "sorting", held)
            question = asked(_SORT, rng, word=word)
        in_order = "".join(sorted(word))
        answer = f'{spaced(word)}, sorted: {spaced(in_order)}. That is "{in_order}".'
        return Exchange(question, answer)

    def probe(self, rng: random.Random) -> Probe:
        """Return the question for a word that is not sorted in training."""
        return _probe(self.name, self.exchange(rng, held=True))


def _random_letters(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 8)))


def _drawn(rng: random.Random, draw: Callable[[], str], task: str, held: bool) -> str:
    """Draw until a word is for training, or with ``held`` for the test. Names may be not ASCII."""
    while True:
        word = draw()
        if word.isascii() and held_out(task, word) == held:
            return word


def _probe(skill: str, exchange: Exchange) -> Probe:
    result = exchange.assistant.split('"')[-2]
    return Probe(skill, (), exchange.user, exchange.assistant, LastQuoted(result))
