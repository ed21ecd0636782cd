"""Products of one vector with packed weights against plain float64 sums, on every set we have."""

import numpy as np
import pytest

from tests.kernels.cpu import native
from tests.kernels.cpu.test_packing import ISAS, random

TYPES = ["fp32", "bf16", "fp16", "int8", "q4"]
SHAPES = [(1, 1), (3, 5), (16, 16), (17, 63), (33, 64), (50, 129), (80, 320)]
# Activations lose something where the type quantises them: q4 to 127 levels of a group's largest.
TOLERANCE = {"fp32": 3e-6, "bf16": 5e-5, "fp16": 3e-6, "int8": 5e-5, "q4": 1e-2}


def close(got: native.Array, wanted: np.ndarray, scale: np.ndarray, tolerance: float) -> bool:
    """Errors are measured by the size of what was summed up."""
    return bool((np.abs(got - wanted) <= tolerance * scale).all())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weights", TYPES)
@pytest.mark.parametrize("isa", ISAS)
def test_products_are_those_of_plain_sums(isa: str, weights: str, shape: tuple[int, int]) -> None:
    w, x = random(*shape, seed=1), random(shape[1], seed=2)
    kept = native.rounded(isa, weights, w).astype(np.float64)
    wanted = kept @ x
    scale = np.linalg.norm(kept, axis=1) * np.linalg.norm(x) + 1e-30
    assert close(native.product(isa, weights, w, x), wanted, scale, TOLERANCE[weights])


def quantised(x: native.Array, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers and scales of groups of 64, as the kernels make them."""
    groups = np.pad(x, (0, -len(x) % 64)).reshape(-1, 64)
    top = np.abs(groups).max(1)
    inverse = np.divide(np.float32(most), top, out=np.zeros_like(top), where=top > 0)
    q = np.rint(groups * inverse[:, None]).astype(np.float64)
    return q, (top / np.float32(most)).astype(np.float64)


@pytest.mark.parametrize("weights", ["int8", "q4"])
@pytest.mark.parametrize("isa", ISAS)
def test_quantised_products_are_exact_in_what_they_multiply(isa: str, weights: str) -> None:
    w, x = random(48, 320, seed=3), random(320, seed=4)
    q, scale = quantised(x, 127 * 254 + 127)
    if weights == "q4":  # the upper digit alone
        q = 254 * np.clip(np.rint(q / 254), -127, 127)
    kept = native.rounded(isa, weights, w).astype(np.float64)
    wanted = kept @ (q * scale[:, None]).reshape(-1)
    size = np.linalg.norm(kept, axis=1) * np.linalg.norm(x)
    assert close(native.product(isa, weights, w, x), wanted, size, 1e-6)


@pytest.mark.parametrize("weights", ["int8", "q4"])
@pytest.mark.parametrize("isa", ISAS)
def test_the_largest_numbers_do_not_overflow(isa: str, weights: str) -> None:
    w = np.ones((64, 128), np.float32)
    w[1] = -1
    x = np.full(128, 3, np.float32)
    kept = native.rounded(isa, weights, w).astype(np.float64)
    for value, wanted in ((False, kept @ x), (True, kept @ (x * x))):
        got = native.product(isa, weights, w, x, value=value)
        # q4 sees 127 of 127.5
        assert np.allclose(got, wanted, rtol=1e-5 if value or weights == "int8" else 5e-3)


def active(n: int, share: float, seed: int) -> native.Array:
    """Numbers of which about ``share`` are above zero."""
    x = np.abs(random(n, seed=seed))
    off = np.random.default_rng(seed + 1).random(n) >= share
    return np.where(off, -x, x).astype(np.float32)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.14, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(64, 64), (192, 256), (320, 448)])
@pytest.mark.parametrize("weights", TYPES)
@pytest.mark.parametrize("isa", ISAS)
def test_the_sparse_product_loses_nothing(
    isa: str, weights: str, shape: tuple[int, int], share: float
) -> None:
    w, k = random(*shape, seed=6), active(shape[1], share, 7)
    kept = native.rounded(isa, weights, w, value=True).astype(np.float64)
    x = np.square(np.maximum(k, 0))
    if weights in ("int8", "q4"):
        q, scale = quantised(x, 255)
        x = (q * scale[:, None]).reshape(-1)
    size = np.linalg.norm(kept, axis=1) * np.linalg.norm(x) + 1e-30
    assert close(native.product(isa, weights, w, k, value=True), kept @ x, size, 3e-6)


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("weights", ["int8", "q4"])
@pytest.mark.parametrize("isa", ISAS)
def test_whole_number_sums_agree_between_instruction_sets(
    isa: str, weights: str, value: bool
) -> None:
    w, x = random(64, 256, seed=8), random(256, seed=9)
    w = native.rounded("portable", weights, w, value=value)
    if not np.array_equal(native.rounded(isa, weights, w, value=value), w):
        w = np.rint(w / np.abs(w).max() * 127)  # a table's scale may move once more
    portable = native.product("portable", weights, w, x, value=value)
    got = native.product(isa, weights, w, x, value=value)
    assert np.allclose(got, portable, rtol=1e-5, atol=1e-4 * np.abs(portable).max())


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("weights", TYPES)
def test_threads_do_not_change_a_bit(weights: str, value: bool) -> None:
    w, x = random(192, 320, seed=10), random(320, seed=11)
    results = [
        native.product(native.instruction_sets()[0], weights, w, x, value=value, threads=threads)
        for threads in (1, 2, 3)
    ]
    assert all(np.array_equal(results[0], other) for other in results[1:])


@pytest.mark.parametrize("isa", ISAS)
def test_curves(isa: str) -> None:
    x = np.linspace(-30, 30, 4096, dtype=np.float32)
    wide = x.astype(np.float64)
    assert np.allclose(native.function(isa, "exp", x), np.exp(wide), rtol=3e-7)
    assert np.allclose(native.function(isa, "sigmoid", x), 1 / (1 + np.exp(-wide)), rtol=5e-7)
    assert np.allclose(native.function(isa, "tanh", x), np.tanh(wide), atol=2e-7)
    far = np.repeat(np.array([-1e30, -200, 200, 1e30], np.float32), 4)
    assert np.allclose(native.function(isa, "sigmoid", far), far > 0, atol=1e-37)
