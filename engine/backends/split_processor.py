"""The last layers of a model and its head in the native library: the other half of
``engine.backends.split``.

Knows the library and where a state's layers lie; the arithmetic is in ``kernels/cpu``.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.backends.base import IsCancelled
from engine.backends.cpu import sizes_of, understandable
from engine.backends.kept import KeptWeights
from engine.backends.threads import choose_threads, most_threads
from engine.state import State
from kernels.cpu.library import Library, NativeError, NativeModel, Pool, Sizes

if TYPE_CHECKING:
    from pathlib import Path

    from engine.checkpoint import ModelShape

Fill = Callable[[NativeModel], None]
"""Gives a model its tensors."""


class ProcessorLayers:
    """The layers from ``first`` on, and the head. One thread at a time may use them."""

    def __init__(
        self,
        library: Library,
        shape: "ModelShape",
        first: int,
        weights: str,
        fill: Fill,
        *,
        kept: KeptWeights,
        threads: int = 0,
        cache: "Path | None" = None,
        power_saving: bool = False,
        cancelled: IsCancelled | None = None,
    ) -> None:
        """shape: of the whole model. kept: what was packed before of these layers. threads: 0
        chooses; cache: as for ``CpuBackend``.

        Raises what ``fill`` raises, MemoryError, EngineError, or Cancelled when asked to stop.
        """
        self._shape, self._first, self._weights = shape, first, weights
        self._threads, self._cache, self._kept = threads, cache, kept
        try:
            most = most_threads(power_saving=power_saving)
            pool = Pool(library, threads or most)
            mapped = kept.open(cancelled=cancelled)
            self._model = NativeModel(library, end_sizes(shape, first), weights, pool, mapped)
            try:
                self._make_ready(None if mapped else fill, cancelled)
            except BaseException:
                self._model.close()
                raise
        except NativeError as error:
            raise understandable(error) from error

    def _make_ready(self, fill: Fill | None, cancelled: IsCancelled | None) -> None:
        """Fill the model if it is empty, choose its threads, keep what was packed."""
        if fill is not None:
            fill(self._model)
            self._model.ready()
        self._try_step()  # takes what memory a token needs
        if not self._threads:
            choose_threads(
                *(self._model, self._try_step, self._weights, self._cache), cancelled=cancelled
            )
        if fill is not None:
            self._kept.keep(self._model)

    @property
    def nbytes(self) -> int:
        """Bytes of weights."""
        return self._model.weights_bytes

    @property
    def threads(self) -> int:
        """How many threads compute."""
        return self._model.threads

    def forward(
        self, residual: Tensor, v_first: Tensor, state: State, logits: Tensor | None
    ) -> None:
        """Advance the state's last layers by tokens that come as fp32 [T, D] each.

        state: on the host, fp32, wkv in key-major order. logits: fp32 [V] for the last token's,
        [T, V] for all, or None.
        """
        last = everything = None
        if logits is not None:
            address = logits.data_ptr()
            last, everything = (address, None) if logits.dim() == 1 else (None, address)
        before = residual.data_ptr(), v_first.data_ptr()
        try:
            self._model.resume(before, len(residual), self._places(state), last, everything)
        except NativeError as error:
            raise understandable(error) from error

    def set_power_saving(self, on: bool) -> None:
        """See ``Backend.set_power_saving``."""
        if self._threads:
            return
        try:
            self._model.set_pool(Pool(self._model.library, most_threads(power_saving=on)))
            choose_threads(self._model, self._try_step, self._weights, self._cache)
        except NativeError as error:
            raise understandable(error) from error

    def close(self) -> None:
        """Give the weights' memory back, and the file that they were mapped from."""
        self._kept.stop()
        self._model.close()

    def _places(self, state: State) -> tuple[int, int, int]:
        """Return where the arrays of these layers lie; nowhere (0) if only the head is here."""
        if self._first == self._shape.layers:
            return 0, 0, 0
        arrays = state.att_shift, state.wkv.mT, state.ffn_shift
        att, wkv, ffn = (array[self._first :].data_ptr() for array in arrays)
        return att, wkv, ffn

    def _try_step(self) -> None:
        """Take a token onto nothing."""
        state = State.zeros(self._shape)
        state.wkv = state.wkv.mT
        zeros = torch.zeros(2, 1, self._shape.width)
        self.forward(zeros[0], zeros[1], state, torch.empty(self._shape.vocab))


def end_sizes(shape: "ModelShape", first: int) -> Sizes:
    """Return the library's view of the layers from ``first`` on."""
    return replace(sizes_of(shape), layers=shape.layers - first, first_layer=first)
