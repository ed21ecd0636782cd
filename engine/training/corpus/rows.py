"""Rows of generated chats: what the trainer reads for the kind of data "corpus".

Knows nothing of the skills themselves (see ``mixture``).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from engine.tokenizer import WorldTokenizer
from engine.training.corpus.conversation import SMALLEST_ROOM, Chat, memory_chat, talk_chat
from engine.training.corpus.mixture import MEMORY_SHARE, Talk, talk_skills
from engine.training.corpus.pieces import ChatEncoder, PieceEncoder, Tokens

if TYPE_CHECKING:
    from engine.training.rows import Row

ROWS_OF_AN_EPOCH = 1 << 31
"""Nothing is read twice: this is only what ``len`` says."""

_WHOLE_ROWS = 0.6
"""The part of the tokens of memory chats that is in chats as long as a row: facts told at its
beginning are asked for at its end. Others begin anywhere, and are as long as there is room."""
_SHORTEST_MEMORY = 2 * SMALLEST_ROOM
_TALK_ROOM = (208, 384)
"""How long other talk alone may be: there is room for any one exchange."""
_SAMPLES = 64


def vocabulary_path() -> Path:
    """Return Gosling's vocabulary, which stands in the resources."""
    return Path(str(resources.files("resources").joinpath("models", "gosling", "vocabulary.txt")))


def chat_encoder(vocabulary: Path | None = None) -> ChatEncoder:
    """Return what writes chats as tokens of this vocabulary; None: Gosling's own.

    Raises EngineError or DamagedFile when it cannot be read.
    """
    return ChatEncoder(PieceEncoder(WorldTokenizer.load(vocabulary or vocabulary_path())))


class Documents:
    """Draws chats of both kinds so that each kind has its share of the tokens."""

    def __init__(self, length: int, encoder: ChatEncoder) -> None:
        """length: T, the tokens of a row."""
        self._encoder = encoder
        self._talk = Talk(talk_skills(), length=encoder.measure)
        self._whole_chance = MEMORY_SHARE * _WHOLE_ROWS
        share = MEMORY_SHARE * (1 - _WHOLE_ROWS) / (1 - self._whole_chance)
        rng = random.Random("lengths")
        memory = self._mean(lambda: self._memory_chat(rng, rng.randint(1, length)))
        talk = self._mean(lambda: self._talk_chat(rng))
        self._chance = share * talk / (share * talk + (1 - share) * memory)

    def draw(self, rng: random.Random, room: int, first: bool) -> Chat:
        """Return a document for so many tokens, its id 0 among them.

        A memory chat is never longer: what it asks at its end must not be cut. first: whether
        it begins a row.
        """
        if first and rng.random() < self._whole_chance:
            return memory_chat(rng, room - 1, self._talk, self._encoder.measure)
        if room > _SHORTEST_MEMORY and rng.random() < self._chance:
            return self._memory_chat(rng, room)
        return self._talk_chat(rng)

    def _memory_chat(self, rng: random.Random, room: int) -> Chat:
        most = rng.randint(min(room, _SHORTEST_MEMORY), room) - 1
        return memory_chat(rng, most, self._talk, self._encoder.measure)

    def _talk_chat(self, rng: random.Random) -> Chat:
        most = rng.randint(*_TALK_ROOM)
        return talk_chat(rng, most, self._talk, self._encoder.measure)

    def _mean(self, draw: Callable[[], Chat]) -> float:
        """Return the mean length of such documents in tokens."""
        return sum(len(self._encoder.document(draw()).ids) for _ in range(_SAMPLES)) / _SAMPLES


@dataclass(slots=True)
class _Tools:
    """What is made once in each process."""

    documents: Documents
    encoder: ChatEncoder


class CorpusRows:
    """Endless rows of generated chats; each is a pure function of seed, length and index."""

    def __init__(self, length: int, seed: int, vocabulary: Path | None = None) -> None:
        """length: T, predicted tokens a row. vocabulary: None is Gosling's own."""
        self.length = length
        self._seed = seed
        self._vocabulary = vocabulary
        self._tools: _Tools | None = None

    def __len__(self) -> int:
        return ROWS_OF_AN_EPOCH

    def __getstate__(self) -> tuple[int, int, Path | None]:
        """Pickle without the tools: a worker process makes its own."""
        return self.length, self._seed, self._vocabulary

    def __setstate__(self, state: tuple[int, int, Path | None]) -> None:
        self.length, self._seed, self._vocabulary = state
        self._tools = None

    def row(self, index: int) -> "Row":
        """Return row ``index``: whole documents, the last one cut at the end of the row.

        Raises EngineError or DamagedFile when the vocabulary cannot be read.
        """
        tools = self._tools or self._made()
        rng = random.Random(f"{self._seed}:{self.length}:{index}")
        tokens = Tokens()
        while len(tokens.ids) <= self.length:
            room = self.length + 1 - len(tokens.ids)
            chat = tools.documents.draw(rng, room, first=not tokens.ids)
            document = tools.encoder.document(chat)
            tokens.ids += document.ids
            tokens.weights += document.weights
        return _row(tokens, self.length)

    def _made(self) -> _Tools:
        encoder = chat_encoder(self._vocabulary)
        self._tools = _Tools(Documents(self.length, encoder), encoder)
        return self._tools


def _row(tokens: Tokens, length: int) -> "Row":
    """Return the beginning of these tokens as a row; a weight belongs to what is predicted."""
    import numpy as np

    from engine.training.rows import Row

    ids = np.array(tokens.ids[: length + 1], dtype=np.int64)
    weights = np.array(tokens.weights[1 : length + 1], dtype=np.float32)
    return Row(ids, weights)
