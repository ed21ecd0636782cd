"""Weights after packing: what each type may change, and that every instruction set agrees."""

import numpy as np
import pytest
import torch

from tests.kernels.cpu import native

ISAS = native.instruction_sets()
SHAPES = [(1, 1), (5, 3), (16, 64), (17, 65), (40, 200), (130, 96)]
Q4 = np.array([-127, -97, -77, -60, -46, -33, -21, -9, 2, 13, 24, 36, 49, 64, 82, 107], np.float32)


def random(*shape: int, seed: int = 0, scale: float = 1.0) -> native.Array:
    rng = np.random.default_rng(seed)
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def torch_rounded(w: native.Array, dtype: torch.dtype) -> native.Array:
    return torch.from_numpy(w).to(dtype).float().numpy()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("isa", ISAS)
def test_floats_are_rounded_as_torch_does(isa: str, shape: tuple[int, int]) -> None:
    w = random(*shape)
    assert np.array_equal(native.rounded(isa, "fp32", w), w)
    for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
        assert np.array_equal(native.rounded(isa, name, w), torch_rounded(w, dtype))


@pytest.mark.parametrize("isa", ISAS)
def test_fp16_at_its_edges(isa: str) -> None:
    edges = [65504, -65504, 65519, 6.1e-5, 6.0e-5, 5.96e-8, 2.9e-8, 2.99e-8, 0, -0.0, 1 + 2**-11]
    w = np.array([edges], np.float32)
    assert np.array_equal(native.rounded(isa, "fp16", w), torch_rounded(w, torch.float16))


def grouped(w: native.Array) -> native.Array:
    """[M, groups, 64], padded with zeros."""
    return np.pad(w, ((0, 0), (0, -w.shape[1] % 64))).reshape(len(w), -1, 64)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("isa", ISAS)
def test_int8_stays_within_half_a_step(isa: str, shape: tuple[int, int]) -> None:
    w = random(*shape)
    error = np.abs(grouped(native.rounded(isa, "int8", w) - w)).max(-1)
    # bf16 scales are rounded up: a step is at most 1/128 longer than it has to be
    step = np.abs(grouped(w)).max(-1) / 127 * (1 + 1 / 128)
    assert (error <= step / 2 * 1.0001).all()


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e-6, 1.0, 1e6])
def test_int8_has_no_smallest_size(scale: float) -> None:
    w = random(32, 64, scale=scale)
    got = native.rounded(ISAS[0], "int8", w)
    assert np.abs(got - w).max() < 0.01 * np.abs(w).max()


@pytest.mark.parametrize("value", [False, True])
def test_q4_keeps_to_its_table_and_is_as_good_as_it_gets(value: bool) -> None:
    w = random(128, 1024)
    got = native.rounded(ISAS[0], "q4", w, value=value)
    error = np.linalg.norm(got - w) / np.linalg.norm(w)
    assert error < 0.083  # a fitted table on Gaussian groups: 0.081
    group = got[0, :64]
    scale = np.abs(group).max() / np.abs(Q4)  # some level is the largest of the group
    fits = [
        min(np.abs(group[:, None] - s * Q4 * sign).min(1).max() for sign in (1, -1)) for s in scale
    ]
    assert min(fits) < 1e-6


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("weights", ["int8", "q4"])
def test_groups_of_zeros_and_single_numbers(weights: str, value: bool) -> None:
    w = np.zeros((64, 128), np.float32)
    w[3, 70] = 0.5
    w[5, 0] = -2
    got = native.rounded(ISAS[0], weights, w, value=value)
    assert np.isfinite(got).all()
    # q4 has no level of exactly zero: the many zeros pull at the scale
    near = 0.01 if weights == "int8" else 0.03
    assert np.allclose([got[3, 70], got[5, 0]], [0.5, -2], rtol=near)
    if weights == "int8":
        got[3, 70] = got[5, 0] = 0
        assert not got.any()


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("weights", ["fp32", "bf16", "fp16", "int8", "q4"])
@pytest.mark.parametrize("isa", ISAS)
def test_instruction_sets_pack_the_same(isa: str, weights: str, value: bool) -> None:
    w = random(192, 128, seed=4)
    got = native.rounded(isa, weights, w, value=value)
    portable = native.rounded("portable", weights, w, value=value)
    if weights == "q4":  # two lengths of a scale can be equally good but for rounding
        assert np.mean(got != portable) < 0.02
    else:
        assert np.array_equal(got, portable)


@pytest.mark.parametrize("weights", ["fp32", "bf16", "fp16", "int8"])
def test_the_value_matrix_is_rounded_as_any_other(weights: str) -> None:
    w = random(128, 192, seed=5)
    dense = native.rounded(ISAS[0], weights, w)
    assert np.array_equal(native.rounded(ISAS[0], weights, w, value=True), dense)
