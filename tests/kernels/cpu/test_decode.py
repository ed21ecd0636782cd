"""Whole tokens through the library against the float64 reference, for every set and type."""

import numpy as np
import pytest
import torch

from kernels.cpu.library import NativeError
from tests.kernels.cpu import native
from tests.reference import Reference, deviation
from tests.tiny import tiny_weights

TYPES = ["fp32", "bf16", "fp16", "int8", "q4"]
TOKENS = [3, 77, 0, 300, 12, 12, 5]
VOCAB = 333
NARROW = 256  # kNarrow of model.h
LORAS = {"w1", "w2", "a1", "a2", "v1", "v2", "g1", "g2", "s1", "s2"}
AS_LORAS = ("ffn.s_emb_x.weight",)  # held in their type


def model_weights(**options) -> dict[str, torch.Tensor]:  # type: ignore[no-untyped-def]
    return tiny_weights(vocab=VOCAB, **options)


WEIGHTS = model_weights()  # narrow, and so not held in int8
ODD = model_weights(width=320, layers=2, ranks=(5, 17, 33, 65), seed=3, layer0_v=True)


@pytest.fixture(params=native.instruction_sets())
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SKEIN_CPU", request.param)
    return request.param


def run(weights: dict[str, torch.Tensor], kind: str, threads: int = 1):
    model = native.load(weights, kind, threads)
    state = native.State(native.sizes_of(weights))
    logits = native.decode(model, TOKENS, state, VOCAB)
    return model, state, logits


def as_packed(weights: dict[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    """Return the weights as they are once packed: what the library really multiplies with."""
    narrow = weights["emb.weight"].shape[1] <= NARROW
    kind = "fp16" if narrow and kind == "int8" else kind
    lora_kind = "int8" if kind in ("int8", "q4") else kind
    table = "fp16" if narrow and kind == "q4" else lora_kind
    out = dict(weights)
    for name, value in weights.items():
        lora = name.split(".")[-1] in LORAS
        if value.dim() != 2 or not (lora or name.endswith(".weight")):
            continue
        if name.endswith("ffn.s_emb.weight"):  # never held
            continue
        w = (value.T if lora else value).numpy()
        held = (
            table
            if name in ("emb.weight", "head.weight")
            else lora_kind
            if lora or name.endswith(AS_LORAS)
            else kind
        )
        is_value = name.endswith("ffn.value.weight")
        got = native.rounded("portable", held, w, value=is_value)
        out[name] = torch.from_numpy(got.T.copy() if lora else got)
    return out


def truth_of(weights: dict[str, torch.Tensor]):
    reference = Reference(weights)
    state = reference.new_state()
    logits = reference.forward(TOKENS, state)
    return [logits, state.att_shift, state.ffn_shift, state.wkv]


TRUTHS = {name: truth_of(weights) for name, weights in (("tiny", WEIGHTS), ("odd", ODD))}
PACKED_TRUTHS = {
    (name, kind): truth_of(as_packed(weights, kind))
    for name, weights in (("tiny", WEIGHTS), ("odd", ODD))
    for kind in TYPES
}


@pytest.mark.parametrize("name", ["tiny", "odd"])
@pytest.mark.parametrize("kind", TYPES)
def test_logits_and_state_are_those_of_the_reference(isa: str, kind: str, name: str) -> None:
    """Besides what rounding the weights does, nothing is lost, or about as much again."""
    model, state, logits = run({"tiny": WEIGHTS, "odd": ODD}[name], kind)
    assert model.instruction_set == isa
    got = [logits, state.att_shift, state.ffn_shift, state.wkv.swapaxes(-1, -2)]
    rounded = PACKED_TRUTHS[name, kind]
    for true, packed, ours in zip(TRUTHS[name], rounded, got, strict=True):
        own = deviation(true, packed)
        if kind in ("int8", "q4"):  # activations are quantised as well
            assert deviation(packed, ours) < 1.5 * own
        else:
            assert deviation(packed, ours) < 1e-4


@pytest.mark.parametrize("kind", TYPES)
def test_threads_do_not_change_a_bit(kind: str) -> None:
    _, state, logits = run(ODD, kind)
    for threads in (2, 3):
        _, other, same = run(ODD, kind, threads)
        assert native.same_bits((logits, *state.arrays), (same, *other.arrays))


@pytest.mark.parametrize("kind", TYPES)
def test_another_pool_in_the_middle_changes_nothing(kind: str) -> None:
    _, _, logits = run(WEIGHTS, kind)
    model = native.load(WEIGHTS, kind)
    state = native.State(native.sizes_of(WEIGHTS))
    first = native.decode(model, TOKENS[:3], state, VOCAB)
    model.set_pool(native.Pool(native.library(), 3))
    rest = native.decode(model, TOKENS[3:], state, VOCAB)
    assert np.array_equal(np.concatenate((first, rest)), logits)


def test_logits_may_be_left_out() -> None:
    _, state, _ = run(WEIGHTS, "fp32")
    model = native.load(WEIGHTS, "fp32")
    other = native.State(native.sizes_of(WEIGHTS))
    for token in TOKENS:
        model.decode(token, other.addresses, None)
    assert native.same_bits(state.arrays, other.arrays)


def test_rows_that_are_zero_are_counted() -> None:
    model, _, _ = run(WEIGHTS, "int8")
    active, rows = model.active_rows()
    assert rows == 2 * 4 * 128
    assert 0.2 * rows < active < 0.8 * rows  # half of a random model's are below zero


@pytest.mark.parametrize("kind", TYPES)
def test_a_matrix_may_come_in_pieces(kind: str) -> None:
    whole = native.load(ODD, kind)
    pool = native.Pool(native.library(), 2)
    model = native.NativeModel(native.library(), native.sizes_of(ODD), kind, pool)
    for name, tensor in ODD.items():
        if tensor.dim() != 2 or not name.endswith(".weight"):
            model.tensor(name, "fp32", tensor.data_ptr(), tensor.numel())
            continue
        for first in reversed(range(0, len(tensor), 128)):
            part = tensor[first : first + 128]
            model.rows(name, "fp32", part.data_ptr(), first, len(part))
    model.ready()
    assert np.array_equal(native.packed(whole), native.packed(model))


@pytest.mark.parametrize("kind", TYPES)
def test_packed_weights_can_be_adopted(kind: str) -> None:
    model, _, logits = run(WEIGHTS, kind)
    data = native.packed(model)
    assert len(data) == model.weights_bytes
    assert len(data) == native.library().packed_bytes(native.sizes_of(WEIGHTS), kind)
    kept = native.aligned(data)
    del model, data
    again = native.adopt(kept, native.sizes_of(WEIGHTS), kind)
    state = native.State(native.sizes_of(WEIGHTS))
    assert np.array_equal(native.decode(again, TOKENS, state, VOCAB), logits)


def test_what_is_missing_is_named() -> None:
    pool = native.Pool(native.library(), 1)
    model = native.NativeModel(native.library(), native.sizes_of(WEIGHTS), "int8", pool)
    for name, tensor in WEIGHTS.items():
        if name != "blocks.1.ffn.value.weight":
            model.tensor(name, "fp32", tensor.data_ptr(), tensor.numel())
    with pytest.raises(NativeError, match=r"blocks\.1\.ffn\.value\.weight is missing"):
        model.ready()
    with pytest.raises(NativeError, match="not ready"):
        model.decode(0, native.State(native.sizes_of(WEIGHTS)).addresses, None)


def test_wrong_tensors_and_tokens_are_refused() -> None:
    model = native.load(WEIGHTS, "fp32")
    broken = torch.full((128,), float("nan"))
    with pytest.raises(NativeError, match="not finite"):
        model.tensor("ln_out.weight", "fp32", broken.data_ptr(), 128)
    with pytest.raises(NativeError, match="no tensor"):
        model.tensor("blocks.7.ln1.weight", "fp32", broken.data_ptr(), 128)
    with pytest.raises(NativeError, match="elements"):
        model.tensor("ln_out.weight", "fp32", broken.data_ptr(), 127)
    with pytest.raises(NativeError, match="not below"):
        model.decode(VOCAB, native.State(native.sizes_of(WEIGHTS)).addresses, None)


def test_an_unknown_instruction_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKEIN_CPU", "abacus")
    with pytest.raises(NativeError, match="abacus"):
        native.load(WEIGHTS, "fp32")
