"""The first layers of a model on a card, without a head: the one half of ``engine.backends.split``.

What goes on to the processor, and the state, come back through page-locked memory, the state while
the processor computes already. Knows weights, steps and states; knows nothing of the other half.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, cast
from weakref import ref

import torch
from torch import Tensor

from engine.backends.card_memory import give_back
from engine.backends.card_tuning import chosen_cut, lies_by_input
from engine.backends.cuda import graphs_of, sizes_of
from engine.needs import held_as
from engine.state import State
from kernels.cuda.prefill import Prefill
from kernels.cuda.prefill_layers import States
from kernels.cuda.quantize import Quantizer
from kernels.cuda.step import Step, StepBuffers
from kernels.cuda.weights import Weights, WeightsBuilder, WeightType

if TYPE_CHECKING:
    from pathlib import Path

    from engine.backends.card_source import Source
    from engine.backends.graphs import Graphs
    from engine.checkpoint import ModelShape
    from kernels.cuda.program import Programs

PIECE = 256
"""Tokens that are read together: the processor takes long enough for them that stopping waits."""


class CardLayers:
    """``shape.layers`` first layers of a model. One thread at a time may use them.

    The state that was worked on last stays on the card, so that token after token of one chat
    sends nothing there; it is on the host too after each call, where others may change it.
    """

    def __init__(
        self,
        shape: "ModelShape",
        weights: str,
        source: "Source",
        programs: "Programs",
        graphs: "Graphs | None" = None,
        cache: "Path | None" = None,
    ) -> None:
        """shape: of the model, with so many layers as come here. source: with names of its own.

        Raises what ``engine.backends.cuda.CudaBackend`` raises.
        """
        self._shape = shape
        self._device = device = programs.device
        self._graphs = graphs or graphs_of(device)
        with self._here(), torch.inference_mode(False), torch.no_grad():
            self._weights = self._load(weights, source, programs)
            self._prepare(programs, cache)
        self._lies: _Lying | None = None

    def _load(self, weights: str, source: "Source", programs: "Programs") -> Weights:
        builder = WeightsBuilder(
            sizes_of(self._shape),
            cast("WeightType", held_as(self._shape, weights)),
            Quantizer(programs),
            self._device,
            sparse=lies_by_input(self._shape),
            pinned=self._on_card,
            headless=True,
        )
        for name in sorted(source.names(), key=lambda name: ".ln0." not in name):
            for first, values in source.pieces(name):
                builder.take(name, values, first)
        return builder.finish()

    def _prepare(self, programs: "Programs", cache: "Path | None") -> None:
        shape, device = self._shape, self._device
        self._state = State.zeros(shape, device)
        self._token = torch.zeros(1, dtype=torch.int32, device=device)
        state = self._state
        logits = torch.zeros(0, device=device)
        buffers = StepBuffers(self._token, state.att_shift, state.wkv, state.ffn_shift, logits)
        cut = chosen_cut(self._weights, programs, buffers, cache)
        processors = None if self._on_card else 4
        self._step = Step(self._weights, programs, buffers, cut, processors=processors)
        slots = States(state.att_shift[None], state.wkv[None], state.ffn_shift[None])
        self._prefill = Prefill(self._weights, programs, self._graphs, slots)
        self._step_graph = self._graphs.captured(self._step.run)
        most = min(PIECE, self._prefill.rooms.most_tokens)
        self._out = torch.zeros(2, most, shape.width, pin_memory=self._on_card)
        self._arrived = torch.cuda.Event() if self._on_card else None

    @property
    def most_tokens(self) -> int:
        """How many tokens ``forward`` takes at once, at most."""
        return self._out.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of weights, the embedding table in main memory included."""
        table = self._weights.table
        return self._weights.nbytes + (0 if table.device == self._device else table.nbytes)

    def new_state(self, shape: "ModelShape") -> State:
        """Return the zero state of a whole model, on the host, as ``adopt`` wants it."""
        with torch.inference_mode(False):
            state = State.zeros(shape)
            self.adopt(state)
        return state

    def adopt(self, state: State) -> None:
        """Make sure that a state's arrays are on the host, page-locked, wkv in key-major order.

        What is otherwise is copied, once.
        """
        with torch.inference_mode(False):
            state.att_shift = self._own(state.att_shift)
            state.ffn_shift = self._own(state.ffn_shift)
            state.wkv = self._own(state.wkv.mT).mT

    def forward(self, tokens: Sequence[int], state: State) -> tuple[Tensor, Tensor]:
        """Advance an adopted state by tokens; return residual and v_first, fp32 [T, D] each.

        They lie on the host until the next call. The state's arrays arrive there with ``finish``.
        """
        with self._here():
            self._send(state)
            self._lies = None
            if len(tokens) == 1:
                self._token.fill_(tokens[0])
                self._step_graph()
                parts = self._step.residual[None], self._step.v_first[None]
            else:
                parts = self._prefill.read_layers(tokens)
            out = self._out[:, : len(tokens)]
            for to, part in zip(out, parts, strict=True):
                to.copy_(part, non_blocking=True)
            if self._arrived is not None:
                self._arrived.record()
            self._fetch(state)
            if self._arrived is not None:
                self._arrived.synchronize()
        return out[0], out[1]

    def finish(self, state: State) -> None:
        """Wait until the state's arrays hold what ``forward`` made of them."""
        self.wait()
        self._lies = _Lying(state)

    def wait(self) -> None:
        """Wait until the card has nothing to do."""
        if self._on_card:
            torch.cuda.current_stream(self._device).synchronize()

    def close(self) -> None:
        """Give the memory back."""
        self._lies = None
        del self._weights, self._step, self._prefill, self._step_graph, self._state, self._out
        give_back(self._device)

    def _send(self, state: State) -> None:
        if self._lies is not None and self._lies.still(state):
            return
        self._lies = None  # from here on it is half of each, should the rest fail
        layers = self._shape.layers
        self._state.att_shift.copy_(state.att_shift[:layers])
        self._state.ffn_shift.copy_(state.ffn_shift[:layers])
        self._state.wkv.copy_(state.wkv.mT[:layers].to(self._device).mT)

    def _fetch(self, state: State) -> None:
        """Turned on the card: the host gets wkv in its own order."""
        layers = self._shape.layers
        state.att_shift[:layers].copy_(self._state.att_shift, non_blocking=True)
        state.ffn_shift[:layers].copy_(self._state.ffn_shift, non_blocking=True)
        turned = self._state.wkv.mT.contiguous()
        state.wkv.mT[:layers].copy_(turned, non_blocking=True)

    def _own(self, tensor: Tensor) -> Tensor:
        tensor = tensor.to("cpu", torch.float32).contiguous()
        if self._on_card and not tensor.is_pinned():
            return tensor.pin_memory()
        return tensor.clone() if tensor.is_inference() else tensor

    @property
    def _on_card(self) -> bool:
        return self._device.type == "cuda"

    def _here(self) -> "AbstractContextManager[object]":
        return torch.cuda.device(self._device) if self._on_card else nullcontext()


class _Lying:
    """Which state is on the card, and whether the host's arrays are still what they were then."""

    def __init__(self, state: State) -> None:
        self._state = ref(state)
        self._arrays = _marks(state)

    def still(self, state: State) -> bool:
        return self._state() is state and self._arrays == _marks(state)


def _marks(state: State) -> list[tuple[int, int]]:
    """Return where the arrays lie and how often torch wrote there."""
    arrays = state.tensors().values()
    return [(array.data_ptr(), array._version) for array in arrays]  # noqa: SLF001
