"""One model on a card and the processor: the first layers there, the others and the head here.

Both by our own engines. A state is whole, on the host; the card keeps its layers' part of the one
that it worked on last. Knows the two halves; their arithmetic is in ``kernels``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.backends import cuda
from engine.backends.base import IsCancelled, Progress, require_tokens
from engine.backends.card_memory import Explained
from engine.backends.card_source import FileSource, Source
from engine.backends.kept import KeptWeights
from engine.backends.lora import LoraMerge
from engine.backends.packing import fill_model
from engine.backends.split_card import CardLayers
from engine.backends.split_processor import ProcessorLayers, end_sizes
from engine.checkpoint import ModelInfo, ModelShape, open_checkpoint
from engine.errors import Cancelled, UnsupportedStrategy
from engine.needs import CARD_WEIGHTS, suits_native
from engine.state import State
from engine.strategy import Strategy

if TYPE_CHECKING:
    from pathlib import Path

    from engine.backends.graphs import Graphs
    from engine.packed_files import PackedFiles
    from kernels.cpu.library import Library, NativeModel
    from kernels.cuda.program import Programs


class SplitBackend:
    """RWKV-7, its layers shared by one card and the processor. One thread at a time may use it."""

    name = "cuda+cpu"
    notice = ""

    def __init__(
        self,
        info: ModelInfo,
        strategy: Strategy,
        library: "Library",
        programs: "Programs",
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
        *,
        graphs: "Graphs | None" = None,
        cache: "Path | None" = None,
        packed: "PackedFiles | None" = None,
        power_saving: bool = False,
        closing: Callable[[], None] | None = None,
    ) -> None:
        """Load both halves from the file, one after the other.

        programs, graphs, cache, closing: as for ``CudaBackend``. packed: as for ``CpuBackend``, of
        what the processor has. power_saving: as in ``set_power_saving``.
        Raises UnsupportedStrategy for what ``serves`` refuses, what ``CudaBackend`` and
        ``CpuBackend`` raise, DamagedFile, or Cancelled.
        """
        if not serves(library, info.shape, strategy):
            raise UnsupportedStrategy(
                f"Skein's own engines cannot share {info.name} as '{strategy}'.",
                "Choose “auto”, or fp16 for both parts: torch runs that.",
            )
        self.info, self.strategy = info, strategy
        self._closing = closing
        first = layers_on_card(info.shape, strategy)
        on_card, rest = strategy.stages

        def starts(name: str) -> bool:
            return _is_of_start(name, first)

        with (
            open_checkpoint(info.path) as checkpoint,
            LoraMerge(info.loras, info.shape, info.name) as loras,
        ):
            sizes = {name: entry.size_bytes for name, entry in checkpoint.entries.items()}
            total, begun = sum(sizes.values()), sum(n for name, n in sizes.items() if starts(name))
            source = FileSource(checkpoint, programs.device, progress, cancelled, loras)
            self._card = CardLayers(
                replace(info.shape, layers=first),
                on_card.weights,
                _Some(source, starts),
                programs,
                graphs,
                cache,
            )

            def fill(model: "NativeModel") -> None:
                def told(done: int, _total: int) -> None:
                    if progress:
                        progress(begun + done, total)

                with torch.inference_mode():
                    fill_model(
                        *(model, checkpoint, loras, told, cancelled),
                        wanted=lambda name: not starts(name),
                    )

            packed_bytes = library.packed_bytes(end_sizes(info.shape, first), rest.weights)
            self._kept = KeptWeights(packed, library, info, rest.weights, packed_bytes, first)
            self._processor = ProcessorLayers(
                *(library, info.shape, first, rest.weights, fill),
                kept=self._kept,
                threads=strategy.threads,
                cache=cache,
                power_saving=power_saving,
                cancelled=cancelled,
            )

    @property
    def resident_bytes(self) -> int:
        """Bytes that the weights occupy, over all devices."""
        return self._card.nbytes + self._processor.nbytes

    @property
    def threads(self) -> int:
        """How many threads of the processor compute."""
        return self._processor.threads

    def settle(self) -> None:
        """Wait for what a load left to be done in the background; for those who measure."""
        self._kept.settle()

    def new_state(self) -> State:
        """Return the zero state, on the host."""
        return self._card.new_state(self.info.shape)

    def set_power_saving(self, on: bool) -> None:
        """See ``Backend.set_power_saving``."""
        self._processor.set_power_saving(on)

    def close(self) -> None:
        """Give the weights' memory back. States are the host's own."""
        self._card.close()
        self._processor.close()
        closing, self._closing = self._closing, None
        if closing is not None:
            closing()

    @torch.no_grad()
    def forward(
        self,
        tokens: Sequence[int],
        state: State,
        *,
        all_logits: bool = False,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> Tensor:
        """See ``Backend.forward``. Stops between pieces; the logits are on the host."""
        shape, total = self.info.shape, len(tokens)
        require_tokens(tokens, shape.vocab)
        state.require_shape(shape)
        self._card.adopt(state)
        with torch.inference_mode(False):
            logits = torch.empty((total, shape.vocab) if all_logits else (shape.vocab,))
        for begin in range(0, total, self._card.most_tokens):
            if cancelled is not None and cancelled():
                raise Cancelled
            end = min(begin + self._card.most_tokens, total)
            wanted = logits[begin:end] if all_logits else logits if end == total else None
            self._piece(tokens[begin:end], state, wanted)
            if progress:
                progress(end, total)
        return logits

    @torch.no_grad()
    def forward_batch(self, tokens: Sequence[Sequence[int]], states: Sequence[State]) -> Tensor:
        """See ``Backend.forward_batch``: one row after the other."""
        rows = zip(tokens, states, strict=True)
        return torch.stack([self.forward(row, state) for row, state in rows])

    def _piece(self, tokens: Sequence[int], state: State, logits: Tensor | None) -> None:
        """Take tokens through both halves, or leave the state as it was.

        What one token needs was taken at the load, so that only more of them need a copy.
        """
        before = state.clone() if len(tokens) > 1 else None
        try:
            with Explained(self.info.name, self.strategy):
                between = self._card.forward(tokens, state)
            self._processor.forward(*between, state, logits)
        except BaseException:
            self._card.wait()
            if before is not None:
                state.copy_from(before)
            raise
        self._card.finish(state)
        state.tokens_read += len(tokens)


class _Some:
    """Those tensors of a source whose names are wanted."""

    def __init__(self, source: Source, wanted: Callable[[str], bool]) -> None:
        self._source, self._wanted = source, wanted

    def names(self) -> Iterable[str]:
        """See ``Source``."""
        return [name for name in self._source.names() if self._wanted(name)]

    def pieces(self, name: str) -> Iterator[tuple[int, Tensor]]:
        """See ``Source``."""
        return self._source.pieces(name)


def serves(library: "Library", shape: ModelShape, strategy: Strategy) -> bool:
    """Tell whether our own engines can share a model of this shape so: a card, then the CPU."""
    kinds = [stage.kind for stage in strategy.stages]
    if kinds != ["cuda", "cpu"] or any(stage.streamed for stage in strategy.stages):
        return False
    on_card, rest = strategy.stages
    first = layers_on_card(shape, strategy)
    return (
        on_card.weights in CARD_WEIGHTS
        and suits_native(shape)
        and first <= shape.layers
        and cuda.serves(shape, Strategy((replace(on_card, layers=None),)))
        and library.packed_bytes(end_sizes(shape, first), rest.weights) > 0
    )


def layers_on_card(shape: ModelShape, strategy: Strategy) -> int:
    """Return how many stand on the card; one more than there are when the head does, too."""
    return sum(stage.kind == "cuda" for stage in strategy.placement(shape.layers))


def _is_of_start(name: str, first: int) -> bool:
    """Tell whether a tensor belongs to the embedding or a layer before ``first``."""
    if not name.startswith("blocks."):
        return name == "emb.weight"
    return int(name.split(".")[1]) < first


def open_split(
    info: ModelInfo,
    strategy: Strategy,
    library: "Library",
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
    *,
    packed: "PackedFiles | None" = None,
    power_saving: bool = False,
) -> SplitBackend:
    """Load a model's file onto the card that the strategy names, and here.

    Raises what ``SplitBackend`` and ``programs_for`` raise.
    """
    from engine.backends.torch import device_of
    from engine.folders import Folders

    cache = Folders.standard().cache
    programs = cuda.programs_for(device_of(strategy.stages[0].device), cache)
    return SplitBackend(
        *(info, strategy, library, programs, progress, cancelled),
        cache=cache,
        packed=packed,
        power_saving=power_saving,
        closing=cuda.unloading(programs),
    )
