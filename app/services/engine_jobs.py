"""What the engine thread is asked to do, and the queue in which it waits. Knows no Qt, no model."""

import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from engine.events import Turn
from engine.lora_use import LoraUse
from engine.strategy import Strategy

if TYPE_CHECKING:
    from engine.checkpoint.info import ModelInfo
    from engine.state_formats import StateFormat


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model in place of the one in use."""

    path: Path
    strategy: Strategy
    loras: tuple[LoraUse, ...] = ()
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Eject:
    """Give the model's memory back."""

    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Write:
    """Write one reply."""

    turn: Turn
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Free:
    """Delete states: down to the budget, or all that may go (budget 0)."""

    budget_bytes: int
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class SavePower:
    """Compute on half of the processor's cores at most, or on all again."""

    on: bool
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class MoveStates:
    """Take all states to another folder."""

    folder: Path
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class ListPersonas:
    """Read which personas there are."""

    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class SavePersona:
    """Keep the state after a reply under a name."""

    reply: int
    name: str
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class DeletePersona:
    """Delete a persona for good."""

    name: str
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class ImportPersona:
    """Keep a state file of any program under a name, for a model or (None) for any of its size."""

    file: Path
    name: str
    info: "ModelInfo | None"
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class ExportState:
    """Write a persona (by name) or the state after a reply (by its node) to a file."""

    what: str | int
    file: Path
    format: "StateFormat"
    cancel: threading.Event = field(default_factory=threading.Event)


PersonaJob = ListPersonas | SavePersona | DeletePersona | ImportPersona | ExportState
Job = Load | Eject | Write | Free | SavePower | MoveStates | PersonaJob


class JobQueue:
    """Jobs in their order; the one under way counts until the next is taken."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._current: Job | None = None
        self._closed = False
        self._changed = threading.Condition()

    @property
    def closed(self) -> bool:
        """Whether nothing is done any more."""
        return self._closed

    def put(self, job: Job) -> None:
        """Add a job at the end."""
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()

    def put_before_writing(self, job: Job) -> None:
        """Add a job before the replies that wait: they are for the model that it brings.

        Or they may take long, and it is quick.
        """
        with self._changed:
            replies = [waits for waits in self._waiting if isinstance(waits, Write)]
            others = [waits for waits in self._waiting if not isinstance(waits, Write)]
            self._waiting = deque((*others, job, *replies))
            self._changed.notify()

    def take(self) -> Job | None:
        """Wait for the next job; None when the queue was closed."""
        with self._changed:
            self._current = None
            self._changed.wait_for(lambda: self._closed or self._waiting)
            if not self._closed:
                self._current = self._waiting.popleft()
            return self._current

    def cancel(self, *kinds: type[Job]) -> None:
        """Give up the jobs of these kinds, the one under way and those that wait."""
        with self._changed:
            for job in (self._current, *self._waiting):
                if isinstance(job, kinds):
                    job.cancel.set()

    def cancel_current(self, kind: type[Job]) -> None:
        """Give up the job under way if it is of this kind."""
        with self._changed:
            if isinstance(self._current, kind):
                self._current.cancel.set()

    def cancel_reply(self, reply: int) -> bool:
        """Give up writing one reply; return whether it only waited: it is never begun then."""
        with self._changed:
            if _writes(self._current, reply):
                self._current.cancel.set()
            kept = deque(job for job in self._waiting if not _writes(job, reply))
            waited = len(kept) < len(self._waiting)
            self._waiting = kept
            return waited

    def awaits(self, *kinds: type[Job]) -> bool:
        """Return whether a job of these kinds waits that was not given up."""
        with self._changed:
            return any(isinstance(job, kinds) and not job.cancel.is_set() for job in self._waiting)

    def close(self) -> None:
        """Give up everything: what waits is not begun any more."""
        with self._changed:
            self._closed = True
            for job in (self._current, *self._waiting):
                if job is not None:
                    job.cancel.set()
            self._changed.notify()


def _writes(job: Job | None, reply: int) -> TypeGuard[Write]:
    return isinstance(job, Write) and job.turn.reply == reply
