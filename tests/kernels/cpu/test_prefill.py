"""Prompts in blocks: the reference, step by step, threads, blocks, progress and stopping."""

import numpy as np
import pytest

from kernels.cpu.library import NativeCancelled, NativeError
from tests.kernels.cpu import blocks, native
from tests.kernels.cpu.test_decode import ODD, TYPES, VOCAB, WEIGHTS
from tests.reference import Reference, deviation

SIZES = native.sizes_of(ODD)
BLOCK = 264
"""Tokens of the library's longest block."""


def prompt(count: int) -> list[int]:
    return [int(token) for token in np.random.default_rng(count).integers(0, VOCAB, count)]


TOKENS = prompt(40)
REFERENCE = Reference(ODD)
TRUE_STATE = REFERENCE.new_state()
TRUE = REFERENCE.forward(TOKENS, TRUE_STATE)


@pytest.fixture(params=native.instruction_sets())
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SKEIN_CPU", request.param)
    return request.param


# int8 and q4: what rounding the weights costs this model, which is of noise.
@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [("fp32", 1e-5), ("bf16", 5e-2), ("fp16", 3e-2), ("int8", 0.2), ("q4", 1.5)],
)
def test_logits_and_state_are_those_of_the_reference(isa: str, kind: str, tolerance: float) -> None:
    state = native.State(SIZES)
    model = native.load(ODD, kind)
    last, everything = blocks.prefill(model, TOKENS, state, VOCAB)
    assert model.instruction_set == isa
    assert deviation(TRUE, everything) < tolerance
    assert np.array_equal(last, everything[-1])
    for true, ours in (
        (TRUE_STATE.att_shift, state.att_shift),
        (TRUE_STATE.ffn_shift, state.ffn_shift),
        (TRUE_STATE.wkv, state.wkv.swapaxes(-1, -2)),
    ):
        assert deviation(true, ours) < 2 * tolerance


@pytest.mark.parametrize("kind", TYPES)
def test_a_block_is_what_its_tokens_are_one_by_one(isa: str, kind: str) -> None:
    """What is between them is how the tokens are rounded, never the weights."""
    assert isa
    model = native.load(ODD, kind)
    state, other = native.State(SIZES), native.State(SIZES)
    _, everything = blocks.prefill(model, TOKENS, state, VOCAB)
    stepped = native.decode(model, TOKENS, other, VOCAB)
    tolerance = {"fp32": 1e-5, "bf16": 3e-2, "fp16": 3e-2, "int8": 0.1, "q4": 0.1}[kind]
    assert deviation(stepped.astype(np.float64), everything) < tolerance
    for ours, theirs in zip(state.arrays, other.arrays, strict=True):
        assert deviation(theirs.astype(np.float64), ours) < 2 * tolerance


@pytest.mark.parametrize("kind", TYPES)
def test_threads_do_not_change_a_bit(isa: str, kind: str) -> None:
    assert isa
    results = []
    for threads in (1, 2, 3):
        state = native.State(SIZES)
        logits = blocks.prefill(native.load(ODD, kind, threads), TOKENS, state, VOCAB)
        results.append((*logits, *state.arrays))
    assert native.same_bits(results[0], results[1])
    assert native.same_bits(results[0], results[2])


@pytest.mark.parametrize("kind", TYPES)
def test_prompts_may_be_cut_anywhere(kind: str) -> None:
    model, tokens = native.load(ODD, kind), prompt(BLOCK + 41)
    whole, pieces = native.State(SIZES), native.State(SIZES)
    last = blocks.read(model, tokens, whole, VOCAB)
    for first, end in ((0, 1), (1, 14), (14, 290), (290, len(tokens))):
        again = blocks.read(model, tokens[first:end], pieces, VOCAB)
    assert again.tobytes() == last.tobytes()
    assert native.same_bits(whole.arrays, pieces.arrays)


@pytest.mark.parametrize("kind", ["fp32", "bf16", "fp16", "int8"])
def test_the_first_token_of_all_is_read_as_one_that_is_written(isa: str, kind: str) -> None:
    """The group norm raises so small a memory, and would raise what rounding in blocks does."""
    model = native.load(ODD, kind)
    state, other = native.State(SIZES), native.State(SIZES)
    first = blocks.prefill(model, TOKENS, state, VOCAB)[1][0]
    stepped = native.decode(model, TOKENS[:1], other, VOCAB)[0]
    # Sets whose blocks are in fp32 round nothing there that a token of its own would not.
    exact = isa in blocks.INT8_SETS or kind != "int8"
    assert deviation(stepped.astype(np.float64), first) < (1e-5 if exact else 2e-2)


@pytest.mark.parametrize("kind", ["bf16", "fp16", "int8"])
def test_narrow_models_read_blocks_as_exactly_as_single_tokens(isa: str, kind: str) -> None:
    assert isa
    model, sizes = native.load(WEIGHTS, kind), native.sizes_of(WEIGHTS)
    _, everything = blocks.prefill(model, TOKENS, native.State(sizes), VOCAB)
    stepped = native.decode(model, TOKENS, native.State(sizes), VOCAB)
    assert deviation(stepped.astype(np.float64), everything) < 1e-4


def test_a_stop_leaves_the_state_at_the_end_of_a_block() -> None:
    model, tokens = native.load(WEIGHTS, "int8"), prompt(2 * BLOCK + 5)
    sizes = native.sizes_of(WEIGHTS)
    state, told = native.State(sizes), []

    def stop(done: int, total: int) -> bool:
        told.append((done, total))
        return len(told) == 2

    with pytest.raises(NativeCancelled) as stopped:
        model.prefill(tokens, state.addresses, None, None, stop)
    assert 0 < told[0][0] < told[1][0] == stopped.value.done < len(tokens)
    assert {total for _, total in told} == {len(tokens)}
    other = native.State(sizes)
    blocks.read(model, tokens[: stopped.value.done], other, VOCAB)
    assert native.same_bits(state.arrays, other.arrays)
    rest = blocks.read(model, tokens[stopped.value.done :], state, VOCAB)
    assert np.array_equal(rest, blocks.read(model, tokens, native.State(sizes), VOCAB))


def test_the_last_thing_told_is_that_all_is_read() -> None:
    model, told = native.load(WEIGHTS, "fp32"), []
    state = native.State(native.sizes_of(WEIGHTS))
    model.prefill(prompt(30), state.addresses, None, None, lambda *now: bool(told.append(now)))
    assert told == [(30, 30)]


def test_wrong_prompts_are_refused() -> None:
    model = native.load(WEIGHTS, "fp32")
    state = native.State(native.sizes_of(WEIGHTS))
    before = [array.copy() for array in state.arrays]
    for tokens in ([], [1, VOCAB], [-1]):
        with pytest.raises(NativeError):
            blocks.read(model, tokens, state, VOCAB)
    assert native.same_bits(before, state.arrays)
