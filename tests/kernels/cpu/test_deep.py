"""DeepEmbed (v7a) in the library against the float64 reference, for every set and type."""

import ctypes
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from kernels.cpu.library import NativeCancelled, NativeError
from tests.kernels.cpu import blocks, native
from tests.kernels.cpu.test_decode import TYPES, VOCAB, as_packed, model_weights
from tests.kernels.cpu.test_prefill import BLOCK, prompt
from tests.reference import Reference, deviation

RANKS = (5, 17, 33, 65)
WIDE = model_weights(width=320, ranks=RANKS, seed=4, layer0_v=True, deep=32)
ODD = model_weights(width=320, ranks=RANKS, seed=5, deep=6)  # rows of 36 numbers
NARROW = model_weights(seed=6, deep=32)
MODELS = {"wide": WIDE, "odd": ODD, "narrow": NARROW}
TOKENS = prompt(30)


@pytest.fixture(params=native.instruction_sets())
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SKEIN_CPU", request.param)
    return request.param


def test_the_reference_has_gates_below_zero_and_they_matter() -> None:
    logits = Reference(WIDE).forward(TOKENS, Reference(WIDE).new_state())
    gates = WIDE["blocks.0.ffn.s0"].numpy()
    assert 0.02 < (gates < 0).mean() < 0.5
    plain = {name: tensor for name, tensor in WIDE.items() if ".ffn.s" not in name}
    without = Reference(plain).forward(TOKENS, Reference(plain).new_state())
    assert deviation(logits, without) > 0.5


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", TYPES)
def test_steps_are_those_of_the_packed_weights(isa: str, kind: str, name: str) -> None:
    weights = MODELS[name]
    model, state = native.load(weights, kind, threads=2), native.State(native.sizes_of(weights))
    logits = native.decode(model, TOKENS[:8], state, VOCAB)
    assert model.instruction_set == isa
    packed = as_packed(weights, kind)
    truth, own = (truth_after(w, TOKENS[:8]) for w in (packed, weights))
    # Inputs are rounded too in int8 and q4: a part of what rounding the weights does.
    apart = deviation(own, truth)
    bound = {"fp32": 2e-5, "bf16": 1e-4, "fp16": 2e-5, "int8": 0.3 * apart, "q4": 0.2 * apart}
    assert deviation(truth, logits) <= max(bound[kind], 2e-5)


def truth_after(weights: dict[str, torch.Tensor], tokens: Sequence[int]) -> np.ndarray:
    reference = Reference(weights)
    return reference.forward(tokens, reference.new_state())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", TYPES)
def test_a_block_is_what_its_tokens_are_one_by_one(isa: str, kind: str, name: str) -> None:
    assert isa
    weights = MODELS[name]
    sizes, model = native.sizes_of(weights), native.load(weights, kind)
    state, other = native.State(sizes), native.State(sizes)
    _, everything = blocks.prefill(model, TOKENS, state, VOCAB)
    stepped = native.decode(model, TOKENS, other, VOCAB)
    tolerance = {"fp32": 1e-5, "bf16": 3e-2, "fp16": 3e-2, "int8": 0.1, "q4": 0.1}[kind]
    assert deviation(stepped.astype(np.float64), everything) < tolerance
    for ours, theirs in zip(state.arrays, other.arrays, strict=True):
        assert deviation(theirs.astype(np.float64), ours) < 2 * tolerance


@pytest.mark.parametrize("kind", TYPES)
def test_threads_and_cuts_do_not_change_a_bit(isa: str, kind: str) -> None:
    assert isa
    sizes, results = native.sizes_of(WIDE), []
    for threads in (1, 2, 3):
        model, state = native.load(WIDE, kind, threads), native.State(sizes)
        logits = blocks.prefill(model, TOKENS, state, VOCAB)
        step = native.decode(model, [7], state, VOCAB)
        results.append((*logits, step, *state.arrays))
    assert native.same_bits(results[0], results[1])
    assert native.same_bits(results[0], results[2])
    pieces = native.State(sizes)
    for first, end in ((0, 1), (1, 14), (14, 30)):
        last = blocks.read(model, TOKENS[first:end], pieces, VOCAB)
    assert last.tobytes() == results[0][0].tobytes()


@pytest.mark.parametrize("kind", TYPES)
def test_rows_of_a_batch_are_what_they_are_alone(kind: str) -> None:
    model, sizes = native.load(WIDE, kind, 2), native.sizes_of(WIDE)
    states, alone = ([native.State(sizes) for _ in range(3)] for _ in range(2))
    tolerance = {"fp32": 1e-5, "bf16": 3e-2, "fp16": 3e-2, "int8": 0.1, "q4": 0.1}[kind]
    for step in range(4):
        tokens = TOKENS[3 * step : 3 * step + 3]
        logits = np.empty((3, VOCAB), np.float32)
        model.decode_batch(tokens, [s.addresses for s in states], logits.ctypes.data)
        for row, token, state in zip(logits, tokens, alone, strict=True):
            expected = native.decode(model, [token], state, VOCAB)[0]
            assert deviation(expected.astype(np.float64), row) < tolerance


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rows_come_in_the_types_that_files_have(dtype: torch.dtype) -> None:
    weights = {name: tensor.to(dtype) for name, tensor in ODD.items()}
    model, state = native.load(weights, "fp32"), native.State(native.sizes_of(weights))
    logits = native.decode(model, TOKENS[:6], state, VOCAB)
    assert deviation(truth_after(weights, TOKENS[:6]), logits) < 2e-5


def test_adopted_weights_do_not_hold_the_tables() -> None:
    model, sizes = native.load(WIDE, "int8"), native.sizes_of(WIDE)
    other = native.adopt(native.aligned(native.packed(model)), sizes, "int8")
    native.give_rows(other, native.tables(WIDE))
    one, two = (native.decode(m, TOKENS[:5], native.State(sizes), VOCAB) for m in (model, other))
    assert one.tobytes() == two.tobytes()
    plain = {name: tensor for name, tensor in WIDE.items() if ".ffn.s" not in name}
    more = model.weights_bytes - native.load(plain, "int8").weights_bytes
    inner = 2 * (32 * 32 * 320 + 32 * 320 + 64 * 1280)  # s2's inputs are a whole group
    assert inner < more < 1.2 * inner + 8 * 1280 < native.tables(WIDE).nbytes


def test_without_rows_nothing_runs() -> None:
    full, sizes = native.load(WIDE, "fp32"), native.sizes_of(WIDE)
    model = native.adopt(native.aligned(native.packed(full)), sizes, "fp32")
    with pytest.raises(NativeError, match="skn_model_set_rows"):
        native.decode(model, [1], native.State(sizes), VOCAB)
    assert native.library().packed_bytes(replace(sizes, deep=65), "fp32") == 0
    halves = replace(sizes, first_layer=1)
    assert native.library().packed_bytes(halves, "fp32") == 0


def test_rows_that_cannot_be_had_leave_the_state_where_it_was_told() -> None:
    model, sizes, tokens = native.load(WIDE, "int8", 2), native.sizes_of(WIDE), prompt(BLOCK + 40)
    calls = 0

    good = native.tables(WIDE)

    def read(ids: Sequence[int], address: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise OSError("gone")
        rows = good[:, list(ids)].contiguous()
        ctypes.memmove(address, rows.data_ptr(), rows.nbytes)

    model.set_rows("fp32", read)
    state = native.State(sizes)
    with pytest.raises(NativeCancelled) as stopped:
        model.prefill(tokens, state.addresses, None, None, lambda _done, _total: False)
    assert isinstance(stopped.value.__cause__, OSError)
    assert 1 < stopped.value.done < len(tokens)
    with pytest.raises(OSError, match="gone"):
        model.decode(1, state.addresses, None)
    native.give_rows(model, good)
    other = native.State(sizes)
    blocks.read(model, tokens[: stopped.value.done], other, VOCAB)
    assert native.same_bits(state.arrays, other.arrays)
    rest = blocks.read(model, tokens[stopped.value.done :], state, VOCAB)
    assert np.array_equal(rest, blocks.read(model, tokens, native.State(sizes), VOCAB))
