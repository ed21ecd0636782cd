"""RWKV-4, 5 and 6 in float64 numpy, one token after the other: what their backend is held to.

From the equations of "RWKV: Reinventing RNNs" (https://arxiv.org/abs/2305.13048) and "Eagle and
Finch" (https://arxiv.org/abs/2404.05892); nothing is shared with the engine or the package.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass
class OlderState:
    """Shifts [L, D]; of RWKV-4 the sums over what was read, [L, D] each; else wkv [L, H, N, N]."""

    att_shift: Array
    ffn_shift: Array
    wkv: Array
    above: Array = field(default_factory=lambda: np.zeros(0))
    below: Array = field(default_factory=lambda: np.zeros(0))


class OlderReference:
    """Holds every weight as float64. wkv: rows are values, columns are keys."""

    def __init__(self, weights: Mapping[str, torch.Tensor], generation: str) -> None:
        self.z = {name: value.double().squeeze().numpy() for name, value in weights.items()}
        self.generation = generation
        self.layers = 1 + max(int(n.split(".")[1]) for n in self.z if n.startswith("blocks."))
        self.width = self.z["emb.weight"].shape[1]
        first = weights.get("blocks.0.att.time_faaaa")
        first = weights["blocks.0.att.time_first"] if first is None else first
        self.heads = 1 if generation == "4" else first.shape[0]
        self.n = self.width // self.heads

    def new_state(self) -> OlderState:
        flat = (self.layers, self.width)
        state = OlderState(np.zeros(flat), np.zeros(flat), np.zeros(0))
        if self.generation == "4":
            state.above, state.below = np.zeros(flat), np.zeros(flat)
        else:
            state.wkv = np.zeros((self.layers, self.heads, self.n, self.n))
        return state

    def forward(self, tokens: Sequence[int], state: OlderState) -> Array:
        """Return logits [T, V]; advance the state in place."""
        return np.stack([self._step(token, state) for token in tokens])

    def _step(self, token: int, state: OlderState) -> Array:
        mixes = {"4": self._time_mix_4, "6": self._time_mix_6}
        time_mix = mixes.get(self.generation, self._time_mix_5)
        x = self._norm(self.z["emb.weight"][token], "blocks.0.ln0")
        for i in range(self.layers):
            x = x + time_mix(i, self._norm(x, f"blocks.{i}.ln1"), state)
            x = x + self._channel_mix(i, self._norm(x, f"blocks.{i}.ln2"), state)
        return self.z["head.weight"] @ self._norm(x, "ln_out")

    def _norm(self, x: Array, name: str) -> Array:
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
        return x * self.z[f"{name}.weight"] + self.z[f"{name}.bias"]

    def _att(self, i: int, name: str) -> Array:
        return self.z[f"blocks.{i}.att.{name}"]

    def _mixed(self, i: int, h: Array, state: OlderState, letters: str) -> list[Array]:
        before, state.att_shift[i] = state.att_shift[i].copy(), h
        shares = [self._att(i, f"time_mix_{letter}") for letter in letters]
        return [h * share + before * (1 - share) for share in shares]

    def _time_mix_4(self, i: int, h: Array, state: OlderState) -> Array:
        x_k, x_v, x_r = self._mixed(i, h, state, "kvr")
        r = _sigmoid(self._att(i, "receptance.weight") @ x_r)
        k = self._att(i, "key.weight") @ x_k
        v = self._att(i, "value.weight") @ x_v
        now = np.exp(self._att(i, "time_first") + k)
        mean = (state.above[i] + now * v) / (state.below[i] + now)
        decay = np.exp(-np.exp(self._att(i, "time_decay")))
        state.above[i] = decay * state.above[i] + np.exp(k) * v
        state.below[i] = decay * state.below[i] + np.exp(k)
        return self._att(i, "output.weight") @ (r * mean)

    def _time_mix_5(self, i: int, h: Array, state: OlderState) -> Array:
        gated = self.generation != "5.0"
        x_k, x_v, x_r, *x_g = self._mixed(i, h, state, "kvrg" if gated else "kvr")
        decay = np.exp(-np.exp(self._per_channel(self._att(i, "time_decay"))))
        y = self._attend(i, state, x_r, x_k, x_v, decay)
        if gated:
            y = y * _silu(self._att(i, "gate.weight") @ x_g[0])
        return self._att(i, "output.weight") @ y

    def _time_mix_6(self, i: int, h: Array, state: OlderState) -> Array:
        dx, state.att_shift[i] = state.att_shift[i] - h, h
        hidden = np.tanh((h + dx * self._att(i, "time_maa_x")) @ self._att(i, "time_maa_w1"))
        moves = [
            part @ second
            for part, second in zip(np.split(hidden, 5), self._att(i, "time_maa_w2"), strict=True)
        ]
        x_w, x_k, x_v, x_r, x_g = (
            h + dx * (self._att(i, f"time_maa_{letter}") + move)
            for letter, move in zip("wkvrg", moves, strict=True)
        )
        raw = self._att(i, "time_decay").reshape(-1)
        raw = raw + np.tanh(x_w @ self._att(i, "time_decay_w1")) @ self._att(i, "time_decay_w2")
        y = self._attend(i, state, x_r, x_k, x_v, np.exp(-np.exp(raw)).reshape(self.heads, -1))
        return self._att(i, "output.weight") @ (y * _silu(self._att(i, "gate.weight") @ x_g))

    def _per_channel(self, values: Array) -> Array:
        """Return [H, N] of [H] or [H, N]."""
        return np.broadcast_to(values.reshape(self.heads, -1), (self.heads, self.n))

    def _bonus(self, i: int) -> Array:
        if f"blocks.{i}.att.time_faaaa" in self.z:
            return self._per_channel(self._att(i, "time_faaaa"))
        return self._per_channel(np.exp(self._att(i, "time_first")))

    def _attend(
        self, i: int, state: OlderState, x_r: Array, x_k: Array, x_v: Array, decay: Array
    ) -> Array:
        split = (self.heads, self.n)
        r, k, v = (
            (self._att(i, f"{name}.weight") @ x).reshape(split)
            for name, x in (("receptance", x_r), ("key", x_k), ("value", x_v))
        )
        bonus = self._bonus(i)
        ys = []
        for head in range(self.heads):
            new = np.outer(v[head], k[head])
            y = (state.wkv[i, head] + new * bonus[head]) @ r[head]
            state.wkv[i, head] = state.wkv[i, head] * decay[head] + new
            ys.append((y - y.mean()) / np.sqrt(y.var() + 64e-5))
        return np.concatenate(ys) * self._att(i, "ln_x.weight") + self._att(i, "ln_x.bias")

    def _channel_mix(self, i: int, h: Array, state: OlderState) -> Array:
        before, state.ffn_shift[i] = state.ffn_shift[i].copy(), h
        ffn = f"blocks.{i}.ffn."
        if self.generation == "6":
            x_k, x_r = (h + (before - h) * self.z[f"{ffn}time_maa_{c}"] for c in "kr")
        else:
            shares = [self.z[f"{ffn}time_mix_{c}"] for c in "kr"]
            x_k, x_r = (h * share + before * (1 - share) for share in shares)
        k = np.maximum(self.z[ffn + "key.weight"] @ x_k, 0) ** 2
        gate = _sigmoid(self.z[ffn + "receptance.weight"] @ x_r)
        return gate * (self.z[ffn + "value.weight"] @ k)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _silu(x: Array) -> Array:
    return x * _sigmoid(x)
