"""Reading on a card, emulated as a whole, against the equations in float64."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.backends.graphs import NoGraphs
from kernels.cuda.expand import Expander, shape_of
from kernels.cuda.prefill import Prefill
from kernels.cuda.prefill_layers import States
from kernels.cuda.prefill_room import pieces_of, room_bytes
from kernels.cuda.quantize import Quantizer
from kernels.cuda.weights import Sizes, Weights, WeightType, build
from tests.kernels.cuda.emulator.emulator import EmulatedPrograms
from tests.reference import Reference, ReferenceState
from tests.tiny import tiny_weights

LAYERS, WIDTH, VOCAB = 2, 128, 300
RANKS = (16, 24, 8, 30)
SIZES = Sizes(LAYERS, WIDTH, 4 * WIDTH, VOCAB, RANKS)
CPU = torch.device("cpu")


@dataclass
class Model:
    tensors: dict[str, Tensor]
    weights: Weights


def make(kind: WeightType = "fp16", *, sparse: bool = False) -> Model:
    z = tiny_weights(layers=LAYERS, width=WIDTH, vocab=VOCAB, ranks=RANKS, dtype=torch.float16)
    quantizer = Quantizer(EmulatedPrograms())
    return Model(z, build(SIZES, kind, quantizer, CPU, z, sparse=sparse, pinned=False))


def new_states(slots: int = 1) -> States:
    shape = (slots, LAYERS, WIDTH)
    wkv = torch.zeros(slots, LAYERS, WIDTH // 64, 64, 64)
    return States(torch.zeros(shape), wkv, torch.zeros(shape))


def prefill(model: Model, states: States, *, backward: bool = False) -> Prefill:
    return Prefill(model.weights, EmulatedPrograms(backward=backward), NoGraphs(), states)


def text(length: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(0, VOCAB, length).tolist()


def error(reference: np.ndarray, got: Tensor) -> float:
    """Return the root mean square of the difference in units of the reference's deviation.

    The largest difference says less: a first token's y = v (k . r) is normalised, so where k . r
    happens to be small, its relative error shows.
    """
    difference = reference - got.numpy().astype(np.float64)
    return float(np.sqrt(np.square(difference).mean()) / reference.std())


def worst(states: States, slot: int, wanted: ReferenceState) -> float:
    pairs = (
        (wanted.att_shift, states.att_shift),
        (wanted.wkv, states.wkv),
        (wanted.ffn_shift, states.ffn_shift),
    )
    return max(error(want, got[slot]) for want, got in pairs)


@pytest.mark.parametrize("length", [1, 16, 75])
def test_every_token_as_the_equations_say(length: int) -> None:
    model, states = make(), new_states(2)
    reference = Reference(model.tensors)
    wanted = reference.new_state()
    logits = reference.forward(text(length), wanted)
    got = prefill(model, states).read(text(length), 1, all_logits=True)
    assert got.shape == (length, VOCAB)
    assert error(logits, got) < (4e-3 if length == 1 else 1.5e-3)
    assert worst(states, 1, wanted) < 2.5e-3
    assert not any(x[0].any() for x in (states.att_shift, states.wkv, states.ffn_shift))


def test_in_pieces_as_at_once() -> None:
    model, states = make(), new_states(3)
    read = prefill(model, states).read
    whole = read(text(50), 0)
    assert error(whole.numpy(), read(text(50), 2, all_logits=True)[-1]) < 1e-3
    for begin, end in ((0, 1), (1, 18), (18, 50)):
        parts = read(text(50)[begin:end], 1)
    assert error(whole.numpy(), parts) < 2e-3
    assert torch.allclose(states.wkv[0], states.wkv[1], atol=2e-2)


def test_the_order_of_threads_changes_no_bit() -> None:
    model, states = make(), new_states(2)
    one = prefill(model, states).read(text(40), 0, all_logits=True)
    other = prefill(model, states, backward=True).read(text(40), 1, all_logits=True)
    assert torch.equal(one, other)
    assert torch.equal(states.wkv[0], states.wkv[1])


@pytest.mark.parametrize(("kind", "sparse"), [("int8", True), ("q4", False), ("bf16", True)])
def test_other_types_as_their_values(kind: WeightType, sparse: bool) -> None:
    model, states = make(kind, sparse=sparse), new_states()
    z = dict(model.tensors)
    for i, layer in enumerate(model.weights.layers):
        att, ffn = f"blocks.{i}.att.", f"blocks.{i}.ffn."
        parts = layer.projections.expanded().split(WIDTH)
        for name, values in zip(("receptance", "key", "value"), parts, strict=True):
            z[f"{att}{name}.weight"] = values
        z[f"{att}output.weight"] = layer.output.expanded()
        z[f"{ffn}key.weight"], z[f"{ffn}value.weight"] = (
            layer.key.expanded(),
            layer.value.expanded(),
        )
    z["head.weight"] = model.weights.head.expanded()
    reference = Reference(z)
    logits = reference.forward(text(20), reference.new_state())
    got = prefill(model, states).read(text(20), all_logits=True)
    # bf16 also rounds the table and the low-rank matrices
    assert error(logits, got) < (2e-2 if kind == "bf16" else 2.5e-3)


@pytest.mark.parametrize("kind", ["int8", "q4", "bf16"])
@pytest.mark.parametrize("by_input", [False, True])
def test_expanded_weights_are_their_values(kind: WeightType, by_input: bool) -> None:
    programs = EmulatedPrograms()
    values = torch.randn(128, 192, generator=torch.Generator().manual_seed(0)) / 10
    matrix = Quantizer(programs).matrix(values, kind, by_input=by_input)
    out = torch.full(shape_of(matrix), torch.nan, dtype=torch.float16)
    Expander(programs).bind(matrix, out).run()
    wanted = matrix.expanded().T if by_input else matrix.expanded()
    assert torch.equal(out, wanted.half())


@pytest.mark.parametrize("kind", ["fp16", "int8", "q4", "bf16"])
def test_one_row_needs_no_expanded_weights(kind: WeightType) -> None:
    programs = EmulatedPrograms()
    rng = torch.Generator().manual_seed(0)
    matrix = Quantizer(programs).matrix(torch.randn(130, 192, generator=rng), kind)
    x, out = torch.randn(192, generator=rng), torch.full((130,), torch.nan)
    Expander(programs).bind_row(matrix, x, out).run()
    assert torch.allclose(out, matrix.expanded() @ x, atol=1e-4)


def test_pieces_waste_little_and_are_known() -> None:
    assert pieces_of(512, 4096) == [(512, 512)]
    assert pieces_of(4096, 1024) == [(1024, 1024)] * 4
    assert pieces_of(1, 4096) == [(1, 16)]
    assert pieces_of(900, 1024) == [(900, 1024)]
    assert pieces_of(520, 4096) == [(512, 512), (8, 16)]
    for length in range(1, 3000, 7):
        pieces = pieces_of(length, 1024)
        assert sum(count for count, _ in pieces) == length
        assert all(count <= bucket for count, bucket in pieces)


def test_the_room_is_what_was_said() -> None:
    model = make("int8")
    rooms = prefill(model, new_states()).rooms
    assert rooms.nbytes == room_bytes(SIZES, 4 * WIDTH * WIDTH)


def test_a_reading_that_is_ended_has_read_whole_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    model, states = make(), new_states(2)
    reading = prefill(model, states)
    reading.rooms.most_tokens = 16

    def stop(done: int) -> None:
        if done == 32:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        reading.read(text(50), 0, between=stop)
    reading.read(text(50)[:32], 1)
    assert torch.equal(states.wkv[0], states.wkv[1])


def test_short_text_is_read_more_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make()
    reference = Reference(model.tensors)
    wanted = reference.forward(text(60), reference.new_state())

    def error_now() -> float:
        return error(wanted, prefill(model, new_states()).read(text(60), all_logits=True))

    exact = error_now()
    monkeypatch.setattr("kernels.cuda.prefill_room.EXACT_TOKENS", 59)
    assert exact < 0.8 * error_now()


def test_wide_models_square_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernels.cuda.prefill_room.EXACT_WIDTH", 64)
    model, states = make(), new_states()
    reference = Reference(model.tensors)
    logits = reference.forward(text(20), reference.new_state())
    reading = prefill(model, states)
    assert reading.rooms.of(32).sums.dtype == torch.float16
    assert error(logits, reading.read(text(20), all_logits=True)) < 2.5e-3


def test_products_that_leave_fp16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernels.cuda.products.Products._leaves_sums", lambda *_: False)
    model, states = make(), new_states()
    reference = Reference(model.tensors)
    logits = reference.forward(text(20), reference.new_state())
    reading = prefill(model, states)
    assert reading.rooms.of(32).delta.dtype == torch.float16
    assert error(logits, reading.read(text(20), all_logits=True)) < 2.5e-3
