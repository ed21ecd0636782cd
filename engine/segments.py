"""A chat as the model reads it: one list of tokens per node, each with the key of its prefix.

Knows templates and tokens; knows nothing of states. Every node is encoded by itself, so that
the tokens of a chat never depend on where it was interrupted. Keys come from texts alone, and
tokens are made when they are asked for: what a saved state has read is never encoded again.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from engine.model import Model
from engine.store import Node
from engine.templates import Template


@dataclass(slots=True)
class Segment:
    """What one node adds to the sequence.

    key: hash of all that is read before this node's end; of a reply that is read as it was drawn,
    before its beginning (it only ever grows). How much of the node is read is told by a position:
    equal keys and positions mean equal prefixes.
    encode: gives the tokens; called once, when they are first asked for.
    """

    node: Node
    key: str
    encode: Callable[[], tuple[int, ...]]
    _tokens: tuple[int, ...] | None = field(default=None, init=False)

    @property
    def tokens(self) -> tuple[int, ...]:
        """The ids that are read for this node."""
        if self._tokens is None:
            self._tokens = self.encode()
        return self._tokens


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the state holds before the first message: nothing, or a persona.

    key: tells one persona from another. has_read: it was made by reading text, so that the first
    message is the next turn of a chat that has begun; one that was trained has read nothing.
    """

    key: str = ""
    has_read: bool = False


@dataclass(frozen=True, slots=True)
class SegmentMaker:
    """Renders the path of one chat for one model."""

    model: Model
    template: Template
    system: str
    beginning: Beginning = Beginning()

    def segments(self, path: Sequence[Node]) -> list[Segment]:
        """Return one segment per node, root first.

        path: users and assistants in turn, ending in the reply that is to be written.
        """
        made: list[Segment] = []
        key = _hash(self.beginning.key, self.template.name)
        for i, node in enumerate(path):
            if node.role == "user":
                first = i == 0 and not self.beginning.has_read
                text = self._question(node.text, path[i + 1].think, first=first)
                key = _hash(key, text)
                encode = partial(self._encode, text, first=first)
                made.append(Segment(node, key, encode))
            else:
                made.append(self._reply(node, key))
                key = _hash(key, node.text)
        return made

    def keeps_tokens(self, node: Node) -> bool:
        """Tell whether the tokens that a reply was drawn as mean its text to this model, too.

        Models of one vocabulary read each other's tokens; so what a reply was read as, up to any
        position, stays the same when another of them goes on with it.
        """
        return (
            node.fingerprint == self.model.info.fingerprint
            or self.model.tokenizer.decode(node.tokens) == node.text
        )

    def _question(self, text: str, think: str, *, first: bool) -> str:
        opening = self.template.opening(self.system) if first else ""
        return opening + self.template.turn(text, think, first)

    def _encode(self, text: str, *, first: bool) -> tuple[int, ...]:
        beginning = (0,) if first else ()
        return (*beginning, *self.model.tokenizer.encode(text))

    def _reply(self, node: Node, key: str) -> Segment:
        """Return the very tokens that were drawn, or those of the text where these mean nothing."""
        if self.keeps_tokens(node):
            return Segment(node, _hash(key, "reply"), lambda: node.tokens)
        # Positions in an encoded text mean something only together with the whole of it.
        encode = partial(self._encode, node.text, first=False)
        return Segment(node, _hash(key, f"text\0{node.text}"), encode)


def _hash(key: str, text: str) -> str:
    return hashlib.sha256(f"{key}\0{text}".encode(errors="surrogatepass")).hexdigest()[:32]
