"""The reference backend: RWKV-7 in plain torch, on any device that torch knows.

Written to be read beside the paper and to be what the native backends are checked against: the
equations are in ``layers``, here they are run over tokens, rows and devices. State and residual are
fp32. Shapes: B rows of T tokens, D wide, H heads of N.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.backends.base import IsCancelled, Progress
from engine.backends.layers import Layer, Tokens, channel_mix, read_layer, read_norm, time_mix
from engine.backends.lora import LoraMerge
from engine.backends.step_graph import StepGraph
from engine.backends.table_rows import TableRows
from engine.backends.threads import most_threads
from engine.backends.weights import DTYPES, WeightReader
from engine.checkpoint import ModelInfo, open_checkpoint
from engine.errors import Cancelled, EngineError, UnsupportedStrategy
from engine.state import State
from engine.strategy import Strategy

READ_CHUNK = 256
GPU_READ_CHUNK = 512
"""Tokens that go through all layers together. Fixed, never measured: it decides roundings."""


@dataclass(slots=True)
class _Rows:
    """The states of B rows as one: [L, B, ...]. Of one row it is a view, so nothing is copied."""

    att_shift: Tensor
    wkv: Tensor
    ffn_shift: Tensor

    @classmethod
    def gather(cls, states: Sequence[State]) -> "_Rows":
        if len(states) == 1:
            state = states[0]
            return cls(
                state.att_shift.unsqueeze(1), state.wkv.unsqueeze(1), state.ffn_shift.unsqueeze(1)
            )
        return cls(
            torch.stack([state.att_shift for state in states], 1),
            torch.stack([state.wkv for state in states], 1),
            torch.stack([state.ffn_shift for state in states], 1),
        )

    def scatter(self, states: Sequence[State], tokens: int) -> None:
        for i, state in enumerate(states):
            state.att_shift.copy_(self.att_shift[:, i])
            state.wkv.copy_(self.wkv[:, i])
            state.ffn_shift.copy_(self.ffn_shift[:, i])
            state.tokens_read += tokens


class TorchBackend:
    """RWKV-7 in plain torch. One thread at a time may use it."""

    name = "torch"
    notice = ""

    def __init__(
        self,
        info: ModelInfo,
        strategy: Strategy,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> None:
        """Load the weights, each once, straight to its device and type.

        Raises UnsupportedStrategy for a weight type or device that torch cannot serve here,
        DamagedFile for values that are not finite, Cancelled when asked to stop.
        """
        self.info = info
        self.strategy = strategy
        placement = strategy.placement(info.shape.layers)
        stages = [(device_of(stage.device), _dtype(stage.weights)) for stage in placement]
        if strategy.threads:
            torch.set_num_threads(strategy.threads)
        with (
            open_checkpoint(info.path) as checkpoint,
            LoraMerge(info.loras, info.shape, info.name) as loras,
            torch.inference_mode(),
        ):
            reader = WeightReader(checkpoint, progress, cancelled, loras)
            # Rows are gathered on the host, and held as the file has them: exact and small.
            self._embedding = reader.read("emb.weight", reader.file_dtype("emb.weight"), "cpu")
            self._ln0 = read_norm(reader, "blocks.0.ln0", torch.device("cpu"))
            self._layers = [
                read_layer(reader, i, info.shape, device, dtype)
                for i, (device, dtype) in enumerate(stages[: info.shape.layers])
            ]
            device, dtype = stages[-1]
            self._ln_out = read_norm(reader, "ln_out", device)
            self._head = reader.matrix("head.weight", dtype, device)
        self._home = self._layers[0].device
        devices = {layer.device for layer in self._layers} | {device}
        self._on_one_card = len(devices) == 1 and device.type == "cuda"
        self._graph: StepGraph | None = None
        self._resident_bytes = reader.resident_bytes
        self._tables = TableRows(info) if info.shape.deep else None

    @property
    def resident_bytes(self) -> int:
        """Bytes that the weights occupy, over all devices."""
        return self._resident_bytes

    def new_state(self) -> State:
        """Return the zero state, on the device of the first layer."""
        return State.zeros(self.info.shape, self._home)

    def set_power_saving(self, on: bool) -> None:
        """See ``Backend.set_power_saving``. Torch counts threads for the whole process."""
        # Always set: the number may still be that of the model before.
        torch.set_num_threads(self.strategy.threads or most_threads(power_saving=on))

    def close(self) -> None:
        """Give the weights' memory back."""
        self._layers.clear()
        self._graph = None
        if self._tables is not None:
            self._tables.close()
        del self._embedding, self._head
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
        """See ``Backend.forward``. Chunks of READ_CHUNK tokens; stops between any two layers."""
        self._require(tokens)
        state.require_shape(self.info.shape)
        logits: list[Tensor] = []
        size = READ_CHUNK if self._home.type == "cpu" else GPU_READ_CHUNK
        for start in range(0, len(tokens), size):
            chunk = tokens[start : start + size]
            last = start + len(chunk) == len(tokens)
            if len(chunk) == 1:
                logits.append(self._step(chunk[0], state).unsqueeze(0))
            else:
                x = self._read(chunk, state, cancelled)
                if all_logits or last:
                    logits.append(self._logits(x if all_logits else x[-1:]))
            if progress:
                progress(start + len(chunk), len(tokens))
        return torch.cat(logits) if all_logits else logits[0][0]

    @torch.inference_mode()
    def forward_batch(self, tokens: Sequence[Sequence[int]], states: Sequence[State]) -> Tensor:
        """See ``Backend.forward_batch``. Rows of one token share each weight's one reading."""
        if any(len(row) != 1 for row in tokens):
            rows = zip(tokens, states, strict=True)
            return torch.stack([self.forward(row, state) for row, state in rows])
        for row in tokens:
            self._require(row)
        rows = _Rows.gather(states)
        x = self._through_layers(self._embed(tokens), rows)
        rows.scatter(states, 1)
        return self._logits(x[:, -1])

    def _read(self, chunk: Sequence[int], state: State, cancelled: IsCancelled | None) -> Tensor:
        """Read tokens together; return the residual [T, D]. Stopped, the state is as it was."""
        work = state.clone()
        x = self._through_layers(self._embed([chunk]), _Rows.gather([work]), cancelled)
        state.copy_from(work)
        state.tokens_read += len(chunk)
        return x[0]

    def _step(self, token: int, state: State) -> Tensor:
        """Read one token; return logits [V]. On one CUDA card, the whole step is one graph."""
        tokens = self._embed([[token]])
        given = [tokens.x] if tokens.rows is None else [tokens.x, tokens.rows]
        if not self._on_one_card or state.wkv.device != self._home:
            logits = self._step_through(given, state)
            state.tokens_read += 1
            return logits
        if self._graph is None:
            self._graph = StepGraph(self._step_through, given, state)
        return self._graph(given, state)

    def _step_through(self, given: Sequence[Tensor], state: State) -> Tensor:
        return self._logits(self._through_layers(Tokens(*given), _Rows.gather([state]))[0])[-1]

    def _embed(self, tokens: Sequence[Sequence[int]]) -> Tokens:
        """Return what tokens are before the first layer; all rows are of one length."""
        x = self._ln0(self._embedding[torch.tensor(tokens, dtype=torch.long)].float())
        if self._tables is None:
            return Tokens(x)
        rows = torch.from_numpy(self._tables.read([token for row in tokens for token in row]))
        rows = rows.view(DTYPES[self._tables.dtype]).unflatten(1, x.shape[:2])
        return Tokens(x, rows)

    def _through_layers(
        self, tokens: Tokens, rows: _Rows, cancelled: IsCancelled | None = None
    ) -> Tensor:
        """Take tokens through all layers; return the residual [B, T, D]; advance the states."""
        x, v_first = tokens.x, None
        if tokens.rows is not None:
            tokens = Tokens(x.to(self._home), tokens.rows.to(self._home))
        for i, layer in enumerate(self._layers):
            if cancelled is not None and cancelled():
                raise Cancelled
            x = x.to(layer.device)
            v_first = v_first if v_first is None else v_first.to(layer.device)
            x, v_first = self._run_layer(layer, i, rows, tokens, x, v_first)
        return x

    @staticmethod
    def _run_layer(
        layer: Layer, i: int, rows: _Rows, tokens: Tokens, x: Tensor, v_first: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Run block ``i``; the state's slices come to the layer's device and go back."""
        homes = (rows.att_shift[i], rows.wkv[i], rows.ffn_shift[i])
        att_shift, wkv, ffn_shift = (home.to(layer.device) for home in homes)
        y, v_first = time_mix(layer.time_mix, layer.ln1(x), att_shift, wkv, v_first)
        x = x + y
        x = x + channel_mix(layer.channel_mix, layer.ln2(x), ffn_shift, i, tokens)
        for home, there in zip(homes, (att_shift, wkv, ffn_shift), strict=True):
            if there.device != home.device:
                home.copy_(there)
        return x, v_first

    def _logits(self, x: Tensor) -> Tensor:
        """Return fp32 logits [..., V] of the residual x [..., D]."""
        return self._head(self._ln_out(x.to(self._ln_out.weight.device)))

    def _require(self, tokens: Sequence[int]) -> None:
        vocab = self.info.shape.vocab
        if not len(tokens):
            raise EngineError("There is nothing to read: the list of tokens is empty.")
        if min(tokens) < 0 or max(tokens) >= vocab:
            raise EngineError(
                f"A token id lies outside the vocabulary of this model (0 to {vocab - 1}).",
                "Check that the tokenizer belongs to this model.",
            )


def device_of(name: str) -> torch.device:
    """Return the device that a stage names. Raises UnsupportedStrategy where torch has it not."""
    kind = name.partition(":")[0]
    # The driver's tools count cards by their slot, CUDA by its own opinion unless told.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "xpu": hasattr(torch, "xpu") and torch.xpu.is_available(),
    }
    if not available.get(kind, False):
        raise UnsupportedStrategy(
            f"This installation of torch ({torch.__version__}) cannot use the device '{name}'.",
            "Choose 'auto' or 'cpu bf16', or install torch for this device (see the README).",
        )
    if name == "cuda":  # which is the same card as cuda:0, and has to compare equal to it
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device(name)


def _dtype(weights: str) -> torch.dtype:
    if weights not in DTYPES:
        raise UnsupportedStrategy(
            f"Weights of type '{weights}' need a native engine that this version does not have.",
            "Choose fp32, bf16 or fp16.",
        )
    return DTYPES[weights]
