"""One token of one chat through the kernels of decode.cu: five to seven launches a layer.

Knows weights, buffers and launches; knows no file, no graph and no sampler. The launches go to
torch's current stream, so a caller can capture them in a CUDA graph.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kernels.cuda.ahead import Ahead
from kernels.cuda.matrices import GROUP, KIND_NUMBERS, Kind, Matrix
from kernels.cuda.program import LaunchLike, ProgramLike, Programs
from kernels.cuda.step_cut import Cut, default_cut
from kernels.cuda.weights import HEAD_SIZE, LayerWeights, Sizes, Weights

SOURCES = ("gemv.cuh", "decode.cu", "decode_recur.cu")
_SPARSE_SOURCES = (*SOURCES, "value_sparse.cu")
_SPARSE_BYTES_SOURCES = (*SOURCES, "value_bytes.cu")
_EMBED_THREADS = 128
_RECUR_THREADS = 256
_IN_BYTES: tuple[Kind, ...] = ("int8", "q4")  # whose value product is in whole numbers
_ADD_THREADS = 256
_ELEMENTS = {"fp16": 8, "bf16": 8, "int8": 16, "q4": 32}
_SHARES = {"fp16": 1.0, "bf16": 1.0, "int8": 0.52, "q4": 0.27}  # of the bytes of 16-bit weights
_DENSE_BYTES = 40 * 1024  # of shared memory for the inputs of the dense value product


def suits_dense(sizes: Sizes) -> bool:
    """Tell whether value matrices that do not lie by input can be served."""
    return 4 * sizes.ffn <= _DENSE_BYTES


@dataclass(frozen=True, slots=True)
class StepBuffers:
    """What a step reads and writes, at fixed places on the device. State as in engine.state.

    token: int32 [1]. att_shift, ffn_shift: fp32 [L, D]. wkv: fp32 [L, H, 64, 64].
    logits: fp32 [V].
    """

    token: Tensor
    att_shift: Tensor
    wkv: Tensor
    ffn_shift: Tensor
    logits: Tensor

    @classmethod
    def zeros(cls, sizes: Sizes, device: torch.device) -> "StepBuffers":
        """Return buffers of a chat that has read nothing."""
        layers, width, heads = sizes.layers, sizes.width, sizes.heads

        def fp32(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=torch.float32, device=device)

        return cls(
            torch.zeros(1, dtype=torch.int32, device=device),
            fp32(layers, width),
            fp32(layers, heads, HEAD_SIZE, HEAD_SIZE),
            fp32(layers, width),
            fp32(sizes.vocab),
        )


class _Scratch:
    """Between the kernels of a step. fp32, but `hidden`: two of 16 bits.

    residuals: the sparse value product leaves sums, value_parts [parts, D], which the norm after it
    adds to one of these; they take turns, since all of its blocks read what one of them writes.
    """

    def __init__(self, sizes: Sizes, parts: int, device: torch.device) -> None:
        def fp32(count: int) -> Tensor:
            return torch.zeros(count, dtype=torch.float32, device=device)

        width = sizes.width
        self.residual, self.normed, self.v_first = (fp32(width) for _ in range(3))
        self.read = fp32(3 * width)
        self.inputs = fp32(7 * width)  # of products, as they want them
        self.rkv = fp32(3 * width)
        self.residuals = [self.residual, fp32(width if parts else 0)]
        ranks = sum(sizes.held_ranks)
        self.hidden = torch.zeros(2, ranks, dtype=torch.int16, device=device)
        self.activation = fp32(sizes.ffn)
        self.value_parts = fp32(parts * width)


class Step:
    """The launches of one token, bound once; `run` issues them all.

    The first does not depend on what the stream did before, so that a state may be put into the
    buffers right before; all others do.
    """

    def __init__(
        self,
        weights: Weights,
        programs: Programs,
        buffers: StepBuffers,
        cut: Cut | None = None,
        *,
        after: StepBuffers | None = None,
        processors: int | None = None,
        skip: bool = True,
    ) -> None:
        """after: into which of its arrays the advanced state is written; None: over the one before.
        processors: SMs of the card, asked for if None. skip: zeros are left out where they can be.
        Raises CudaProblem when the kernels cannot be compiled.
        """
        self._weights = weights
        self._buffers = buffers
        self._after = after or buffers
        self._sparse = weights.layers[0].value.by_input
        self.cut = cut or default_cut(weights.sizes, weights.kind)
        if self._sparse:
            self.cut = replace(self.cut, apart=True)
        self._slots = self.cut.blocks * (processors or _processors(programs.device))
        self._skip = int(skip)
        self._parts = -(-weights.sizes.ffn // (GROUP * self.cut.groups)) if self._sparse else 0
        self._scratch = _Scratch(weights.sizes, self._parts, programs.device)
        self._program: ProgramLike = programs(sources_of(weights), macros_of(weights, self.cut))
        self._ahead = Ahead(self._order())
        self._names: list[str] = []
        self._launches = [self._embed()]
        for i, layer in enumerate(weights.layers):
            self._launches += [
                *self._norm_in(layer, i),
                self._mix_in(layer, i),
                self._recur(layer, i),
                self._output(layer, i),
                *self._norm_key(layer, i),
                self._key(layer, i),
                self._value(layer, i),
            ]
        if weights.has_head:
            self._launches += [*self._norm_head(), self._head()]
        elif self._sparse:
            self._launches.append(self._add_value())

    def run(self) -> None:
        """Read the token in the buffers: advance the state and write the logits."""
        for launch in self._launches:
            launch.run()

    @property
    def residual(self) -> Tensor:
        """What the last layer left, fp32 [D]: for the layers that follow elsewhere."""
        return self._residual(len(self._weights.layers) - 1)

    @property
    def v_first(self) -> Tensor:
        """Layer 0's values, fp32 [D]."""
        return self._scratch.v_first

    @property
    def launches(self) -> list[tuple[str, LaunchLike]]:
        """What `run` launches, in order, by the kernels' names."""
        return list(zip(self._names, self._launches, strict=True))

    def _bind(
        self,
        name: str,
        blocks: int | tuple[int, int],
        threads: int,
        arguments: list[object],
        shared_bytes: int = 0,
    ) -> LaunchLike:
        self._names.append(name)
        kernel = self._program.kernel(name)
        return kernel.bind(
            blocks,
            threads,
            arguments,  # pyright: ignore[reportArgumentType]
            shared_bytes=shared_bytes,
            dependent=name != "embed",
        )

    def _product(self, name: str, blocks: int, arguments: list[object]) -> LaunchLike:
        return self._bind(name, blocks, 32 * self.cut.warps, arguments)

    def _residual(self, layer: int) -> Tensor:
        """Return that of a layer's kernels after its first norm."""
        return self._scratch.residuals[layer % 2 if self._sparse else 0]

    def _parts_before(self, layer: int) -> Tensor | None:
        return self._scratch.value_parts if self._sparse and layer else None

    def _order(self) -> list[Matrix]:
        """Return what is surely read, in order: `_each` matrices a layer, then the head."""
        self._each = 4 if self._sparse else 5
        order: list[Matrix] = []
        for layer in self._weights.layers:
            order += [layer.lora_in, layer.projections, layer.output, layer.key]
            order += [] if self._sparse else [layer.value]
        return [*order, *([self._weights.head] if self._weights.has_head else [])]

    def _embed(self) -> LaunchLike:
        weights = self._weights
        blocks = -(-weights.sizes.width // (8 * _EMBED_THREADS))
        # Pinned host memory has the same address on the card.
        table = (weights.table, weights.table_norms, weights.ln0)
        arguments: list[object] = [self._buffers.token, *table, self._scratch.residual]
        return self._bind("embed", blocks, _EMBED_THREADS, arguments)

    def _norm(self, name: str, arguments: list[object]) -> list[LaunchLike]:
        if not self.cut.apart:
            return []
        blocks = -(-self._weights.sizes.width // self.cut.norm_channels)
        return [self._bind(name, blocks, self.cut.norm_threads, [*arguments, self._scratch.inputs])]

    def _norm_in(self, layer: LayerWeights, i: int) -> list[LaunchLike]:
        shift = self._buffers.att_shift[i]
        parts = self._parts_before(i)
        whole = self._residual(i) if parts is not None else None
        before = [self._residual(max(i - 1, 0)), parts, whole]
        arguments = [*before, *layer.ln1, layer.mixes, shift, self._scratch.normed]
        return self._norm("norm_in", arguments)

    def _norm_key(self, layer: LayerWeights, i: int) -> list[LaunchLike]:
        shift = self._buffers.ffn_shift[i]
        residual, normed = self._residual(i), self._scratch.normed
        arguments: list[object] = [residual, *layer.ln2, layer.x_k, shift, normed]
        return self._norm("norm_key", arguments)

    def _norm_head(self) -> list[LaunchLike]:
        layers = len(self._weights.layers)
        before = [self._residual(layers - 1), self._parts_before(layers)]
        arguments = [*before, *self._weights.ln_out]
        return self._norm("norm_head", arguments)

    def _add_value(self) -> LaunchLike:
        blocks = -(-self._weights.sizes.width // (4 * _ADD_THREADS))
        return self._bind(
            "add_value", blocks, _ADD_THREADS, [self._scratch.value_parts, self.residual]
        )

    def _mix_in(self, layer: LayerWeights, i: int) -> LaunchLike:
        scratch, matrix = self._scratch, layer.projections
        rows, lora_rows, blocks = self._mix_in_cut()
        return self._product(
            "mix_in",
            blocks,
            [
                *(matrix.data, matrix.scales, layer.lora_in.data, self._residual(i)),
                *(layer.ln1[0], layer.ln1[1], layer.mixes, self._buffers.att_shift[i]),
                *(scratch.inputs, scratch.normed, scratch.rkv, scratch.hidden, rows, lora_rows),
            ],
        )

    def _mix_in_cut(self) -> tuple[int, int, int]:
        """Return rows of a block, those of a block of loras (about as many bytes), and the blocks:
        few enough to be there at once.
        """
        weights = self._weights
        width, ranks = weights.sizes.width, weights.sizes.held_ranks
        step = rows_at_once(weights.kind, width, self.cut.ahead)
        lora_step = rows_at_once(weights.lora_kind, width, self.cut.ahead)
        rows = step
        while True:
            lora_rows = _rounded(max(1, int(rows * _SHARES[weights.kind])), lora_step)
            blocks = 3 * -(-width // rows) + sum(-(-rank // lora_rows) for rank in ranks)
            if blocks <= self._slots or rows >= width:
                return rows, lora_rows, blocks
            rows += step

    def _recur(self, layer: LayerWeights, i: int) -> LaunchLike:
        scratch, after = self._scratch, self._after
        return self._bind(
            "recur",
            self._weights.sizes.heads * self.cut.recur_split,
            _RECUR_THREADS,
            [
                *(i, scratch.rkv, scratch.hidden, *layer.lora_out, layer.vectors, scratch.normed),
                *(after.att_shift[i], self._buffers.wkv[i], after.wkv[i]),
                *(scratch.v_first, scratch.read),
            ],
        )

    def _output(self, layer: LayerWeights, i: int) -> LaunchLike:
        width = self._weights.sizes.width
        rows = self.cut.output_warps * self._added_rows(width)
        scratch, matrix = self._scratch, layer.output
        ahead = self._ahead.window(i * self._each + 3, self.cut.in_output << 10)
        arguments = [matrix.data, matrix.scales, scratch.read, self._residual(i), *ahead]
        threads = 32 * self.cut.output_warps
        return self._bind("output", -(-width // rows), threads, arguments)

    def _key(self, layer: LayerWeights, i: int) -> LaunchLike:
        sizes, scratch, matrix = self._weights.sizes, self._scratch, layer.key
        step = rows_at_once(self._weights.kind, sizes.width, self.cut.ahead)
        rows = _rounded(-(-sizes.ffn // self._slots), step)
        return self._product(
            "key",
            -(-sizes.ffn // rows),
            [
                *(matrix.data, matrix.scales, self._residual(i), layer.ln2[0], layer.ln2[1]),
                *(layer.x_k, self._buffers.ffn_shift[i], scratch.inputs),
                *(scratch.normed, scratch.activation, rows),
            ],
        )

    def _value(self, layer: LayerWeights, i: int) -> LaunchLike:
        sizes, scratch, matrix = self._weights.sizes, self._scratch, layer.value
        shift = [scratch.normed, layer.ln2[0], layer.ln2[1], self._after.ffn_shift[i]]
        arguments: list[object] = [matrix.data, matrix.scales, scratch.activation]
        ahead = self._ahead.window((i + 1) * self._each, self.cut.in_value << 10)
        if self._sparse:
            arguments += [*shift, self._skip, scratch.value_parts, *ahead]
            blocks = (_tiles(sizes, self.cut.tile), self._parts)
            threads, listed = 32 * self.cut.value_warps, listed_bytes(matrix.kind, self.cut)
            return self._bind("value_sparse", blocks, threads, arguments, listed)
        arguments += [self._residual(i), *shift]
        rows = self.cut.warps // self.cut.split * self._added_rows(sizes.ffn // self.cut.split)
        return self._product("value", -(-sizes.width // rows), [*arguments, *ahead])

    def _added_rows(self, k: int) -> int:
        """Return the rows at a time of the products that end in the residual, as in decode.cu."""
        most = 2 if self._weights.sizes.width >= 4096 else 1
        return min(most, rows_at_once(self._weights.kind, k, self.cut.ahead))

    def _head(self) -> LaunchLike:
        weights = self._weights
        head, width = weights.head, weights.sizes.width
        step = rows_at_once(head.kind, width, self.cut.ahead)
        rows = _rounded(-(-head.rows // (self._slots * self.cut.head_turns)), step)
        return self._product(
            "head",
            -(-head.rows // rows),
            [
                *(head.data, head.scales, self._residual(weights.sizes.layers - 1)),
                *(weights.ln_out[0], weights.ln_out[1], self._scratch.inputs),
                *(self._buffers.logits, rows),
            ],
        )


def macros_of(weights: Weights, cut: Cut) -> dict[str, int | str | None]:
    """Return what decode.cu is compiled with."""
    sizes = weights.sizes
    w, a, v, g = sizes.held_ranks
    value: Matrix = weights.layers[0].value
    return {
        **{"WIDTH": sizes.width, "FFN": sizes.ffn, "VOCAB": sizes.vocab},
        **{"RANK_W": w, "RANK_A": a, "RANK_V": v, "RANK_G": g},
        "KIND": KIND_NUMBERS[weights.kind],
        "LORA": KIND_NUMBERS[weights.lora_kind],
        "HEAD_KIND": KIND_NUMBERS[weights.head.kind],
        "BLOCK_WARPS": cut.warps,
        "AHEAD": cut.ahead,
        "RESIDENT_WARPS": cut.resident,
        "NORM_APART": int(cut.apart),
        "VALUE_GROUPS": cut.groups,
        "VALUE_TILE": cut.tile,
        "VALUE_WARPS": cut.value_warps,
        "OUTPUT_WARPS": cut.output_warps,
        "VALUE_PARTS": -(-sizes.ffn // (GROUP * cut.groups)) if value.by_input else 0,
        "RECUR_SPLIT": cut.recur_split,
        "NORM_THREADS": cut.norm_threads,
        "NORM_CHANNELS": cut.norm_channels,
        "VALUE_DEEP": cut.deep if value.kind in _IN_BYTES else 2 * cut.deep,
        "VALUE_SPLIT": 0 if value.by_input else cut.split,
    }


def sources_of(weights: Weights) -> tuple[str, ...]:
    """Return what is compiled for a step with these weights."""
    value = weights.layers[0].value
    if not value.by_input:
        return SOURCES
    return _SPARSE_BYTES_SOURCES if value.kind in _IN_BYTES else _SPARSE_SOURCES


def listed_bytes(kind: Kind, cut: Cut) -> int:
    """Return the dynamic shared memory of value_sparse: its lists, in value_sparse.cu."""
    return 0 if kind in _IN_BYTES else 8 * GROUP * cut.groups


def rows_at_once(kind: Kind, k: int, ahead: int) -> int:
    """Return Rows::R of gemv.cuh for rows (or parts of rows) of k weights."""
    loads = -(-(k // _ELEMENTS[kind]) // 32)
    each = -(-loads // -(-loads // ahead))
    return 4 if 4 * each <= ahead else 2 if 2 * each <= ahead else 1


def _tiles(sizes: Sizes, tile: int) -> int:
    return -(-sizes.width // tile)


def _rounded(count: int, step: int) -> int:
    return -(-count // step) * step


def _processors(device: torch.device) -> int:
    if device.type != "cuda":
        return 4
    return torch.cuda.get_device_properties(device).multi_processor_count
