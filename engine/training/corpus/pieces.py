"""Text to ids with a memory for words, and exchanges to ids with their weights.

Works for vocabularies in which no token goes on behind a blank or a line end, as our own: then
a text may be cut before each of these. Knows nothing of what is said.
"""

import re
from dataclasses import dataclass, field

from engine.tokenizer import Tokenizer
from engine.training.corpus.conversation import Chat
from engine.training.corpus.exchange import Exchange

_PIECE = re.compile(r"\n\n|[ \n]?[^ \n]+|[ \n]")
_MOST_PIECES = 100_000
OTHERS_WEIGHT = 0.1
"""What a token counts that is not the assistant's."""
THINK_OPEN = " <think"


@dataclass(slots=True)
class Tokens:
    """Ids of a text, and how much it counts to predict each of them."""

    ids: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(self, ids: list[int], weight: float) -> None:
        """Append ids that all have one weight."""
        self.ids += ids
        self.weights += [weight] * len(ids)


class PieceEncoder:
    """Encodes text exactly as its tokenizer does, only quicker."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""
        known = self._known
        ids: list[int] = []
        for piece in _PIECE.findall(text):
            found = known.get(piece)
            if found is None:
                if len(known) >= _MOST_PIECES:
                    known.clear()
                found = known[piece] = self._tokenizer.encode(piece)
            ids += found
        return ids


class ChatEncoder:
    """Chats as documents: ``User: ...`` and ``Assistant: ...`` with blank lines between."""

    def __init__(self, encoder: PieceEncoder) -> None:
        encode = self._encode = encoder.encode
        self._user, self._assistant = encode("User:"), encode("\n\nAssistant:")
        self._next, self._think = encode("\n\nUser:"), encode(THINK_OPEN)

    def measure(self, exchange: Exchange) -> int:
        """Return how many tokens an exchange adds to a chat."""
        marks = len(self._next) + len(self._assistant)
        return len(self._encode(" " + exchange.user)) + len(self._reply(exchange)) + marks

    def document(self, chat: Chat) -> Tokens:
        """Return a chat as one document: it begins with id 0, the end of the one before it.

        What the assistant writes counts 1, with the end of its answer; the rest counts a tenth.
        Whether an answer begins with a thought counts nothing: that is for the user to choose.
        """
        tokens = Tokens([0], [1.0])
        if chat.system:
            tokens.add(self._encode(f"System: {chat.system}\n\n"), OTHERS_WEIGHT)
        for number, exchange in enumerate(chat.exchanges):
            tokens.add(self._next if number else self._user, 1.0 if number else OTHERS_WEIGHT)
            tokens.add(self._encode(" " + exchange.user) + self._assistant, OTHERS_WEIGHT)
            begin = len(tokens.ids)
            tokens.add(self._reply(exchange), 1.0)
            if exchange.thought:
                opened = begin + len(self._think)
                tokens.weights[begin:opened] = [0.0] * (opened - begin)
        return tokens

    def _reply(self, exchange: Exchange) -> list[int]:
        if not exchange.thought:
            return self._encode(" " + exchange.assistant)
        thought = f"{THINK_OPEN}>\n{exchange.thought}\n</think>\n"
        return self._encode(thought + exchange.assistant)


def written(chat: Chat) -> str:
    """Return a chat as text, as the model reads it behind id 0."""
    parts = [f"System: {chat.system}"] if chat.system else []
    for exchange in chat.exchanges:
        thought = f"<think>\n{exchange.thought}\n</think>\n" if exchange.thought else ""
        parts += [f"User: {exchange.user}", f"Assistant: {thought}{exchange.assistant}"]
    return "\n\n".join(parts)
