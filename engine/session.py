"""A session: chats on one loaded model, each going on from the nearest saved state.

Knows the model, the store and the archive; knows nothing of windows or terminals. It runs on
the engine thread and tells what happens by frozen events.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from engine.archive import StateArchive
from engine.backends.base import IsCancelled
from engine.errors import Cancelled, EngineError, StateMismatch, StoreError
from engine.events import Event, Finished, Opened, Reading, ReplyStats, Turn
from engine.generate import Generation
from engine.model import Model
from engine.sampling import Sampler
from engine.segments import Beginning, Segment, SegmentMaker
from engine.snapshot import Snapshot
from engine.store import Store
from engine.templates import load_templates

if TYPE_CHECKING:
    from torch import Tensor

    from engine.state import State

SAVE_TEXT_SECONDS = 0.4
"""A kill loses at most this much of a reply's text."""

SAVE_STATE_SECONDS = 3.0
"""A kill costs at most this much writing to be gone through again; more for large states."""

SAVE_STATE_BYTES_PER_S = 5e6
"""Spares the disk: states written during a reply average no more than this."""

DISK_TOKENS = 64
"""A state that is fewer new tokens than this ahead stays in memory: reading is quicker."""

REPLAYED_TOKENS = 1024
"""A reply that lacks more of its own tokens than this has lost its states: it is read at once."""

Emit = Callable[[Event], None]


class Session:
    """Runs turns on one model, over one store and one archive of states."""

    def __init__(self, model: Model, store: Store, archive: StateArchive) -> None:
        self._model = model
        self._store = store
        self._archive = archive
        self._templates = load_templates()

    def run(self, turn: Turn, emit: Emit, cancelled: IsCancelled) -> Finished:
        """Write one reply into its node; the store always has the text so far.

        The last event is the returned ``Finished``. Raises EngineError, or what a library
        raised, after the node was marked as failed with a sentence.
        """
        template = self._templates.get(turn.template, self._model.template)
        try:
            persona = self._persona(turn.persona) if turn.persona else None
            beginning = persona.beginning if persona else Beginning()
            maker = SegmentMaker(self._model, template, turn.system, beginning)
            run = _Run(self._model, self._store, self._archive, maker, turn, emit, persona)
            finished = run(cancelled)
        except EngineError as error:
            self._note_failure(turn, f"{error.message} {error.hint}".strip())
            raise
        except Exception as error:
            self._note_failure(turn, f"Unexpected error: {error}")
            raise
        emit(finished)
        return finished

    def _persona(self, name: str) -> "_Persona":
        """Return a persona of these weights. Raises EngineError or DamagedFile."""
        info = self._model.info
        about = self._archive.persona(name)
        if about.fingerprint not in ("", info.fingerprint):
            raise StateMismatch(
                f"The persona {name} was made with another model than {info.name}.",
                "Load the model that it was made with, or choose no persona for this chat.",
            )
        snapshot = self._archive.load_persona(name)
        snapshot.state.require_shape(info.shape)
        has_read = snapshot.state.tokens_read > 0
        return _Persona(Beginning(f"{about.path.name} {about.created}", has_read), snapshot)

    def _note_failure(self, turn: Turn, words: str) -> None:
        with contextlib.suppress(StoreError):  # it may be the very reason
            self._store.update_node(turn.reply, status="failed", error=words)


@dataclass(frozen=True, slots=True)
class _Persona:
    """The state that a chat begins with, and how that shows in what is read after it."""

    beginning: Beginning
    snapshot: Snapshot


@dataclass(slots=True)
class _Start:
    """A state and how far it has read: up to ``position`` of segment ``index``."""

    index: int
    position: int
    snapshot: Snapshot | None
    from_disk: bool


class _Run:
    """One turn in the making."""

    def __init__(
        self,
        model: Model,
        store: Store,
        archive: StateArchive,
        maker: SegmentMaker,
        turn: Turn,
        emit: Emit,
        persona: _Persona | None = None,
    ) -> None:
        self._model = model
        self._store = store
        self._archive = archive
        self._persona = persona
        self._maker = maker
        self._turn = turn
        self._emit = emit
        self._fingerprint = model.info.fingerprint
        self._sampler = Sampler(
            turn.sampling,
            model.info.shape.vocab,
            unused=model.unused,
            uncounted=model.uncounted,
        )
        self._state: State = model.new_state()
        self._logits: Tensor | None = None
        self._given = self._open_reply()

    def __call__(self, cancelled: IsCancelled) -> Finished:
        segments = self._maker.segments(self._store.path_to(self._turn.reply))
        start = self._nearest(segments)
        began = time.perf_counter()
        try:
            read = self._read(segments, start, cancelled)
        except Cancelled:
            self._store.update_node(self._turn.reply, status="stopped")
            return Finished("cancelled", ReplyStats())
        stats = ReplyStats(
            read_tokens=read,
            read_seconds=time.perf_counter() - began,
            resumed_tokens=self._state.tokens_read - read,
            from_disk=start.from_disk,
            read_again=start.snapshot is None and len(segments) > 2,
        )
        return self._write(segments[-1], stats, cancelled)

    def _open_reply(self) -> int:
        """See that the reply's node holds tokens of this model; return how many it did not draw.

        A fresh reply is given its opening words; one that a model with another vocabulary began
        is encoded anew, so states that had read the old tokens are of no use any more.
        """
        node, encode = self._store.node(self._turn.reply), self._model.tokenizer.encode
        opener = self._maker.template.reply_start(self._turn.think)
        if node.text and self._maker.keeps_tokens(node):
            is_own = node.fingerprint == self._fingerprint
            given = tuple(encode(opener)) if is_own else node.tokens
        else:
            if node.text:
                self._archive.forget(node.id)
            given = tuple(encode(node.text or opener))
            self._store.update_node(
                node.id, text=node.text or opener, tokens=given, fingerprint=self._fingerprint
            )
        self._emit(Opened(node.text or opener))
        return len(given)

    # -- finding a state

    def _nearest(self, segments: list[Segment]) -> _Start:
        """Find the last point of the sequence whose state is kept, and take it over."""
        for i in range(len(segments) - 1, -1, -1):
            segment = segments[i]
            own = len(segment.tokens)
            found = self._archive.find(segment.node.id, segment.key, self._fingerprint, at_most=own)
            if found is None:
                continue
            ahead = sum(len(s.tokens) for s in segments[i:]) - found.position
            if ahead > 0 or found.snapshot.logits is not None:
                self._take_over(found.snapshot, last=segment is segments[-1])
                return _Start(i, found.position, found.snapshot, found.from_disk)
        if self._persona is not None:
            self._state.copy_from(self._persona.snapshot.state)
        return _Start(0, 0, None, from_disk=False)

    def _take_over(self, snapshot: Snapshot, *, last: bool) -> None:
        import torch

        self._state.copy_from(snapshot.state)
        if snapshot.logits is not None:
            self._logits = torch.from_numpy(snapshot.logits)
        if last and snapshot.sampler is not None:
            self._sampler.restore(snapshot.sampler)

    # -- reading

    def _read(self, segments: list[Segment], start: _Start, cancelled: IsCancelled) -> int:
        """Bring state and logits to where the next token is drawn; return tokens read."""
        # What the state has read already is not looked at: it may be very long.
        *before, reply = segments[start.index :]
        position = start.position
        total = sum(len(s.tokens) for s in segments[start.index :]) - position
        done = 0
        for segment in before:
            if position < len(segment.tokens):
                self._read_segment(segment, position, done, total, cancelled)
                done += len(segment.tokens) - position
            position = 0
        self._read_own(reply.tokens, position, done, cancelled)
        return total

    def _read_segment(
        self, segment: Segment, position: int, done: int, total: int, cancelled: IsCancelled
    ) -> None:
        """Read the rest of a question or of an earlier reply, and keep the state after it."""
        tokens = segment.tokens[position:]
        before = self._state.tokens_read
        self._emit(Reading(done, total))
        try:
            self._logits = self._model.backend.forward(
                tokens,
                self._state,
                progress=lambda part, _all: self._emit(Reading(done + part, total)),
                cancelled=cancelled,
            )
        except Cancelled:
            # What was read so far is not lost: the next try goes on from here.
            self._logits = None
            position += self._state.tokens_read - before
            self._keep(segment, position, disk=position >= DISK_TOKENS)
            raise
        if segment.node.role == "user":
            self._keep(segment, len(segment.tokens), disk=len(tokens) >= DISK_TOKENS)

    def _read_own(
        self, tokens: tuple[int, ...], position: int, done: int, cancelled: IsCancelled
    ) -> None:
        """Read what the reply has already: what it was given at once, drawn tokens one by one.

        One by one, as they were drawn: so a reply that a kill interrupted goes on bit for bit
        as if nothing had happened.
        """
        drawn = tokens[max(position, self._given) :]
        apart = drawn if len(drawn) <= REPLAYED_TOKENS else ()
        together = tokens[position : len(tokens) - len(apart)]
        total = done + len(tokens) - position
        for token in drawn:
            self._sampler.replay(token)
        if together:
            self._logits = self._model.backend.forward(
                together,
                self._state,
                progress=lambda part, _all: self._emit(Reading(done + part, total)),
                cancelled=cancelled,
            )
        for i, token in enumerate(apart, start=total - len(apart) + 1):
            if cancelled():
                raise Cancelled
            self._logits = self._model.backend.forward([token], self._state)
            self._emit(Reading(i, total))

    # -- writing

    def _write(self, reply: Segment, stats: ReplyStats, cancelled: IsCancelled) -> Finished:
        sampling, template = self._turn.sampling, self._maker.template
        assert self._logits is not None, "something was read, or the snapshot had logits"
        generation = Generation(
            self._model.backend,
            self._model.tokenizer,
            self._sampler,
            self._state,
            self._logits,
            stops=(*template.stops, *sampling.stop),
            stop_tokens=(0, *template.stop_tokens),
            max_tokens=sampling.max_tokens,
        )
        writer = _Writer(self._store, reply, self._model)
        began = time.perf_counter()
        save_every = max(SAVE_STATE_SECONDS, self._state.nbytes / SAVE_STATE_BYTES_PER_S)
        saved = began
        for token in generation.run(cancelled):
            self._emit(token)
            if not generation.at_rest:
                continue
            now = time.perf_counter()
            if now - saved > save_every:
                saved = now
                # The text first: a state that is ahead of its text would be of no use.
                writer.save(generation)
                self._keep_reply(reply, generation)
            elif now - writer.saved_at > SAVE_TEXT_SECONDS:
                writer.save(generation)
        stats = _with_writing(stats, len(generation.tokens), time.perf_counter() - began)
        writer.save(generation)
        # Before the end is told: whoever sees a finished reply finds its state, too.
        self._keep_reply(reply, generation)
        writer.finish(generation, stats)
        return Finished(generation.reason, stats)

    def _keep_reply(self, reply: Segment, generation: Generation) -> None:
        self._logits = generation.logits
        position = len(reply.tokens) + len(generation.tokens)
        self._keep(reply, position, disk=True, sampler=self._sampler)

    def _keep(
        self, segment: Segment, position: int, *, disk: bool, sampler: Sampler | None = None
    ) -> None:
        """Hand a copy of the state to the archive, which writes it in the background."""
        logits = None if self._logits is None else self._logits.cpu().numpy().copy()
        snapshot = Snapshot(
            self._state.clone().to("cpu"), logits, sampler.save() if sampler else None
        )
        self._archive.put(
            segment.node.id, segment.key, position, self._fingerprint, snapshot, disk=disk
        )


class _Writer:
    """Keeps a reply's node up to date while it grows."""

    def __init__(self, store: Store, reply: Segment, model: Model) -> None:
        self._store = store
        self._id = reply.node.id
        self._text = reply.node.text
        self._tokens = reply.tokens
        self.saved_at = time.perf_counter()
        store.update_node(
            self._id,
            status="writing",
            error="",
            model=model.info.name,
            fingerprint=model.info.fingerprint,
        )

    def save(self, generation: Generation) -> None:
        """Save the text so far; to be called at rest, when text and tokens say the same."""
        self.saved_at = time.perf_counter()
        self._store.update_node(
            self._id,
            text=self._text + generation.text,
            tokens=(*self._tokens, *generation.tokens),
        )

    def finish(self, generation: Generation, stats: ReplyStats) -> None:
        """Mark the reply as whole."""
        self._store.update_node(
            self._id,
            status="stopped" if generation.reason == "cancelled" else "done",
            stats=asdict(stats) | {"reason": generation.reason},
        )


def _with_writing(stats: ReplyStats, tokens: int, seconds: float) -> ReplyStats:
    return ReplyStats(**(asdict(stats) | {"tokens": tokens, "seconds": seconds}))
