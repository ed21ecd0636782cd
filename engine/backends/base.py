"""The contract that every backend keeps: torch (the reference), cpu and cuda.

A backend owns the weights on their devices. It knows nothing of text, chats or files' names.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from engine.errors import EngineError

if TYPE_CHECKING:
    from torch import Tensor

    from engine.checkpoint import ModelInfo
    from engine.sampling import Sampler
    from engine.state import State
    from engine.strategy import Strategy

Progress = Callable[[int, int], None]
"""Called with (done, total): bytes while loading, tokens while reading."""

IsCancelled = Callable[[], bool]
"""Asked between pieces of work; true means stop at the next safe point."""


class Backend(Protocol):
    """Weights that are ready to run."""

    name: str
    info: "ModelInfo"
    strategy: "Strategy"
    notice: str
    """What the user should hear once, such as why another engine had to serve; mostly empty."""

    @property
    def resident_bytes(self) -> int:
        """Bytes that the weights occupy, over all devices."""
        ...

    def new_state(self) -> "State":
        """Return the zero state, where this backend wants it."""
        ...

    def forward(
        self,
        tokens: Sequence[int],
        state: "State",
        *,
        all_logits: bool = False,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> "Tensor":
        """Read tokens; advance ``state`` in place; return logits.

        tokens: one or more ids, each in [0, V).
        Returns fp32 [V] for the last token, or [T, V] with ``all_logits``.
        Raises Cancelled between chunks; the state then holds exactly ``state.tokens_read`` tokens.
        """
        ...

    def forward_batch(self, tokens: Sequence[Sequence[int]], states: Sequence["State"]) -> "Tensor":
        """Read one list of tokens per state; return fp32 [B, V], one row per last token."""
        ...

    def set_power_saving(self, on: bool) -> None:
        """Compute on half of the processor's cores at most, or on all that help again.

        Results stay the same. A number of threads in the strategy stays, too.
        """
        ...

    def close(self) -> None:
        """Give the weights' memory back. The backend cannot be used afterwards."""
        ...


def require_tokens(tokens: Sequence[int], vocab: int) -> None:
    """Raise EngineError unless there are tokens, all of them below ``vocab``."""
    if not len(tokens):
        raise EngineError("There is nothing to read: the list of tokens is empty.")
    if min(tokens) < 0 or max(tokens) >= vocab:
        raise EngineError(
            f"A token id lies outside the vocabulary of this model (0 to {vocab - 1}).",
            "Check that the tokenizer belongs to this model.",
        )


class Writer(Protocol):
    """Draws tokens and reads them, for one reply: where a backend can, without leaving its card."""

    def draw(self, logits: "Tensor") -> int:
        """Draw the next token from logits [V] fp32, and count it, as ``Sampler.sample`` would.

        Raises EngineError for logits that are no numbers, or when nothing is possible.
        """
        ...

    def read(self, token: int, state: "State") -> "Tensor":
        """Read one token; advance ``state``; return logits fp32 [V], of which ``draw`` may know."""
        ...


class HostWriter:
    """Draws on the host, reads with any backend."""

    def __init__(self, backend: Backend, sampler: "Sampler") -> None:
        self._backend = backend
        self._sampler = sampler

    def draw(self, logits: "Tensor") -> int:
        """See ``Writer``."""
        return self._sampler.sample(logits.cpu().numpy())

    def read(self, token: int, state: "State") -> "Tensor":
        """See ``Writer``."""
        return self._backend.forward([token], state)


def writer_of(backend: Backend, sampler: "Sampler") -> Writer:
    """Return what writes one reply with this sampler, whose memory stays the truth.

    A backend that can draw by itself has a method ``writer(sampler)``.
    """
    make = getattr(backend, "writer", None)
    return HostWriter(backend, sampler) if make is None else make(sampler)
