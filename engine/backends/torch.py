"""The reference backend: RWKV-7 in plain torch, on any device that torch knows.

Written to be read beside the paper (RWKV-7 "Goose", https://arxiv.org/abs/2503.14456) and to be
what the native backends are checked against. Names are the paper's: r w k v a g, kk, v_first.

Matrices are held in the strategy's type (see ``matrices``); everything else (norms, decay, kk,
recurrence, state, residual) is fp32. Shapes: B rows of T tokens, D wide, H heads of N.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import group_norm, layer_norm, normalize

from engine.backends.base import IsCancelled, Progress
from engine.backends.lora import LoraMerge
from engine.backends.matrices import Matrix
from engine.backends.step_graph import StepGraph
from engine.backends.table_rows import TableRows
from engine.backends.threads import most_threads
from engine.backends.weights import DTYPES, WeightReader
from engine.backends.wkv7 import wkv7_chunked, wkv7_step
from engine.checkpoint import ModelInfo, ModelShape, open_checkpoint
from engine.errors import Cancelled, EngineError, UnsupportedStrategy
from engine.state import State
from engine.strategy import Strategy

READ_CHUNK = 256
GPU_READ_CHUNK = 512
"""Tokens that go through all layers together. Fixed, never measured: it decides roundings."""

_LOG_DECAY = -0.6065306597126334  # -exp(-0.5)
_NORM_EPS = 1e-5
_HEAD_NORM_EPS = 64e-5


@dataclass(frozen=True, slots=True)
class Norm:
    """A LayerNorm's weight and bias, [D] fp32."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Normalise the last dimension of x [..., D] fp32."""
        return layer_norm(x, self.weight.shape, self.weight, self.bias, _NORM_EPS)


@dataclass(frozen=True, slots=True)
class Lora:
    """A low-rank pair: first [rank, D], second [D, rank]; bias [D] fp32, which the gate lacks."""

    first: Matrix
    second: Matrix
    bias: Tensor | None = None

    def out(self, hidden: Tensor) -> Tensor:
        """Return second @ hidden + bias: [..., rank] -> [..., D] fp32."""
        y = self.second(hidden)
        return y if self.bias is None else y + self.bias


@dataclass(frozen=True, slots=True)
class TimeMix:
    """One layer's time mix. Mixes and vectors [D] fp32; matrices [D, D]; r_k [H, N] fp32."""

    x_r: Tensor
    x_w: Tensor
    x_k: Tensor
    x_v: Tensor
    x_a: Tensor
    x_g: Tensor
    k_k: Tensor
    k_a: Tensor
    r_k: Tensor
    receptance: Matrix
    key: Matrix
    value: Matrix
    output: Matrix
    decay: Lora
    rate: Lora  # "a": how much of what stood at a key is replaced
    gate: Lora
    v_blend: Lora | None  # layer 0 has none: its values are v_first
    head_norm: Norm


@dataclass(frozen=True, slots=True)
class DeepEmbed:
    """What v7a adds to a channel mix: embedding [n * n, D], first [n, D], second [F, n], bias [F].

    The file's s_emb_x, s1, s2 and s0; its table s_emb is not held.
    """

    embedding: Matrix
    first: Matrix
    second: Matrix
    bias: Tensor

    def gate(self, h: Tensor, x0: Tensor, rows: Tensor) -> Tensor:
        """Return what k is scaled with [B, T, F].

        h: [B, T, D] after ln2; x0: [B, T, D] the normed embedding; rows: [B, T, n * n] fp32, what
        the table has for each token.
        """
        hidden = self.first(h)
        side = hidden.shape[-1]
        rows = (rows + self.embedding(x0)).unflatten(-1, (side, side))
        return self.second((hidden.unsqueeze(-2) @ rows).squeeze(-2)) + self.bias


@dataclass(frozen=True, slots=True)
class ChannelMix:
    """One layer's channel mix: x_k [D] fp32, key [F, D], value [D, F]."""

    x_k: Tensor
    key: Matrix
    value: Matrix
    deep: DeepEmbed | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens before the first layer: x the normed embedding [B, T, D] fp32.

    rows: [L, B, T, n * n], what DeepEmbed's tables have for them, in the file's type; or None.
    """

    x: Tensor
    rows: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """One block, whole on one device."""

    device: torch.device
    ln1: Norm
    time_mix: TimeMix
    ln2: Norm
    channel_mix: ChannelMix


def shifted(h: Tensor, last: Tensor) -> Tensor:
    """Return what stood one token before, minus h: h [B, T, D], last [B, D]."""
    return torch.cat((last.unsqueeze(1), h[:, :-1]), 1) - h


def time_mix(
    p: TimeMix, h: Tensor, att_shift: Tensor, wkv: Tensor, v_first: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return (what to add to the residual [B, T, D], v_first); advance the state in place.

    h: [B, T, D] after ln1; att_shift: [B, D]; wkv: [B, H, N, N].
    """
    dx = shifted(h, att_shift)
    att_shift.copy_(h[:, -1])
    r = p.receptance(h + dx * p.x_r)
    k = p.key(h + dx * p.x_k)
    x_v = h + dx * p.x_v
    v = p.value(x_v)
    decay = p.decay.out(torch.tanh(p.decay.first(h + dx * p.x_w)))
    a = torch.sigmoid(p.rate.out(p.rate.first(h + dx * p.x_a)))
    g = p.gate.out(torch.sigmoid(p.gate.first(h + dx * p.x_g)))
    if v_first is None or p.v_blend is None:
        v_first = v
    else:
        v = v + (v_first - v) * torch.sigmoid(p.v_blend.out(p.v_blend.first(x_v)))

    heads, n = p.r_k.shape
    split = (*h.shape[:2], heads, n)
    kk = normalize((k * p.k_k).view(split), dim=-1, eps=1e-12)
    k = (k * (1 + (a - 1) * p.k_a)).view(split)
    r, v_heads, a = r.view(split), v.view(split), a.view(split)
    log_w = (_LOG_DECAY * torch.sigmoid(decay)).view(split)

    y = _recur(wkv, r, log_w, k, v_heads, -kk, kk * a)
    y = group_norm(
        y.reshape(-1, heads * n), heads, p.head_norm.weight, p.head_norm.bias, _HEAD_NORM_EPS
    ).view(split)
    y = y + (r * k * p.r_k).sum(-1, keepdim=True) * v_heads
    return p.output(y.view(h.shape) * g), v_first


def _recur(wkv: Tensor, *parts: Tensor) -> Tensor:
    """Run the recurrence over parts [B, T, H, N]; return y of that shape."""
    rows, length, heads, n = parts[0].shape
    groups = wkv.view(rows * heads, n, n)
    if length == 1:
        return wkv7_step(groups, *(part.reshape(-1, n) for part in parts)).view(parts[0].shape)
    by_head = (part.transpose(1, 2).reshape(rows * heads, length, n) for part in parts)
    return wkv7_chunked(groups, *by_head).view(rows, heads, length, n).transpose(1, 2)


def channel_mix(p: ChannelMix, h: Tensor, ffn_shift: Tensor, i: int, tokens: Tokens) -> Tensor:
    """Return what to add to the residual; advance ``ffn_shift`` [B, D] in place. h: [B, T, D].

    i: the layer's number, which is that of its rows.
    """
    dx = shifted(h, ffn_shift)
    ffn_shift.copy_(h[:, -1])
    k = torch.relu(p.key(h + dx * p.x_k)).square()
    if p.deep is not None and tokens.rows is not None:
        rows = tokens.rows[i].to(h.device).float()
        k = k * p.deep.gate(h, tokens.x.to(h.device), rows)
    return p.value(k)


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
        self._saves_power = False
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
            self._ln0 = _norm(reader, "blocks.0.ln0", torch.device("cpu"))
            self._layers = [
                _read_layer(reader, i, info.shape, device, dtype)
                for i, (device, dtype) in enumerate(stages[: info.shape.layers])
            ]
            device, dtype = stages[-1]
            self._ln_out = _norm(reader, "ln_out", device)
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
        if self.strategy.threads or on == self._saves_power:
            return
        self._saves_power = on
        torch.set_num_threads(most_threads(power_saving=on))

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


def _norm(reader: WeightReader, name: str, device: torch.device) -> Norm:
    weight, bias = (
        reader.read(f"{name}.{part}", torch.float32, device, (-1,)) for part in ("weight", "bias")
    )
    return Norm(weight, bias)


def _read_layer(
    reader: WeightReader, i: int, shape: ModelShape, device: torch.device, dtype: torch.dtype
) -> Layer:
    block = f"blocks.{i}."
    return Layer(
        device,
        _norm(reader, block + "ln1", device),
        _read_time_mix(reader, i, shape, device, dtype),
        _norm(reader, block + "ln2", device),
        ChannelMix(
            reader.read(block + "ffn.x_k", torch.float32, device, (-1,)),
            reader.matrix(block + "ffn.key.weight", dtype, device),
            reader.matrix(block + "ffn.value.weight", dtype, device),
            _read_deep(reader, block + "ffn.", device, dtype) if shape.deep else None,
        ),
    )


def _read_deep(
    reader: WeightReader, ffn: str, device: torch.device, dtype: torch.dtype
) -> DeepEmbed:
    return DeepEmbed(
        reader.matrix(ffn + "s_emb_x.weight", dtype, device),
        reader.matrix(ffn + "s1", dtype, device, transpose=True),
        reader.matrix(ffn + "s2", dtype, device, transpose=True),
        reader.read(ffn + "s0", torch.float32, device, (-1,)),
    )


def _read_time_mix(
    reader: WeightReader, i: int, shape: ModelShape, device: torch.device, dtype: torch.dtype
) -> TimeMix:
    att = f"blocks.{i}.att."

    def vector(name: str) -> Tensor:
        return reader.read(att + name, torch.float32, device, (-1,))

    def matrix(name: str) -> Matrix:
        return reader.matrix(f"{att}{name}.weight", dtype, device)

    def lora(letter: str) -> Lora:
        first = reader.matrix(f"{att}{letter}1", dtype, device, transpose=True)
        second = reader.matrix(f"{att}{letter}2", dtype, device, transpose=True)
        return Lora(first, second, None if letter == "g" else vector(f"{letter}0"))

    return TimeMix(
        *(vector(f"x_{letter}") for letter in "rwkvag"),
        k_k=vector("k_k"),
        k_a=vector("k_a"),
        r_k=reader.read(att + "r_k", torch.float32, device, (shape.heads, shape.head_size)),
        receptance=matrix("receptance"),
        key=matrix("key"),
        value=matrix("value"),
        output=matrix("output"),
        decay=lora("w"),
        rate=lora("a"),
        gate=lora("g"),
        v_blend=lora("v") if i else None,
        head_norm=_norm(reader, att + "ln_x", device),
    )
