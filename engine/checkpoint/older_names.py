"""The tensors of RWKV-4, 5 and 6 under their author's names: their shapes, from the sizes and back.

Sizes come from the tensors themselves. Knows names and shapes, not files.
"""

from collections.abc import Collection, Iterator, Mapping

from engine.checkpoint.entries import TensorEntry
from engine.checkpoint.names import (
    Shape,
    count_layers,
    fitted,
    matrix_size,
    needed,
    norm_tensors,
    wrong_shape,
)
from engine.checkpoint.older_shape import NO_RANKS, OlderGeneration, OlderShape
from engine.checkpoint.shape import ModelShape

_ATT = "blocks.0.att."
_DECAY = _ATT + "time_decay"
_MIXES = {"4": "kvr", "5.0": "kvr", "5.1": "kvrg", "5.2": "kvrg", "6": "xwkvrg"}


def is_rwkv6(names: Collection[str]) -> bool:
    """Whether these are RWKV-6's names."""
    return _DECAY in names and _ATT + "time_maa_x" in names


def is_rwkv5(names: Collection[str]) -> bool:
    """Whether these are RWKV-5's names, of any of its three kinds."""
    return _DECAY in names and _ATT + "ln_x.weight" in names and not is_rwkv6(names)


def is_rwkv4(names: Collection[str]) -> bool:
    """Whether these are RWKV-4's names."""
    return _DECAY in names and not is_rwkv5(names) and not is_rwkv6(names)


def _generation(entries: Mapping[str, TensorEntry], file_name: str) -> OlderGeneration:
    """Tell the kinds of RWKV-5 apart: without a gate, with one, and with a decay per channel."""
    if is_rwkv6(entries):
        return "6"
    if is_rwkv4(entries):
        return "4"
    if _ATT + "gate.weight" not in entries:
        return "5.0"
    per_head = needed(entries, _DECAY, file_name).shape[1:]
    return "5.2" if any(n > 1 for n in per_head) else "5.1"


def infer_older_shape(entries: Mapping[str, TensorEntry], file_name: str) -> ModelShape:
    """Return the model's sizes as its tensors show them.

    Raises DamagedFile when a tensor that shows one is missing or has an impossible shape.
    """
    generation = _generation(entries, file_name)
    vocab, width = matrix_size(entries, "emb.weight", file_name)
    is_6 = generation == "6"
    mix = matrix_size(entries, _ATT + "time_maa_w1", file_name)[1] // 5 if is_6 else 0
    decay = matrix_size(entries, _ATT + "time_decay_w1", file_name)[1] if is_6 else 0
    return OlderShape(
        layers=count_layers(entries, file_name),
        width=width,
        ffn=matrix_size(entries, "blocks.0.ffn.key.weight", file_name)[0],
        vocab=vocab,
        head_size=_head_size(entries, generation, width, file_name),
        ranks=NO_RANKS,
        older=generation,
        mix_rank=mix,
        decay_rank=decay,
    )


def _head_size(
    entries: Mapping[str, TensorEntry], generation: OlderGeneration, width: int, file_name: str
) -> int:
    """Return N from the first axis of the bonus, [H] or [H, N]; D where there are no heads."""
    if generation == "4":
        return width
    name = _ATT + _bonus_name(entries, generation)
    shape = needed(entries, name, file_name).shape
    heads = shape[0] if shape else 0
    if heads < 1 or width % heads:
        raise wrong_shape(file_name, name, shape, (width // 64, 64))
    return width // heads


def _bonus_name(entries: Mapping[str, TensorEntry], generation: OlderGeneration) -> str:
    """Return what the bonus of the first token is called: time_first holds its logarithm."""
    names = ("time_first", "time_faaaa")
    usual, other = names if generation in ("4", "5.0") else names[::-1]
    is_other = _ATT + other in entries and _ATT + usual not in entries
    return other if is_other else usual


def older_tensors(
    shape: OlderShape, entries: Mapping[str, TensorEntry] | None = None
) -> dict[str, Shape]:
    """Return name -> shape of every tensor that such a model needs; vectors as [D].

    entries: decide between the two names of the bonus.
    """
    width = shape.width
    tensors: dict[str, Shape] = {"emb.weight": (shape.vocab, width)}
    tensors |= norm_tensors("blocks.0.ln0", width)
    layer = dict(_layer_tensors(shape, _bonus_name(entries or {}, shape.older)))
    for i in range(shape.layers):
        tensors |= {f"blocks.{i}.{name}": size for name, size in layer.items()}
    tensors |= norm_tensors("ln_out", width)
    tensors["head.weight"] = (shape.vocab, width)
    return tensors


def _layer_tensors(shape: OlderShape, bonus: str) -> Iterator[tuple[str, Shape]]:
    """Yield the tensors of one layer, without their ``blocks.N.``."""
    width = shape.width
    for norm in ("ln1", "ln2") if shape.older == "4" else ("ln1", "ln2", "att.ln_x"):
        yield from norm_tensors(norm, width).items()
    mix = "time_maa" if shape.older == "6" else "time_mix"
    for letter in _MIXES[shape.older]:
        yield f"att.{mix}_{letter}", (width,)
    yield from _decays(shape, bonus)
    squares = ("receptance", "key", "value", "output")
    for matrix in (*squares, "gate") if shape.gated else squares:
        yield f"att.{matrix}.weight", (width, width)
    for letter in "kr":
        yield f"ffn.{mix}_{letter}", (width,)
    yield "ffn.key.weight", (shape.ffn, width)
    yield "ffn.receptance.weight", (width, width)
    yield "ffn.value.weight", (width, shape.ffn)


def _decays(shape: OlderShape, bonus: str) -> Iterator[tuple[str, Shape]]:
    """Yield decay and bonus, and RWKV-6's low-rank pairs."""
    width, per_channel = shape.width, (shape.heads, shape.head_size)
    decays: dict[str, Shape] = {
        **{"4": (width,), "5.0": (shape.heads,), "5.1": (shape.heads,)},
        **{"5.2": per_channel, "6": (width,)},
    }
    yield "att.time_decay", decays[shape.older]
    yield f"att.{bonus}", per_channel if shape.older == "6" else decays[shape.older]
    if shape.older == "6":
        yield "att.time_maa_w1", (width, 5 * shape.mix_rank)
        yield "att.time_maa_w2", (5, shape.mix_rank, width)
        yield "att.time_decay_w1", (width, shape.decay_rank)
        yield "att.time_decay_w2", (shape.decay_rank, width)


def start_state_tensors(shape: OlderShape) -> dict[str, Shape]:
    """Return name -> shape of a tuned beginning, which a file of RWKV-5 or 6 may hold inside."""
    if shape.older == "4":
        return {}
    size = (shape.heads, shape.head_size, shape.head_size)
    return {f"blocks.{i}.att.time_state": size for i in range(shape.layers)}


def canonical_older(
    entries: Mapping[str, TensorEntry], shape: ModelShape, file_name: str
) -> dict[str, TensorEntry]:
    """Return the entries with the shapes of ``older_tensors``, in its order; vectors as [D].

    Raises as ``engine.checkpoint.names.canonical`` does.
    """
    assert isinstance(shape, OlderShape)
    wanted = older_tensors(shape, entries)
    starts = start_state_tensors(shape)
    if any(name in entries for name in starts):
        wanted |= starts
    return fitted(entries, wanted, {}, file_name, f"RWKV-{shape.older}")
