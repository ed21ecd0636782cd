"""RWKV-7 in plain fp32 torch on any device, token by token: what engines on a card are held to.

Takes its weights one by one from a source, so that no file and no second copy is needed. Written
for checking, from the equations; nothing is shared with the engine.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import group_norm, layer_norm, normalize

Change = Callable[[str, Tensor], Tensor]


class PlainModel:
    """All weights in one floating-point type."""

    def __init__(
        self,
        names: Sequence[str],
        tensor: Callable[[str], Tensor],
        *,
        dtype: torch.dtype = torch.float32,
        change: Change | None = None,
    ) -> None:
        """tensor: returns a weight by name. change: what becomes of it, such as its rounding."""
        change = change or (lambda _name, value: value)
        self.z = {name: change(name, tensor(name)).to(dtype).squeeze() for name in names}
        self.layers = 1 + max(int(n.split(".")[1]) for n in names if n.startswith("blocks."))
        self.heads, self.n = self.z["blocks.0.att.r_k"].shape
        self.width = self.heads * self.n
        self.active: list[Tensor] = []
        """The share of relu^2 above zero, of each layer at the last token."""

    def new_state(self) -> list[list[Tensor]]:
        """Return att_shift [D], wkv [H, N, N] and ffn_shift [D] of each layer."""
        like = self.z["emb.weight"]
        zeros = like.new_zeros
        return [
            [zeros(self.width), zeros(self.heads, self.n, self.n), zeros(self.width)]
            for _ in range(self.layers)
        ]

    @torch.no_grad()
    def forward(self, tokens: Sequence[int], state: list[list[Tensor]]) -> Tensor:
        """Return logits [T, V]; advance the state."""
        return torch.stack([self._step(token, state) for token in tokens])

    def _step(self, token: int, state: list[list[Tensor]]) -> Tensor:
        x = self._norm(self.z["emb.weight"][token], "blocks.0.ln0")
        v_first: Tensor | None = None
        self.active = []
        for i in range(self.layers):
            y, v = self._time_mix(i, self._norm(x, f"blocks.{i}.ln1"), state[i], v_first)
            v_first = v if v_first is None else v_first
            x = x + y
            x = x + self._channel_mix(i, self._norm(x, f"blocks.{i}.ln2"), state[i])
        return self.z["head.weight"] @ self._norm(x, "ln_out")

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return layer_norm(x, x.shape, self.z[f"{name}.weight"], self.z[f"{name}.bias"], 1e-5)

    def _time_mix(
        self, i: int, h: Tensor, state: list[Tensor], v_first: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        def get(name: str) -> Tensor:
            return self.z[f"blocks.{i}.att.{name}"]

        dx = state[0] - h
        state[0] = h
        x_r, x_w, x_k, x_v, x_a, x_g = (h + dx * get(f"x_{c}") for c in "rwkvag")
        r, k = get("receptance.weight") @ x_r, get("key.weight") @ x_k
        v = own = get("value.weight") @ x_v
        decay = torch.sigmoid(get("w0") + torch.tanh(x_w @ get("w1")) @ get("w2"))
        w = torch.exp(-0.6065306597126334 * decay)
        a = torch.sigmoid(get("a0") + x_a @ get("a1") @ get("a2"))
        g = torch.sigmoid(x_g @ get("g1")) @ get("g2")
        if v_first is not None:
            v = v + (v_first - v) * torch.sigmoid(get("v0") + x_v @ get("v1") @ get("v2"))
        split = (self.heads, self.n)
        kk = normalize((k * get("k_k")).view(split), dim=-1, eps=1e-12)
        k = (k * (1 + (a - 1) * get("k_a"))).view(split)
        r, v, a, w = r.view(split), v.view(split), a.view(split), w.view(split)
        s = state[1]
        removed = s @ -kk.unsqueeze(-1)
        s = s * w.unsqueeze(1) + removed @ (kk * a).unsqueeze(1) + v.unsqueeze(-1) * k.unsqueeze(1)
        state[1] = s
        y = group_norm(
            (s @ r.unsqueeze(-1)).view(1, -1),
            self.heads,
            get("ln_x.weight"),
            get("ln_x.bias"),
            64e-5,
        ).view(split)
        y = y + (r * k * get("r_k").view(split)).sum(-1, keepdim=True) * v
        return get("output.weight") @ (y.view(-1) * g), own

    def _channel_mix(self, i: int, h: Tensor, state: list[Tensor]) -> Tensor:
        dx = state[2] - h
        state[2] = h
        k = self.z[f"blocks.{i}.ffn.key.weight"] @ (h + dx * self.z[f"blocks.{i}.ffn.x_k"])
        self.active.append((k > 0).float().mean())
        return self.z[f"blocks.{i}.ffn.value.weight"] @ torch.relu(k).square()


def stacked(state: list[list[Tensor]]) -> dict[str, Tensor]:
    """Return the state's arrays as ``engine.state`` names and shapes them."""
    att, wkv, ffn = (torch.stack(part) for part in zip(*state, strict=True))
    return {"att_shift": att, "wkv": wkv, "ffn_shift": ffn}


def deviation(expected: Tensor, got: Tensor) -> float:
    """Return max |difference| over the standard deviation of what is expected."""
    expected, got = expected.float(), got.to(expected.device).float()
    return float((expected - got).abs().max() / expected.std())
