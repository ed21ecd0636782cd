"""What a chat shows and how it is asked for: plain frozen values.

Knows no widget, no store and no engine thread; the sampling values are the engine's own.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from engine.errors import EngineError
from engine.sampling_params import SamplingParams

if TYPE_CHECKING:
    from engine.events import ReplyStats


@dataclass(frozen=True, slots=True)
class Message:
    """One message on the open path of a chat.

    role: "user" | "assistant". status: "done" | "writing" | "stopped" | "failed".
    version is 1-based among ``versions`` siblings. created: seconds since the epoch.
    waits: it is to be written, after a reply in another chat.
    """

    node: int
    role: str
    text: str
    status: str = "done"
    error: str = ""
    hint: str = ""
    version: int = 1
    versions: int = 1
    stats: "ReplyStats | None" = None
    think: str = "off"
    created: float = 0.0
    model: str = ""
    waits: bool = False


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """How the next reply is asked for. template "" means: chosen by the model's file name.

    persona: name of the saved state that the chat begins with, or "" for none.
    """

    system: str = ""
    template: str = ""
    think: str = "off"
    sampling: SamplingParams = field(default_factory=SamplingParams)
    persona: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what the store keeps, in JSON's types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ChatSettings":
        """Read what ``to_dict`` wrote; what is missing or strange becomes the default."""
        try:
            sampling = SamplingParams(**_tuples(values.get("sampling", {}))).validated()
        except (AttributeError, TypeError, ValueError, EngineError):
            sampling = SamplingParams()
        words = {
            name: values[name]
            for name in ("system", "template", "think", "persona")
            if isinstance(values.get(name), str)
        }
        return cls(**words, sampling=sampling)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where the parameters have tuples."""

    def fix(value: object) -> object:
        return tuple(fix(item) for item in value) if isinstance(value, list) else value

    return {name: fix(value) for name, value in values.items()}
