"""Products of blocks of tokens with packed weights against plain float64 sums, on every set."""

import numpy as np
import pytest

from tests.kernels.cpu import blocks, native
from tests.kernels.cpu.test_packing import ISAS, random

TYPES = ["fp32", "bf16", "fp16", "int8", "q4"]
# Outputs, inputs, tokens: parts of panels, of groups, of tiles; few tiles and many.
SHAPES = [
    (1, 1, 1),
    (16, 24, 3),
    (70, 129, 13),
    (64, 64, 12),
    (200, 640, 25),
    (33, 1090, 7),
    (70, 1090, 50),
]
VALUE_SHAPES = [(64, 64, 1), (192, 128, 13), (320, 704, 25), (64, 1152, 12), (128, 1088, 50)]


def assert_plain_sums(got: native.Array, w: native.Array, x: np.ndarray) -> None:
    """Errors are measured by the size of what was summed up."""
    assert got.shape == (len(x), len(w))
    size = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(w, axis=1)
    assert (np.abs(got - x @ w.T.astype(np.float64)) <= 2e-6 * size + 1e-30).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weights", TYPES)
@pytest.mark.parametrize("isa", ISAS)
def test_products_are_plain_sums_of_what_is_multiplied(
    isa: str, weights: str, shape: tuple[int, int, int]
) -> None:
    m, k, tokens = shape
    w, x = random(m, k, seed=1), random(tokens, k, seed=2)
    kept = blocks.kept(isa, weights, w)
    got = blocks.product(isa, weights, w, x)
    assert_plain_sums(got, kept, blocks.multiplied(isa, weights, x))


@pytest.mark.parametrize("shape", VALUE_SHAPES)
@pytest.mark.parametrize("weights", TYPES)
@pytest.mark.parametrize("isa", ISAS)
def test_value_products_are_plain_sums_of_what_is_multiplied(
    isa: str, weights: str, shape: tuple[int, int, int]
) -> None:
    m, k, tokens = shape
    w, x = random(m, k, seed=3), np.maximum(random(tokens, k, seed=4), 0) ** 2
    kept = blocks.kept(isa, weights, w, value=True)
    got = blocks.product(isa, weights, w, x, value=True)
    assert_plain_sums(got, kept, blocks.multiplied(isa, weights, x, value=True))


@pytest.mark.parametrize("weights", TYPES)
@pytest.mark.parametrize("isa", ISAS)
def test_a_token_does_not_depend_on_its_neighbours(isa: str, weights: str) -> None:
    """Not in one bit: so blocks may be cut anywhere."""
    w, x = random(80, 1200, seed=5), random(53, 1200, seed=6)
    together = blocks.product(isa, weights, w, x)
    for first, count in ((0, 1), (5, 2), (11, 13), (52, 1)):
        alone = blocks.product(isa, weights, w, x[first : first + count])
        assert alone.tobytes() == together[first : first + count].tobytes()


@pytest.mark.parametrize("weights", TYPES)
@pytest.mark.parametrize("isa", ISAS)
def test_zeros_and_extremes_stay_finite(isa: str, weights: str) -> None:
    x = np.zeros((4, 128), np.float32)
    x[1, 5], x[2], x[3] = 1e-38, 3e4, -3e4
    w = random(16, 128, seed=7)
    got = blocks.product(isa, weights, w, x)
    assert not got[0].any()
    assert np.isfinite(got).all()
    assert np.array_equal(got[2], -got[3])
