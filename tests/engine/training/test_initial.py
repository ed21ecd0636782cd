"""Initial values, channel by channel, as the reference's code spells them out."""

import math

import pytest
import torch
from torch import Tensor

from engine.checkpoint import ModelShape, Ranks
from engine.checkpoint.names import expected_tensors
from engine.training.initial import initial_weights

SHAPE = ModelShape(4, 128, 448, 300, 64, Ranks(32, 24, 16, 160))
WEIGHTS = initial_weights(SHAPE, 5)


def vector(layer: int, name: str) -> list[float]:
    return WEIGHTS[f"blocks.{layer}.{name}"].flatten().tolist()


def per_channel(layer: int, name: str) -> list[float]:
    """The values of one vector, by the formulas as the reference writes them."""
    values = []
    for n in range(128):
        line = n / 127 - 0.5
        turn = (n % 64 - 31.5) / 31.5
        turn *= abs(turn)
        early = 1 - layer / 4
        values.append(
            {
                "x_r": 1 - (n / 128) ** (0.2 * early),
                "x_w": 1 - (n / 128) ** (0.9 * early),
                "x_k": 1 - (n / 128) ** (0.7 * early),
                "x_v": 1 - (n / 128) ** (0.7 * early),
                "x_a": 1 - (n / 128) ** (0.9 * early),
                "x_g": 1 - (n / 128) ** (0.2 * early),
                "w0": -6 + 6 * (n / 127) ** (1 + (layer / 3) ** 0.3) + 0.5 + turn * 2.5,
                "a0": -0.19 + turn * 0.3 + line * 0.4,
                "v0": 0.73 - line * 0.4,
                "k_k": 0.71 - line * 0.1,
                "k_a": 1.02,
                "r_k": -0.04,
                "ln_x.weight": ((1 + layer) / 4) ** 0.7,
                "ln_x.bias": 0.0,
            }[name]
        )
    return values


def is_orthogonal(matrix: Tensor, gain: float) -> bool:
    small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
    return torch.allclose(small @ small.mT, gain**2 * torch.eye(small.shape[0]), atol=1e-5)


@pytest.mark.parametrize("layer", [0, 1, 3])
@pytest.mark.parametrize(
    "name",
    [*(f"x_{letter}" for letter in "rwkvag"), "w0", "a0", "v0", "k_k", "k_a", "r_k"]
    + [f"ln_x.{part}" for part in ("weight", "bias")],
)
def test_vectors_of_the_time_mix(layer: int, name: str) -> None:
    if (layer, name) == (0, "v0"):
        assert "blocks.0.att.v0" not in WEIGHTS
        return
    assert vector(layer, f"att.{name}") == pytest.approx(per_channel(layer, name), abs=1e-5)


@pytest.mark.parametrize("layer", range(4))
def test_the_mix_of_the_channel_mix(layer: int) -> None:
    wanted = [1 - (n / 128) ** ((1 - layer / 4) ** 4) for n in range(128)]
    assert vector(layer, "ffn.x_k") == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("layer", [0, 2])
def test_matrices(layer: int) -> None:
    block = f"blocks.{layer}."
    gains = {"att.receptance": 1.0, "att.key": 0.1, "att.value": 1.0, "ffn.key": 1.0}
    for name, gain in gains.items():
        assert is_orthogonal(WEIGHTS[f"{block}{name}.weight"], gain), name
    for name in ("att.output", "ffn.value"):
        assert not WEIGHTS[f"{block}{name}.weight"].any()


def test_low_rank_pairs_begin_silent_with_orthogonal_second_halves() -> None:
    for letter, gain in (("w", 0.1), ("a", 0.1), ("v", 0.1), ("g", 0.1 * math.sqrt(160 / 128))):
        assert not WEIGHTS[f"blocks.2.att.{letter}1"].any()
        assert is_orthogonal(WEIGHTS[f"blocks.2.att.{letter}2"], gain), letter


def test_embedding_head_and_norms() -> None:
    emb = WEIGHTS["emb.weight"]
    assert 0.9e-4 < float(emb.abs().max()) <= 1e-4
    assert float(emb.std()) == pytest.approx(1e-4 / math.sqrt(3), rel=0.02)
    assert is_orthogonal(WEIGHTS["head.weight"], 0.5 * math.sqrt(300 / 128))
    for norm in ("blocks.0.ln0", "blocks.3.ln1", "blocks.3.ln2", "ln_out"):
        assert bool((WEIGHTS[f"{norm}.weight"] == 1).all())
        assert not WEIGHTS[f"{norm}.bias"].any()


def test_a_head_that_is_wider_than_long() -> None:
    shape = ModelShape(1, 128, 128, 40, 64, Ranks(8, 8, 0, 8))
    assert is_orthogonal(initial_weights(shape, 0)["head.weight"], 0.5)


def test_every_tensor_is_there_and_the_seed_decides() -> None:
    sizes = {name: math.prod(size) for name, size in expected_tensors(SHAPE).items()}
    assert {name: weight.numel() for name, weight in WEIGHTS.items()} == sizes
    assert all(weight.dtype == torch.float32 for weight in WEIGHTS.values())
    once, again, other = (initial_weights(SHAPE, seed) for seed in (5, 5, 6))
    assert all(torch.equal(once[name], again[name]) for name in WEIGHTS)
    assert not torch.equal(once["head.weight"], other["head.weight"])
