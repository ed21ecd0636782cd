"""Many chats at once on a card: where their states lie, and a graph for each number of rows.

Knows states and what is recorded; the arithmetic is ``kernels.cuda.rows``.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.backends.graphs import Graphs
from engine.backends.state_slots import StateSlots
from kernels.cuda.rows import MOST_ROWS, RowBuffers, RowsStep, bucket_of

if TYPE_CHECKING:
    from engine.checkpoint import ModelShape
    from engine.state import State
    from kernels.cuda.program import Programs
    from kernels.cuda.weights import Weights

_SLOT_STEP = 8


class RowsOnCard:
    """Steps of up to MOST_ROWS chats; more are several steps. Memory is taken when first needed."""

    def __init__(
        self, shape: "ModelShape", weights: "Weights", programs: "Programs", graphs: Graphs
    ) -> None:
        self._shape, self._weights = shape, weights
        self._programs, self._graphs = programs, graphs
        self._slots: StateSlots | None = None
        self._buffers: RowBuffers | None = None
        self._recorded: dict[int, tuple[RowsStep, Callable[[], None]]] = {}
        self._places: list[int] = []  # the slots that the buffers name

    def step(self, tokens: Sequence[int], states: "Sequence[State]") -> Tensor:
        """Read one token each; return logits fp32 [R, V], at a fixed place up to MOST_ROWS."""
        if len(tokens) <= MOST_ROWS:
            return self._step(tokens, states)
        parts = [
            self._step(tokens[i : i + MOST_ROWS], states[i : i + MOST_ROWS]).clone()
            for i in range(0, len(tokens), MOST_ROWS)
        ]
        return torch.cat(parts)

    def close(self) -> None:
        """Give the memory back; states get memory of their own."""
        if self._slots is not None:
            self._slots.release()
        self._recorded.clear()
        self._slots = self._buffers = None

    def _step(self, tokens: Sequence[int], states: "Sequence[State]") -> Tensor:
        rows = len(tokens)
        bucket = bucket_of(rows)
        slots, buffers = self._room(rows, bucket)
        step, run = self._recorded_step(bucket, slots, buffers)
        empty = bucket - rows
        places = [*slots.take(states), *[-1] * empty]
        buffers.tokens[:rows].copy_(torch.tensor(tokens, dtype=torch.int32))
        if places != self._places:
            buffers.slots[:bucket].copy_(torch.tensor(places, dtype=torch.int32))
            self._places = places
        run()
        return step.logits[:rows]

    def replay(self, rows: int) -> Callable[[], None]:
        """Return what repeats the step of so many rows as it was last: for measuring."""
        return self._recorded[bucket_of(rows)][1]

    def _room(self, rows: int, bucket: int) -> tuple[StateSlots, RowBuffers]:
        """Return slots and buffers for so many rows; what is too small is made anew."""
        if self._slots is None or len(self._slots) < rows:
            self.close()
            count = -(-rows // _SLOT_STEP) * _SLOT_STEP
            self._slots = StateSlots(self._shape, self._programs.device, count)
        if self._buffers is None or self._buffers.rows < bucket:
            self._recorded.clear()
            self._buffers = RowBuffers(self._weights, bucket, self._programs.device)
        return self._slots, self._buffers

    def _recorded_step(
        self, bucket: int, slots: StateSlots, buffers: RowBuffers
    ) -> tuple[RowsStep, Callable[[], None]]:
        if bucket not in self._recorded:
            step = RowsStep(self._weights, self._programs, slots, buffers, bucket)
            self._places = []
            buffers.slots.fill_(-1)  # recording runs what it records: on no rows
            self._recorded[bucket] = step, self._graphs.captured(step.run)
        return self._recorded[bucket]
