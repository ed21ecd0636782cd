"""Gosling's vocabulary: written from a sample of the corpus, in the World format.

The ids, in order: 1 to 256 the bytes; an empty line; the letters with a blank before them; words
with a blank before them, the most frequent first; a few openers of lines. No token has two digits
or two words, and none is a part of a word: so whatever is in quotes, or is no frequent word, is
letter by letter, and can be copied, spelled and turned round. Names are never whole, either, so
that one that was never seen is remembered like any other.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from engine.training.corpus import names, plots
from engine.training.corpus.conversation import Chat, memory_chat, talk_chat
from engine.training.corpus.exchange import Exchange
from engine.training.corpus.mixture import SHARES, Talk, characters, talk_skills
from engine.training.corpus.pieces import written
from engine.training.corpus.words import words_of

SIZE = 2304
"""Rows of the model's embedding: ids 0 to 2303."""
SEED = 7
SAMPLES = 30_000
"""Chats that the words are counted in."""

OPENERS = ("User:", "Assistant:", "System:", "</think")
"""Tokens that begin a line. The thought's tags lack their end, as the templates' openers do."""
_THINK = " <think"
_CONTRACTED = words_of("it's what's that's let's here's there's where's who's how's name's")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WORD = re.compile(r"(?<= )[A-Za-z]+(?:['-][A-Za-z]+)*(?![\w'-])")
_CHARACTERS_OF_A_TOKEN = 3.5


def vocabulary(texts: Iterable[str], size: int = SIZE) -> list[bytes]:
    """Return the tokens of ids 1 to size - 1 for these texts, in order.

    Words that are equally frequent are in alphabetical order. There may be fewer tokens where
    the texts hold too few words.
    """
    fixed = [bytes((byte,)) for byte in range(256)]
    fixed.append(b"\n\n")
    fixed += [f" {letter}".encode() for letter in _LETTERS + _LETTERS.upper()]
    openers = [opener.encode() for opener in (*OPENERS, _THINK)]
    room = size - 1 - len(fixed) - len(openers)
    return [*fixed, *(f" {word}".encode() for word in frequent_words(texts)[:room]), *openers]


def frequent_words(texts: Iterable[str]) -> list[str]:
    """Return the words of some texts that are no names, the most frequent first."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_WORD.findall(text))
    never = proper_names()
    for name in tuple(never):  # typed in lower case, too, unless it is a word of its own
        if counts[name.lower()] < counts[name]:
            never.add(name.lower())
    words = [word for word in counts if len(word) > 1 and word not in never and _is_whole(word)]
    return sorted(words, key=lambda word: (-counts[word], word))


def _is_whole(word: str) -> bool:
    """Tell whether a word is not the genitive of another: "it's", but not "mother's"."""
    return not word.endswith("'s") or word.lower() in _CONTRACTED


def proper_names() -> set[str]:
    """Return every word of the names that the corpus knows, but those of ordinary language."""
    listed = (*names.PEOPLE, *names.PETS, *names.CITIES, *plots.NAMES)
    return {word for name in listed for word in name.split()} - {"New", "City", "Town", "de"}


def sample_texts(samples: int = SAMPLES, seed: int = SEED) -> Iterable[str]:
    """Yield so many chats as texts: as many with facts in them as without.

    Questions on the app count more than in training: one that hangs on a rare word ("eject") is
    understood more surely when that word is one token.
    """
    talk = Talk(talk_skills(), {**SHARES, "app knowledge": 3 * SHARES["app knowledge"]})
    rng = random.Random(f"vocabulary:{seed}")
    for number in range(samples):
        draw = memory_chat if number % 2 else talk_chat
        chat: Chat = draw(rng, 400, talk, _estimate)
        yield written(chat)


def _estimate(exchange: Exchange) -> int:
    return round(characters(exchange) / _CHARACTERS_OF_A_TOKEN)


def write_vocabulary(tokens: list[bytes], path: Path) -> None:
    """Write tokens as ids 1, 2, ... in the World format, atomically."""
    from engine.files import write_atomically

    lines = (f"{number} {_literal(token)} {len(token)}\n" for number, token in enumerate(tokens, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "".join(lines).encode())


def _literal(token: bytes) -> str:
    """Return a token as World files write it: as text where it is some, else as bytes."""
    try:
        return repr(token.decode("utf-8"))
    except UnicodeDecodeError:
        return repr(token)
