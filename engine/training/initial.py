"""The values that a new model begins with: those of the reference trainer, tensor by tensor.

Source of every number: BlinkDL/RWKV-LM, RWKV-v7/train_temp/src/model.py, the constructors of
RWKV_Tmix_x070 and RWKV_CMix_x070, and generate_init_weight, which runs after them and overrides
the matrices (2025, commit 118e451). Knows shapes, not modules.
"""

import math

import torch
from torch import Tensor
from torch.nn.init import orthogonal_

from engine.checkpoint import ModelShape

_PAIR_GAIN = 0.1


def initial_weights(shape: ModelShape, seed: int) -> dict[str, Tensor]:
    """Return every tensor of a new model by BlinkDL's name, fp32 on the CPU, vectors [1, 1, D].

    The seed decides; the last bits of orthogonal ones also follow the number of torch's threads.
    """
    rng = torch.Generator().manual_seed(seed)
    width, vocab = shape.width, shape.vocab
    weights = {"emb.weight": torch.empty(vocab, width).uniform_(-1e-4, 1e-4, generator=rng)}
    weights |= _norm("blocks.0.ln0", width)
    for i in range(shape.layers):
        block = f"blocks.{i}."
        weights |= _norm(block + "ln1", width) | _norm(block + "ln2", width)
        weights |= {f"{block}att.{name}": t for name, t in _time_mix(shape, i, rng).items()}
        weights |= {f"{block}ffn.{name}": t for name, t in _channel_mix(shape, i, rng).items()}
    weights |= _norm("ln_out", width)
    gain = 0.5 * math.sqrt(max(1.0, vocab / width))
    weights["head.weight"] = _orthogonal(vocab, width, gain, rng)
    return weights


def mix(width: int, exponent: float) -> Tensor:
    """Return 1 - (i / D) ** exponent [1, 1, D]: how much a channel takes from the token before.

    Late channels and deep layers (small exponents) look at the present token.
    """
    return (1 - torch.pow(torch.arange(width) / width, exponent)).view(1, 1, -1)


def zigzag(width: int, head_size: int) -> Tensor:
    """Return [D]: from -1 to 1 within each head, signed squares, so each head has all speeds."""
    middle = (head_size - 1) / 2
    ramp = (torch.arange(width) % head_size - middle) / middle
    return ramp * ramp.abs()


def decay_speeds(width: int, depth: float) -> Tensor:
    """Return [D] from -6 to 0, bent the more the deeper the layer; depth 0 (first) to 1 (last)."""
    ramp = torch.arange(width) / (width - 1)
    return -6 + 6 * ramp ** (1 + depth**0.3)


def _time_mix(shape: ModelShape, layer: int, rng: torch.Generator) -> dict[str, Tensor]:
    width = shape.width
    return (
        _mixes(shape, layer)
        | _biases(shape, layer)
        | _pairs(shape, layer, rng)
        | {
            "r_k": torch.full((shape.heads, shape.head_size), -0.04),
            "receptance.weight": _orthogonal(width, width, 1.0, rng),
            "key.weight": _orthogonal(width, width, 0.1, rng),
            "value.weight": _orthogonal(width, width, 1.0, rng),
            "output.weight": torch.zeros(width, width),
            "ln_x.weight": torch.full((width,), ((1 + layer) / shape.layers) ** 0.7),
            "ln_x.bias": torch.zeros(width),
        }
    )


def _mixes(shape: ModelShape, layer: int) -> dict[str, Tensor]:
    fresh = 1 - layer / shape.layers
    exponents = {"r": 0.2, "w": 0.9, "k": 0.7, "v": 0.7, "a": 0.9, "g": 0.2}
    return {f"x_{name}": mix(shape.width, e * fresh) for name, e in exponents.items()}


def _biases(shape: ModelShape, layer: int) -> dict[str, Tensor]:
    width = shape.width
    depth = layer / max(1, shape.layers - 1)
    linear = torch.arange(width) / (width - 1) - 0.5
    turns = zigzag(width, shape.head_size)
    biases = {
        "w0": decay_speeds(width, depth) + 0.5 + 2.5 * turns,
        "a0": -0.19 + 0.3 * turns + 0.4 * linear,
        "k_k": 0.71 - 0.1 * linear,
        "k_a": torch.full((width,), 1.02),
    }
    if layer:
        biases["v0"] = 0.73 - 0.4 * linear
    return {name: value.view(1, 1, -1) for name, value in biases.items()}


def _pairs(shape: ModelShape, layer: int, rng: torch.Generator) -> dict[str, Tensor]:
    """Return the low-rank pairs: first halves zero, so that at first only the biases speak."""
    ranks = shape.ranks
    pairs: dict[str, Tensor] = {}
    for letter, rank in (("w", ranks.w), ("a", ranks.a), ("v", ranks.v), ("g", ranks.g)):
        if letter == "v" and layer == 0:
            continue
        gain = _PAIR_GAIN * math.sqrt(max(1.0, rank / shape.width))
        pairs[f"{letter}1"] = torch.zeros(shape.width, rank)
        pairs[f"{letter}2"] = _orthogonal(rank, shape.width, gain, rng)
    return pairs


def _channel_mix(shape: ModelShape, layer: int, rng: torch.Generator) -> dict[str, Tensor]:
    return {
        "x_k": mix(shape.width, (1 - layer / shape.layers) ** 4),
        "key.weight": _orthogonal(shape.ffn, shape.width, 1.0, rng),
        "value.weight": torch.zeros(shape.width, shape.ffn),
    }


def _norm(name: str, width: int) -> dict[str, Tensor]:
    return {f"{name}.weight": torch.ones(width), f"{name}.bias": torch.zeros(width)}


def _orthogonal(rows: int, columns: int, gain: float, rng: torch.Generator) -> Tensor:
    return orthogonal_(torch.empty(rows, columns), gain, generator=rng)
