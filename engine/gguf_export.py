"""A model as a GGUF file of architecture ``rwkv7``: which tensors and facts it consists of.

Names and layouts as llama.cpp's own converter has them (../shared/rwkv7.md, section 2), so that
llama.cpp and what is built on it run the file. Knows weights by name, and the format's facts;
``engine.convert`` writes it.
"""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from engine.checkpoint import ModelShape
from engine.checkpoint.ggml import BY_NAME, PLAIN, GgmlType, quantise
from engine.checkpoint.gguf_names import FUSED, MIXES, PAIRS, gguf_name
from engine.checkpoint.gguf_table import FINGERPRINT
from engine.checkpoint.gguf_vocabulary import KINDS, MODEL, TOKENS, is_world, written_tokens
from engine.gguf_writer import Facts, GgufOut
from engine.weight_pieces import raw_bytes

if TYPE_CHECKING:
    from engine.checkpoint.entries import TensorEntry
    from engine.weight_pieces import WeightPieces

TYPES = ("F32", "F16", "BF16", "Q8_0")
"""What the large matrices are written as."""

_FILE_TYPES = {"F32": 0, "F16": 1, "Q8_0": 7, "BF16": 32}  # general.file_type
_CONTEXT = 1 << 20  # llama.cpp wants a number; the model has none
_PARAGRAPH = 261  # "\n\n" of the World vocabulary ends a turn


def gguf_facts(
    name: str, shape: ModelShape, weights: str, vocabulary: dict[int, bytes], fingerprint: str
) -> Facts:
    """Return what the file states. vocabulary: id -> bytes; weights: one of ``TYPES``."""
    facts = Facts()
    facts.text("general.architecture", "rwkv7")
    facts.text("general.type", "model")
    facts.text("general.name", name)
    facts.number("general.file_type", _FILE_TYPES[weights])
    if BY_NAME[weights].block > 1:
        facts.number("general.quantization_version", 2)
    facts.text(FINGERPRINT, fingerprint)
    _add_sizes(facts, shape)
    _add_vocabulary(facts, shape.vocab, vocabulary)
    return facts


def _add_sizes(facts: Facts, shape: ModelShape) -> None:
    ranks, attention = shape.ranks, "rwkv7.attention."
    facts.number("rwkv7.context_length", _CONTEXT)
    facts.number("rwkv7.embedding_length", shape.width)
    facts.number("rwkv7.block_count", shape.layers)
    facts.number("rwkv7.feed_forward_length", shape.ffn)
    facts.number("rwkv7.wkv.head_size", shape.head_size)
    facts.number(attention + "head_count", 0)  # asked for by llama.cpp's loader, used by nothing
    facts.real(attention + "layer_norm_epsilon", 1e-5)
    facts.number(attention + "decay_lora_rank", ranks.w)
    facts.number(attention + "iclr_lora_rank", ranks.a)
    facts.number(attention + "value_residual_mix_lora_rank", ranks.v)
    facts.number(attention + "gate_lora_rank", ranks.g)


def _add_vocabulary(facts: Facts, rows: int, vocabulary: dict[int, bytes]) -> None:
    """State a token for each row: what is no token of the vocabulary is an unused one."""
    tokens = written_tokens(vocabulary, rows)
    facts.text(MODEL, "rwkv")
    facts.texts(TOKENS, [text for text, _ in tokens])
    facts.numbers(KINDS, [kind for _, kind in tokens])
    facts.number("tokenizer.ggml.bos_token_id", 0)
    facts.number("tokenizer.ggml.eos_token_id", 0)
    if is_world(vocabulary):
        facts.number("tokenizer.ggml.eot_token_id", _PARAGRAPH)
        facts.text("tokenizer.chat_template", "rwkv-world")


def gguf_tensors(pieces: "WeightPieces", weights: str) -> list[GgufOut]:
    """Return every tensor in the order of the checkpoint, with large matrices as ``weights``."""
    tensors: list[GgufOut] = []
    for name, entry in pieces.checkpoint.entries.items():
        tensors += _tensors_of(pieces, name, entry, weights)
    return tensors


def _tensors_of(
    pieces: "WeightPieces", name: str, entry: "TensorEntry", weights: str
) -> Iterator[GgufOut]:
    """Yield what one tensor becomes: nothing, one, or one and a stand-in."""
    layer, _, stem = name.removeprefix("blocks.").partition(".")
    if stem.startswith("att.x_"):
        if stem == f"att.x_{MIXES[0]}":  # the six together, in the place of the first
            parts = [f"blocks.{layer}.att.x_{letter}" for letter in MIXES]
            shape = (len(MIXES), 1, 1, entry.shape[0])
            theirs = f"blk.{layer}.{FUSED}.weight"
            yield GgufOut(theirs, BY_NAME["F32"], shape, partial(_joined, pieces, parts))
        return
    if layer == "0" and stem in ("att.v0", "att.v1", "att.v2"):
        return
    made = _tensor(pieces, name, stem, entry.shape, weights)
    yield made
    if layer == "0" and stem in ("att.a0", "att.a1", "att.a2"):  # a stand-in, never read
        theirs = made.name.replace("time_mix_a", "time_mix_v")
        yield GgufOut(theirs, made.kind, made.shape, made.pieces)


def _tensor(
    pieces: "WeightPieces", name: str, stem: str, shape: tuple[int, ...], weights: str
) -> GgufOut:
    theirs = gguf_name(name)
    kind = _kind(stem, shape, weights)
    if stem in PAIRS:
        return GgufOut(theirs, kind, shape[::-1], partial(_turned, pieces, name, kind))
    if stem == "att.r_k":
        shape = (shape[0] * shape[1],)
    return GgufOut(theirs, kind, shape, partial(_plain, pieces, name, kind))


def _kind(stem: str, shape: tuple[int, ...], weights: str) -> GgmlType:
    """Return a tensor's type: vectors and the decay's pair stay fp32, as llama.cpp wants them."""
    if len(shape) < 2 or stem in ("att.r_k", "att.w1", "att.w2"):
        return BY_NAME["F32"]
    kind = BY_NAME[weights]
    if kind.block > 1 and (stem in PAIRS or shape[-1] % kind.block):
        return BY_NAME["F16"]
    return kind


def _plain(pieces: "WeightPieces", name: str, kind: GgmlType) -> Iterator[memoryview]:
    if kind.name in PLAIN:
        for piece in pieces.of(name, PLAIN[kind.name]):
            yield raw_bytes(piece)
        return
    for piece in pieces.of(name, "fp32"):
        yield quantise(kind, piece.numpy()).data


def _turned(pieces: "WeightPieces", name: str, kind: GgmlType) -> Iterator[memoryview]:
    yield raw_bytes(pieces.whole(name, PLAIN[kind.name]).T.contiguous())


def _joined(pieces: "WeightPieces", names: list[str]) -> Iterator[memoryview]:
    for name in names:
        for piece in pieces.of(name, "fp32"):
            yield raw_bytes(piece)
