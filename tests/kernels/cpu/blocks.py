"""Kernels for blocks of tokens, one at a time, and prompts through whole models, in numpy."""

import ctypes
from collections.abc import Sequence
from ctypes import c_char_p, c_int, c_int32, c_size_t, c_void_p

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.library import WEIGHT_TYPES, NativeModel
from tests.kernels.cpu import native
from tests.kernels.cpu.native import Array

BF16_SET = "avx512vnni"
"""The set that multiplies blocks of bf16 and fp16 in bf16; all others widen them to fp32."""
INT8_SETS = {"avx512vnni", "neon-dotprod", "neon-i8mm"}
"""The sets that multiply blocks of int8 and q4 in int8; all others widen them to fp32."""


def raw() -> ctypes.CDLL:
    c = ctypes.CDLL(str(native.library().path))
    c.skn_test_block_product.argtypes = (
        *(c_char_p, c_int32, c_int32, c_void_p, c_size_t, c_size_t),
        *(c_void_p, c_size_t, c_void_p),
    )
    c.skn_test_head.argtypes = (c_char_p, c_void_p, c_void_p, c_size_t, c_int32, *(c_void_p,) * 3)
    c.skn_test_block_product.restype = c.skn_test_head.restype = c_int
    return c


def product(isa: str, weights: str, w: Array, x: Array, *, value: bool = False) -> Array:
    """Return X W^T [T, M] as prompts are multiplied; value: W is packed as a value matrix."""
    w, x = (np.ascontiguousarray(part, np.float32) for part in (w, x))
    y = np.full((len(x), len(w)), np.nan, np.float32)
    native.check(
        raw().skn_test_block_product(
            *(isa.encode(), WEIGHT_TYPES[weights], int(value), w.ctypes.data, *w.shape),
            *(x.ctypes.data, len(x), y.ctypes.data),
        )
    )
    return y


def multiplied(isa: str, weights: str, x: Array, *, value: bool = False) -> NDArray[np.float64]:
    """Return tokens [T, K] as this set multiplies them: rounded to bf16, int8 or not at all."""
    if isa == BF16_SET and weights in ("bf16", "fp16"):
        return rounded_bf16(x).astype(np.float64)
    if isa not in INT8_SETS or weights not in ("int8", "q4"):
        return x.astype(np.float64)
    levels = np.float32(255 if value else 127)
    groups = np.pad(x, ((0, 0), (0, -x.shape[1] % 64))).reshape(len(x), -1, 64)
    top = np.abs(groups).max(-1, keepdims=True)
    inverse = np.divide(levels, top, out=np.zeros_like(top), where=top > 0)
    q = np.rint(groups * inverse).astype(np.float64) * (top / levels)
    return q.reshape(len(x), -1)[:, : x.shape[1]]


def kept(isa: str, weights: str, w: Array, *, value: bool = False) -> Array:
    """Return W as this set multiplies it: as packed, but fp16 becomes bf16 where bf16 is."""
    packed = native.rounded(isa, weights, w, value=value)
    return rounded_bf16(packed) if isa == BF16_SET and weights == "fp16" else packed


def rounded_bf16(x: Array) -> Array:
    bits = x.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def head(
    isa: str, planes: Array, vectors: Array, v_first: Array, state: Array, *, first_layer: bool
) -> Array:
    """Return y [T, N]; ``state`` [N, N] (key-major) and ``v_first`` [T, N] are changed in place."""
    y = np.full(planes.shape[1:], np.nan, np.float32)
    native.check(
        raw().skn_test_head(
            *(isa.encode(), planes.ctypes.data, vectors.ctypes.data, planes.shape[1]),
            *(int(first_layer), v_first.ctypes.data, state.ctypes.data, y.ctypes.data),
        )
    )
    return y


def prefill(
    model: NativeModel, tokens: Sequence[int], state: native.State, vocab: int
) -> tuple[Array, Array]:
    """Return the logits of the last token [V] and of all tokens [T, V], from one call."""
    last = np.full(vocab, np.nan, np.float32)
    everything = np.full((len(tokens), vocab), np.nan, np.float32)
    where = (last.ctypes.data, everything.ctypes.data)
    model.prefill(tokens, state.addresses, *where, lambda _done, _total: False)
    return last, everything


def read(model: NativeModel, tokens: Sequence[int], state: native.State, vocab: int) -> Array:
    """Return the logits of the last token only [V]."""
    last = np.full(vocab, np.nan, np.float32)
    model.prefill(tokens, state.addresses, last.ctypes.data, None, lambda _done, _total: False)
    return last
