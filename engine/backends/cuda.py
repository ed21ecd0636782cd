"""The CUDA backend: our own kernels, compiled for the card at hand, run a model that lies on it.

One token is one captured graph, with the draw of the next one in it where a reply is written; many
tokens are read in pieces, many chats step together. Knows how weights and states reach the card and
what is recorded; the arithmetic is in ``kernels/cuda``.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from engine.backends.base import IsCancelled, Progress, require_tokens
from engine.backends.card_draws import CardDraws
from engine.backends.card_memory import Explained, give_back, give_back_page_locked
from engine.backends.card_rows import RowsOnCard
from engine.backends.card_source import FileSource, Source
from engine.backends.card_tuning import chosen_cut, lies_by_input
from engine.backends.card_writer import CardSampler, CardWriter
from engine.backends.graphs import CudaGraphs, Graphs, NoGraphs
from engine.backends.lora import LoraMerge
from engine.backends.state_slots import StateSlots
from engine.checkpoint import ModelInfo, ModelShape, open_checkpoint
from engine.errors import Cancelled, UnsupportedStrategy
from engine.needs import CARD_CAPABILITY, CARD_WEIGHTS, held_as, suits_native
from engine.state import State
from engine.strategy import Strategy
from kernels.cuda import sampler as card_sampling
from kernels.cuda import weights as card_weights
from kernels.cuda.prefill import Prefill
from kernels.cuda.prefill_layers import States
from kernels.cuda.program import CardPrograms, CubinCache, CudaProblem, Programs, missing
from kernels.cuda.quantize import Quantizer
from kernels.cuda.sampler import SamplerCut
from kernels.cuda.step import Step, StepBuffers
from kernels.cuda.step_cut import Cut, default_cut
from kernels.cuda.weights import Sizes, Weights, WeightsBuilder, WeightType

if TYPE_CHECKING:
    from pathlib import Path

    from engine.sampling import Sampler

_log = logging.getLogger(__name__)


class CudaBackend:
    """RWKV-7 on one card, whole. One thread at a time may use it."""

    name = "cuda"
    notice = ""

    def __init__(
        self,
        info: ModelInfo,
        strategy: Strategy,
        source: Source,
        programs: Programs,
        graphs: Graphs | None = None,
        *,
        by_input: bool | None = None,
        cache: "Path | None" = None,
        closing: Callable[[], None] | None = None,
    ) -> None:
        """Load the weights, compile the kernels, run a step and record it.

        programs: of the card; the emulator's in tests. graphs: how work is repeated. by_input: lay
        value matrices so that zeros are left out; None: where that pays. cache: the folder in
        which the shapes that were measured to be fastest are remembered; None: nothing is measured.
        closing: what ``close`` does last, when nothing holds a kernel any more. Raises what the
        source raises, UnsupportedStrategy, CudaProblem, torch.OutOfMemoryError.
        """
        if not serves(info.shape, strategy):
            raise UnsupportedStrategy(
                f"The engine for cards cannot run {info.name} as '{strategy}'.",
                "Choose “cuda fp16” or “auto”: torch runs what this engine does not.",
            )
        self.info, self.strategy = info, strategy
        self._programs = programs
        self._device = programs.device
        self._graphs = graphs or graphs_of(self._device)
        self._closed = False
        self._closing = closing
        self._writes = 0
        self._at = 0  # the slot of the state that the next step reads; it writes the other one
        with self._here(), torch.inference_mode(False), torch.no_grad():
            self._weights = self._load(source, by_input)
            self._prepare(cache)

    def _load(self, source: Source, by_input: bool | None) -> Weights:
        shape = self.info.shape
        held = cast("WeightType", held_as(shape, self.strategy.card_weights))
        lies_so = lies_by_input(shape) if by_input is None else by_input
        builder = WeightsBuilder(
            sizes_of(shape),
            held,
            Quantizer(self._programs),
            self._device,
            sparse=lies_so,
            pinned=self._device.type == "cuda",
        )
        # The norm of the embedding first: its table is folded with it on its way.
        for name in sorted(source.names(), key=lambda name: ".ln0." not in name):
            for first, values in source.pieces(name):
                builder.take(name, values, first)
        return builder.finish()

    def _prepare(self, cache: "Path | None") -> None:
        """Take memory, choose shapes, record a step: what can fail does so here."""
        shape, device = self.info.shape, self._device
        self._slots = StateSlots(shape, device, 2)
        self._token = torch.zeros(1, dtype=torch.int32, device=device)
        self._logits = torch.zeros(shape.vocab, dtype=torch.float32, device=device)
        slots = self._slots
        here, there = (
            StepBuffers(self._token, *places, self._logits)
            for places in zip(slots.att_shift, slots.wkv, slots.ffn_shift, strict=True)
        )
        cut = chosen_cut(self._weights, self._programs, here, cache)
        self._steps = self._new_steps(cut, here, there)
        states = States(self._slots.att_shift, self._slots.wkv, self._slots.ffn_shift)
        self._prefill = Prefill(self._weights, self._programs, self._graphs, states)
        self._rows = RowsOnCard(shape, self._weights, self._programs, self._graphs)
        self._step_graphs = [self._graphs.captured(step.run) for step in self._steps]
        self._draws = self.new_draws()

    def _new_steps(self, cut: Cut, here: StepBuffers, there: StepBuffers) -> list[Step]:
        """Return the step from here to there, and that back.

        As usual where the cut, measured once, no longer works.
        """
        usual = default_cut(self._weights.sizes, self._weights.kind)
        try:
            return [self._new_step(cut, here, there), self._new_step(cut, there, here)]
        except CudaProblem:
            if cut == usual:
                raise
            _log.exception("%s no longer works", cut)
            return [self._new_step(usual, here, there), self._new_step(usual, there, here)]

    def _new_step(self, cut: Cut, buffers: StepBuffers, after: StepBuffers) -> Step:
        processors = None if self._device.type == "cuda" else 4
        return Step(self._weights, self._programs, buffers, cut, after=after, processors=processors)

    def new_draws(self, cut: SamplerCut | None = None) -> CardDraws:
        """Compile and record steps with draws. cut: how these are cut, which changes no result."""
        steps = [step.run for step in self._steps]
        return CardDraws(self._programs, self._graphs, steps, self._logits, self._token, cut)

    @property
    def resident_bytes(self) -> int:
        """Bytes that the weights occupy, over all devices."""
        table = self._weights.table
        return self.card_bytes + (0 if table.device == self._device else table.nbytes)

    @property
    def card_bytes(self) -> int:
        """Bytes that the weights occupy on the card."""
        return self._weights.nbytes

    @property
    def tuning(self) -> object:
        """How the products of a step are cut."""
        return self._steps[0].cut

    def new_state(self) -> State:
        """Return the zero state, on the card."""
        with torch.inference_mode(False):
            return State.zeros(self.info.shape, self._device)

    def set_power_saving(self, on: bool) -> None:
        """See ``Backend.set_power_saving``: the processor computes nothing here."""

    def close(self) -> None:
        """Give the memory back. States that lie in slots get memory of their own."""
        if self._closed:
            return
        self._closed = True
        self._slots.release()
        self._rows.close()
        del self._weights, self._steps, self._prefill, self._rows, self._slots, self._step_graphs
        del self._draws
        give_back(self._device)
        if self._closing is not None:
            self._closing()

    @torch.no_grad()
    def forward(
        self,
        tokens: Sequence[int],
        state: State,
        *,
        all_logits: bool = False,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> Tensor:
        """See ``Backend.forward``. Stops between pieces; the logits are on the card."""
        self._require(tokens)
        state.require_shape(self.info.shape)
        if cancelled is not None and cancelled():
            raise Cancelled
        with self._here():
            if len(tokens) > 1:
                return self._read(tokens, state, all_logits, progress, cancelled)
            self.place(tokens[0], state)
            self._step_graphs[self._at]()
            self.advance(state)
            logits = self._own(self._logits)
        if progress:
            progress(1, 1)
        return logits.view(1, -1) if all_logits else logits

    @torch.no_grad()
    def forward_batch(self, tokens: Sequence[Sequence[int]], states: Sequence[State]) -> Tensor:
        """See ``Backend.forward_batch``. Rows of one token share each weight's one reading."""
        for row, state in zip(tokens, states, strict=True):
            self._require(row)
            state.require_shape(self.info.shape)
        if len(tokens) == 1 or any(len(row) != 1 for row in tokens):
            rows = zip(tokens, states, strict=True)
            return torch.stack([self.forward(row, state) for row, state in rows])
        with self._here(), self.explained():
            logits = self._own(self._rows.step([row[0] for row in tokens], states))
        for state in states:
            state.tokens_read += 1
        return logits

    def writer(self, sampler: "Sampler") -> CardWriter:
        """Return what writes one reply on the card; ``sampler`` remembers what was drawn."""
        return CardWriter(self, sampler)

    # -------------------------------------------------------------- what the writer asks for

    @property
    def logits(self) -> Tensor:
        """Logits fp32 [V] of the last step, at a fixed place."""
        return self._logits

    def card_sampler(self, sampler: "Sampler") -> CardSampler:
        """See ``card_writer.Steps``."""
        return self._draws.fit(sampler)

    @property
    def writes(self) -> int:
        """See ``card_writer.Steps``."""
        return self._writes + self._slots.writes

    def place(self, token: int | None, state: State) -> None:
        """See ``card_writer.Steps``."""
        with self.explained():
            (self._at,) = self._slots.take([state])
            self._slots.vacate(1 - self._at)
        self._writes += 1
        if token is not None:
            self._token.fill_(token)

    def step_and_draw(self, greedy: bool) -> None:
        """See ``card_writer.Steps``."""
        with self._here():
            self._draws.step_and_draw(self._at, greedy)
        self._at = 1 - self._at

    def lies_here(self, state: State) -> bool:
        """See ``card_writer.Steps``."""
        return self._slots.slot_of(state) == 1 - self._at

    def advance(self, state: State) -> None:
        """See ``card_writer.Steps``."""
        lies = self._slots.slot_of(state)
        assert lies is not None
        self._slots.hop(state, 1 - lies)
        state.tokens_read += 1

    def draw_again(self, greedy: bool) -> None:
        """See ``card_writer.Steps``."""
        with self._here():
            self._draws.draw(greedy)

    def explained(self) -> "AbstractContextManager[None]":
        """See ``card_writer.Steps``."""
        return Explained(self.info.name, self.strategy)

    def step_replay(self, state: State) -> Callable[[], None]:
        """Return what reads the same token again and again: for measuring."""
        self.place(1, state)
        return self._step_graphs[self._at]

    def rows_replay(self, rows: int) -> Callable[[], None]:
        """Return what repeats the last step of so many rows: for measuring."""
        return self._rows.replay(rows)

    # -------------------------------------------------------------- reading

    def _read(
        self,
        tokens: Sequence[int],
        state: State,
        all_logits: bool,
        progress: Progress | None,
        cancelled: IsCancelled | None,
    ) -> Tensor:
        self._writes += 1
        with self.explained():
            before = state.clone()
        start, total = state.tokens_read, len(tokens)

        def between(done: int) -> None:
            state.tokens_read = start + done
            if progress:
                progress(done, total)
            if cancelled is not None and cancelled():
                raise Cancelled

        try:
            with self.explained():
                first = self._read_first(tokens, state)
                done = len(first)
                (slot,) = self._slots.take([state])
                logits = self._prefill.read(
                    tokens[done:], slot, all_logits=all_logits, between=lambda n: between(done + n)
                )
        except Cancelled:
            raise  # between pieces: the state holds what was read
        except Exception:
            state.copy_from(before)
            raise
        state.tokens_read = start + total
        if progress:
            progress(total, total)
        return torch.cat([*first, logits]) if all_logits else logits

    def _read_first(self, tokens: Sequence[int], state: State) -> list[Tensor]:
        """Read a chat's first token by a step where that matters; return its logits [1, V], or [].

        Without a state y is v times r . k, and is normalised: roundings of a block's operands show
        there three times as much as in any other token.
        """
        if state.tokens_read or not self._prefill.is_exact:
            return []
        return [self.forward(tokens[:1], state, all_logits=True)]

    @staticmethod
    def _own(logits: Tensor) -> Tensor:
        with torch.inference_mode(False):
            return logits.clone()

    def _here(self) -> "AbstractContextManager[object]":
        if self._device.type == "cuda":
            return torch.cuda.device(self._device)
        return nullcontext()

    def _require(self, tokens: Sequence[int]) -> None:
        require_tokens(tokens, self.info.shape.vocab)


def serves(shape: ModelShape, strategy: Strategy) -> bool:
    """Tell whether the kernels can run a model of this shape so: whole, on one card."""
    return (
        strategy.card_weights in CARD_WEIGHTS
        and suits_native(shape)
        and not shape.deep  # its tables stay with the host, and torch brings their rows
        and min(shape.ranks.w, shape.ranks.a, shape.ranks.v, shape.ranks.g) > 0
        and card_weights.serves(sizes_of(shape))
        and card_sampling.serves(shape.vocab)
    )


def sizes_of(shape: ModelShape) -> Sizes:
    """Return the kernels' view of a shape."""
    ranks = shape.ranks
    return Sizes(
        *(shape.layers, shape.width, shape.ffn, shape.vocab),
        (ranks.w, ranks.a, ranks.v, ranks.g),
    )


def programs_for(device: torch.device, cache: "Path | None" = None) -> CardPrograms:
    """Return what compiles for a card; compiled code is kept below ``cache``.

    Raises CudaProblem where something is missing.
    """
    if lacking := missing():
        raise CudaProblem(lacking)
    capability = torch.cuda.get_device_capability(device)
    if capability < CARD_CAPABILITY:
        raise CudaProblem(
            f"This card has compute capability {capability[0]}.{capability[1]}; "
            f"{CARD_CAPABILITY[0]}.{CARD_CAPABILITY[1]} is needed."
        )
    return CardPrograms(device, CubinCache(cache / "cubins") if cache else None)


def unloading(programs: CardPrograms) -> Callable[[], None]:
    """Return what takes programs off their card; should the driver refuse, they stay."""

    def unload() -> None:
        try:
            programs.close()
        except CudaProblem:
            _log.exception("kernels stay on the card")

    return unload


def open_on_card(
    info: ModelInfo,
    strategy: Strategy,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> CudaBackend:
    """Load a model's file onto the card that the strategy names.

    Raises what ``CudaBackend`` and ``programs_for`` raise, DamagedFile, or Cancelled.
    """
    from engine.backends.torch import device_of
    from engine.folders import Folders

    device = device_of(strategy.stages[0].device)
    cache = Folders.standard().cache
    programs = programs_for(device, cache)
    with (
        open_checkpoint(info.path) as checkpoint,
        LoraMerge(info.loras, info.shape, info.name) as loras,
    ):
        source = FileSource(checkpoint, device, progress, cancelled, loras)
        backend = CudaBackend(info, strategy, source, programs, cache=cache, closing=programs.close)
    del source  # whose buffers are page-locked
    give_back_page_locked()
    return backend


def graphs_of(device: torch.device) -> Graphs:
    """Return how work is repeated on a device."""
    return CudaGraphs(device) if device.type == "cuda" else NoGraphs()
