"""The door to the CPU engine's shared library: found, checked, and called through ctypes.

Handles become objects that give their memory back when they are collected. Knows ``skein_cpu.h``
and numbers; knows nothing of torch, files of models or strategies. Arrays come as addresses.
"""

import ctypes
import hashlib
import logging
import os
import sys
import sysconfig
import weakref
from collections.abc import Callable, Iterator, Sequence
from ctypes import (
    POINTER,
    byref,
    c_char_p,
    c_double,
    c_int,
    c_int32,
    c_size_t,
    c_uint64,
    c_void_p,
)
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kernels.cpu.memory import MappedMemory

ABI_VERSION = 3
MAX_BATCH = 16
WEIGHT_TYPES = {"fp32": 0, "bf16": 1, "fp16": 2, "int8": 3, "q4": 4}
"""The header's numbers of weight types; the first three are also those of tensors in files."""

PATH_VARIABLE = "SKEIN_CPU_LIBRARY"
"""Names the library's file for developers and tests; "none" stands for no library at all."""

_FILE_NAME = {"win32": "skein_cpu.dll", "darwin": "libskein_cpu.dylib"}.get(
    sys.platform, "libskein_cpu.so"
)
_CANCELLED, _NO_ROWS = -5, -8
_log = logging.getLogger(__name__)

Progress = Callable[[int, int], bool]
"""Called with tokens (done, total) between blocks; true stops."""

ReadRows = Callable[[Sequence[int], int], None]
"""Called with token ids and the address where their rows [L, T, n * n] go (see ``set_rows``)."""


class NativeError(Exception):
    """A call that failed. code: the header's (below zero); the message is the library's own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code

    NO_MEMORY, NOT_FINITE, UNSUPPORTED = -2, -3, -6


class NativeCancelled(Exception):
    """A progress callback asked to stop; the state holds ``done`` tokens of this call."""

    def __init__(self, done: int) -> None:
        super().__init__(f"stopped after {done} tokens")
        self.done = done


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of one model, or of the end of one, as the header names them."""

    layers: int
    width: int
    heads: int
    head_size: int
    ffn: int
    vocab: int
    rank_w: int
    rank_a: int
    rank_v: int
    rank_g: int
    first_layer: int = 0
    deep: int = 0

    def as_struct(self) -> "_Shape":
        """Return the C struct."""
        return _Shape(*(getattr(self, name) for name in Sizes.__dataclass_fields__))


class _Shape(ctypes.Structure):
    _fields_ = [(name, c_int32) for name in Sizes.__dataclass_fields__]


_ProgressFunction = ctypes.CFUNCTYPE(c_int, c_void_p, c_size_t, c_size_t)
_RowsFunction = ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(c_int32), c_size_t, c_void_p)

_SIGNATURES: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "skn_abi_version": (c_int32, ()),
    "skn_error": (c_int32, (c_char_p, c_size_t)),
    "skn_cpu": (c_char_p, ()),
    "skn_cpu_available": (c_char_p, (c_int32,)),
    "skn_pool_create": (c_int, (c_int32, POINTER(c_void_p))),
    "skn_pool_destroy": (None, (c_void_p,)),
    "skn_pool_threads": (c_int32, (c_void_p,)),
    "skn_packed_bytes": (c_size_t, (POINTER(_Shape), c_int32)),
    "skn_model_create": (c_int, (POINTER(_Shape), c_int32, c_void_p, POINTER(c_void_p))),
    "skn_model_adopt": (
        c_int,
        (POINTER(_Shape), c_int32, c_void_p, c_size_t, c_void_p, POINTER(c_void_p)),
    ),
    "skn_model_destroy": (None, (c_void_p,)),
    "skn_model_tensor": (c_int, (c_void_p, c_char_p, c_int32, c_void_p, c_size_t)),
    "skn_model_rows": (c_int, (c_void_p, c_char_p, c_int32, c_void_p, c_size_t, c_size_t)),
    "skn_model_set_rows": (c_int, (c_void_p, c_int32, _RowsFunction, c_void_p)),
    "skn_model_ready": (c_int, (c_void_p,)),
    "skn_model_data": (c_int, (c_void_p, POINTER(c_void_p), POINTER(c_size_t))),
    "skn_model_bytes": (c_size_t, (c_void_p,)),
    "skn_model_scratch_bytes": (c_size_t, (c_void_p,)),
    "skn_model_cpu": (c_char_p, (c_void_p,)),
    "skn_model_set_pool": (c_int, (c_void_p, c_void_p)),
    "skn_decode": (c_int, (c_void_p, c_int32, c_void_p, c_void_p, c_void_p, c_void_p)),
    "skn_decode_batch": (
        c_int,
        (c_void_p, c_int32, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    ),
    "skn_prefill": (
        c_int,
        (c_void_p, c_void_p, c_size_t, *(c_void_p,) * 5, _ProgressFunction, c_void_p),
    ),
    "skn_continue": (c_int, (c_void_p, c_void_p, c_void_p, c_size_t, *(c_void_p,) * 5)),
    "skn_model_active_rows": (c_int, (c_void_p, POINTER(c_uint64), POINTER(c_uint64))),
    "skn_tokenizer_create": (c_int, (c_char_p, c_void_p, c_void_p, c_size_t, POINTER(c_void_p))),
    "skn_tokenizer_destroy": (None, (c_void_p,)),
    "skn_tokenizer_encode": (
        c_int,
        (c_void_p, c_char_p, c_size_t, c_void_p, POINTER(c_size_t)),
    ),
    "skn_sample": (
        c_int,
        (
            *(c_void_p, c_size_t, c_double, c_double, c_double, c_int32, c_double, c_void_p),
            POINTER(c_int32),
        ),
    ),
}


class Library:
    """The loaded library. Any thread may use it; one handle serves one call at a time."""

    def __init__(self, path: Path) -> None:
        """Load ``path``. Raises OSError when it is no library, or one of another version."""
        self.path = path
        self._c = ctypes.CDLL(str(path))
        try:
            for name, (result, arguments) in _SIGNATURES.items():
                function = getattr(self._c, name)
                function.restype, function.argtypes = result, arguments
        except AttributeError as error:
            raise OSError(f"{path} is not the library of this version: {error}") from error
        if (found := self._c.skn_abi_version()) != ABI_VERSION:
            raise OSError(f"{path} is of version {found}, and {ABI_VERSION} is needed")
        self.digest = hashlib.sha256(path.read_bytes()).hexdigest()
        """Of its file: two libraries that could differ in anything differ in it."""

    @property
    def instruction_set(self) -> str:
        """The set that models will run with here; "" when SKEIN_CPU names one that cannot be."""
        return (self._c.skn_cpu() or b"").decode()

    @property
    def instruction_sets(self) -> list[str]:
        """All sets that can run here, the best first."""
        names = iter(range(64))
        return [name.decode() for i in names if (name := self._c.skn_cpu_available(i))]

    def error(self) -> str:
        """Return what went wrong last on this thread."""
        buffer = ctypes.create_string_buffer(1024)
        self._c.skn_error(buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    def call(self, name: str, *arguments: object) -> None:
        """Call a function that returns a code. Raises NativeError below zero."""
        code = getattr(self._c, name)(*arguments)
        if code < 0:
            raise NativeError(code, self.error())

    def get(self, name: str, *arguments: object) -> int:
        """Call a function that returns a number."""
        return getattr(self._c, name)(*arguments)

    def packed_bytes(self, sizes: Sizes, weights: str) -> int:
        """Return the bytes of a packed model; 0: the library does not serve this shape."""
        return self.get("skn_packed_bytes", byref(sizes.as_struct()), WEIGHT_TYPES[weights])


class _Handle:
    """Something of the library's that must be destroyed, once, by its own function."""

    def __init__(self, library: Library, destroy: str, pointer: c_void_p) -> None:
        self.library = library
        self.pointer = pointer
        self._finalizer = weakref.finalize(self, library.get, destroy, pointer)
        self._finalizer.atexit = False  # the system takes all back, in whatever order

    def close(self) -> None:
        """Give its memory back now; a second time does nothing."""
        self._finalizer()


class Pool(_Handle):
    """Threads that sleep when there is no work."""

    def __init__(self, library: Library, threads: int) -> None:
        """threads: at least 1, the caller's own included. Raises NativeError."""
        pointer = c_void_p()
        library.call("skn_pool_create", threads, byref(pointer))
        super().__init__(library, "skn_pool_destroy", pointer)
        self.threads = threads


class NativeModel(_Handle):
    """A model in the library's memory: filled tensor by tensor, or over packed bytes; then run."""

    def __init__(
        self,
        library: Library,
        sizes: Sizes,
        weights: str,
        pool: Pool,
        packed: MappedMemory | None = None,
    ) -> None:
        """Make an empty model; packed: one over these bytes, ready at once. Raises NativeError."""
        pointer = c_void_p()
        shape, number = byref(sizes.as_struct()), WEIGHT_TYPES[weights]
        if packed is None:
            library.call("skn_model_create", shape, number, pool.pointer, byref(pointer))
        else:
            library.call(
                *("skn_model_adopt", shape, number, packed.address, packed.size_bytes),
                *(pool.pointer, byref(pointer)),
            )
        super().__init__(library, "skn_model_destroy", pointer)
        self._pool = pool  # has to outlive the model, and so have borrowed weights
        self._packed = packed
        self._rows: object = None
        self._rows_failure: BaseException | None = None

    def close(self) -> None:
        """Give the weights back, then let the threads go."""
        super().close()
        self._pool.close()
        if self._packed is not None:
            self._packed.close()

    def data(self) -> memoryview:
        """Return all packed weights, to be read while the model is. Raises NativeError."""
        address, size = c_void_p(), c_size_t()
        self.library.call("skn_model_data", self.pointer, byref(address), byref(size))
        whole = (ctypes.c_ubyte * size.value).from_address(address.value or 0)
        return memoryview(whole).cast("B").toreadonly()

    def tensor(self, name: str, dtype: str, address: int, count: int) -> None:
        """Pack one whole tensor. Raises NativeError."""
        number = WEIGHT_TYPES[dtype]
        self.library.call("skn_model_tensor", self.pointer, name.encode(), number, address, count)

    def rows(self, name: str, dtype: str, address: int, first: int, count: int) -> None:
        """Pack rows of a matrix: ``first`` is a multiple of 128. Raises NativeError."""
        number = WEIGHT_TYPES[dtype]
        self.library.call(
            "skn_model_rows", self.pointer, name.encode(), number, address, first, count
        )

    def set_rows(self, dtype: str, read: ReadRows) -> None:
        """Say where the rows of DeepEmbed's tables come from, and their type. Raises NativeError.

        What ``read`` raises, the call that wanted the rows raises, and no state was touched.
        """

        def rows(_user: int, tokens: "ctypes._Pointer[c_int32]", count: int, address: int) -> int:
            try:
                read(tokens[:count], address)
            except BaseException as error:  # may not pass through C
                self._rows_failure = error
                return 1
            return 0

        self._rows = _RowsFunction(rows)
        number = WEIGHT_TYPES[dtype]
        self.library.call("skn_model_set_rows", self.pointer, number, self._rows, None)

    def _run(self, name: str, *arguments: object) -> None:
        """Call a function that may want rows. Raises NativeError, or what kept them away."""
        try:
            self.library.call(name, self.pointer, *arguments)
        except NativeError as error:
            failure, self._rows_failure = self._rows_failure, None
            if error.code == _NO_ROWS and failure is not None:
                raise failure from None
            raise

    def ready(self) -> None:
        """Check that every tensor has come. Raises NativeError."""
        self.library.call("skn_model_ready", self.pointer)

    def set_pool(self, pool: Pool) -> None:
        """Use other threads from now on; results stay the same. The former are let go."""
        self.library.call("skn_model_set_pool", self.pointer, pool.pointer)
        if pool is not self._pool:
            self._pool.close()
        self._pool = pool

    @property
    def threads(self) -> int:
        """How many threads compute, the caller's own included."""
        return self._pool.threads

    @property
    def weights_bytes(self) -> int:
        """Bytes of weights in memory."""
        return self.library.get("skn_model_bytes", self.pointer)

    @property
    def instruction_set(self) -> str:
        """The set this model runs with."""
        name: bytes = self.library.get("skn_model_cpu", self.pointer)  # pyright: ignore
        return name.decode()

    def decode(self, token: int, state: Sequence[int], logits: int | None) -> None:
        """Read one token. state: addresses of att_shift, wkv, ffn_shift. Raises NativeError."""
        self._run("skn_decode", token, *state, logits)

    def decode_batch(
        self, tokens: Sequence[int], states: Sequence[Sequence[int]], logits: int
    ) -> None:
        """Read one token for each state, at most MAX_BATCH. logits: [n, V]. Raises NativeError."""
        n = len(tokens)
        parts = [(c_void_p * n)(*part) for part in zip(*states, strict=True)]
        self._run("skn_decode_batch", n, (c_int32 * n)(*tokens), *parts, logits)

    def prefill(
        self,
        tokens: Sequence[int],
        state: Sequence[int],
        last: int | None,
        everything: int | None,
        progress: Progress,
    ) -> None:
        """Read tokens in blocks. last, everything: where logits [V] and [T, V] go.

        Raises NativeCancelled, NativeError, or whatever ``progress`` raises.
        """
        done = 0
        failure: list[BaseException] = []

        def between(_user: int, now: int, total: int) -> int:
            nonlocal done
            done = now
            try:
                return int(progress(now, total))
            except BaseException as error:  # may not pass through C: it is raised below
                failure.append(error)
                return 1

        ids = (c_int32 * len(tokens))(*tokens)
        try:
            self.library.call(
                *("skn_prefill", self.pointer, ids, len(tokens), *state, last, everything),
                *(_ProgressFunction(between), None),
            )
        except NativeError as error:
            if error.code not in (_CANCELLED, _NO_ROWS):
                raise
            lost, self._rows_failure = self._rows_failure, None
            raise NativeCancelled(done) from (lost or (failure[0] if failure else None))

    def resume(
        self,
        before: tuple[int, int],
        count: int,
        state: Sequence[int],
        last: int | None,
        everything: int | None,
    ) -> None:
        """Take tokens through the end of a model. before: addresses of residual and v_first [T, D].

        state: as for ``decode``, of the layers held here. last, everything: where logits [V] and
        [T, V] go. Raises NativeError.
        """
        self.library.call("skn_continue", self.pointer, *before, count, *state, last, everything)

    def active_rows(self) -> tuple[int, int]:
        """Return (read, all) rows of the value matrices in the last ``decode``."""
        active, rows = c_uint64(), c_uint64()
        self.library.call("skn_model_active_rows", self.pointer, byref(active), byref(rows))
        return active.value, rows.value


class NativeTokenizer(_Handle):
    """Greedy longest match over bytes."""

    def __init__(self, library: Library, vocabulary: dict[int, bytes]) -> None:
        """``vocabulary``: id -> bytes, with all 256 single bytes. Raises NativeError."""
        n = len(vocabulary)
        ids, offsets = (c_int32 * n)(*vocabulary), (c_uint64 * (n + 1))()
        end = 0
        for i, token in enumerate(vocabulary.values()):
            end += len(token)
            offsets[i + 1] = end
        pointer = c_void_p()
        joined = b"".join(vocabulary.values())
        library.call("skn_tokenizer_create", joined, offsets, ids, n, byref(pointer))
        super().__init__(library, "skn_tokenizer_destroy", pointer)

    def encode(self, data: bytes) -> list[int]:
        """Return the ids of any bytes."""
        out, count = (c_int32 * len(data))(), c_size_t()
        self.library.call("skn_tokenizer_encode", self.pointer, data, len(data), out, byref(count))
        return out[: count.value]


def sample(
    library: Library,
    logits: int,
    vocab: int,
    *,
    temperature: float,
    top_p: float,
    min_p: float,
    top_k: int,
    random: float,
    scratch: int,
) -> int:
    """Return the token that a random number in [0, 1) falls on after the cuts.

    logits, scratch: addresses of fp32 [V]. Raises NativeError.
    """
    token = c_int32()
    library.call(
        *("skn_sample", logits, vocab, temperature, top_p, min_p, top_k, random, scratch),
        byref(token),
    )
    return token.value


@cache
def find_library() -> Library | None:
    """Return the library, or None where this installation was made without a compiler."""
    wanted = os.environ.get(PATH_VARIABLE)
    if wanted == "none":
        return None
    for path in [Path(wanted)] if wanted else _places():
        if not path.is_file():
            continue
        try:
            return Library(path)
        except OSError as error:
            _log.warning("the CPU engine cannot be used: %s", error)
    return None


def _places() -> Iterator[Path]:
    """Where builds put it: beside this file, in the installed package, in the build folder."""
    here = Path(__file__).resolve().parent
    yield here / _FILE_NAME
    build = here.parent.parent / "build" / "cpu"
    yield build / _FILE_NAME
    yield build / "Release" / _FILE_NAME  # where Visual Studio puts it
    for place in ("platlib", "purelib"):
        yield Path(sysconfig.get_path(place)) / "kernels" / "cpu" / _FILE_NAME
