"""A few examples, small enough for memory: read from a file, joined, and laid into small batches.

What ``tuning`` and ``lora`` learn from. A chat that only ever saw first questions would answer
the second one as before; so every other batch joins the exchanges of three examples to one chat
(measured: the loss of a fourth answer came to 1.2 instead of 2.3, that of a first to 0.68
instead of 0.64).
Knows templates and tokens; knows no model and no torch.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import DamagedFile, EngineError
from engine.templates import Template
from engine.tokenizer import END_OF_DOCUMENT, Tokenizer
from engine.training.chats import Message, encode_chat, parse_line
from engine.training.rows import Row

JOINED = 3
"""So many examples make one chat in every other batch."""

BATCH_TOKENS = 256
"""A step learns from about so many: 200 such steps came further than 100 of twice the size."""

LONGEST = 1024
"""Tokens of a row at most; what is longer is cut."""

_SIZE_LIMIT_BYTES = 64 << 20

Chat = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Examples:
    """What a file holds: chats, of which the answers are learned, and texts, learned whole."""

    chats: tuple[Chat, ...]
    texts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.chats) + len(self.texts)


def read_examples(path: Path) -> Examples:
    """Read JSON Lines of ``{"messages": [...]}`` or ``{"text": ...}``; any other file is one text.

    Raises EngineError for an empty or too large file, DamagedFile for what cannot be understood,
    OSError.
    """
    if path.stat().st_size > _SIZE_LIMIT_BYTES:
        raise EngineError(
            f"{path.name} is too large to be learned as a few examples.",
            "Use `skein train --config` for long training.",
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DamagedFile(f"{path.name} is not UTF-8 text.", "Save it as UTF-8.") from error
    lines = path.suffix.lower() in (".jsonl", ".ndjson")
    examples = _from_lines(text, path.name) if lines else Examples((), (text,))
    if not any(text.strip() for text in examples.texts) and not examples.chats:
        raise EngineError(f"{path.name} holds no example.", "Write at least one exchange into it.")
    return examples


def _from_lines(text: str, name: str) -> Examples:
    chats, texts = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            read = parse_line(line)
        except ValueError as error:
            raise DamagedFile(
                f"Line {number:,} of {name} cannot be used: {error}.",
                'A line is {"messages": [{"role": "user", "content": "..."}, {"role": "assistant",'
                ' "content": "..."}]} or {"text": "..."}.',
            ) from error
        if isinstance(read, str):
            texts.append(read)
        else:
            chats.append(read)
    return Examples(tuple(chats), tuple(texts))


class Encoder:
    """Writes examples as rows, in the tokens that the app would read: id 0 first."""

    def __init__(
        self, template: Template, tokenizer: Tokenizer, others_weight: float = 0.0
    ) -> None:
        """``others_weight``: what it counts to predict a token that is not the assistant's."""
        self._template = template
        self._tokenizer = tokenizer
        self._others_weight = others_weight
        stop = template.stops[0] if template.stops else ""
        self._end = tokenizer.encode(stop) or [END_OF_DOCUMENT]

    def chat(self, messages: Chat) -> Row:
        """Return a chat; that its last answer ends is learned, too."""
        tokens, marks = encode_chat(messages, self._template, self._tokenizer)
        learned = np.concatenate((marks, np.ones(len(self._end), np.uint8)))
        weights = np.where(learned != 0, np.float32(1), np.float32(self._others_weight))
        return _row([END_OF_DOCUMENT, *tokens, *self._end], weights)

    def text(self, text: str) -> list[Row]:
        """Return a text in rows of at most ``LONGEST`` tokens, each begun anew."""
        tokens = [*self._tokenizer.encode(text.strip()), END_OF_DOCUMENT]
        parts = [tokens[i : i + LONGEST] for i in range(0, len(tokens), LONGEST)]
        return [_row([END_OF_DOCUMENT, *part], np.ones(len(part), np.float32)) for part in parts]


def _row(tokens: Sequence[int], weights: np.ndarray) -> Row:
    kept = np.array(tokens[: LONGEST + 1], np.int64)
    return Row(kept, weights[: len(kept) - 1].astype(np.float32))


def batches(examples: Examples, encoder: Encoder, seed: int) -> Iterator[list[Row]]:
    """Yield batches without an end, of about ``BATCH_TOKENS`` or as many examples as there are.

    Rows differ in length. Every other batch has its chats joined; texts are never joined.
    """
    deck = _Deck(examples, encoder, seed)
    joined = 1
    while True:
        yield deck.deal(joined)
        joined = JOINED + 1 - joined


class _Deck:
    """All examples, shuffled anew each time that they have all been dealt."""

    def __init__(self, examples: Examples, encoder: Encoder, seed: int) -> None:
        texts = [row for text in examples.texts for row in encoder.text(text)]
        self._all: list[Chat | Row] = [*examples.chats, *texts]
        self._encoder = encoder
        self._rng = random.Random(seed)
        self._waiting: list[Chat | Row] = []

    def deal(self, joined: int) -> list[Row]:
        """Return the next batch, up to so many of its chats joined to a row."""
        rows: list[Row] = []
        tokens = examples = 0
        while tokens < BATCH_TOKENS and examples < len(self._all):
            row, used = self._next(joined)
            rows.append(row)
            tokens += len(row.weights)
            examples += used
        return rows

    def _next(self, joined: int) -> tuple[Row, int]:
        """Return a row and of how many examples it is made."""
        first = self._top()
        self._waiting.pop()
        if isinstance(first, Row):
            return first, 1
        messages, row = first, self._encoder.chat(first)
        for used in range(1, joined):
            following = self._top()
            if isinstance(following, Row) or following[0].role == "system":
                return row, used
            longer = self._encoder.chat((*messages, *following))
            if len(longer.weights) >= LONGEST:
                return row, used
            messages, row = (*messages, *following), longer
            self._waiting.pop()
        return row, joined

    def _top(self) -> Chat | Row:
        if not self._waiting:
            self._waiting = list(self._all)
            self._rng.shuffle(self._waiting)
        return self._waiting[-1]
