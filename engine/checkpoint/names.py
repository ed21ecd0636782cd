"""The tensors of an RWKV-7 model under BlinkDL's names: their shapes, from the sizes and back.

Nothing is taken from a rule that a release may change: sizes come from the tensors themselves.
Knows names and shapes, not files.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from engine.checkpoint.entries import TensorEntry, element_count
from engine.checkpoint.shape import ModelShape, Ranks
from engine.errors import DamagedFile, UnsupportedModel

_BLOCK = re.compile(r"blocks\.(\d{1,6})\.", re.ASCII)
_UNUSED_IN_LAYER_0 = ("v0", "v1", "v2")
_VECTORS = ("x_r", "x_w", "x_k", "x_v", "x_a", "x_g", "w0", "a0", "v0", "k_k", "k_a")
_DAMAGED_HINT = "Download it again, or choose another file of this model."

Shape = tuple[int, ...]


def expected_tensors(shape: ModelShape) -> dict[str, Shape]:
    """Return name -> shape of every tensor that is used; vectors as [D], r_k as [H,N]."""
    width = shape.width
    tensors: dict[str, Shape] = {"emb.weight": (shape.vocab, width)}
    tensors |= norm_tensors("blocks.0.ln0", width)
    layer = dict(_layer_tensors(shape))
    for i in range(shape.layers):
        tensors |= {f"blocks.{i}.{name}": size for name, size in layer.items()}
    for name in _UNUSED_IN_LAYER_0:
        tensors.pop(f"blocks.0.att.{name}", None)
    tensors |= norm_tensors("ln_out", width)
    tensors["head.weight"] = (shape.vocab, width)
    return tensors


def unused_tensors(shape: ModelShape) -> dict[str, Shape]:
    """Return name -> shape of what a file may hold and no formula reads: layer 0's v pair."""
    width, rank = shape.width, shape.ranks.v
    return {
        "blocks.0.att.v0": (width,),
        "blocks.0.att.v1": (width, rank),
        "blocks.0.att.v2": (rank, width),
    }


def norm_tensors(name: str, width: int) -> dict[str, Shape]:
    """Return name -> shape of a norm's weight and bias."""
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _layer_tensors(shape: ModelShape) -> Iterator[tuple[str, Shape]]:
    """Yield the tensors of one layer after the first, without their ``blocks.N.``."""
    width, ranks = shape.width, shape.ranks
    for norm in ("ln1", "ln2", "att.ln_x"):
        yield from norm_tensors(norm, width).items()
    for vector in _VECTORS:
        yield f"att.{vector}", (width,)
    yield "att.r_k", (shape.heads, shape.head_size)
    for letter, rank in (("w", ranks.w), ("a", ranks.a), ("v", ranks.v), ("g", ranks.g)):
        yield f"att.{letter}1", (width, rank)
        yield f"att.{letter}2", (rank, width)
    for matrix in ("receptance", "key", "value", "output"):
        yield f"att.{matrix}.weight", (width, width)
    yield "ffn.x_k", (width,)
    yield "ffn.key.weight", (shape.ffn, width)
    yield "ffn.value.weight", (width, shape.ffn)
    if shape.deep:
        yield from _deep_tensors(shape)


def _deep_tensors(shape: ModelShape) -> Iterator[tuple[str, Shape]]:
    """Yield what DeepEmbed (v7a) adds to a layer's channel mix."""
    side, row = shape.deep, shape.deep**2
    yield "ffn.s_emb.weight", (shape.vocab, row)
    yield "ffn.s_emb_x.weight", (row, shape.width)
    yield "ffn.s0", (shape.ffn,)
    yield "ffn.s1", (shape.width, side)
    yield "ffn.s2", (side, shape.ffn)


def is_table(name: str) -> bool:
    """Tell whether a tensor is looked up row by row, by token, and never multiplied: s_emb."""
    return name.endswith(".ffn.s_emb.weight")


def is_deep(names: Collection[str]) -> bool:
    """Tell whether these are the tensors of a model with DeepEmbed (v7a)."""
    return any(map(is_table, names))


def infer_shape(entries: Mapping[str, TensorEntry], file_name: str) -> ModelShape:
    """Return the model's sizes as its tensors show them.

    Raises DamagedFile when a tensor that shows one is missing or has an impossible shape.
    """
    vocab, width = matrix_size(entries, "emb.weight", file_name)
    layers = count_layers(entries, file_name)
    return ModelShape(
        layers=layers,
        width=width,
        ffn=matrix_size(entries, "blocks.0.ffn.key.weight", file_name)[0],
        vocab=vocab,
        head_size=_head_size(entries, width, file_name),
        ranks=Ranks(
            w=matrix_size(entries, "blocks.0.att.w1", file_name)[1],
            a=matrix_size(entries, "blocks.0.att.a1", file_name)[1],
            v=_v_rank(entries, layers, file_name),
            g=matrix_size(entries, "blocks.0.att.g1", file_name)[1],
        ),
        deep=matrix_size(entries, "blocks.0.ffn.s1", file_name)[1] if is_deep(entries) else 0,
    )


def count_layers(entries: Mapping[str, TensorEntry], file_name: str) -> int:
    """Return L, from the highest block's number. Raises DamagedFile."""
    layers = 1 + max((int(m[1]) for n in entries if (m := _BLOCK.match(n))), default=-1)
    if not 0 < layers <= len(entries):
        raise DamagedFile(
            f"{file_name} is damaged: {len(entries)} tensors cannot make {layers} layers.",
            _DAMAGED_HINT,
        )
    return layers


def _head_size(entries: Mapping[str, TensorEntry], width: int, file_name: str) -> int:
    """Return N from r_k [H,N]; a flat r_k does not show it, and all released models have 64."""
    shape = _squeezed(needed(entries, "blocks.0.att.r_k", file_name).shape)
    size = shape[-1] if len(shape) == 2 else 64
    if size < 1 or width % size:
        raise wrong_shape(file_name, "blocks.0.att.r_k", shape, (width // 64, 64))
    return size


def _v_rank(entries: Mapping[str, TensorEntry], layers: int, file_name: str) -> int:
    for i in [*range(1, layers), 0]:
        if (name := f"blocks.{i}.att.v1") in entries:
            return matrix_size(entries, name, file_name)[1]
    if layers == 1:
        return 0
    raise _missing(file_name, ["blocks.1.att.v1"])


def matrix_size(entries: Mapping[str, TensorEntry], name: str, file_name: str) -> tuple[int, int]:
    """Return (rows, columns) of a matrix that must be there. Raises DamagedFile."""
    shape = needed(entries, name, file_name).shape
    if len(shape) != 2 or min(shape) < 1:
        raise DamagedFile(
            f"{file_name} is damaged: tensor {name} has shape {list(shape)}, "
            "and a matrix was expected.",
            _DAMAGED_HINT,
        )
    return shape[0], shape[1]


def needed(entries: Mapping[str, TensorEntry], name: str, file_name: str) -> TensorEntry:
    """Return an entry that must be there. Raises DamagedFile."""
    if name not in entries:
        raise _missing(file_name, [name])
    return entries[name]


def canonical(
    entries: Mapping[str, TensorEntry], shape: ModelShape, file_name: str
) -> dict[str, TensorEntry]:
    """Return the entries with the shapes of ``expected_tensors``, in its order.

    [1,1,D] becomes [D], a flat r_k becomes [H,N]; the unused tensors of layer 0 come last.
    Raises DamagedFile for a missing tensor or another shape, UnsupportedModel for an unknown
    tensor or a number type that no backend runs.
    """
    wanted, unused = expected_tensors(shape), unused_tensors(shape)
    return fitted(entries, wanted, unused, file_name)


def fitted(
    entries: Mapping[str, TensorEntry],
    wanted: Mapping[str, Shape],
    optional: Mapping[str, Shape],
    file_name: str,
    generation: str = "RWKV-7",
) -> dict[str, TensorEntry]:
    """Return the entries in the order and with the shapes of ``wanted``, then ``optional``'s.

    What is optional may be missing, and may have any shape. Raises as ``canonical`` does.
    """
    if missing := [name for name in wanted if name not in entries]:
        raise _missing(file_name, missing)
    if unknown := [name for name in entries if name not in wanted and name not in optional]:
        raise _unknown(file_name, unknown, generation)
    present = {**wanted, **{name: size for name, size in optional.items() if name in entries}}
    return {
        name: _reshaped(entries[name], size, file_name, strict=name not in optional)
        for name, size in present.items()
    }


def _reshaped(entry: TensorEntry, size: Shape, file_name: str, *, strict: bool) -> TensorEntry:
    if entry.dtype not in ("bf16", "fp16", "fp32"):
        raise UnsupportedModel(
            f"{file_name} holds {entry.name} as {entry.dtype}; bf16, fp16 or fp32 was expected.",
            "Choose the 16-bit file of this model.",
        )
    if entry.shape == size or not strict:  # dummies may have any shape
        return entry
    is_vector = len(size) == 1 or entry.name.endswith(".r_k")
    if is_vector and _squeezed(entry.shape) in (_squeezed(size), (element_count(size),)):
        return replace(entry, shape=size)
    raise wrong_shape(file_name, entry.name, entry.shape, size)


def _squeezed(shape: Shape) -> Shape:
    return tuple(n for n in shape if n != 1)


def _missing(file_name: str, names: list[str]) -> DamagedFile:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return DamagedFile(
        f"{file_name} is incomplete: tensor {names[0]}{more} is missing.", _DAMAGED_HINT
    )


def _unknown(file_name: str, names: list[str], generation: str) -> UnsupportedModel:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return UnsupportedModel(
        f"{file_name} is not a plain {generation} model: it holds {names[0][:80]}{more}, "
        f"which {generation} does not have.",
        f"Choose a plain {generation} file, or see whether a newer Skein runs this variant.",
    )


def wrong_shape(file_name: str, name: str, found: Shape, expected: Shape) -> DamagedFile:
    """Return the error for a tensor of another shape."""
    return DamagedFile(
        f"{file_name} is inconsistent: tensor {name} has shape {list(found)}, "
        f"and {list(expected)} was expected.",
        _DAMAGED_HINT,
    )
