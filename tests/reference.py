"""RWKV-7 in float64 numpy, one token after the other: the truth that backends are held to.

Straight from the equations of the paper; nothing is shared with the engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass
class ReferenceState:
    att_shift: Array
    wkv: Array
    ffn_shift: Array


class Reference:
    """Holds every weight as float64; for models of a few layers."""

    def __init__(self, weights: Mapping[str, torch.Tensor]) -> None:
        self.z = {name: value.double().squeeze().numpy() for name, value in weights.items()}
        self.layers = 1 + max(int(n.split(".")[1]) for n in self.z if n.startswith("blocks."))
        self.heads, self.n = weights["blocks.0.att.r_k"].shape
        self.width = self.heads * self.n
        self.deep = "blocks.0.ffn.s0" in self.z  # v7a

    def new_state(self) -> ReferenceState:
        return ReferenceState(
            np.zeros((self.layers, self.width)),
            np.zeros((self.layers, self.heads, self.n, self.n)),
            np.zeros((self.layers, self.width)),
        )

    def forward(self, tokens: Sequence[int], state: ReferenceState) -> Array:
        """Return logits [T, V]; advance the state in place."""
        return np.stack([self._step(token, state) for token in tokens])

    def _step(self, token: int, state: ReferenceState) -> Array:
        x = self._norm(self.z["emb.weight"][token], "blocks.0.ln0")
        x0 = x
        v_first: Array | None = None
        for i in range(self.layers):
            h = self._norm(x, f"blocks.{i}.ln1")
            y, v = self._time_mix(i, h, state, v_first)
            v_first = v if v_first is None else v_first
            x = x + y
            h = self._norm(x, f"blocks.{i}.ln2")
            x = x + self._channel_mix(i, h, state, self._gate(i, token, x0, h))
        return self.z["head.weight"] @ self._norm(x, "ln_out")

    def _norm(self, x: Array, name: str) -> Array:
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
        return x * self.z[f"{name}.weight"] + self.z[f"{name}.bias"]

    def _time_mix(
        self, i: int, h: Array, state: ReferenceState, v_first: Array | None
    ) -> tuple[Array, Array]:
        """Return (what to add to the residual, this layer's values before the blend)."""

        def get(name: str) -> Array:
            return self.z[f"blocks.{i}.att.{name}"]

        dx = state.att_shift[i] - h
        state.att_shift[i] = h
        x_r, x_w, x_k, x_v, x_a, x_g = (h + dx * get(f"x_{c}") for c in "rwkvag")
        r, k, v = (
            get("receptance.weight") @ x_r,
            get("key.weight") @ x_k,
            get("value.weight") @ x_v,
        )
        w = np.exp(-np.exp(-0.5) * _sigmoid(get("w0") + np.tanh(x_w @ get("w1")) @ get("w2")))
        a = _sigmoid(get("a0") + x_a @ get("a1") @ get("a2"))
        g = _sigmoid(x_g @ get("g1")) @ get("g2")
        own = v
        if v_first is not None:
            v = v + (v_first - v) * _sigmoid(get("v0") + x_v @ get("v1") @ get("v2"))
        kk = k * get("k_k")
        k = k * (1 + (a - 1) * get("k_a"))
        ys = [self._head(i, h_, state, r, w, k, v, kk, a) for h_ in range(self.heads)]
        return get("output.weight") @ (np.concatenate(ys) * g), own

    def _head(self, i: int, head: int, state: ReferenceState, *vectors: Array) -> Array:
        part = slice(head * self.n, (head + 1) * self.n)
        r, w, k, v, kk, a = (vector[part] for vector in vectors)
        kk = kk / max(float(np.linalg.norm(kk)), 1e-12)
        s = state.wkv[i, head]
        s = s * w - np.outer(s @ kk, kk * a) + np.outer(v, k)
        state.wkv[i, head] = s
        y = s @ r
        y = (y - y.mean()) / np.sqrt(y.var() + 64e-5)
        y = y * self.z[f"blocks.{i}.att.ln_x.weight"][part]
        y = y + self.z[f"blocks.{i}.att.ln_x.bias"][part]
        return y + (r * k * self.z[f"blocks.{i}.att.r_k"].reshape(-1)[part]).sum() * v

    def _gate(self, i: int, token: int, x0: Array, h: Array) -> Array | float:
        """Return what DeepEmbed scales k with: x0 is the normed embedding, h what LN2 gives."""
        if not self.deep:
            return 1.0

        def get(name: str) -> Array:
            return self.z[f"blocks.{i}.ffn.{name}"]

        row = get("s_emb.weight")[token] + get("s_emb_x.weight") @ x0
        side = get("s1").shape[1]
        return (h @ get("s1")) @ row.reshape(side, side) @ get("s2") + get("s0")

    def _channel_mix(self, i: int, h: Array, state: ReferenceState, gate: Array | float) -> Array:
        dx = state.ffn_shift[i] - h
        state.ffn_shift[i] = h
        k = self.z[f"blocks.{i}.ffn.key.weight"] @ (h + dx * self.z[f"blocks.{i}.ffn.x_k"])
        return self.z[f"blocks.{i}.ffn.value.weight"] @ (np.maximum(k, 0) ** 2 * gate)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def deviation(reference: Array, got: object) -> float:
    """Return max |difference| in units of the reference's standard deviation."""
    return float(np.abs(reference - np.asarray(got, np.float64)).max() / reference.std())
