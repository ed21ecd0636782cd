"""The CPU backend: our own C++ library runs every token, block and batch in one call each.

Knows how states and weights reach the library; the arithmetic is in ``kernels/cpu``. A state's
wkv is kept as the library wants it (key-major), seen through a transposed view: to everybody else
it is the [L, H, N, N] of ``engine.state``, and nothing is copied for a token.
"""

import ctypes
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.backends.base import IsCancelled, Progress, require_tokens
from engine.backends.kept import KeptWeights
from engine.backends.lora import LoraMerge
from engine.backends.packing import fill_model
from engine.backends.table_rows import TableRows
from engine.backends.threads import choose_threads, most_threads
from engine.checkpoint import ModelInfo, ModelShape, open_checkpoint
from engine.errors import Cancelled, EngineError, UnsupportedStrategy
from engine.needs import BYTES_PER_WEIGHT, held_as
from engine.packed_files import PackedFiles
from engine.state import State
from engine.strategy import Strategy
from kernels.cpu.library import (
    MAX_BATCH,
    Library,
    NativeCancelled,
    NativeError,
    NativeModel,
    Pool,
    Sizes,
)

if TYPE_CHECKING:
    from pathlib import Path


class CpuBackend:
    """RWKV-7 on the processor, by the native library. One thread at a time may use it."""

    name = "cpu"
    notice = ""

    def __init__(
        self,
        library: Library,
        info: ModelInfo,
        strategy: Strategy,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
        *,
        cache: "Path | None" = None,
        packed: PackedFiles | None = None,
        power_saving: bool = False,
    ) -> None:
        """Load the weights, as they were packed before or packed now piece by piece.

        cache: the folder in which the measured number of threads is remembered. packed: where
        packed weights are kept; None: nowhere. power_saving: as in ``set_power_saving``.
        Raises UnsupportedStrategy for what ``serves`` refuses, DamagedFile for values that are
        not finite, MemoryError, or Cancelled when asked to stop.
        """
        weights = strategy.native_weights
        if not serves(library, info.shape, strategy):
            raise UnsupportedStrategy(
                f"The engine for processors cannot run {info.name} as '{strategy}'.",
                "Choose “cpu fp32” or another type.",
            )
        self.info = info
        self.strategy = strategy
        self._cache = cache
        sizes = sizes_of(info.shape)
        packed_bytes = library.packed_bytes(sizes, weights)
        self._kept = KeptWeights(packed, library, info, weights, packed_bytes)
        try:
            most = most_threads(power_saving=power_saving)
            pool = Pool(library, strategy.threads or most)
            mapped = self._kept.open(progress, cancelled)
            self._model = NativeModel(library, sizes, weights, pool, mapped)
            self._tables: TableRows | None = None
            try:
                self._open_tables()
                self._make_ready(mapped is None, progress, cancelled)
            except BaseException:
                self._close_tables()
                self._model.close()
                raise
        except NativeError as error:
            raise understandable(error) from error

    @property
    def resident_bytes(self) -> int:
        """Bytes that the weights occupy."""
        return self._model.weights_bytes

    @property
    def threads(self) -> int:
        """How many threads compute."""
        return self._model.threads

    @property
    def instruction_set(self) -> str:
        """What the processor is addressed in, such as "avx512vnni"."""
        return self._model.instruction_set

    @property
    def unread_bytes(self) -> int:
        """Bytes of weights that the last token did not need: rows that met a zero."""
        read, rows = self._model.active_rows()
        shape, weights = self.info.shape, self.strategy.native_weights
        each = BYTES_PER_WEIGHT[held_as(shape, weights)]
        value_bytes = shape.layers * shape.width * shape.ffn * each
        return round(value_bytes * (1 - read / rows)) if rows else 0

    def set_power_saving(self, on: bool) -> None:
        """See ``Backend.set_power_saving``."""
        if self.strategy.threads:
            return
        try:
            self._model.set_pool(Pool(self._model.library, most_threads(power_saving=on)))
            choose_threads(self._model, self._try_step, self.strategy.native_weights, self._cache)
        except NativeError as error:
            raise understandable(error) from error

    def new_state(self) -> State:
        """Return the zero state, its wkv in the library's order behind a transposed view."""
        state = State.zeros(self.info.shape)
        state.wkv = state.wkv.mT
        return state

    def close(self) -> None:
        """Give the weights' memory back, and the file that they were mapped from."""
        self._kept.stop()
        self._close_tables()
        self._model.close()

    def settle(self) -> None:
        """Wait for what a load left to be done in the background; for those who measure."""
        self._kept.settle()

    def forward(
        self,
        tokens: Sequence[int],
        state: State,
        *,
        all_logits: bool = False,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> Tensor:
        """See ``Backend.forward``. Stops between blocks of the library's own size."""
        self._require(tokens)
        addresses = self._addresses(state)
        if cancelled is not None and cancelled():
            raise Cancelled
        vocab = self.info.shape.vocab
        if len(tokens) > 1:
            return self._read(tokens, state, addresses, all_logits, progress, cancelled)
        logits = torch.empty((1, vocab) if all_logits else (vocab,))
        self._run(lambda: self._model.decode(tokens[0], addresses, logits.data_ptr()))
        state.tokens_read += 1
        if progress:
            progress(1, 1)
        return logits

    def forward_batch(self, tokens: Sequence[Sequence[int]], states: Sequence[State]) -> Tensor:
        """See ``Backend.forward_batch``. Up to MAX_BATCH rows of one token read weights once."""
        if any(len(row) != 1 for row in tokens):
            rows = zip(tokens, states, strict=True)
            return torch.stack([self.forward(row, state) for row, state in rows])
        logits = torch.empty(len(tokens), self.info.shape.vocab)
        for row in tokens:
            self._require(row)
        addresses = [self._addresses(state) for state in states]
        for begin in range(0, len(tokens), MAX_BATCH):
            part = slice(begin, begin + MAX_BATCH)
            ids, places = [row[0] for row in tokens[part]], addresses[part]
            if self._tables is not None:
                self._tables.read(ids)  # what cannot be read fails before any state is advanced
            target = logits[begin].data_ptr()
            self._run(lambda i=ids, p=places, t=target: self._model.decode_batch(i, p, t))
            for state in states[part]:
                state.tokens_read += 1
        return logits

    def _make_ready(
        self, empty: bool, progress: Progress | None, cancelled: IsCancelled | None
    ) -> None:
        """Fill the model if it is ``empty``, choose its threads, keep what was packed."""
        if empty:
            self._pack(progress, cancelled)
        if not self.strategy.threads:
            weights = self.strategy.native_weights
            choose_threads(self._model, self._try_step, weights, self._cache, cancelled=cancelled)
        if empty:
            self._kept.keep(self._model)

    def _pack(self, progress: Progress | None, cancelled: IsCancelled | None) -> None:
        info = self.info
        with (
            open_checkpoint(info.path) as checkpoint,
            LoraMerge(info.loras, info.shape, info.name) as loras,
            torch.inference_mode(),
        ):
            fill_model(self._model, checkpoint, loras, progress, cancelled)
        self._model.ready()

    def _read(
        self,
        tokens: Sequence[int],
        state: State,
        addresses: tuple[int, int, int],
        all_logits: bool,
        progress: Progress | None,
        cancelled: IsCancelled | None,
    ) -> Tensor:
        def between(done: int, total: int) -> bool:
            if progress:
                progress(done, total)
            return done < total and cancelled is not None and cancelled()

        vocab = self.info.shape.vocab
        logits = torch.empty((len(tokens), vocab) if all_logits else (vocab,))
        target = logits.data_ptr()
        last, everything = (None, target) if all_logits else (target, None)
        try:
            self._run(lambda: self._model.prefill(tokens, addresses, last, everything, between))
        except NativeCancelled as stopped:
            state.tokens_read += stopped.done
            raise stopped.__cause__ or Cancelled from None
        state.tokens_read += len(tokens)
        return logits

    @staticmethod
    def _run(work: "Callable[[], None]") -> None:
        try:
            work()
        except NativeError as error:
            raise understandable(error) from error

    def _addresses(self, state: State) -> tuple[int, int, int]:
        """Return where the three arrays lie; what is laid out otherwise is copied, once."""
        state.require_shape(self.info.shape)
        state.att_shift = _plain(state.att_shift)
        state.ffn_shift = _plain(state.ffn_shift)
        state.wkv = _plain(state.wkv.mT).mT
        return state.att_shift.data_ptr(), state.wkv.data_ptr(), state.ffn_shift.data_ptr()

    def _open_tables(self) -> None:
        """Let the library have the rows of DeepEmbed's tables, where the model has them."""
        if not self.info.shape.deep:
            return
        tables = self._tables = TableRows(self.info)

        def give(tokens: Sequence[int], address: int) -> None:
            rows = tables.read(tokens)
            ctypes.memmove(address, rows.ctypes.data, rows.nbytes)

        self._model.set_rows(tables.dtype, give)

    def _close_tables(self) -> None:
        if self._tables is not None:
            self._tables.close()

    def _try_step(self) -> None:
        """Decode a token onto nothing: what thread counts are compared by."""
        state = self.new_state()
        self._model.decode(0, self._addresses(state), None)

    def _require(self, tokens: Sequence[int]) -> None:
        require_tokens(tokens, self.info.shape.vocab)


def serves(library: Library, shape: ModelShape, strategy: Strategy) -> bool:
    """Tell whether the library can run a model of this shape so: whole, in one type."""
    weights = strategy.native_weights
    return bool(weights) and library.packed_bytes(sizes_of(shape), weights) > 0


def sizes_of(shape: ModelShape) -> Sizes:
    """Return the library's view of a shape. Where no layer needs a v pair, its rank is 1."""
    ranks = shape.ranks
    return Sizes(
        *(shape.layers, shape.width, shape.heads, shape.head_size, shape.ffn, shape.vocab),
        *(ranks.w, ranks.a, max(1, ranks.v), ranks.g),
        deep=shape.deep,
    )


def _plain(tensor: Tensor) -> Tensor:
    return tensor.to("cpu", torch.float32).contiguous()


def understandable(error: NativeError) -> BaseException:
    """Return what a failure of the library is for those who know nothing of it."""
    if error.code == NativeError.NO_MEMORY:
        return MemoryError(str(error))
    return EngineError(f"The engine for processors failed: {error}.", "The log has the details.")
