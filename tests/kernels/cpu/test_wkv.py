"""One head of the time mix over a run of tokens against plain float64 steps, on every set."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.kernels.cpu import blocks, native
from tests.kernels.cpu.test_packing import ISAS, random
from tests.reference import deviation

N = 64
Float64 = NDArray[np.float64]


def inputs(tokens: int, seed: int) -> tuple[native.Array, native.Array, native.Array, native.Array]:
    """Planes [7, T, N], vectors [8, N], v_first [T, N] and a state [N, N] with something in it."""
    planes = random(7, tokens, N, seed=seed)
    vectors = 0.5 + 0.3 * random(8, N, seed=seed + 1)
    return planes, vectors, random(tokens, N, seed=seed + 2), random(N, N, seed=seed + 3)


def sigmoid(x: Float64) -> Float64:
    return 1 / (1 + np.exp(-x))


def plain(
    planes: native.Array, vectors: native.Array, v_first: native.Array | None, state: Float64
) -> tuple[Float64, Float64]:
    """Return (y, state) straight from the equations; ``state`` [value, key]."""
    w0, a0, v0, k_k, k_a, r_k, ln_w, ln_b = vectors.astype(np.float64)
    rows = []
    for t in range(planes.shape[1]):
        r, k, v, w2, a2, v2, g2 = planes[:, t].astype(np.float64)
        if v_first is not None:
            v = v + (v_first[t] - v) * sigmoid(v0 + v2)
        a = sigmoid(a0 + a2)
        kk = k * k_k
        kk = kk / max(float(np.linalg.norm(kk)), 1e-12)
        k = k * (1 + (a - 1) * k_a)
        decay = np.exp(-np.exp(-0.5) * sigmoid(w0 + w2))
        state = state * decay - np.outer(state @ kk, kk * a) + np.outer(v, k)
        y = state @ r
        y = (y - y.mean()) / np.sqrt(y.var() + 64e-5) * ln_w + ln_b
        rows.append((y + (r * k * r_k).sum() * v) * g2)
    return np.stack(rows), state


@pytest.mark.parametrize("first_layer", [True, False])
@pytest.mark.parametrize("tokens", [1, 2, 37])
@pytest.mark.parametrize("isa", ISAS)
def test_a_head_is_the_plain_recurrence(isa: str, tokens: int, first_layer: bool) -> None:
    planes, vectors, v_first, state = inputs(tokens, seed=tokens)
    before = v_first.copy()
    true, end = plain(planes, vectors, None if first_layer else v_first, state.T.astype(np.float64))
    got = blocks.head(isa, planes, vectors, v_first, state, first_layer=first_layer)
    assert deviation(true, got) < 2e-5
    assert deviation(end, state.T) < 2e-5
    assert np.array_equal(v_first, planes[2] if first_layer else before)


@pytest.mark.parametrize("isa", ISAS)
def test_a_run_may_be_cut_anywhere(isa: str) -> None:
    planes, vectors, v_first, state = inputs(30, seed=5)
    pieces = state.copy()
    whole = blocks.head(isa, planes, vectors, v_first, state, first_layer=False)
    for first, end in ((0, 1), (1, 14), (14, 30)):
        part = np.ascontiguousarray(planes[:, first:end])
        got = blocks.head(isa, part, vectors, v_first[first:end], pieces, first_layer=False)
        assert got.tobytes() == whole[first:end].tobytes()
    assert pieces.tobytes() == state.tobytes()


@pytest.mark.parametrize("isa", ISAS)
def test_keys_of_zero_are_no_division_by_zero(isa: str) -> None:
    planes, vectors, v_first, state = inputs(3, seed=9)
    planes[1] = 0
    got = blocks.head(isa, planes, vectors, v_first, state, first_layer=False)
    assert np.isfinite(got).all()
    assert np.isfinite(state).all()
