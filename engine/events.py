"""What a turn is asked to do, and the frozen events by which it tells what happens."""

from dataclasses import dataclass, fields
from typing import Any

from engine.sampling_params import SamplingParams


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply to be written: an empty reply node, or one to be continued.

    reply: id of the assistant node. think: a thinking mode of the template.
    template: name of a template, or "" for the model's own.
    persona: name of the saved state that the chat begins with, or "" for none.
    """

    reply: int
    sampling: SamplingParams
    system: str = ""
    think: str = "off"
    template: str = ""
    persona: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """The turn begins; ``text`` is what its reply holds already (opening words, a first half)."""

    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Tokens read, of the tokens to be read before the reply can begin."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Token:
    """One drawn token, and the text that it made safe to show (empty while text is held)."""

    id: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyStats:
    """What one turn cost, in wall seconds.

    resumed_tokens: tokens that a saved state spared us to read again. from_disk: that state
    came from a file. read_again: the chat had replies, but no usable state was left of them.
    """

    tokens: int = 0
    seconds: float = 0.0
    read_tokens: int = 0
    read_seconds: float = 0.0
    resumed_tokens: int = 0
    from_disk: bool = False
    read_again: bool = False

    @property
    def tokens_per_s(self) -> float:
        """Speed of writing; 0 when nothing was written."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def read_tokens_per_s(self) -> float:
        """Speed of reading; 0 when nothing was read."""
        return self.read_tokens / self.read_seconds if self.read_seconds else 0.0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ReplyStats | None":
        """Return the stats that a store holds; None where it holds none."""
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        return cls(**known) if known else None


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a turn. reason: "stop", "length" or "cancelled"."""

    reason: str
    stats: ReplyStats


Event = Opened | Reading | Token | Finished
