"""The launches of reading: six to nine products a layer by torch and seven kernels between them.

Knows weights, kernels and the room they work in; what is recorded or repeated, ``prefill`` says.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kernels.cuda.expand import Expander, shape_of
from kernels.cuda.matrices import Matrix
from kernels.cuda.prefill_room import CHUNK, Room, Rooms
from kernels.cuda.products import Beside, Products
from kernels.cuda.program import Argument, LaunchLike, ProgramLike, Programs

if TYPE_CHECKING:
    from kernels.cuda.weights import LayerWeights, Weights

SOURCES = ("wkv7_read.cuh", "wkv7_read.cu", "wkv7_scan.cu", "prefill.cu")
RELU2_SCALE = 1 / 16
"""relu(k)^2 is held in fp16 as a sixteenth: k may reach 1,024 then instead of 256."""

_CHUNKS_OF_BLOCK = 4
_SCAN_LOADERS = 64
_RECORD_SHARED = 9472  # bytes that all rows of a head's state need of a record
_RECORD_ROWS = 512  # what 16 of them need besides
_STAGES, _FEW_STAGES = 8, 4
_MUCH_SHARED = 96 << 10
_RELU2_EACH = 8
_THREADS = 256
_EIGHT = 8

Work = Callable[[], None]


@dataclass(frozen=True, slots=True)
class States:
    """Where states lie, all fp32: shifts [S, L, D], wkv [S, L, H, 64, 64]; S slots."""

    att_shift: Tensor
    wkv: Tensor
    ffn_shift: Tensor


@dataclass(frozen=True, slots=True)
class Tools:
    """What every bucket's work is made of.

    fixed: what the key products make of their norm's bias, fp32 [L, F].
    """

    weights: "Weights"
    rooms: Rooms
    products: Products
    states: States
    program: ProgramLike
    expander: Expander
    stages: int
    processors: int
    beside: Beside
    fixed: Tensor

    @classmethod
    def on(
        cls,
        programs: Programs,
        weights: "Weights",
        rooms: Rooms,
        products: Products,
        states: States,
    ) -> "Tools":
        """Compile the kernels for a model on a device."""
        shared, processors = _card_of(programs.device)
        stages = _STAGES if shared >= _MUCH_SHARED else _FEW_STAGES
        program = programs(SOURCES, _macros(weights, rooms, stages))
        expander, beside = Expander(programs), Beside(programs.device)
        shape = (weights.sizes.layers, weights.sizes.ffn)
        fixed = torch.zeros(shape, dtype=torch.float32, device=programs.device)
        for layer, row in zip(weights.layers, fixed, strict=True):
            expander.bind_row(layer.key, layer.ln2[1], row).run()
        return cls(
            *(weights, rooms, products, states, program, expander, stages, processors),
            *(beside, fixed),
        )

    def bind(
        self,
        name: str,
        grid: int | tuple[int, int],
        block: int,
        *arguments: Argument,
        shared: int = 0,
        dependent: bool = True,
    ) -> LaunchLike:
        """Return a kernel on the tokens that are at hand."""
        return self.program.kernel(name).bind(
            grid, block, (self.rooms.place, *arguments), shared_bytes=shared, dependent=dependent
        )

    @property
    def row_threads(self) -> int:
        """Threads to a row of D numbers, eight each."""
        return -(-self.rooms.sizes.width // (_EIGHT * 32)) * 32

    def norm_out(self, room: Room, first: int, out: Tensor) -> LaunchLike:
        """Return the last norm of n rows from `first` on into out [2 n, D] fp16: see prefill.cu."""
        return self.bind(
            *("read_norm_out", len(out) // 2, self.row_threads, first),
            *(*self._last_residual(room), out),
        )

    def norm_last(self, room: Room, out: Tensor) -> LaunchLike:
        """Return the last norm of the last token into out [D] fp32."""
        return self.bind("read_norm_last", 1, self.row_threads, *self._last_residual(room), out)

    def _last_residual(self, room: Room) -> tuple[Argument, ...]:
        weight, bias = self.weights.ln_out
        return room.x, room.delta, 1 / RELU2_SCALE, weight, bias


class LayerWork:
    """All layers' launches for one bucket, prepared once."""

    def __init__(self, tools: Tools, room: Room, bucket: int) -> None:
        self._tools, self._room, self._bucket = tools, room, bucket
        self._rows = max(1, min(8, bucket // 256))
        self._blocks = -(-bucket // self._rows)
        exact = tools.rooms.sums == torch.float32
        self._early = (room.early_mixed, room.early) if exact else (None, None)
        self._early_rows = room.early.shape[1] // 2
        self._works = list(self._all())

    def run(self) -> None:
        """Launch everything."""
        for work in self._works:
            work()

    def _all(self) -> Iterator[Work]:
        tools, room = self._tools, self._room
        weights = tools.weights
        yield self._launch(
            *("read_embed", self._bucket, tools.row_threads),
            *(room.tokens, weights.table, weights.table_norms, weights.ln0, room.x),
        )
        for i, layer in enumerate(tools.weights.layers):
            yield from self._time_mix(i, layer)
            yield from self._channel_mix(i, layer)
        shifts, step = tools.rooms.shifts, tools.states.att_shift.stride(0)
        yield self._launch(
            *("read_keep_shifts", len(tools.weights.layers), tools.row_threads),
            *(shifts[0], shifts[1], tools.states.att_shift, tools.states.ffn_shift, step),
        )

    def _time_mix(self, i: int, p: "LayerWeights") -> Iterator[Work]:
        tools, room, bucket = self._tools, self._room, self._bucket
        state, width = tools.states, tools.rooms.sizes.width
        ranks, vectors = tools.rooms.sizes.held_ranks, p.vectors
        w2, a2, v2, g2 = p.lora_out
        yield self._launch(
            *("read_time_mix", self._blocks + sum(ranks), tools.row_threads),
            *(self._rows, self._blocks, room.x, room.delta if i else None, 1 / RELU2_SCALE),
            *(room.moved, p.ln1[0], p.ln1[1], p.mixes),
            *(state.att_shift[:, i], state.att_shift.stride(0), tools.rooms.shifts[0, i]),
            *(room.pair, room.mixed, bucket * width, self._early[0], self._early_rows),
            *(p.lora_in.data, tools.rooms.folded),
        )
        own = list(self._projected(p.projections))
        lora = self._sum(room.hid, room.pair, tools.rooms.folded.T)
        activate = self._per_piece("read_activate", bucket * (ranks[0] + ranks[3]), room.hid)
        # The loras' product alone leaves most of a card idle.
        yield lambda: tools.beside.both(own, (lora, activate))
        heads = (-(-bucket // (CHUNK * _CHUNKS_OF_BLOCK)), tools.rooms.sizes.heads)
        block = 32 * _CHUNKS_OF_BLOCK
        yield self._launch(
            *("read_chunks", heads, block, i, room.rkv, bucket * width, room.hid),
            *(w2, a2, v2, *vectors[:6], self._early[1], self._early_rows),
            *(room.v_first, room.records),
            dependent=False,  # on two streams
        )
        yield self._scan(state.wkv[:, i], state.wkv.stride(0))
        yield from self._gate(g2)
        yield self._launch(
            *("read_heads", heads, block, room.y, room.records, room.gate),
            *(vectors[6], vectors[7], room.gated),
        )
        yield from self._product(room.delta, room.gated, p.output, lambda x: x.T)

    def _gate(self, second: Tensor) -> Iterator[Work]:
        """Yield what makes the gate of the hidden ranks that are its."""
        hid, weights = self._room.hid[:, -second.shape[1] :], second
        if second.dtype != hid.dtype:
            weights = self._room.gate_out
            yield _copied(weights, second)
        yield self._sum(self._room.gate, hid, weights.T)

    def _projected(self, matrix: Matrix) -> Iterator[Work]:
        """Yield what makes r, k and v of their mixes, and the first tokens' r and k once more."""
        room, width = self._room, matrix.k
        yield from self._product(
            room.rkv, room.mixed, matrix, lambda x: x.view(3, width, width).transpose(1, 2)
        )
        mixed, early = self._early
        if mixed is not None and early is not None:
            values = self._values(matrix).view(3, width, width).transpose(1, 2)
            yield self._sum(early, mixed, values[:2])

    def _scan(self, wkv: Tensor, slot_step: int) -> Work:
        tools, heads = self._tools, self._tools.rooms.sizes.heads
        warps = next((n for n in (1, 2) if heads * 4 // n <= tools.processors), 4)
        return self._launch(
            *(f"read_scan_{warps}", (heads, 4 // warps), 32 * warps + _SCAN_LOADERS),
            *(self._room.records, wkv, slot_step, self._room.y),
            shared=tools.stages * (_RECORD_SHARED + _RECORD_ROWS * warps),
        )

    def _channel_mix(self, i: int, p: "LayerWeights") -> Iterator[Work]:
        tools, room = self._tools, self._room
        state = tools.states
        yield self._launch(
            *("read_channel_mix", self._blocks, tools.row_threads, self._rows),
            *(room.moved, room.delta, 1.0, room.x, p.ln2[0], p.ln2[1], p.x_k),
            *(state.ffn_shift[:, i], state.ffn_shift.stride(0), tools.rooms.shifts[1, i]),
            *(room.ffn_in, _lost(room.ffn_in)),
        )
        yield from self._exact_product(room.sums, room.ffn_in, p.key, lambda x: x.T)
        ffn, numbers = tools.rooms.sizes.ffn, room.sums.numel()
        kind = "fp32" if room.sums.dtype == torch.float32 else "fp16"
        yield self._launch(
            *(f"read_relu2_{kind}", -(-numbers // (_EIGHT * _THREADS * _RELU2_EACH)), _THREADS),
            *(room.sums, tools.fixed[i], room.hidden, ffn, RELU2_SCALE, _RELU2_EACH),
            _lost(room.hidden),
        )
        turn = (lambda x: x) if p.value.by_input else (lambda x: x.T)
        yield from self._exact_product(room.delta, room.hidden, p.value, turn)

    def _exact_product(
        self, out: Tensor, x: Tensor, matrix: Matrix, turn: Callable[[Tensor], Tensor]
    ) -> Iterator[Work]:
        """As ``_product`` of x[0] and, where there is an x[1], of what x[0] lost by rounding."""
        yield from self._product(out, x[0], matrix, turn)
        products, values = self._tools.products, turn(self._values(matrix))
        for lost in x[1:]:
            yield partial(products.add, out, lost, values)

    def _product(
        self, out: Tensor, x: Tensor, matrix: Matrix, turn: Callable[[Tensor], Tensor]
    ) -> Iterator[Work]:
        """out = x times the matrix' values, as `turn` wants them to lie; expanded before."""
        values = self._values(matrix)
        if matrix.kind != "fp16":
            yield self._tools.expander.bind(matrix, values).run
        yield self._sum(out, x, turn(values))

    def _values(self, matrix: Matrix) -> Tensor:
        """Return where the values of a matrix are as fp16, or will be expanded to."""
        if matrix.kind == "fp16":
            return matrix.data
        shape = shape_of(matrix)
        return self._tools.rooms.expanded[: shape[0] * shape[1]].view(shape)

    def _sum(self, out: Tensor, x: Tensor, weights: Tensor) -> Work:
        products = self._tools.products  # not through self: a ring would keep all weights

        def work() -> None:
            products.sums(out, x, weights)

        return work

    def _launch(
        self,
        name: str,
        grid: int | tuple[int, int],
        block: int,
        *arguments: Argument,
        shared: int = 0,
        dependent: bool = True,
    ) -> Work:
        bind = self._tools.bind
        return bind(name, grid, block, *arguments, shared=shared, dependent=dependent).run

    def _per_piece(self, name: str, numbers: int, *arguments: Argument) -> Work:
        return self._launch(name, max(1, -(-numbers // (_EIGHT * _THREADS))), _THREADS, *arguments)


def _copied(to: Tensor, values: Tensor) -> Work:
    def work() -> None:
        to.copy_(values)

    return work


def _lost(x: Tensor) -> int:
    """Return how far behind a number what it lost is kept: see put_exact in prefill.cu."""
    return x.stride(0) if len(x) > 1 else 0


def expanded_elements(weights: "Weights") -> int:
    """Return the elements of the largest matrix of a layer, if any has to be expanded; or 0."""
    matrices = [m for p in weights.layers for m in (p.projections, p.output, p.key, p.value)]
    if all(m.kind == "fp16" for m in (*matrices, weights.head)):
        return 0
    return max(m.rows * m.k for m in matrices)


def _macros(weights: "Weights", rooms: Rooms, stages: int) -> dict[str, int | str | None]:
    ranks = zip("WAVG", weights.sizes.held_ranks, strict=True)
    return {
        "D": weights.sizes.width,
        **{f"R{letter}": rank for letter, rank in ranks},
        "STAGES": stages,
        "LORA": "bf16" if weights.lora_kind == "bf16" else "half",
        "DELTA": "float" if rooms.sums == torch.float32 else "half",
    }


def _card_of(device: torch.device) -> tuple[int, int]:
    """Return (bytes of shared memory that a block can have, processors)."""
    if device.type != "cuda":
        return 0, 1
    card = torch.cuda.get_device_properties(device)
    old = (card.major, card.minor) < (8, 0)
    return (0 if old else _MUCH_SHARED), card.multi_processor_count
