"""One token of each of many chats on a card, every weight read once: the host of ``rows.cu``.

A row's logits are those of a single step up to rounding: what enters a product is rounded to fp16
(2^-11) and sums are fp32 in another order; measured at most 1.3e-3 of the logits' standard
deviation from float64. They depend neither on the other rows nor on the row's place.
Knows weights, kernels and where states lie; knows nothing of text, chats or graphs.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from kernels.cuda.matrices import KIND_NUMBERS, Matrix
from kernels.cuda.rows_cut import (
    MOST_DIGITS,
    MOST_PARTS,
    Cut,
    Shape,
    architecture_of,
    cut_of,
    shared_of,
)

if TYPE_CHECKING:
    from kernels.cuda.program import Argument, LaunchLike, Programs
    from kernels.cuda.weights import LayerWeights, Sizes, Weights

SOURCES = ("gemv.cuh", "rows_product.cuh", "rows_by_input.cuh", "rows.cu", "rows_recur.cu")
BUCKETS = (8, 16, 32, 64)
"""Numbers of rows that have kernels of their own; fewer rows leave the rest of a bucket empty."""
MOST_ROWS = BUCKETS[-1]

_EMBED_THREADS = 128
_RECUR_THREADS = 256


class States(Protocol):
    """Where states lie, all fp32: shifts [S, L, D], wkv [S, L, H, 64, 64]; S slots."""

    @property
    def att_shift(self) -> Tensor:
        """What the time mix read last, by slot."""
        ...

    @property
    def wkv(self) -> Tensor:
        """The recurrence's matrices, by slot."""
        ...

    @property
    def ffn_shift(self) -> Tensor:
        """What the channel mix read last, by slot."""
        ...


def bucket_of(rows: int) -> int:
    """Return the bucket that serves so many rows, 1 to MOST_ROWS."""
    return next(bucket for bucket in BUCKETS if bucket >= rows)


class RowBuffers:
    """What a step of many rows works in, for the largest bucket in use; smaller ones share it.

    tokens, slots: int32 [rows], what each row reads and where its state lies (below 0: no such
    row); logits: fp32 [rows, V].
    """

    def __init__(self, weights: "Weights", rows: int, device: torch.device) -> None:
        sizes = weights.sizes
        d = sizes.width

        def zeros(*size: int, dtype: torch.dtype = torch.float16) -> Tensor:
            return torch.zeros(*size, dtype=dtype, device=device)

        self.rows = rows
        self.tokens = zeros(rows, dtype=torch.int32)
        self.slots = torch.full((rows,), -1, dtype=torch.int32, device=device)
        self.logits = zeros(rows, sizes.vocab, dtype=torch.float32)
        self.residual = zeros(rows, d, dtype=torch.float32)
        self.parts = zeros(MOST_PARTS * rows * d, dtype=torch.float32)
        digits = MOST_DIGITS
        self.mixed = zeros(6 * digits * rows * d)
        self.rkv = zeros(rows, 3 * d, dtype=torch.float32)
        self.hidden = zeros(rows, sum(sizes.held_ranks))
        self.v_first = zeros(rows, d, dtype=torch.float32)
        self.gated = zeros(digits * rows, d)
        self.activation = zeros(digits * rows, sizes.ffn)

    @property
    def nbytes(self) -> int:
        """Bytes on the card."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, Tensor))


class RowsStep:
    """The launches of one token for each row of a bucket."""

    def __init__(
        self,
        weights: "Weights",
        programs: "Programs",
        states: States,
        buffers: RowBuffers,
        rows: int,
        cut: Cut | None = None,
    ) -> None:
        """rows: one of BUCKETS, at most the buffers'. Compiles; raises CudaProblem."""
        if rows not in BUCKETS or rows > buffers.rows:
            raise ValueError(f"no step of {rows} rows")
        self.rows = rows
        self.logits = buffers.logits[:rows]
        self._weights, self._states, self._buffers = weights, states, buffers
        self._sizes = weights.sizes
        self.cut = cut or cut_of(
            *(weights.sizes, rows),
            scaled=weights.kind in ("int8", "q4"),
            by_input=weights.layers[0].value.by_input,
            shared=shared_of(architecture_of(programs.device)),
        )
        self._program = programs(SOURCES, macros_of(weights, rows, self.cut))
        self._names: list[str] = []
        self._launches = list(self._bound())

    def run(self) -> None:
        """Launch all kernels on torch's current stream: tokens, slots and states to logits."""
        for launch in self._launches:
            launch.run()

    @property
    def launches(self) -> "list[tuple[str, LaunchLike]]":
        """What `run` launches, in order, by the kernels' names."""
        return list(zip(self._names, self._launches, strict=True))

    def __len__(self) -> int:
        return len(self._launches)

    def _bind(
        self,
        name: str,
        grid: int | tuple[int, int],
        block: int,
        arguments: "Sequence[Argument]",
        *,
        shared: int = 0,
    ) -> "LaunchLike":
        self._names.append(name)
        kernel = self._program.kernel(f"rows_{name}")
        # The first one waits for all before: the states that the others read early are there then.
        return kernel.bind(grid, block, arguments, shared_bytes=shared, dependent=name != "embed")

    def _bound(self) -> "Iterator[LaunchLike]":
        weights, at = self._weights, self._buffers
        table = (weights.table, weights.table_norms, weights.ln0)
        yield self._bind(
            *("embed", self.rows, _EMBED_THREADS),
            (at.tokens, at.slots, *table, at.residual),
        )
        for i, layer in enumerate(weights.layers):
            yield from self._layer(i, layer)
        yield self._mix("mix_head", self.cut.value_split, weights.ln_out, at.mixed)
        yield self._product("head", weights.head, self.cut.head, at.mixed, at.logits)

    def _layer(self, i: int, layer: "LayerWeights") -> "Iterator[LaunchLike]":
        at, cut, states = self._buffers, self.cut, self._states
        yield self._mix(
            *("mix_in", cut.value_split if i else 0, layer.ln1),
            *(layer.mixes, *_of_layer(states.att_shift, i), at.mixed),
        )
        into, width, ranks = cut.into, self._sizes.width, self._sizes.held_ranks
        lora_rows = into.rows // into.tiles * cut.lora_tiles
        blocks = 3 * _tiles(width, into.rows) + sum(_tiles(rank, lora_rows) for rank in ranks)
        matrix = layer.projections
        yield self._bind(
            *("in", blocks, into.threads),
            (
                *(matrix.data, matrix.scales, layer.lora_in.data, at.mixed, at.rkv, at.hidden),
                *(at.slots, *_of_layer(states.wkv, i)),
            ),
            shared=into.shared,
        )
        yield self._bind(
            *("recur", (self._sizes.width // 64, self.rows // cut.group), _RECUR_THREADS),
            (
                *(i, at.slots, at.rkv, at.hidden, *layer.lora_out, layer.vectors),
                *(*_of_layer(states.wkv, i), at.v_first, at.gated, layer.output.data),
            ),
            shared=_recur_bytes(self._sizes, cut.group),
        )
        yield self._product(
            "output", layer.output, cut.output, at.gated, at.parts, cut.output_split
        )
        yield self._mix(
            *("mix_key", cut.output_split, layer.ln2),
            *(layer.x_k, *_of_layer(states.ffn_shift, i), at.mixed),
        )
        yield self._product("key", layer.key, cut.key, at.mixed, at.activation)
        yield self._value(layer.value)

    def _mix(self, name: str, parts: int, norm: Tensor, *others: "Argument") -> "LaunchLike":
        at = self._buffers
        threads = 512 if self._sizes.width > 1024 else 256
        return self._bind(
            *(name, self.rows, threads),
            (at.slots, at.residual, at.parts, parts, norm[0], norm[1], *others),
        )

    def _product(
        self, name: str, matrix: Matrix, shape: Shape, x: Tensor, out: Tensor, split: int = 1
    ) -> "LaunchLike":
        return self._bind(
            *(name, (_tiles(matrix.rows, shape.rows), split), shape.threads),
            (matrix.data, matrix.scales, x, out),
            shared=shape.shared,
        )

    def _value(self, matrix: Matrix) -> "LaunchLike":
        at, cut = self._buffers, self.cut
        name = "value_by_input" if matrix.by_input else "value"
        return self._product(name, matrix, cut.value, at.activation, at.parts, cut.value_split)


def macros_of(weights: "Weights", rows: int, cut: Cut) -> "dict[str, int | str | None]":
    """Return what the sources are compiled with for a bucket of so many rows."""
    sizes = weights.sizes
    w, a, v, g = sizes.held_ranks
    return {
        **{"ROWS": rows, "WIDTH": sizes.width, "FFN": sizes.ffn, "VOCAB": sizes.vocab},
        **{"RANK_W": w, "RANK_A": a, "RANK_V": v, "RANK_G": g},
        "MATRIX_KIND": KIND_NUMBERS[weights.kind],
        "LORA_KIND": KIND_NUMBERS[weights.lora_kind],
        "HEAD_KIND": KIND_NUMBERS[weights.head.kind],
        **{"IN_SHAPE": cut.into.text, "LORA_TILES": cut.lora_tiles},
        **{"OUTPUT_SHAPE": cut.output.text, "OUTPUT_SPLIT": cut.output_split},
        **{"VALUE_SHAPE": cut.value.text, "VALUE_SPLIT": cut.value_split},
        **{"KEY_SHAPE": cut.key.text, "HEAD_SHAPE": cut.head.text},
        **{"GROUP_ROWS": cut.group, "EARLY_STAGES": cut.early, "AHEAD": 8},
        **{"WEIGHT_LINE": cut.line, "RECUR_AHEAD": cut.recur_ahead},
        "RECUR_CUT": ",".join(map(str, cut.recur)),
        **{"IN_STATES": int(cut.in_states), "RECUR_STATES": int(cut.recur_states)},
        **({"VALUE_BY_INPUT": 1} if weights.layers[0].value.by_input else {}),
    }


def _recur_bytes(sizes: "Sizes", group: int) -> int:
    """Return the size of RecurMemory in rows_recur.cu: loras, heads and hidden values of rows."""
    hidden = -(-2 * sum(sizes.held_ranks) // 128) * 128 + 64
    return group * (4 * 4 * 64 * 4 + 7 * 64 * 4 + hidden) + 8 * 64 * 4


def _tiles(rows: int, of: int) -> int:
    return -(-rows // of)


def _of_layer(pool: Tensor, layer: int) -> tuple[Tensor, int]:
    """Return a layer's part of all slots [S, L, ...], and the numbers from one slot to the next."""
    return pool[:, layer], pool.stride(0)
