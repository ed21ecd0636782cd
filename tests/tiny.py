"""A seeded RWKV-7 of two layers, made in the test: no download, no file in the repository.

Nothing in it is zero, so that a wrong or a missing path shows in the logits.
"""

import math
from pathlib import Path

import torch
from torch import Tensor

HEAD = 64


def tiny_weights(
    *,
    layers: int = 2,
    width: int = 128,
    vocab: int = 65536,
    ranks: tuple[int, int, int, int] = (16, 24, 8, 32),
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    layer0_v: bool = False,
    deep: int = 0,
) -> dict[str, Tensor]:
    """Return BlinkDL-named weights; ranks are those of w, a, v, g.

    deep: the side of DeepEmbed's rows, if it is to have them. Some of its gates are below zero.
    """
    rng = torch.Generator().manual_seed(seed)
    heads, ffn = width // HEAD, 4 * width
    z: dict[str, Tensor] = {}

    def put(name: str, *shape: int, scale: float = 1.0, mean: float = 0.0) -> None:
        z[name] = (mean + scale * torch.randn(*shape, generator=rng)).to(dtype)

    def norm(name: str, size: int) -> None:
        put(f"{name}.weight", size, scale=0.1, mean=1.0)
        put(f"{name}.bias", size, scale=0.05)

    put("emb.weight", vocab, width, scale=0.3)
    for i in range(layers):
        block = f"blocks.{i}."
        if i == 0:
            norm(block + "ln0", width)
        norm(block + "ln1", width)
        norm(block + "ln2", width)
        att = block + "att."
        for name in "rwkvag":
            put(f"{att}x_{name}", 1, 1, width, scale=0.2, mean=0.5)
        put(att + "w0", 1, 1, width, scale=2.0, mean=-2.0)
        put(att + "a0", 1, 1, width, scale=0.3)
        put(att + "k_k", 1, 1, width, scale=0.05, mean=0.7)
        put(att + "k_a", 1, 1, width, scale=0.05, mean=1.0)
        put(att + "r_k", heads, HEAD, scale=0.1)
        for name, rank in zip("wavg", ranks, strict=True):
            if name == "v" and i == 0 and not layer0_v:
                continue
            put(f"{att}{name}1", width, rank, scale=1 / math.sqrt(width))
            put(f"{att}{name}2", rank, width, scale=0.5 / math.sqrt(rank))
            if name == "v":
                put(att + "v0", 1, 1, width, scale=0.2, mean=0.7)
        for name in ("receptance", "key", "value", "output"):
            put(f"{att}{name}.weight", width, width, scale=1 / math.sqrt(width))
        norm(att + "ln_x", width)
        put(block + "ffn.x_k", 1, 1, width, scale=0.2, mean=0.5)
        put(block + "ffn.key.weight", ffn, width, scale=1 / math.sqrt(width))
        put(block + "ffn.value.weight", width, ffn, scale=1 / math.sqrt(ffn))
        if deep:
            put(block + "ffn.s_emb.weight", vocab, deep * deep, scale=0.3)
            put(block + "ffn.s_emb_x.weight", deep * deep, width, scale=0.5 / math.sqrt(width))
            put(block + "ffn.s0", 1, 1, ffn, scale=0.4, mean=0.6)
            put(block + "ffn.s1", width, deep, scale=1 / math.sqrt(width))
            put(block + "ffn.s2", deep, ffn, scale=0.5 / deep)
    norm("ln_out", width)
    put("head.weight", vocab, width, scale=2 / math.sqrt(width))
    return z


def write_tiny_pth(path: Path, **options) -> Path:  # type: ignore[no-untyped-def]
    """Save ``tiny_weights(**options)`` as BlinkDL does; return the path."""
    torch.save(tiny_weights(**options), path)
    return path
