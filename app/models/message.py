"""What a chat shows and how it is asked for: plain frozen values.

Knows no widget, no store and no engine thread; the sampling values are the engine's own.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.sampling import SamplingParams

if TYPE_CHECKING:
    from engine.events import ReplyStats


@dataclass(frozen=True, slots=True)
class Message:
    """One message on the open path of a chat.

    role: "user" | "assistant". status: "done" | "writing" | "stopped" | "failed".
    version is 1-based among ``versions`` siblings. created: seconds since the epoch.
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


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """How the next reply is asked for. template "" means: chosen by the model's file name."""

    system: str = ""
    template: str = ""
    think: str = "off"
    sampling: SamplingParams = field(default_factory=SamplingParams)
