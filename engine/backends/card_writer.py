"""Writing on a card: each step draws its token there, and the host reads one number for it.

Steps run one ahead of the host, which so has a whole step's time for what it does with a token.
The host's ``Sampler`` stays the truth: it hands out the random numbers and counts what was drawn,
so that seeds, saving and resuming are what they are with any backend. Knows the backend's step and
the card's sampler; knows nothing of text.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from engine.errors import EngineError
from engine.sampling import NONE_LEFT, NOT_FINITE
from kernels.cuda.sampler import DeviceSampler, Drawing, DrawProblem, NoneLeft

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from engine.sampling import Sampler
    from engine.state import State

_SLOT = 0


@dataclass(slots=True)
class CardSampler:
    """The card's sampler and who uses it: one reply at a time."""

    device: DeviceSampler
    uncounted: frozenset[int]
    owner: "CardWriter | None" = None


class Steps(Protocol):
    """What the writer needs of its backend."""

    @property
    def logits(self) -> Tensor:
        """The logits fp32 [V] that the last step left, at a fixed place."""
        ...

    @property
    def writes(self) -> int:
        """Grows whenever a token or a state is put where steps work, other than by a step."""
        ...

    def card_sampler(self, sampler: "Sampler") -> CardSampler:
        """Return the card's sampler, fit for what this one does not count."""
        ...

    def place(self, token: int | None, state: "State") -> None:
        """Bring a state where steps work, and a token (None: it lies there) where they read it."""
        ...

    def step_and_draw(self, greedy: bool) -> None:
        """Read the token that lies ready, then draw the next one in its place.

        From the state that was placed, or from what the step before it left. A placed state stays
        what it is, so that a step can be taken that was not wanted, but not two.
        """
        ...

    def lies_here(self, state: "State") -> bool:
        """Tell whether a state lies where steps work."""
        ...

    def advance(self, state: "State") -> None:
        """Let a state be what the step from it left, one token on."""
        ...

    def draw_again(self, greedy: bool) -> None:
        """Draw from the logits that lie ready."""
        ...

    def explained(self) -> "AbstractContextManager[None]":
        """Return what says in a sentence that the card's memory is full."""
        ...


class CardWriter:
    """One reply being written; see ``engine.backends.base.Writer``."""

    def __init__(self, steps: Steps, sampler: "Sampler") -> None:
        self._steps = steps
        self._sampler = sampler
        self._card: CardSampler | None = None
        self._drawing: Tensor | None = None  # the logits from which the card is drawing
        self._kept: Callable[[], int] | None = None  # what it drew before another reply came
        self._ready: int | None = None  # the token that lies where the next step reads it
        self._ahead: Tensor | None = None  # the logits of a step that has read that token already
        self._writes = -1  # of others to what steps work on, when a step was launched last
        self._is_greedy = False

    def draw(self, logits: Tensor) -> int:
        """See ``Writer``."""
        self._ready = None
        if logits is not self._drawing:
            with self._steps.explained():
                self._begin(logits)
        self._drawing = None
        kept, self._kept = self._kept, None
        token = self._take() if kept is None else kept()
        self._sampler.replay(token)
        self._ready = token if kept is None else None
        return token

    def read(self, token: int, state: "State") -> Tensor:
        """See ``Writer``. The next token is being drawn when this returns, and read already.

        The step that reads it is launched before anybody here knows it: so the card never waits for
        the host. Should that token turn out to end the reply, the state has not read it: steps
        leave the state that they began with.
        """
        with self._steps.explained():
            logits = self._read_ahead(token, state)
            if logits is None:
                logits = self._read_now(token, state)
            self._steps.advance(state)
            self._drawing, self._ready = logits, None
        with suppress(torch.OutOfMemoryError):  # then the next one is read when it is known
            self._ahead = self._launch(1)
        return logits

    def _read_ahead(self, token: int, state: "State") -> Tensor | None:
        """Return the logits of the step that has read the token already, if one has."""
        logits, self._ahead = self._ahead, None
        if logits is None:
            return None
        is_same = token == self._ready and self._writes == self._steps.writes
        if self._is_owner and is_same and self._steps.lies_here(state):
            return logits
        self._card = None  # it has drawn a token too many: told anew what was drawn
        return None

    def _read_now(self, token: int, state: "State") -> Tensor:
        if not self._is_owner or self._drawing is not None:
            self._load()
        lies_ready = token == self._ready and self._writes == self._steps.writes
        self._steps.place(None if lies_ready else token, state)
        return self._launch(0)

    def _launch(self, later: int) -> Tensor:
        """Start a step and its draw, ``later`` draws after the next one; return its logits."""
        assert self._card is not None
        with torch.inference_mode(False):
            logits = torch.empty_like(self._steps.logits)  # what can fail does so first
        self._card.device.give(_SLOT, self._sampler.peek(later))
        self._steps.step_and_draw(self._is_greedy)
        self._writes = self._steps.writes
        with torch.inference_mode(False):
            return logits.copy_(self._steps.logits)

    def give_up(self) -> None:
        """Let go of the card's sampler: another reply needs it. What is being drawn is kept."""
        if self._drawing is not None and self._kept is None:
            try:
                token = self._take()
            except EngineError as error:
                self._kept = _raiser(error)
            else:
                self._kept = lambda: token
        self._ready = self._ahead = None

    @property
    def _is_owner(self) -> bool:
        return self._card is not None and self._card.owner is self

    def _take(self) -> int:
        assert self._card is not None
        try:
            return self._card.device.take(_SLOT)
        except NoneLeft as problem:
            raise EngineError(*NONE_LEFT) from problem
        except DrawProblem as problem:
            raise EngineError(*NOT_FINITE) from problem

    def _begin(self, logits: Tensor) -> None:
        """Draw from logits that came from elsewhere."""
        self._load()
        assert self._card is not None
        with torch.no_grad():
            self._steps.logits.copy_(logits)
        self._card.device.give(_SLOT, self._sampler.peek())
        self._steps.draw_again(self._is_greedy)
        self._writes = self._steps.writes

    def _load(self) -> None:
        """Tell the card's sampler how to draw, and what was drawn."""
        card = self._steps.card_sampler(self._sampler)
        if card.owner is not None:
            card.owner.give_up()
        self._drawing = self._kept = self._ahead = None
        self._card, card.owner = card, self
        counts = self._sampler.counts
        drawing = _drawing_of(self._sampler)
        self._is_greedy = drawing.is_greedy
        card.device.load(_SLOT, drawing, list(counts), list(counts.values()))


def _raiser(error: EngineError) -> Callable[[], int]:
    def fail() -> int:
        raise error

    return fail


def _drawing_of(sampler: "Sampler") -> Drawing:
    """Return a sampler's parameters as the card wants them."""
    params = sampler.params
    return Drawing(
        temperature=params.temperature,
        top_p=params.top_p,
        min_p=params.min_p,
        top_k=params.top_k,
        presence=params.presence_penalty,
        frequency=params.frequency_penalty,
        decay=params.penalty_decay,
        bias=params.bias,
        masked=sampler.masked,
    )
