"""How people type a question: greetings, thanks, capitals, marks, slips. Knows no topic."""

import random
import re
from collections.abc import Sequence

from engine.training.corpus.exchange import casual
from engine.training.corpus.words import words_of

_ASKING = frozenset(
    words_of(
        "how what where which who why when is are am can could do does did may will would should "
        "has have any whose whom"
    )
)
_NAMES = {
    "i": "I", "i'm": "I'm", "i'd": "I'd", "i've": "I've", "gpu": "GPU", "rwkv": "RWKV",
    "ram": "RAM",
    "vram": "VRAM", "cpu": "CPU", "pc": "PC", "ai": "AI", "llm": "LLM", "nvidia": "NVIDIA",
    "skein": "Skein", "gosling": "Gosling", "english": "English", "chinese": "Chinese",
    "japanese": "Japanese", "ctrl": "Ctrl", "markdown": "Markdown", "gguf": "GGUF", "tex": "TeX",
    "hugging": "Hugging", "python": "Python", "windows": "Windows", "linux": "Linux", "mac": "Mac",
}  # fmt: skip
_NAME = re.compile(r"(?<![\w'])(" + "|".join(sorted(_NAMES, key=len, reverse=True)) + r")(?![\w'])")
_SHORT = {
    "it is": "it's", "is not": "isn't", "does not": "doesn't", "do not": "don't", "i have": "i've",
    "what is": "what's", "there is": "there's", "i would": "i'd", "cannot": "can't", "i am": "i'm",
    "where is": "where's", "that is": "that's", "did not": "didn't", "are not": "aren't",
    "will not": "won't", "how is": "how's", "could not": "couldn't", "should not": "shouldn't",
}  # fmt: skip
_LONG = {short: long for long, short in _SHORT.items()}
_SHORTER = re.compile(r"(?<![\w'])(" + "|".join(_SHORT) + r")(?= \w)")
_LONGER = re.compile(r"(?<![\w'])(" + "|".join(_LONG) + r")(?![\w'])")
_VOWEL = re.compile(r"\ba (?=[aeio])")
_WORD = re.compile(r"(?<![\w+./-])[a-z]{5,}(?![\w+./-])")
_SMALL = re.compile(r" (?:the|a|an|my|this|do i|to|of|is)(?= )")
_NEAR = {
    "a": "s", "b": "v", "c": "x", "d": "f", "e": "r", "f": "g", "g": "h", "h": "j", "i": "o",
    "j": "k", "k": "l", "l": "k", "m": "n", "n": "m", "o": "p", "p": "o", "q": "w", "r": "t",
    "s": "d", "t": "y", "u": "i", "v": "b", "w": "e", "x": "c", "y": "u", "z": "x",
}  # fmt: skip


def typed(text: str, rng: random.Random, slips: float = 0.1) -> str:
    """Return a lower-case wording without its last mark as one of many people would type it."""
    text = _VOWEL.sub("an ", text)
    chance = rng.random()
    if chance < 0.25:
        text = _SHORTER.sub(lambda found: _SHORT[found[1]], text)
    elif chance < 0.35:
        text = _LONGER.sub(lambda found: _LONG[found[1]], text)
    elif chance < 0.42:
        text = text.replace("'", "")
    if rng.random() < 0.06:
        text = _SMALL.sub("", text, count=2)
    if rng.random() < slips:
        text = slipped(text, rng)
    if rng.random() < 0.7:
        text = _NAME.sub(lambda found: _NAMES[found[1]], text)
        text = text[:1].upper() + text[1:]
    return casual(text + _mark(text, rng), rng)


def _mark(text: str, rng: random.Random) -> str:
    chance = rng.random()
    if text[-1:] in ".?!":
        return ""
    if text.split(" ", 1)[0].lower() in _ASKING or ("," in text and " how" in text):
        return "?" if chance < 0.85 else "" if chance < 0.97 else "??"
    return "." if chance < 0.35 else "?" if chance < 0.6 else "" if chance < 0.95 else "!"


def slipped(text: str, rng: random.Random) -> str:
    """Return a text with one slip of the fingers in one of its longer words."""
    words = list(_WORD.finditer(text))
    if not words:
        return text
    word = words[int(rng.random() * len(words))]
    place = word.start() + 1 + int(rng.random() * (len(word[0]) - 2))
    before, letter, after = text[:place], text[place], text[place + 1 :]
    kind = int(rng.random() * 4)
    if kind == 0:
        return before + after
    if kind == 1:
        return before + letter + letter + after
    if kind == 2:
        return before + after[:1] + letter + after[1:]
    return before + _NEAR[letter] + after


def with_manners(
    text: str, openers: Sequence[str], closers: Sequence[str], rng: random.Random
) -> str:
    """Return a wording with a greeting before it or a word of thanks after it, now and then."""
    if rng.random() < 0.25:
        text = openers[int(rng.random() * len(openers))] + text
    if rng.random() < 0.2:
        text += closers[int(rng.random() * len(closers))]
    return text


def plain_words(text: str) -> list[str]:
    """Return the words of a text in lower case, without marks: to compare wordings by."""
    return re.findall(r"[a-z0-9']+", text.lower())
