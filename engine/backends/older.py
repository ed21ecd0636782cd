"""Models of RWKV-4, 5 and 6: the forward passes of the author's package behind our contract.

The package gets tensors that our reader made, and its lists of states become our ``State`` and
back, without a change of any bit. Knows nothing of chats; the equations are the package's.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.backends.author_package import Placement, Runner, make_runner
from engine.backends.base import IsCancelled, Progress, require_tokens
from engine.backends.lora import LoraMerge
from engine.backends.older_weights import VERSIONS, OlderWeights
from engine.backends.threads import most_threads
from engine.backends.torch import device_of
from engine.backends.weights import DTYPES, WeightReader
from engine.checkpoint import ModelInfo, open_checkpoint
from engine.checkpoint.older_shape import OlderShape
from engine.errors import Cancelled
from engine.older_strategy import EIGHT_BITS, package_types
from engine.state import State
from engine.strategy import Stage, Strategy

READ_CHUNK = 64
GPU_READ_CHUNK = 256
"""Tokens that go through all layers together: a stop waits for them. Fixed: decides roundings."""


class OlderBackend:
    """A model of an older generation. One thread at a time may use it."""

    name = "rwkv"
    notice = ""

    def __init__(
        self,
        info: ModelInfo,
        strategy: Strategy,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> None:
        """Load the weights, each once.

        Raises UnsupportedStrategy for a type or device that cannot serve, DamagedFile for values
        that are not finite, Cancelled when asked to stop.
        """
        assert isinstance(info.shape, OlderShape)
        self.info = info
        self.strategy = strategy
        self._shape = info.shape
        if strategy.threads:
            torch.set_num_threads(strategy.threads)
        self._places = [_placement(stage) for stage in strategy.placement(info.shape.layers)]
        with (
            open_checkpoint(info.path) as checkpoint,
            LoraMerge(info.loras, info.shape, info.name) as loras,
            torch.inference_mode(),
        ):
            reader = WeightReader(checkpoint, progress, cancelled, loras)
            weights = OlderWeights(reader, list(checkpoint.entries), info.shape, self._places)
            self._start = weights.start_state()
            made = weights.read()
        self._resident_bytes = sum(tensor.nbytes for tensor in made.values())
        self._runner: Runner = make_runner(
            made, VERSIONS[info.shape.older], _sizes(info.shape), self._places
        )

    @property
    def resident_bytes(self) -> int:
        """Bytes that the weights occupy, over all devices."""
        return self._resident_bytes

    def new_state(self) -> State:
        """Return the state before anything is read: zeros, or the beginning that the file brings.

        It is on the device of the first layer.
        """
        state = State.zeros(self._shape, self._places[0].device)
        if self._start is not None:
            state.wkv.copy_(self._start)
        return state

    def set_power_saving(self, on: bool) -> None:
        """See ``Backend.set_power_saving``. Torch counts threads for the whole process."""
        # Always set: the number may still be that of the model before.
        torch.set_num_threads(self.strategy.threads or most_threads(power_saving=on))

    def close(self) -> None:
        """Give the weights' memory back."""
        self._runner.w.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def forward(
        self,
        tokens: Sequence[int],
        state: State,
        *,
        all_logits: bool = False,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> Tensor:
        """See ``Backend.forward``. Stops between chunks of READ_CHUNK tokens."""
        require_tokens(tokens, self._shape.vocab)
        state.require_shape(self._shape)
        size = READ_CHUNK if self._places[0].device.type == "cpu" else GPU_READ_CHUNK
        parts, logits = self._unpacked(state), []
        for start in range(0, len(tokens), size):
            if cancelled is not None and cancelled():
                raise Cancelled
            chunk = [int(token) for token in tokens[start : start + size]]
            last, parts = self._runner.forward(chunk, parts, all_logits)
            self._pack(parts, state, len(chunk))
            logits = [*logits, last.view(-1, self._shape.vocab)] if all_logits else [last]
            if progress:
                progress(start + len(chunk), len(tokens))
        return torch.cat(logits) if all_logits else logits[0].view(-1)

    def forward_batch(self, tokens: Sequence[Sequence[int]], states: Sequence[State]) -> Tensor:
        """See ``Backend.forward_batch``. The package has no batches: one row after the other."""
        rows = [self.forward(row, state) for row, state in zip(tokens, states, strict=True)]
        return torch.stack(rows)

    def _unpacked(self, state: State) -> list[Tensor]:
        """Return the package's list: per layer the time mix's shift, what it sums, ffn's shift."""
        parts: list[Tensor] = []
        for i, place in enumerate(self._places[:-1]):
            sums = state.wkv[i].to(place.device)
            # Theirs has keys in rows. Of matrices it is always the same layout in memory, so that
            # a state from a file goes on with the very same roundings.
            own = sums.unbind() if len(sums.shape) == 2 else (sums.mT.contiguous(),)
            shifts = (state.att_shift[i], state.ffn_shift[i])
            att, ffn = (shift.to(place.device, place.activation) for shift in shifts)
            parts += [att, *own, ffn]
        return parts

    def _pack(self, parts: Sequence[Tensor], state: State, tokens: int) -> None:
        """Write the package's list into ``state``, in place."""
        each = len(parts) // self._shape.layers
        for i in range(self._shape.layers):
            att, *sums, ffn = parts[i * each : (i + 1) * each]
            state.att_shift[i].copy_(att)
            state.ffn_shift[i].copy_(ffn)
            state.wkv[i].copy_(torch.stack(sums) if len(sums) > 1 else sums[0].mT)
        state.tokens_read += tokens


def _placement(stage: Stage) -> Placement:
    activation, weight = package_types(stage)
    held = torch.uint8 if weight == EIGHT_BITS else DTYPES[weight]
    return Placement(device_of(stage.device), DTYPES[activation], held)


def _sizes(shape: OlderShape) -> dict[str, int]:
    """Return what the package wants to know of a model, under its names."""
    return {
        "n_embd": shape.width,
        "n_att": shape.width,
        "n_ffn": shape.ffn,
        "n_layer": shape.layers,
        "n_head": shape.heads,
    }
