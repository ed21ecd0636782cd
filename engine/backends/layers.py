"""One layer of RWKV-7 in plain torch: its weights, its equations, and how it is read from a file.

Names are the paper's (RWKV-7 "Goose", https://arxiv.org/abs/2503.14456): r w k v a g, kk, v_first.
DeepEmbed (v7a) is that of rwkv_v7a_demo.py in BlinkDL's RWKV-LM. Shapes: B rows of T tokens, D
wide, H heads of N. Matrices are held in a strategy's type (see ``matrices``); all else is fp32.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import group_norm, layer_norm, normalize

from engine.backends.matrices import Matrix
from engine.backends.weights import WeightReader
from engine.backends.wkv7 import wkv7_chunked, wkv7_step
from engine.checkpoint import ModelShape

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


def read_norm(reader: WeightReader, name: str, device: torch.device) -> Norm:
    """Return the norm ``name``; raises what ``WeightReader.read`` does."""
    weight, bias = (
        reader.read(f"{name}.{part}", torch.float32, device, (-1,)) for part in ("weight", "bias")
    )
    return Norm(weight, bias)


def read_layer(
    reader: WeightReader, i: int, shape: ModelShape, device: torch.device, dtype: torch.dtype
) -> Layer:
    """Return block ``i`` with matrices in ``dtype``; raises what ``WeightReader.read`` does."""
    block = f"blocks.{i}."
    return Layer(
        device,
        read_norm(reader, block + "ln1", device),
        _read_time_mix(reader, i, shape, device, dtype),
        read_norm(reader, block + "ln2", device),
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
        head_norm=read_norm(reader, att + "ln_x", device),
    )
