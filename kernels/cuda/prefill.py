"""Many tokens at once through RWKV-7 on a card, into the state of a slot.

Recorded as a graph for each number of tokens in BUCKETS; fewer tokens use the next one, whose
kernels leave the room behind the text alone. Knows weights; the launches of a layer are in
``prefill_layers``. Knows no files and no text.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from kernels.cuda.expand import part
from kernels.cuda.prefill_layers import (
    RELU2_SCALE,
    LayerWork,
    States,
    Tools,
    expanded_elements,
)
from kernels.cuda.prefill_room import BUCKETS, CHUNK, Room, Rooms, pieces_of
from kernels.cuda.products import Products, whole_sums
from kernels.cuda.program import Programs

if TYPE_CHECKING:
    from kernels.cuda.weights import Weights

_LOGIT_ROWS = 64
"""Rows of logits that are made at once, in two parts: 33 MB of a vocabulary of 65,536."""

Between = Callable[[int], None]
"""Called with the tokens that are read; what it raises ends the reading there."""


class Graphs(Protocol):
    """See ``engine.backends.graphs``."""

    def captured(self, work: Callable[[], object]) -> Callable[[], None]:
        """Return what repeats ``work``."""
        ...


class Prefill:
    """Reads tokens into a slot's state. One thread at a time; all on torch's current stream."""

    def __init__(
        self, weights: "Weights", programs: Programs, graphs: Graphs, states: States
    ) -> None:
        """Compile the kernels and take the memory (``Rooms``); graphs are recorded when needed."""
        self._weights = weights
        self._graphs = graphs
        self._products = Products(programs.device)
        expanded = expanded_elements(weights)
        self.rooms = Rooms(weights.sizes, programs.device, self._products.left, expanded)
        self._tools = Tools.on(programs, weights, self.rooms, self._products, states)
        self._recorded: dict[int, Callable[[], None]] = {}

    @property
    def is_exact(self) -> bool:
        """Whether products wait in fp32: see ``EXACT_WIDTH``."""
        return self.rooms.sums == torch.float32

    def read(
        self,
        tokens: Sequence[int],
        slot: int = 0,
        *,
        all_logits: bool = False,
        between: Between | None = None,
    ) -> Tensor:
        """Read tokens into the slot's state; return logits fp32 [V] of the last, or [T, V] of all.

        tokens: one or more, each in [0, V).
        """
        logits: list[Tensor] = []
        done = 0
        for count, bucket in pieces_of(len(tokens), self.rooms.most_tokens):
            room = self._read_piece(tokens[done : done + count], bucket, slot)
            done += count
            if all_logits:
                logits.extend(self._logits_of_rows(room, count))
            elif done == len(tokens):
                logits.append(self._last_logits(room))
            if between is not None and done < len(tokens):
                between(done)
        return torch.cat(logits) if all_logits else logits[0]

    def read_layers(self, tokens: Sequence[int], slot: int = 0) -> tuple[Tensor, Tensor]:
        """Read one piece (at most ``rooms.most_tokens``) into the slot's state.

        Returns fp32 [T, D] each: the residual and layer 0's values, what layers elsewhere need.
        """
        bucket = -(-len(tokens) // CHUNK) * CHUNK
        bucket = next((b for b in BUCKETS if b >= bucket), bucket)
        room = self._read_piece(tokens, min(bucket, self.rooms.most_tokens), slot)
        count = len(tokens)
        pending = room.delta[:count].float() / RELU2_SCALE
        return room.x[:count] + pending, room.v_first[:count].float()

    def _read_piece(self, tokens: Sequence[int], bucket: int, slot: int) -> Room:
        through_layers = self._through_layers(bucket)
        room, count = self.rooms.of(bucket), len(tokens)
        room.tokens[:count].copy_(torch.tensor(tokens, dtype=torch.int32))
        self.rooms.place.copy_(torch.tensor((count, slot), dtype=torch.int32))
        through_layers()
        return room

    def prepare(self, length: int) -> None:
        """Record what reading so many tokens will need; the states stay as they are."""
        for _, bucket in pieces_of(length, self.rooms.most_tokens):
            self._through_layers(bucket)

    def _through_layers(self, bucket: int) -> Callable[[], None]:
        """Return what moves a bucket's tokens through all layers, recorded now or earlier."""
        if bucket not in self._recorded:
            work = LayerWork(self._tools, self.rooms.of(bucket), bucket)
            self.rooms.place.zero_()  # recording runs what it records: with no tokens there
            with whole_sums():
                self._recorded[bucket] = self._graphs.captured(work.run)
        return self._recorded[bucket]

    def _logits_of_rows(self, room: Room, count: int) -> Iterator[Tensor]:
        for first in range(0, count, _LOGIT_ROWS):
            yield self._logits_of(room, first, min(_LOGIT_ROWS, count - first))

    def _last_logits(self, room: Room) -> Tensor:
        """Return logits [V] of the last token, made in fp32."""
        head, options = self._weights.head, {"dtype": torch.float32, "device": room.x.device}
        normed, logits = torch.empty(head.k, **options), torch.empty(head.rows, **options)
        self._tools.norm_last(room, normed).run()
        self._tools.expander.bind_row(head, normed, logits).run()
        return logits

    def _logits_of(self, room: Room, first: int, rows: int) -> Tensor:
        """Return logits [rows, V] from row `first` on: of the norm's fp16 and of what that lost."""
        head, device = self._weights.head, room.x.device
        normed = torch.zeros(2 * rows, head.k, dtype=torch.float16, device=device)
        self._tools.norm_out(room, first, normed).run()
        logits = torch.empty(2 * rows, head.rows, dtype=self._products.left, device=device)
        if head.kind == "fp16":
            self._products.sums(logits, normed, head.data.T)
            return logits[:rows].float() + logits[rows:].float()
        each = self.rooms.expanded.numel() // head.k
        for begin in range(0, head.rows, each):
            some = part(head, begin, min(each, head.rows - begin))
            space = self.rooms.expanded[: some.rows * some.k].view(some.rows, some.k)
            self._tools.expander.bind(some, space).run()
            self._products.sums(logits[:, begin : begin + some.rows], normed, space.T)
        return logits[:rows].float() + logits[rows:].float()
