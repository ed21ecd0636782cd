"""Writing: from a state and its logits to a stream of tokens, until something ends it.

Knows a backend, a tokenizer and a sampler; knows nothing of chats or files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.backends.base import Backend, IsCancelled, writer_of
from engine.events import Token
from engine.sampling import Sampler, SamplerState
from engine.text_stream import StopMatcher, Utf8Decoder
from engine.tokenizer import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor

    from engine.state import State


@dataclass(frozen=True, slots=True)
class _Rest:
    """A point at which all that was read had also been shown: safe to come back to."""

    state: "State"
    logits: "Tensor"
    sampler: SamplerState
    tokens: int
    characters: int


class Generation:
    """One reply being written.

    ``state`` and ``logits`` always belong together; ``tokens`` are what the state has read of
    this reply, also after the end: a text that turned out to be a stop string was read by
    nobody. ``text`` is what may be shown; it never ends in half a stop string or character.
    """

    def __init__(
        self,
        backend: Backend,
        tokenizer: Tokenizer,
        sampler: Sampler,
        state: "State",
        logits: "Tensor",
        *,
        stops: Sequence[str] = (),
        stop_tokens: Sequence[int] = (0,),
        max_tokens: int = 0,
    ) -> None:
        """state: advanced in place. logits: [V] fp32 after it. max_tokens 0: no limit."""
        self.state = state
        self.logits = logits
        self.sampler = sampler
        self.tokens: list[int] = []
        self.text = ""
        self.reason = ""
        self._backend = backend
        self._writer = writer_of(backend, sampler)
        self._tokenizer = tokenizer
        self._decoder = Utf8Decoder()
        self._matcher = StopMatcher(stops)
        self._stop_tokens = frozenset(stop_tokens)
        self._max_tokens = max_tokens
        self._rest: _Rest | None = None

    @property
    def at_rest(self) -> bool:
        """Whether all that the state has read is also shown."""
        return self._rest is None

    def run(self, cancelled: IsCancelled) -> Iterator[Token]:
        """Yield tokens until a stop, the limit, or ``cancelled``; then ``reason`` says which.

        reason: "stop", "length" or "cancelled". Raises EngineError if the logits are no numbers.
        """
        while not self.reason:
            if cancelled():
                self.reason = "cancelled"
            elif self._max_tokens and len(self.tokens) >= self._max_tokens:
                self.reason = "length"
            else:
                yield from self._step()
        held = self._settle()
        if held:
            yield Token(self.tokens[-1], held)

    def _step(self) -> Iterator[Token]:
        before = self.sampler.mark() if self.at_rest else None
        token = self._writer.draw(self.logits)
        if token in self._stop_tokens:
            self.reason = "stop"
            return
        shown = self._matcher.feed(self._decoder.feed(self._tokenizer.token_bytes(token)))
        if before is not None and (self._holds or self._matcher.stopped is not None):
            sampler = self.sampler.saved(before)
            self._rest = _Rest(
                self.state.clone(), self.logits, sampler, len(self.tokens), len(self.text)
            )
        self.text += shown
        if self._matcher.stopped is not None:
            self.reason = "stop"
        else:
            self.logits = self._writer.read(token, self.state)
            self.tokens.append(token)
            if not self._holds:
                self._rest = None
        yield Token(token, shown)

    @property
    def _holds(self) -> bool:
        return self._decoder.held or bool(self._matcher.held)

    def _settle(self) -> str:
        """Make the state agree with the shown text; return held text that may now be shown."""
        if self._rest is None:
            return ""
        held = "" if self._decoder.held else self._matcher.finish()
        self.text += held
        if self._decoder.held or self._matcher.stopped is not None:
            self._come_back(self._rest)
        self._rest = None
        return held

    def _come_back(self, rest: _Rest) -> None:
        """Return to the last point of rest, then read what was shown since, and no more."""
        self.state.copy_from(rest.state)
        self.logits = rest.logits
        sampler = rest.sampler
        if self.reason == "stop":
            # Else a reply that is continued would draw the very same stop again, for ever.
            sampler = replace(sampler, rng_json=self.sampler.save().rng_json)
        self.sampler.restore(sampler)
        del self.tokens[rest.tokens :]
        for token in self._tokenizer.encode(self.text[rest.characters :]):
            self.logits = self._backend.forward([token], self.state)
            self.sampler.accept(token)
            self.tokens.append(token)
