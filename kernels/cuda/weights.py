"""All weights of an RWKV-7 on a card, built from a checkpoint's tensors handed in one by one.

Knows BlinkDL's names and the layouts that the kernels read; knows no file and no backend.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from kernels.cuda.matrices import GROUP, Kind, Matrix
from kernels.cuda.quantize import Quantizer

WeightType = Literal["fp16", "bf16", "int8", "q4"]

HEAD_SIZE = 64
RANK_STEP = 8
"""Ranks of loras are filled up with zeros to a multiple of it."""

VECTORS = ("w0", "a0", "v0", "k_k", "k_a", "r_k", "ln_x.weight", "ln_x.bias")
"""Rows of ``LayerWeights.vectors``; ln1's weight and bias follow."""

_MIXES = ("x_r", "x_w", "x_k", "x_v", "x_a", "x_g")
_TABLE_CHUNK = 4096  # rows of the embedding table that are laid at a time
_TOP_BIT = 15  # a row's largest number is under 2^15 in fp16
_NORM_EPS = 1e-5


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a model's kernels are compiled for. ranks: of w, a, v, g, as in the file."""

    layers: int
    width: int
    ffn: int
    vocab: int
    ranks: tuple[int, int, int, int]

    @property
    def heads(self) -> int:
        """Heads of 64 channels."""
        return self.width // HEAD_SIZE

    @property
    def held_ranks(self) -> tuple[int, int, int, int]:
        """Ranks as they are held."""
        w, a, v, g = (-(-rank // RANK_STEP) * RANK_STEP for rank in self.ranks)
        return w, a, v, g


def serves(sizes: Sizes) -> bool:
    """Tell whether the kernels can run such a model: else torch does."""
    fits = sizes.width % GROUP == 0 and GROUP <= sizes.width <= 4096
    held = sum(sizes.held_ranks)
    return fits and sizes.ffn % GROUP == 0 and sizes.ffn <= 1 << 15 and 0 < held <= 2048


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One layer. D width, F ffn, R the sum of the held ranks; vectors are fp32.

    ln1, ln2: [2, D], weight and bias. mixes: [6, D] in the order r, w, k, v, a, g.
    projections: [3 D, D]: receptance, key, value. lora_in: [R, D]: w1, a1, v1, g1, transposed.
    lora_out: w2, a2, v2, g2, transposed, each [D, rank]. vectors: [10, D], see VECTORS.
    x_k: [D]. value: [D, F], by input where zeros are to be skipped.
    """

    ln1: Tensor
    mixes: Tensor
    projections: Matrix
    lora_in: Matrix
    lora_out: tuple[Tensor, Tensor, Tensor, Tensor]
    vectors: Tensor
    output: Matrix
    ln2: Tensor
    x_k: Tensor
    key: Matrix
    value: Matrix

    @property
    def nbytes(self) -> int:
        """Bytes on the card."""
        matrices = (self.projections, self.lora_in, self.output, self.key, self.value)
        vectors = (self.ln1, self.mixes, *self.lora_out, self.vectors, self.ln2, self.x_k)
        return sum(part.nbytes for part in (*matrices, *vectors))


@dataclass(frozen=True, slots=True)
class Weights:
    """A whole model, or its first layers without the head (of 0 rows then).

    kind: of the layers' matrices. lora_kind: of the loras, fp16 or bf16. table: [V, D] fp16, the
    embedding's rows times a power of two each, so that none of their bits is lost; in pinned host
    memory, or on the device. A row x of norm n is (x n[0] + n[1]) ln0[0] + ln0[1] when normed:
    table_norms [V, 2], ln0 [2, D]. ln_out: [2, D]. These are fp32.
    """

    sizes: Sizes
    kind: Kind
    lora_kind: Kind
    table: Tensor
    table_norms: Tensor
    ln0: Tensor
    layers: tuple[LayerWeights, ...]
    ln_out: Tensor
    head: Matrix

    @property
    def has_head(self) -> bool:
        """Whether logits are made here."""
        return self.head.rows > 0

    @property
    def nbytes(self) -> int:
        """Bytes on the card (the table counts where it is there)."""
        there = sum(layer.nbytes for layer in self.layers) + self.head.nbytes
        there += sum(x.nbytes for x in (self.ln_out, self.ln0, self.table_norms))
        return there + (self.table.nbytes if self.table.device == self.ln_out.device else 0)


@dataclass(slots=True)
class WeightsBuilder:
    """Takes the tensors of a checkpoint in any order.

    sparse: values are laid by input, so that rows which meet zeros can be left out. pinned: the
    table is in pinned host memory, and is the only thing that is. headless: without the head and
    the norm before it.
    """

    sizes: Sizes
    weight_type: WeightType
    quantizer: Quantizer
    device: torch.device
    sparse: bool = True
    pinned: bool = True
    head_kind: Kind | None = None
    headless: bool = False
    _weights: Weights = field(init=False)
    _missing: set[str] = field(init=False)
    _rows: dict[str, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        kind: Kind = self.weight_type
        lora_kind: Kind = "bf16" if kind == "bf16" else "fp16"
        head_kind: Kind = self.head_kind or ("int8" if kind in ("int8", "q4") else kind)
        sizes = self.sizes
        layers = tuple(self._empty_layer(kind, lora_kind) for _ in range(sizes.layers))
        head_rows = 0 if self.headless else sizes.vocab
        head = Matrix.empty(head_kind, head_rows, sizes.width, self.device)
        where = torch.device("cpu") if self.pinned else self.device
        table = torch.empty(
            sizes.vocab, sizes.width, dtype=torch.float16, device=where, pin_memory=self.pinned
        )
        norms = self._zeros(sizes.vocab, 2)
        ln0, ln_out = self._zeros(2, sizes.width), self._zeros(2, sizes.width)
        self._weights = Weights(sizes, kind, lora_kind, table, norms, ln0, layers, ln_out, head)
        self._missing = set(_names(sizes))
        if self.headless:
            self._missing -= {"head.weight", "ln_out.weight", "ln_out.bias"}

    def take(self, name: str, values: Tensor, first: int = 0) -> None:
        """Take a tensor, or rows first .. first + n of a matrix (piece after piece, in order).

        values: fp32, fp16 or bf16 on any device; copied. Large matrices by input take rows by
        multiples of 64. A name that no layer has (layer 0's v0, v1 and v2 too) raises KeyError.
        """
        if name not in self._missing and not _is_unused(name):
            raise KeyError(name)
        values = values.to(self.device, non_blocking=False)
        done = first + (values.shape[0] if values.dim() else 1)
        if self._place(name, values, first) and done < self._rows_of(name):
            return
        self._missing.discard(name)

    def finish(self) -> Weights:
        """Return the model; ValueError if something is missing."""
        if self._missing:
            raise ValueError(f"missing: {', '.join(sorted(self._missing)[:3])}")
        return self._weights

    def _place(self, name: str, values: Tensor, first: int) -> bool:
        """Put values where they belong; tell whether they may be a piece."""
        matrix, row = self._matrix_of(name)
        if matrix is not None:
            self.quantizer.put(matrix, values.reshape(-1, matrix.k), row + first)
        elif name == "emb.weight":
            self._put_table(values, first)
        else:
            self._put_small(name, values)
            return False
        return True

    def _rows_of(self, name: str) -> int:
        sizes = self.sizes
        if name in ("emb.weight", "head.weight"):
            return sizes.vocab
        return sizes.ffn if name.endswith("ffn.key.weight") else sizes.width

    def _matrix_of(self, name: str) -> tuple[Matrix | None, int]:
        """Return the matrix that a tensor is part of, and its first row there."""
        if name == "head.weight":
            return self._weights.head, 0
        layer, part = self._layer_of(name)
        if layer is None:
            return None, 0
        width = self.sizes.width
        places: dict[str, tuple[Matrix, int]] = {
            "att.receptance.weight": (layer.projections, 0),
            "att.key.weight": (layer.projections, width),
            "att.value.weight": (layer.projections, 2 * width),
            "att.output.weight": (layer.output, 0),
            "ffn.key.weight": (layer.key, 0),
            "ffn.value.weight": (layer.value, 0),
        }
        return places.get(part, (None, 0))

    def _layer_of(self, name: str) -> tuple[LayerWeights | None, str]:
        if not name.startswith("blocks."):
            return None, name
        _, number, part = name.split(".", 2)
        return self._weights.layers[int(number)], part

    def _put_table(self, values: Tensor, first: int) -> None:
        table, norms = self._weights.table, self._weights.table_norms
        for start in range(0, values.shape[0], _TABLE_CHUNK):
            rows = values[start : start + _TABLE_CHUNK].float()
            variance, mean = torch.var_mean(rows, -1, correction=0)
            by = torch.rsqrt(variance + _NORM_EPS)
            up = _TOP_BIT - torch.frexp(rows.abs().amax(-1)).exponent
            place = slice(first + start, first + start + rows.shape[0])
            table[place].copy_(torch.ldexp(rows, up[:, None]))
            norms[place, 0].copy_(torch.ldexp(by, -up))
            norms[place, 1].copy_(-mean * by)

    def _put_small(self, name: str, values: Tensor) -> None:
        layer, part = self._layer_of(name)
        if layer is None:
            self._weights.ln_out[_norm_row(part)].copy_(values.reshape(-1))
        elif part.startswith("ln0."):
            self._weights.ln0[_norm_row(part)].copy_(values.reshape(-1))
        elif part in ("ln1.weight", "ln1.bias"):
            row = _norm_row(part)
            layer.ln1[row].copy_(values.reshape(-1))
            layer.vectors[len(VECTORS) + row].copy_(values.reshape(-1))
        elif part in ("ln2.weight", "ln2.bias"):
            layer.ln2[_norm_row(part)].copy_(values.reshape(-1))
        elif part == "ffn.x_k":
            layer.x_k.copy_(values.reshape(-1))
        else:
            self._put_time_mix(layer, part.removeprefix("att."), values)

    def _put_time_mix(self, layer: LayerWeights, part: str, values: Tensor) -> None:
        if part in _MIXES:
            layer.mixes[_MIXES.index(part)].copy_(values.reshape(-1))
        elif part in VECTORS:
            layer.vectors[VECTORS.index(part)].copy_(values.reshape(-1))
        else:
            letter, half = "wavg".index(part[0]), part[1]
            held = self.sizes.held_ranks
            if half == "1":
                values = values.reshape(self.sizes.width, -1)
                begin = sum(held[:letter])
                layer.lora_in.data[begin : begin + values.shape[1]].copy_(values.T)
            else:
                values = values.reshape(-1, self.sizes.width)
                layer.lora_out[letter][:, : values.shape[0]].copy_(values.T)

    def _zeros(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.zeros(*shape, dtype=dtype, device=self.device)

    def _empty_layer(self, kind: Kind, lora_kind: Kind) -> LayerWeights:
        width, ffn, held = self.sizes.width, self.sizes.ffn, self.sizes.held_ranks

        def matrix(rows: int, k: int, *, by_input: bool = False) -> Matrix:
            return Matrix.empty(kind, rows, k, self.device, by_input=by_input)

        lora_in = Matrix.empty(lora_kind, sum(held), width, self.device)
        lora_in.data.zero_()
        w, a, v, g = (self._zeros(width, rank, dtype=lora_in.data.dtype) for rank in held)
        return LayerWeights(
            ln1=self._zeros(2, width),
            mixes=self._zeros(6, width),
            projections=matrix(3 * width, width),
            lora_in=lora_in,
            lora_out=(w, a, v, g),
            vectors=self._zeros(len(VECTORS) + 2, width),
            output=matrix(width, width),
            ln2=self._zeros(2, width),
            x_k=self._zeros(width),
            key=matrix(ffn, width),
            value=matrix(width, ffn, by_input=self.sparse),
        )


def build(
    sizes: Sizes,
    weight_type: WeightType,
    quantizer: Quantizer,
    device: torch.device,
    tensors: dict[str, Tensor],
    *,
    sparse: bool = True,
    pinned: bool = True,
) -> Weights:
    """Build from a whole checkpoint in memory: for tests and benchmarks."""
    builder = WeightsBuilder(sizes, weight_type, quantizer, device, sparse=sparse, pinned=pinned)
    for name in sorted(tensors, key=lambda name: ".ln0." not in name):
        builder.take(name, tensors[name])
    return builder.finish()


def _norm_row(name: str) -> int:
    return 0 if name.endswith("weight") else 1


def _is_unused(name: str) -> bool:
    """Layer 0 blends no values: what it has for that is read by nobody."""
    return name in ("blocks.0.att.v0", "blocks.0.att.v1", "blocks.0.att.v2")


def _names(sizes: Sizes) -> list[str]:
    """Every tensor that a model of this size has to have."""
    names = ["emb.weight", "head.weight", "ln_out.weight", "ln_out.bias"]
    names += ["blocks.0.ln0.weight", "blocks.0.ln0.bias"]
    for i in range(sizes.layers):
        block = f"blocks.{i}."
        names += [f"{block}{norm}.{part}" for norm in ("ln1", "ln2") for part in ("weight", "bias")]
        names += [f"{block}att.{name}" for name in (*_MIXES, *VECTORS)]
        names += [f"{block}att.{letter}{half}" for letter in "wavg" for half in "12"]
        names += [f"{block}att.{n}.weight" for n in ("receptance", "key", "value", "output")]
        names += [f"{block}ffn.{name}" for name in ("x_k", "key.weight", "value.weight")]
    return [name for name in names if not _is_unused(name)]
