"""Many greedy replies at once: each prompt is read alone, then all rows are decoded together.

Knows a backend and a tokenizer; knows nothing of tasks, templates or grades.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.backends.base import Backend, IsCancelled, Progress
from engine.errors import Cancelled
from engine.tokenizer import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor

    from engine.state import State

_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is read, how many tokens may be written, and ids that may not begin the reply."""

    tokens: tuple[int, ...]
    max_tokens: int
    not_at_first: tuple[int, ...] = ()


@dataclass(slots=True)
class _Row:
    """One reply being written. token: drawn, but not read yet."""

    place: int
    prompt: Prompt
    state: "State"
    token: int = -1
    written: int = 0
    text: bytearray = field(default_factory=bytearray)
    finished: bool = False


class Lockstep:
    """Greedy decoding (temperature 0) of many prompts on one backend.

    A row that ends makes room for the next prompt, so that the batch stays full.
    """

    def __init__(
        self,
        backend: Backend,
        tokenizer: Tokenizer,
        stops: Sequence[str],
        stop_tokens: Sequence[int] = (0,),
        unused: Sequence[int] = (),
        rows: int = 64,
    ) -> None:
        """stops: end a reply and are no part of it. unused: ids that are never drawn."""
        self._backend = backend
        self._tokenizer = tokenizer
        self._stops = [stop.encode() for stop in stops]
        self._stop_tokens = frozenset(stop_tokens)
        self._unused = list(unused)
        self._rows = rows

    def replies(
        self,
        prompts: Sequence[Prompt],
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> list[str]:
        """Return the reply to each prompt. progress: replies done and in all. Raises Cancelled."""
        replies = [""] * len(prompts)
        for done, row in enumerate(self._finished(prompts, cancelled), start=1):
            replies[row.place] = self._without_stop(row.text).decode("utf-8", "replace")
            if progress:
                progress(done, len(prompts))
        return replies

    def _finished(self, prompts: Sequence[Prompt], cancelled: IsCancelled | None) -> Iterator[_Row]:
        """Yield the rows as they end."""
        waiting = iter(enumerate(prompts))
        active: list[_Row] = []
        while True:
            while len(active) < self._rows and (following := next(waiting, None)) is not None:
                active.append(self._begin(*following, cancelled))
            if not active:
                return
            yield from (row for row in active if row.finished)
            active = [row for row in active if not row.finished]
            if cancelled is not None and cancelled():
                raise Cancelled
            if active:
                self._step(active)

    def _begin(self, place: int, prompt: Prompt, cancelled: IsCancelled | None) -> _Row:
        """Read a prompt and draw its first token."""
        row = _Row(place, prompt, self._backend.new_state())
        logits = self._backend.forward(prompt.tokens, row.state, cancelled=cancelled)
        self._draw([row], logits.unsqueeze(0))
        return row

    def _step(self, rows: Sequence[_Row]) -> None:
        logits = self._backend.forward_batch(
            [[row.token] for row in rows], [row.state for row in rows]
        )
        self._draw(rows, logits)

    def _draw(self, rows: Sequence[_Row], logits: "Tensor") -> None:
        """Take the most likely token of each row; logits [B, V]."""
        logits = logits.clone()  # a CUDA graph owns what it returns
        logits[:, self._unused] = _NEVER
        for i, row in enumerate(rows):
            if row.written < 2 and row.prompt.not_at_first:
                logits[i, list(row.prompt.not_at_first)] = _NEVER
        for row, token in zip(rows, logits.argmax(-1).tolist(), strict=True):
            self._take(row, token)

    def _take(self, row: _Row, token: int) -> None:
        row.token = token
        row.written += 1
        row.text += self._tokenizer.token_bytes(token)
        row.finished = (
            token in self._stop_tokens
            or row.written >= row.prompt.max_tokens
            or any(stop in row.text for stop in self._stops)
        )

    def _without_stop(self, text: bytearray) -> bytes:
        ends = [text.find(stop) for stop in self._stops if stop in text]
        return bytes(text[: min(ends, default=len(text))])
