"""Random RWKV-7 weights of any shape, made on the device, one tensor at a time.

Drawn like the released models: nothing is zero, decays and mixes spread as in an untrained one. The
share of relu^2 that is above zero is set: the second norm's bias gets a fixed direction, and every
row of the first matrix of the channel mix a component against it.
"""

import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.distributions import Normal

from engine.checkpoint import ModelInfo, ModelShape

_PIECE = 1 << 26
_BETA = 0.5  # size of the second norm's bias, per channel


class RandomSource:
    """The tensors of a random model. Asked twice for a name, it gives the same values."""

    def __init__(
        self,
        shape: ModelShape,
        active: float = 0.2,
        device: str | torch.device = "cuda",
        dtype: torch.dtype = torch.bfloat16,
        seed: int = 1,
    ) -> None:
        """active: the share of relu^2 above zero."""
        self.shape = shape
        self._active = active
        self._device = torch.device(device)
        self._dtype = dtype
        self._seed = seed
        self._makers = self._all_makers()

    def names(self) -> Iterable[str]:
        """Return all names, in the file's order."""
        return self._makers

    def tensor(self, name: str) -> Tensor:
        """Return one tensor on the device."""
        return self._makers[name]().to(self._dtype).contiguous()

    def pieces(self, name: str) -> Iterator[tuple[int, Tensor]]:
        """Yield the tensor in one piece."""
        yield 0, self.tensor(name)

    def _rng(self, key: str) -> torch.Generator:
        return torch.Generator(self._device).manual_seed(zlib.crc32(key.encode()) + self._seed)

    def _normal(self, key: str, *size: int, std: float = 1.0, mean: float = 0.0) -> Tensor:
        rng = self._rng(key)
        out = torch.empty(size, device=self._device, dtype=self._dtype)
        for part in out.view(-1).split(_PIECE):
            part.copy_(torch.randn(part.numel(), device=self._device, generator=rng) * std + mean)
        return out

    def _signs(self, layer: int) -> Tensor:
        """Return the direction [D] that carries the bias of a layer's second norm."""
        draws = torch.rand(self.shape.width, device=self._device, generator=self._rng(f"s{layer}"))
        return torch.where(draws < 0.5, -1.0, 1.0)

    def _key_matrix(self, layer: int) -> Tensor:
        """Return ffn.key [F, D]: of what it multiplies, the wanted share comes out above zero."""
        width, ffn = self.shape.width, self.shape.ffn
        name = f"blocks.{layer}.ffn.key.weight"
        weight = self._normal(name, ffn, width, std=width**-0.5)
        quantile = Normal(0.0, 1.0).icdf(torch.tensor(1.0 - self._active)).item()
        spread = math.sqrt(1.0 + _BETA * _BETA) * 0.98
        against = quantile * spread / (_BETA * width)
        for part in weight.split(4096):
            part.copy_(part.float() - against * self._signs(layer))
        return weight

    def _all_makers(self) -> dict[str, Callable[[], Tensor]]:
        width, vocab = self.shape.width, self.shape.vocab
        makers: dict[str, Callable[[], Tensor]] = {}
        makers["emb.weight"] = lambda: self._normal("emb.weight", vocab, width, std=0.5)
        for layer in range(self.shape.layers):
            self._layer_makers(layer, makers)
        self._norm("ln_out", 1.0, 0.05, makers)
        makers["head.weight"] = lambda: self._normal("head.weight", vocab, width, std=width**-0.5)
        return makers

    def _norm(
        self, name: str, mean: float, std: float, makers: dict[str, Callable[[], Tensor]]
    ) -> None:
        width = self.shape.width
        makers[f"{name}.weight"] = lambda: self._normal(f"{name}.w", width, std=std, mean=mean)
        makers[f"{name}.bias"] = lambda: self._normal(f"{name}.b", width, std=0.05)

    def _layer_makers(self, layer: int, makers: dict[str, Callable[[], Tensor]]) -> None:
        shape, width, ffn = self.shape, self.shape.width, self.shape.ffn
        block, att = f"blocks.{layer}.", f"blocks.{layer}.att."

        def drawn(name: str, *size: int, std: float) -> None:
            makers[name] = lambda: self._normal(name, *size, std=std)

        def spread(name: str, values: Callable[[Tensor], Tensor]) -> None:
            """Put a vector that is a function of the channel's number [D]."""
            count = torch.arange(width, dtype=torch.float32)
            makers[name] = lambda: values(count).to(self._device)

        if layer == 0:
            self._norm("blocks.0.ln0", 1.0, 0.05, makers)
        self._norm(block + "ln1", 1.0, 0.05, makers)
        self._norm(block + "ln2", 1.0, 0.05, makers)
        makers[block + "ln2.bias"] = lambda: _BETA * self._signs(layer)
        late = 1.0 - layer / shape.layers
        for letter, power in zip("rwkvag", (0.2, 0.9, 0.7, 0.7, 0.9, 0.2), strict=True):
            spread(f"{att}x_{letter}", lambda n, p=power: 1.0 - (n / width) ** (p * late))
        depth = layer / max(1, shape.layers - 1)
        spread(att + "w0", lambda n: _decay(n, width, depth))
        spread(att + "a0", lambda n: -0.19 + _zigzag(n) * 0.3 + (n / (width - 1) - 0.5) * 0.4)
        spread(att + "k_k", lambda n: 0.71 - (n / (width - 1) - 0.5) * 0.1)
        spread(att + "k_a", lambda n: torch.full_like(n, 1.02))
        if layer:
            spread(att + "v0", lambda n: 0.73 - (n / (width - 1) - 0.5) * 0.4)
        ranks = {"w": shape.ranks.w, "a": shape.ranks.a, "v": shape.ranks.v, "g": shape.ranks.g}
        for letter, rank in ranks.items():
            if letter == "v" and not layer:
                continue
            drawn(f"{att}{letter}1", width, rank, std=width**-0.5)
            drawn(f"{att}{letter}2", rank, width, std=(1.0 if letter == "g" else 0.3) / rank**0.5)
        drawn(att + "r_k", shape.heads, shape.head_size, std=0.05)
        for name, std in (("receptance", 1.0), ("key", 0.5), ("value", 1.0), ("output", 0.3)):
            drawn(f"{att}{name}.weight", width, width, std=std * width**-0.5)
        self._norm(att + "ln_x", ((1 + layer) / shape.layers) ** 0.7, 0.02, makers)
        spread(block + "ffn.x_k", lambda n: 1.0 - (n / width) ** (late**4))
        makers[block + "ffn.key.weight"] = lambda: self._key_matrix(layer)
        drawn(block + "ffn.value.weight", width, ffn, std=0.3 / (ffn * self._active) ** 0.5)


def _zigzag(n: Tensor) -> Tensor:
    inside = ((n % 64) - 31.5) / 31.5
    return inside * inside.abs()


def _decay(n: Tensor, width: int, depth: float) -> Tensor:
    return -5.5 + 6 * (n / (width - 1)) ** (1 + depth**0.3) + _zigzag(n) * 2.5


def random_info(shape: ModelShape, name: str) -> ModelInfo:
    """Return what a file of such weights would say of itself."""
    return ModelInfo(
        path=Path(name),
        name=name,
        architecture="rwkv7",
        format="pth",
        shape=shape,
        weights="bf16",
        parameters=shape.parameters,
        size_bytes=2 * shape.parameters,
        tokenizer="world",
        fingerprint="",
    )


def write_random_pth(path: Path, source: RandomSource) -> Path:
    """Write such a model as BlinkDL does; return the path."""
    torch.save({name: source.tensor(name).cpu() for name in source.names()}, path)
    return path
