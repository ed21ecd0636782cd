"""One step of several states at once is, bit for bit, what each is as a block of its own."""

import numpy as np
import pytest

from kernels.cpu.library import MAX_BATCH, NativeError
from tests.kernels.cpu import blocks, native
from tests.kernels.cpu.test_decode import ODD, TYPES, VOCAB

SIZES = native.sizes_of(ODD)


@pytest.fixture(params=native.instruction_sets())
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SKEIN_CPU", request.param)
    return request.param


def rows_of(count: int, steps: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, VOCAB, (count, steps))


@pytest.mark.parametrize("count", [2, 13, MAX_BATCH])
@pytest.mark.parametrize("kind", TYPES)
def test_rows_do_not_touch_each_other(isa: str, kind: str, count: int) -> None:
    assert isa
    model, rows = native.load(ODD, kind, 2), rows_of(count, 3)
    states = [native.State(SIZES) for _ in range(count)]
    logits = np.full((count, VOCAB), np.nan, np.float32)
    for step in rows.T:
        model.decode_batch(step.tolist(), [state.addresses for state in states], logits.ctypes.data)
    for row, state, ours in zip(rows, states, logits, strict=True):
        alone = native.State(SIZES)
        assert np.array_equal(blocks.read(model, row.tolist(), alone, VOCAB), ours)
        assert native.same_bits(alone.arrays, state.arrays)


def test_threads_do_not_change_a_bit() -> None:
    results = []
    for threads in (1, 2, 3):
        model = native.load(ODD, "int8", threads)
        states = [native.State(SIZES) for _ in range(5)]
        logits = np.empty((5, VOCAB), np.float32)
        for step in rows_of(5, 4).T:
            model.decode_batch(
                step.tolist(), [state.addresses for state in states], logits.ctypes.data
            )
        results.append([logits, *(array for state in states for array in state.arrays)])
    assert native.same_bits(results[0], results[1])
    assert native.same_bits(results[0], results[2])


def test_too_many_rows_and_wrong_tokens_are_refused() -> None:
    model = native.load(ODD, "fp32")
    states = [native.State(SIZES) for _ in range(MAX_BATCH + 1)]
    addresses = [state.addresses for state in states]
    logits = np.empty((MAX_BATCH + 1, VOCAB), np.float32)
    with pytest.raises(NativeError, match="16"):
        model.decode_batch([1] * (MAX_BATCH + 1), addresses, logits.ctypes.data)
    with pytest.raises(NativeError, match="not below"):
        model.decode_batch([1, VOCAB], addresses[:2], logits.ctypes.data)
