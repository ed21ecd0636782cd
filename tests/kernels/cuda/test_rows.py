"""Steps of many rows, run by the emulator, against float64: every kind of weights, rows that join
and leave, idle rows, both layouts of the value matrix."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kernels.cuda.quantize import Quantizer
from kernels.cuda.rows import RowBuffers, RowsStep, bucket_of
from kernels.cuda.rows_cut import Cut, Shape, cut_of, shared_of
from kernels.cuda.weights import LayerWeights, Sizes, WeightType, build
from tests.kernels.cuda.emulator.emulator import EmulatedPrograms
from tests.reference import Reference, ReferenceState
from tests.tiny import tiny_weights

CPU = torch.device("cpu")
VOCAB = 264
RANKS = (16, 24, 8, 40)


class Model:
    """A tiny model as the card has it, and the same values in float64."""

    def __init__(self, kind: WeightType, *, by_input: bool, width: int = 128) -> None:
        z = tiny_weights(width=width, vocab=VOCAB, ranks=RANKS, seed=3)
        z["emb.weight"] = z["emb.weight"].half()  # as the table has it
        sizes = Sizes(2, width, z["blocks.0.ffn.key.weight"].shape[0], VOCAB, RANKS)
        quantizer = Quantizer(EmulatedPrograms())
        self.weights = build(sizes, kind, quantizer, CPU, z, sparse=by_input, pinned=False)
        self.z = dict(z)
        for i, layer in enumerate(self.weights.layers):
            self._keep(f"blocks.{i}.", layer)
        self.z["head.weight"] = self.weights.head.expanded()
        self.reference = Reference(self.z)

    def _keep(self, block: str, layer: LayerWeights) -> None:
        """Take a layer's values as the card has them."""
        names = [f"{block}att.{name}.weight" for name in ("receptance", "key", "value")]
        for name, values in zip(names, layer.projections.expanded().chunk(3), strict=True):
            self.z[name] = values
        self.z[f"{block}att.output.weight"] = layer.output.expanded()
        self.z[f"{block}ffn.key.weight"] = layer.key.expanded()
        self.z[f"{block}ffn.value.weight"] = layer.value.expanded()
        for letter in "wavg":
            for half in "12":
                name = f"{block}att.{letter}{half}"
                if name in self.z:
                    dtype = layer.lora_in.data.dtype
                    self.z[name] = self.z[name].to(dtype).float()

    def pools(self, slots: int) -> Any:
        width = self.weights.sizes.width
        return SimpleNamespace(
            att_shift=torch.zeros(slots, 2, width),
            wkv=torch.zeros(slots, 2, width // 64, 64, 64),
            ffn_shift=torch.zeros(slots, 2, width),
        )


def run(
    model: Model, step: RowsStep, buffers: RowBuffers, tokens: list[int], slots: list[int]
) -> Tensor:
    buffers.slots.fill_(-1)
    buffers.slots[: len(slots)] = torch.tensor(slots, dtype=torch.int32)
    buffers.tokens[: len(tokens)] = torch.tensor(tokens, dtype=torch.int32)
    step.run()
    return step.logits[: len(slots)].clone()


def far(got: Tensor, wanted: np.ndarray) -> float:
    """Return the largest difference in standard deviations of the logits."""
    return float(np.abs(got.double().numpy() - wanted).max() / wanted.std())


def cut_for(shape: Shape, value: Shape, *, group: int, early: int = 12) -> Cut:
    shapes = (shape, shape, shape, value, shape)
    return Cut(*shapes, lora_tiles=1, output_split=1, value_split=2, group=group, early=early)


def small(by_input: bool) -> Cut:
    shape = Shape(2, 2, 1, 40 << 10)
    return cut_for(shape, replace(shape, tiles=4) if by_input else shape, group=2, early=1)


def halves(by_input: bool) -> Cut:
    """Warps of 32 rows of a matrix by inputs."""
    shape = Shape(2, 2, 2, 48 << 10)
    return cut_for(shape, Shape(4, 2, 2, 48 << 10) if by_input else shape, group=4)


def several(by_input: bool) -> Cut:
    """Two digits, weights fetched ahead, a shape of its own for each product."""
    shape = Shape(2, 4, 2, 96 << 10, ahead=30 << 10, digits=2)
    value = Shape(1, 8, 4, 96 << 10, ahead=1, digits=2) if by_input else shape
    cut = cut_for(shape, value, group=8)
    cut = cut.changed("key", tiles=1, deep=2).changed("head", tiles=4, deep=2, digits=1)
    return replace(
        cut, line=256, recur_ahead=1 << 20, in_states=True, recur_states=True, recur=(1, 2, 1)
    )


@pytest.mark.parametrize("by_input", [False, True])
@pytest.mark.parametrize(
    ("kind", "rows", "cut"),
    [
        ("fp16", 8, small),
        ("bf16", 16, several),
        ("int8", 16, several),
        ("q4", 8, small),
        ("fp16", 8, halves),
    ],
)
def test_rows_against_float64(
    kind: WeightType, rows: int, cut: Callable[[bool], Cut], by_input: bool
) -> None:
    model = Model(kind, by_input=by_input)
    states, programs = model.pools(6), EmulatedPrograms(backward=rows == 8)
    buffers = RowBuffers(model.weights, 16, CPU)
    step = RowsStep(model.weights, programs, states, buffers, rows, cut(by_input))
    truth = {slot: model.reference.new_state() for slot in (5, 2, 0)}
    for tokens, slots in (([7, 30], [5, 2]), ([9, 8, 250], [2, -1, 5]), ([1, 2, 3], [0, 5, 2])):
        got = run(model, step, buffers, tokens, slots)
        for row, (token, slot) in enumerate(zip(tokens, slots, strict=True)):
            if slot >= 0:
                wanted = model.reference.forward([token], truth[slot])[0]
                assert far(got[row], wanted) < 3e-3
    for slot, state in truth.items():
        same_state(states, slot, state)
    assert not states.wkv[[1, 3, 4]].any()


@pytest.mark.parametrize(
    ("kind", "rows", "width", "by_input"),
    [("fp16", 64, 192, True), ("int8", 32, 192, False)],
)
def test_large_buckets(kind: WeightType, rows: int, width: int, by_input: bool) -> None:
    model = Model(kind, by_input=by_input, width=width)
    states = model.pools(rows)
    buffers = RowBuffers(model.weights, rows, CPU)
    step = RowsStep(model.weights, EmulatedPrograms(), states, buffers, rows)
    slots = [rows - 1 - i for i in range(rows - 3)]
    got = run(model, step, buffers, [3 * i + 1 for i in range(rows - 3)], slots)
    for row in (0, 7, 9, rows // 2, rows - 4):
        state = model.reference.new_state()
        assert far(got[row], model.reference.forward([3 * row + 1], state)[0]) < 3e-3
        same_state(states, slots[row], state)


def same_state(states: Any, slot: int, truth: ReferenceState) -> None:
    for name in ("att_shift", "wkv", "ffn_shift"):
        wanted = torch.from_numpy(getattr(truth, name))
        torch.testing.assert_close(
            getattr(states, name)[slot].double(), wanted, atol=1e-2 * float(wanted.std()), rtol=3e-3
        )


def test_two_digits_of_what_is_multiplied_are_nearer() -> None:
    model, errors = Model("fp16", by_input=True), []
    for digits in (1, 2):
        buffers, cut = RowBuffers(model.weights, 8, CPU), small(by_input=True)
        cut = cut.changed("*", digits=digits, shared=64 << 10)
        step = RowsStep(model.weights, EmulatedPrograms(), model.pools(1), buffers, 8, cut)
        got = run(model, step, buffers, [7], [0])
        wanted = model.reference.forward([7], model.reference.new_state())
        errors.append(far(got, wanted))
    assert errors[1] < 0.3 * errors[0], errors


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    model = Model("fp16", by_input=True)
    programs = EmulatedPrograms()
    buffers = RowBuffers(model.weights, 8, CPU)
    results = []
    for tokens, slots in (([5], [0]), ([5, 6, 7, 8, 9], [0, 1, 2, 3, 4])):
        states = model.pools(5)
        step = RowsStep(model.weights, programs, states, buffers, 8, small(by_input=True))
        results.append((run(model, step, buffers, tokens, slots)[0], states.wkv[0].clone()))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_every_access_is_within_its_tensor() -> None:
    model = Model("int8", by_input=True)
    buffers = RowBuffers(model.weights, 8, CPU)
    programs = EmulatedPrograms(checked=True)
    step = RowsStep(model.weights, programs, model.pools(3), buffers, 8, small(by_input=True))
    # One row: what is written is known as one span, and states of layers lie between slots.
    got = run(model, step, buffers, [4], [2])
    assert bool(torch.isfinite(got).all())


def test_buckets_and_cuts() -> None:
    assert [bucket_of(n) for n in (1, 8, 9, 32, 33)] == [8, 8, 16, 32, 64]
    for width, ffn in ((128, 512), (768, 3072), (1024, 4096), (2048, 8192), (4096, 16384)):
        sizes = Sizes(2, width, ffn, VOCAB, RANKS)
        for rows, scaled, by_input, kib in product(
            (8, 64), (False, True), (False, True), (64, 96, 112)
        ):
            cut = cut_of(sizes, rows, scaled=scaled, by_input=by_input, shared=kib << 10)
            assert cut.into.threads <= 256
            assert rows % cut.group == 0
            assert width % cut.value.rows == 0 or not by_input
            assert 1 <= cut.value_split <= 16
    assert Shape(4, 1, 1, 0).rows == 64
    assert small(by_input=True).changed("key", deep=7).key.deep == 7


@pytest.mark.parametrize(
    ("width", "rows", "exact"), [(2048, 16, 5), (2048, 32, 1), (2048, 64, 5), (2560, 64, 0)]
)
def test_inputs_are_two_numbers_where_that_costs_little(width: int, rows: int, exact: int) -> None:
    sizes = Sizes(24, width, 4 * width, 65536, (96, 96, 64, 256))
    cut = cut_of(sizes, rows, scaled=False, by_input=True, shared=shared_of(90))
    shapes = (cut.into, cut.output, cut.key, cut.value, cut.head)
    assert sum(shape.digits == 2 for shape in shapes) == exact
