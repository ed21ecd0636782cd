"""A door to the CPU engine's library for tests: single kernels, pools and whole models, in numpy.

Uses the package's own loader to find the library, and the functions that only tests call.
"""

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from ctypes import byref, c_char_p, c_int, c_int32, c_size_t, c_void_p

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.cpu.library import (
    WEIGHT_TYPES,
    Library,
    NativeModel,
    Pool,
    Sizes,
    _Handle,
    find_library,
)

Array = NDArray[np.float32]
DTYPES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}


def library() -> Library:
    found = find_library()
    assert found, "build the library first: cmake -S . -B build/cpu && cmake --build build/cpu"
    return found


def raw() -> ctypes.CDLL:
    """Return the library with the signatures that only tests need."""
    c = ctypes.CDLL(str(library().path))
    product = (c_char_p, c_void_p, c_int32, c_int32, c_void_p, c_size_t, c_size_t)
    c.skn_test_product.argtypes = (*product, c_void_p, c_void_p)
    c.skn_test_round.argtypes = (*product, c_void_p)
    c.skn_test_function.argtypes = (c_char_p, c_int32, c_void_p, c_size_t, c_void_p)
    for name in ("skn_test_product", "skn_test_round", "skn_test_function"):
        getattr(c, name).restype = c_int
    return c


def instruction_sets() -> list[str]:
    """All that this machine has; at least the portable one."""
    found = find_library()
    return found.instruction_sets if found else ["portable"]


def check(code: int) -> None:
    assert code == 0, library().error()


def product(
    isa: str, weights: str, w: Array, x: Array, *, value: bool = False, threads: int = 1
) -> Array:
    """Return W x; with ``value``, W relu(x)^2 through the sparse kernel."""
    w, x = (np.ascontiguousarray(part, np.float32) for part in (w, x))
    y = np.full(len(w), np.nan, np.float32)
    pool = Pool(library(), threads)
    at = (w.ctypes.data, *w.shape, x.ctypes.data, y.ctypes.data)
    kind = WEIGHT_TYPES[weights]
    check(raw().skn_test_product(isa.encode(), pool.pointer, kind, int(value), *at))
    pool.close()
    return y


def rounded(isa: str, weights: str, w: Array, *, value: bool = False) -> Array:
    """Return W as it is after packing."""
    w = np.ascontiguousarray(w, np.float32)
    out = np.full_like(w, np.nan)
    pool = Pool(library(), 1)
    at = (w.ctypes.data, *w.shape, out.ctypes.data)
    check(raw().skn_test_round(isa.encode(), pool.pointer, WEIGHT_TYPES[weights], int(value), *at))
    pool.close()
    return out


def function(isa: str, name: str, x: Array) -> Array:
    y = np.full_like(x, np.nan)
    number = ("exp", "sigmoid", "tanh").index(name)
    check(raw().skn_test_function(isa.encode(), number, x.ctypes.data, len(x), y.ctypes.data))
    return y


def sizes_of(weights: Mapping[str, torch.Tensor]) -> Sizes:
    layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
    heads, head_size = weights["blocks.0.att.r_k"].shape
    vocab, width = weights["emb.weight"].shape
    ffn = weights["blocks.0.ffn.key.weight"].shape[0]
    ranks = [weights[f"blocks.{layers - 1}.att.{letter}1"].shape[1] for letter in "wavg"]
    s1 = weights.get("blocks.0.ffn.s1")
    deep = 0 if s1 is None else s1.shape[1]
    return Sizes(layers, width, heads, head_size, ffn, vocab, *ranks, deep=deep)


def tables(weights: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return DeepEmbed's tables [L, V, n * n], in the weights' own type."""
    layers = sizes_of(weights).layers
    return torch.stack([weights[f"blocks.{i}.ffn.s_emb.weight"] for i in range(layers)])


def load(weights: Mapping[str, torch.Tensor], weight_type: str, threads: int = 1) -> NativeModel:
    """Return a model that is ready; SKEIN_CPU decides its instruction set."""
    pool = Pool(library(), threads)
    model = NativeModel(library(), sizes_of(weights), weight_type, pool)
    for name, value in weights.items():
        if name.endswith("s_emb.weight"):
            continue
        tensor = value.contiguous()
        model.tensor(name, DTYPES[tensor.dtype], tensor.data_ptr(), tensor.numel())
    model.ready()
    if sizes_of(weights).deep:
        give_rows(model, tables(weights))
    return model


def give_rows(model: NativeModel, tables: torch.Tensor) -> None:
    """Let a model have its rows from tables [L, V, n * n]."""

    def read(tokens: Sequence[int], address: int) -> None:
        rows = tables[:, list(tokens)].contiguous()
        ctypes.memmove(address, rows.data_ptr(), rows.nbytes)

    model.set_rows(DTYPES[tables.dtype], read)


class Adopted(NativeModel):
    """A model over packed weights that live in an array."""

    def __init__(self, data: NDArray[np.uint8], sizes: Sizes, weight_type: str, pool: Pool) -> None:
        pointer = c_void_p()
        where = (data.ctypes.data, len(data), pool.pointer)
        struct = sizes.as_struct()
        library().call(
            "skn_model_adopt", byref(struct), WEIGHT_TYPES[weight_type], *where, byref(pointer)
        )
        _Handle.__init__(self, library(), "skn_model_destroy", pointer)
        self._pool, self._data = pool, data
        self._rows_failure = None


def aligned(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy that begins where packed weights may."""
    room = np.zeros(len(data) + 64, np.uint8)
    kept = room[-room.ctypes.data % 64 :][: len(data)]
    kept[:] = data
    return kept


def adopt(data: NDArray[np.uint8], sizes: Sizes, weight_type: str) -> NativeModel:
    return Adopted(data, sizes, weight_type, Pool(library(), 1))


class State:
    """Zeroed state arrays; wkv is key-major, as the library wants it."""

    def __init__(self, sizes: Sizes) -> None:
        layers, n = sizes.layers, sizes.head_size
        self.att_shift = np.zeros((layers, sizes.width), np.float32)
        self.wkv = np.zeros((layers, sizes.heads, n, n), np.float32)
        self.ffn_shift = np.zeros((layers, sizes.width), np.float32)

    @property
    def arrays(self) -> tuple[Array, Array, Array]:
        return self.att_shift, self.wkv, self.ffn_shift

    @property
    def addresses(self) -> list[int]:
        return [array.ctypes.data for array in self.arrays]


def decode(model: NativeModel, tokens: Iterable[int], state: State, vocab: int) -> Array:
    """Return logits [T, V]."""
    rows = []
    for token in tokens:
        logits = np.full(vocab, np.nan, np.float32)
        model.decode(token, state.addresses, logits.ctypes.data)
        rows.append(logits)
    return np.stack(rows)


def packed(model: NativeModel) -> NDArray[np.uint8]:
    """Return a view of all packed weights."""
    data, size = c_void_p(), c_size_t()
    model.library.call("skn_model_data", model.pointer, byref(data), byref(size))
    assert data.value is not None
    return np.ctypeslib.as_array((ctypes.c_uint8 * size.value).from_address(data.value))


def same_bits(parts: Sequence[Array], others: Sequence[Array]) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(parts, others, strict=True))
