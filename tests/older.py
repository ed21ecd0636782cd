"""Seeded models of RWKV-4, 5.0, 5.1, 5.2 and 6, named and shaped as their author released them.

Two layers, made in the test. Nothing in them is zero, so that a wrong or a missing path shows in
the logits.
"""

import math
from pathlib import Path

import torch
from torch import Tensor

GENERATIONS = ("4", "5.0", "5.1", "5.2", "6")
MIX_RANK, DECAY_RANK = 8, 16


class _Maker:
    """Draws one tensor after the other from one generator."""

    def __init__(self, seed: int, dtype: torch.dtype) -> None:
        self.weights: dict[str, Tensor] = {}
        self._rng = torch.Generator().manual_seed(seed)
        self._dtype = dtype

    def put(self, name: str, *shape: int, scale: float = 1.0, mean: float = 0.0) -> None:
        values = mean + scale * torch.randn(*shape, generator=self._rng)
        self.weights[name] = values.to(self._dtype)

    def norm(self, name: str, size: int) -> None:
        self.put(f"{name}.weight", size, scale=0.1, mean=1.0)
        self.put(f"{name}.bias", size, scale=0.05)

    def matrix(self, name: str, rows: int, columns: int) -> None:
        self.put(f"{name}.weight", rows, columns, scale=1 / math.sqrt(columns))


def older_weights(
    generation: str,
    *,
    layers: int = 2,
    width: int = 64,
    head: int = 32,
    vocab: int = 65536,
    ffn: int = 0,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    start_state: bool = False,
) -> dict[str, Tensor]:
    """Return weights as in a released .pth; start_state: with a tuned beginning inside."""
    make = _Maker(seed, dtype)
    make.put("emb.weight", vocab, width, scale=0.3)
    for i in range(layers):
        block = f"blocks.{i}."
        if i == 0:
            make.norm(block + "ln0", width)
        make.norm(block + "ln1", width)
        make.norm(block + "ln2", width)
        _time_mix(make, block + "att.", generation, width, width // head)
        if start_state:
            make.put(block + "att.time_state", width // head, head, head, scale=0.5)
        _channel_mix(make, block + "ffn.", generation, width, ffn or 4 * width)
    make.norm("ln_out", width)
    make.put("head.weight", vocab, width, scale=2 / math.sqrt(width))
    return make.weights


def _time_mix(make: _Maker, att: str, generation: str, width: int, heads: int) -> None:
    if generation == "6":
        for letter in "xwkvrg":
            make.put(f"{att}time_maa_{letter}", 1, 1, width, scale=0.2, mean=0.5)
        make.put(att + "time_maa_w1", width, 5 * MIX_RANK, scale=1 / math.sqrt(width))
        make.put(att + "time_maa_w2", 5, MIX_RANK, width, scale=0.3 / math.sqrt(MIX_RANK))
        make.put(att + "time_decay", 1, 1, width, scale=1.0, mean=-2.0)
        make.put(att + "time_decay_w1", width, DECAY_RANK, scale=1 / math.sqrt(width))
        make.put(att + "time_decay_w2", DECAY_RANK, width, scale=0.5 / math.sqrt(DECAY_RANK))
        make.put(att + "time_faaaa", heads, width // heads, scale=0.5)
    else:
        _older_mixes(make, att, generation, width, heads)
    for name in ("receptance", "key", "value", "output"):
        make.matrix(att + name, width, width)
    if generation in ("5.1", "5.2", "6"):
        make.matrix(att + "gate", width, width)
    if generation != "4":
        make.norm(att + "ln_x", width)


def _older_mixes(make: _Maker, att: str, generation: str, width: int, heads: int) -> None:
    for letter in "kvrg" if generation in ("5.1", "5.2") else "kvr":
        make.put(f"{att}time_mix_{letter}", 1, 1, width, scale=0.2, mean=0.5)
    if generation == "4":
        make.put(att + "time_decay", width, scale=1.0, mean=-1.0)
        make.put(att + "time_first", width, scale=0.5)
    elif generation == "5.2":
        make.put(att + "time_decay", heads, width // heads, scale=1.0, mean=-2.0)
        make.put(att + "time_faaaa", heads, width // heads, scale=0.5)
    else:
        make.put(att + "time_decay", heads, scale=1.0, mean=-2.0)
        make.put(att + ("time_first" if generation == "5.0" else "time_faaaa"), heads, scale=0.5)


def _channel_mix(make: _Maker, block: str, generation: str, width: int, ffn: int) -> None:
    for letter in "kr":
        name = "time_maa_" if generation == "6" else "time_mix_"
        make.put(f"{block}{name}{letter}", 1, 1, width, scale=0.2, mean=0.5)
    make.matrix(block + "key", ffn, width)
    make.matrix(block + "receptance", width, width)
    make.matrix(block + "value", width, ffn)


def write_older_pth(path: Path, generation: str, **options) -> Path:  # type: ignore[no-untyped-def]
    """Save ``older_weights(generation, **options)`` as its author does; return the path."""
    torch.save(older_weights(generation, **options), path)
    return path
