"""Identifies a model by the signs of some of its weights.

The signs survive every cast between fp32, bf16 and fp16 (also underflow to zero keeps its
sign), so one model has one fingerprint in all three, whatever the file's name, place and format.
A fine-tune of the matrices flips some of the several thousand signs that are sampled from each.

Limits: it is no protection against someone who wants two models to look alike; a change so
small that no sampled weight crosses zero is not seen; a quantised copy has small weights rounded
to zero, so its fingerprint must come from the file it was made from, or from its metadata.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from engine.checkpoint.entries import ITEM_BYTES, TensorEntry
from engine.checkpoint.names import unused_tensors
from engine.checkpoint.older_shape import OlderShape
from engine.checkpoint.shape import ModelShape

SAMPLED_ELEMENTS = 4096
"""At most this many of a row; vectors are sampled whole up to the same number."""


Reader = Callable[[TensorEntry, int, memoryview], None]
"""Fills the buffer with a tensor's bytes from that one on."""


def fingerprint(shape: ModelShape, entries: Mapping[str, TensorEntry], read: Reader) -> str:
    """Return 32 hex digits: SHA-256 over the sizes and, by name in sorted order, the signs.

    Sampled are the whole of each vector (r_k counts as one) and of each matrix, as BlinkDL
    orients it, the first and the middle row; at most ``SAMPLED_ELEMENTS`` of each. Layer 0's
    unused tensors are left out: files have or lack them. ``entries`` are canonical ones; of an
    initial state that a model brings, two rows count as of a matrix.
    """
    unused = unused_tensors(shape)
    used = [entries[name] for name in sorted(entries) if name not in unused]
    digest = hashlib.sha256(repr(_sizes(shape)).encode())
    digest.update(np.packbits(_signs(used, read)).tobytes())
    return digest.hexdigest()[:32]


def _sizes(shape: ModelShape) -> tuple[int | str, ...]:
    r = shape.ranks
    sizes = (
        shape.layers, shape.width, shape.ffn, shape.vocab, shape.head_size, r.w, r.a, r.v, r.g,
    )  # fmt: skip
    if isinstance(shape, OlderShape):
        return (*sizes, shape.older, shape.mix_rank, shape.decay_rank)
    return (*sizes, f"deep {shape.deep}") if shape.deep else sizes


def _signs(entries: Iterable[TensorEntry], read: Reader) -> np.ndarray:
    """Return one 0 or 1 per sampled element, uint8."""
    pieces = [(e, at, size) for e in entries for at, size in _runs(e)]
    data = bytearray(sum(size for _, _, size in pieces))
    view, filled = memoryview(data), 0
    for entry, at, size in pieces:
        read(entry, at, view[filled : filled + size])
        filled += size
    runs = [(size, ITEM_BYTES[entry.dtype]) for entry, _, size in pieces]
    return np.concatenate([*_sign_bits(np.frombuffer(data, np.uint8), runs)])


def _runs(entry: TensorEntry) -> Iterator[tuple[int, int]]:
    """Yield the sampled byte runs of a tensor as (offset inside it, size)."""
    item = ITEM_BYTES[entry.dtype]
    if len(entry.shape) == 1 or entry.name.endswith(".r_k"):
        yield 0, min(entry.size_bytes, SAMPLED_ELEMENTS * item)
        return
    rows, columns = math.prod(entry.shape[:-1]), entry.shape[-1]
    sampled = min(columns, SAMPLED_ELEMENTS) * item
    yield 0, sampled
    yield rows // 2 * columns * item, sampled


def _sign_bits(data: np.ndarray, runs: list[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Yield the top bit of each little-endian element, one array per stretch of one item size.

    runs: (bytes, bytes of an element), one after the other in ``data``.
    """
    at = start = 0
    for i, (size, item) in enumerate(runs):
        at += size
        if i + 1 == len(runs) or runs[i + 1][1] != item:
            yield data[start + item - 1 : at : item] >> 7
            start = at
