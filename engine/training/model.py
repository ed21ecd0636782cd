"""RWKV-7 with gradients: the same equations as ``engine.backends.torch``, written for training.

Parameters are fp32 and carry BlinkDL's names; each is cast once per forward to the type that is
computed in. Knows no data, no loss and no optimizer. Shapes: B rows of T tokens, D wide, H heads
of N. Names are the paper's (RWKV-7 "Goose", https://arxiv.org/abs/2503.14456).

Token shift without its traffic: W (h + (before - h) x) = [W (1 - x), W x] [h, before], so in a
narrow model, where reading and writing activations costs more than multiplying them, the six
mixes are folded into the weights, which makes of all first matrices of a layer one product.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, layer_norm, linear, pad
from torch.utils.checkpoint import checkpoint

from engine.backends.weights import WeightReader
from engine.checkpoint import ModelShape, open_checkpoint
from engine.checkpoint.info import ARCHITECTURE_WORDS
from engine.errors import UnsupportedModel
from engine.training.initial import initial_weights
from engine.training.wkv import wkv7

FOLDED_WIDTH = 512
"""Up to this width the mixes are folded: twice the arithmetic for a tenth of the traffic."""

_LOG_DECAY = -0.6065306597126334  # -exp(-0.5)
_HEAD_NORM_EPS = 64e-5


@dataclass(frozen=True, slots=True)
class InitialState:
    """What a row begins with instead of zeros: wkv [L, H, N, N] or [L, B, H, N, N] fp32.

    The shifts are zero. Gradients flow into it (state tuning).
    """

    wkv: Tensor

    def layer(self, index: int, rows: int) -> Tensor:
        """Return the state of one layer for so many rows, [B, H, N, N]."""
        wkv = self.wkv[index]
        return wkv if wkv.dim() == 4 else wkv.expand(rows, *wkv.shape)


class Matrix(nn.Module):
    """A large matrix [M, K], used as W x; ``delta`` may add to it (LoRA).

    ``delta`` is a module that returns [M, K] when called without arguments; assigning one makes
    its parameters the model's (named ``... .delta. ...``).
    """

    delta: nn.Module | None

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, columns))
        self.delta = None

    def effective(self) -> Tensor:
        """Return the weight with its delta, fp32 [M, K]."""
        return self.weight if self.delta is None else self.weight + self.delta()


class Norm(nn.Module):
    """A LayerNorm's weight and bias, [D]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.bias = nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension of x [..., D]; sums are fp32 whatever x is."""
        return layer_norm(x, self.weight.shape, self.weight.to(x.dtype), self.bias.to(x.dtype))


def before(h: Tensor) -> Tensor:
    """Return what stood one token before, zero before the first: h [B, T, D]."""
    return pad(h, (0, 0, 1, -1))


def mixed_products(h: Tensor, parts: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, ...]:
    """Return W (h + (before - h) x) [B, T, M] for every (W [M, D], x [1, 1, D]), in h's type."""
    weights, mixes = zip(*parts, strict=True)
    if h.shape[-1] <= FOLDED_WIDTH:
        return _folded_products(h, weights, mixes)
    mixed = torch.addcmul(h, before(h) - h, torch.stack(mixes).to(h.dtype))
    return tuple(linear(x, w.to(h.dtype)) for x, w in zip(mixed, weights, strict=True))


def _folded_products(
    h: Tensor, weights: tuple[Tensor, ...], mixes: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    moved = torch.cat([w * x.view(1, -1) for w, x in zip(weights, mixes, strict=True)])
    folded = torch.cat((torch.cat(weights) - moved, moved), 1)
    y = linear(torch.cat((h, before(h)), -1), folded.to(h.dtype))
    return y.split([w.shape[0] for w in weights], -1)


class TimeMix(nn.Module):
    """One layer's time mix. Vectors [1, 1, D], low-rank pairs [D, rank] and [rank, D]."""

    def __init__(self, shape: ModelShape, *, first: bool) -> None:
        super().__init__()
        width, ranks = shape.width, shape.ranks

        def vector() -> nn.Parameter:
            return nn.Parameter(torch.empty(1, 1, width))

        def pair(rank: int) -> tuple[nn.Parameter, nn.Parameter]:
            return nn.Parameter(torch.empty(width, rank)), nn.Parameter(torch.empty(rank, width))

        self.x_r, self.x_w, self.x_k = vector(), vector(), vector()
        self.x_v, self.x_a, self.x_g = vector(), vector(), vector()
        self.w0, (self.w1, self.w2) = vector(), pair(ranks.w)
        self.a0, (self.a1, self.a2) = vector(), pair(ranks.a)
        if not first:  # the first layer's values are v_first: nothing to blend
            self.v0, (self.v1, self.v2) = vector(), pair(ranks.v)
        self.g1, self.g2 = pair(ranks.g)
        self.k_k, self.k_a = vector(), vector()
        self.r_k = nn.Parameter(torch.empty(shape.heads, shape.head_size))
        self.receptance = Matrix(width, width)
        self.key = Matrix(width, width)
        self.value = Matrix(width, width)
        self.output = Matrix(width, width)
        self.ln_x = Norm(width)
        self.first = first

    def forward(
        self, h: Tensor, v_first: Tensor | None, state: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return (what to add to the residual [B, T, D], v_first); h [B, T, D] after ln1."""
        dtype = h.dtype
        split = (*h.shape[:2], *self.r_k.shape)
        r, k, v, w_in, a_in, g_in, v_in = self._first_products(h)
        log_w = _LOG_DECAY * torch.sigmoid(self.w0 + _second(torch.tanh(w_in), self.w2))
        a = torch.sigmoid(_second(a_in, self.a2, self.a0))
        g = _second(torch.sigmoid(g_in), self.g2)
        v, v_first = self._blended(v, v_in, v_first)

        kk = unit_heads((k * self.k_k).view(split)).to(dtype)
        k_a = self.k_a.to(dtype)
        k = (k * torch.addcmul(1 - k_a, a, k_a)).view(split)
        r, v, a = r.reshape(split), v.reshape(split), a.view(split)
        y, _ = wkv7(r, log_w.view(split), k, v, -kk, kk * a, state)
        y = self._head_norm(y)
        y = torch.addcmul(y, (r * k * self.r_k.to(dtype)).sum(-1, keepdim=True), v)
        return linear(y.view(h.shape) * g, self.output.effective().to(dtype)), v_first

    def _first_products(self, h: Tensor) -> tuple[Tensor, ...]:
        """Return r, k, v [B, T, D] and the inner values of w, a, g, v [B, T, rank]."""
        parts = [
            (self.receptance.effective(), self.x_r),
            (self.key.effective(), self.x_k),
            (self.value.effective(), self.x_v),
            (self.w1.mT, self.x_w),
            (self.a1.mT, self.x_a),
            (self.g1.mT, self.x_g),
        ]
        if self.first:
            r, k, v, *inner = mixed_products(h, parts)
            return r, k, v, *inner, v  # which nobody reads
        return mixed_products(h, [*parts, (self.v1.mT, self.x_v)])

    def _blended(self, v: Tensor, v_in: Tensor, v_first: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return (this layer's values, v_first)."""
        if v_first is None:
            return v, v
        return torch.lerp(v, v_first, torch.sigmoid(_second(v_in, self.v2, self.v0))), v_first

    def _head_norm(self, y: Tensor) -> Tensor:
        """Normalise each head of y [B, T, H, N]; eps does not scale with H."""
        heads = self.r_k.shape
        weight, bias = (part.to(y.dtype).view(heads) for part in (self.ln_x.weight, self.ln_x.bias))
        return torch.addcmul(bias, layer_norm(y, heads[1:], eps=_HEAD_NORM_EPS), weight)


def _second(inner: Tensor, second: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return inner @ second + bias in inner's type: [..., rank] -> [..., D]."""
    dtype = inner.dtype
    return linear(inner, second.mT.to(dtype), None if bias is None else bias.to(dtype).view(-1))


def unit_heads(kk: Tensor) -> Tensor:
    """Return kk [..., N] / max(|kk|, 1e-12); where kk is zero, so is the gradient's scale."""
    return kk * torch.rsqrt(kk.square().sum(-1, keepdim=True).clamp_min(1e-24))


class ChannelMix(nn.Module):
    """One layer's channel mix: x_k [1, 1, D], key [F, D], value [D, F]."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.x_k = nn.Parameter(torch.empty(1, 1, shape.width))
        self.key = Matrix(shape.ffn, shape.width)
        self.value = Matrix(shape.width, shape.ffn)

    def forward(self, h: Tensor) -> Tensor:
        """Return what to add to the residual [B, T, D]; h [B, T, D] after ln2."""
        (k,) = mixed_products(h, [(self.key.effective(), self.x_k)])
        return linear(torch.relu(k).square(), self.value.effective().to(h.dtype))


class Block(nn.Module):
    """One layer: time mix and channel mix, each added to the residual."""

    def __init__(self, shape: ModelShape, index: int) -> None:
        super().__init__()
        if index == 0:
            self.ln0 = Norm(shape.width)
        self.ln1 = Norm(shape.width)
        self.ln2 = Norm(shape.width)
        self.att = TimeMix(shape, first=index == 0)
        self.ffn = ChannelMix(shape)

    def forward(
        self, x: Tensor, v_first: Tensor | None, state: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return (the residual [B, T, D], v_first)."""
        if v_first is None:
            x = self.ln0(x)
        y, values = self.att(self.ln1(x), v_first, state)
        x = x + y
        return x + self.ffn(self.ln2(x)), values


class TrainedModel(nn.Module):
    """The model. Parameters are fp32; activations are ``dtype``.

    With ``checkpointing``, a block's activations are computed again in the backward pass instead
    of being kept: about a third more work for memory that hardly grows with the layers.
    """

    def __init__(
        self,
        shape: ModelShape,
        *,
        dtype: torch.dtype = torch.bfloat16,
        checkpointing: bool = False,
    ) -> None:
        """Make the parameters without values: see ``fresh``, ``from_checkpoint``, ``load``."""
        super().__init__()
        self.shape = shape
        self.dtype = dtype
        self.checkpointing = checkpointing
        self.emb = Matrix(shape.vocab, shape.width)
        self.blocks = nn.ModuleList(Block(shape, i) for i in range(shape.layers))
        self.ln_out = Norm(shape.width)
        self.head = Matrix(shape.vocab, shape.width)

    @classmethod
    def fresh(
        cls,
        shape: ModelShape,
        seed: int,
        *,
        dtype: torch.dtype = torch.bfloat16,
        checkpointing: bool = False,
    ) -> Self:
        """Return a model with the reference's initial values: see ``initial_weights``."""
        model = cls(shape, dtype=dtype, checkpointing=checkpointing)
        model.load(initial_weights(shape, seed))
        return model

    @classmethod
    def from_checkpoint(
        cls,
        path: str | os.PathLike[str],
        *,
        dtype: torch.dtype = torch.bfloat16,
        checkpointing: bool = False,
    ) -> Self:
        """Return the model of a checkpoint file, its weights raised to fp32.

        Raises what ``engine.checkpoint.inspect`` does, UnsupportedModel for other generations, and
        DamagedFile for values that are not finite.
        """
        with open_checkpoint(path) as file:
            if file.architecture.name != "rwkv7":
                raise UnsupportedModel(
                    f"{file.info.name} is {ARCHITECTURE_WORDS[file.architecture.name]}, "
                    "which can be run but not trained.",
                    "Choose a plain RWKV-7 model.",
                )
            model = cls(file.info.shape, dtype=dtype, checkpointing=checkpointing)
            reader = WeightReader(file)
            model.load({name: reader.read(name, torch.float32, "cpu") for name in model._names()})
        return model

    def forward(self, tokens: Tensor, state: InitialState | None = None) -> Tensor:
        """Return logits [B, T, V] in ``dtype`` for tokens [B, T] int64.

        Nothing happens at a 0 within a row: as in the reference trainers, the state runs on.
        """
        x = embedding(tokens, self.emb.weight).to(self.dtype)
        v_first: Tensor | None = None
        for i, block in enumerate(self.blocks):
            start = None if state is None else state.layer(i, tokens.shape[0])
            if self.checkpointing and torch.is_grad_enabled():
                x, v_first = checkpoint(
                    block, x, v_first, start, use_reentrant=False, preserve_rng_state=False
                )
            else:
                x, v_first = block(x, v_first, start)
        return linear(self.ln_out(x), self.head.effective().to(self.dtype))

    def matrices(self) -> dict[str, Matrix]:
        """Return the six large matrices of every layer and the head by BlinkDL's names.

        The place for deltas: ``model.matrices()["blocks.0.att.key.weight"].delta = module``.
        """
        return {
            f"{name}.weight": module
            for name, module in self.named_modules()
            if isinstance(module, Matrix) and module is not self.emb
        }

    def matrix(self, name: str) -> Tensor:
        """Return the named matrix with its delta, fp32 [M, K]. Raises KeyError."""
        return self.matrices()[name].effective()

    def named_weights(self) -> dict[str, Tensor]:
        """Return the parameters by BlinkDL's names, without deltas; not copies."""
        return {name: p for name, p in self.named_parameters() if ".delta." not in name}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Copy values in; vectors may come squeezed. Raises KeyError for a missing name."""
        with torch.no_grad():
            for name, parameter in self.named_weights().items():
                parameter.copy_(weights[name].view(parameter.shape))

    def _names(self) -> list[str]:
        return list(self.named_weights())
