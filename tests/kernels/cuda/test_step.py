"""A step of one chat by the kernels, in the emulator, against the float64 reference."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from kernels.cuda.quantize import Quantizer
from kernels.cuda.step import Step, StepBuffers, rows_at_once
from kernels.cuda.step_cut import Cut, candidates, default_cut
from kernels.cuda.weights import Sizes, Weights, WeightsBuilder, WeightType, build, serves
from tests.kernels.cuda.emulator.emulator import EmulatedPrograms
from tests.reference import Reference, ReferenceState, deviation
from tests.tiny import tiny_weights

PROGRAMS = EmulatedPrograms()
QUANTIZER = Quantizer(PROGRAMS)
CPU = torch.device("cpu")
TOKENS = (5, 100, 7, 100, 11)

# Of the logits' standard deviation, against the held weights in float64. fp16: roundings of the
# embedding table and the loras.
WITHIN = {"fp16": 3e-3, "bf16": 2e-2, "int8": 3e-3, "q4": 3e-3}


TINY = Sizes(3, 128, 512, 300, (32, 32, 32, 64))
GOSLING = Sizes(2, 256, 768, 300, (24, 16, 8, 44))
ODD = Sizes(2, 320, 960, 290, (32, 32, 24, 56))


@dataclass(frozen=True, slots=True)
class Case:
    kind: WeightType
    sparse: bool
    sizes: Sizes = TINY
    cut: Cut | None = None


CASES = [
    *(Case(kind, sparse) for kind in ("fp16", "bf16", "int8", "q4") for sparse in (False, True)),
    Case("fp16", False, GOSLING, Cut(warps=4, split=2, ahead=4)),
    Case("fp16", True, GOSLING, Cut(groups=16)),
    Case("int8", True, ODD, Cut(warps=16, blocks=1, groups=2)),
    Case("q4", True, ODD, Cut(groups=4)),
    Case("fp16", True, GOSLING, Cut(apart=True)),
    Case("int8", True, ODD, Cut(warps=16, blocks=2, apart=True)),
    Case("q4", False, ODD, Cut(warps=4, apart=True)),
]


def checkpoint(sizes: Sizes) -> dict[str, Tensor]:
    z = tiny_weights(
        layers=sizes.layers, width=sizes.width, vocab=sizes.vocab, ranks=sizes.ranks, seed=3
    )
    for i in range(sizes.layers):
        for name in ("key", "value"):
            full = z[f"blocks.{i}.ffn.{name}.weight"]
            cut = full[: sizes.ffn] if name == "key" else full[:, : sizes.ffn]
            z[f"blocks.{i}.ffn.{name}.weight"] = cut.clone()
    return z


def held(weights: Weights, z: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a checkpoint with the large matrices as they are held."""
    z = {**z, "head.weight": weights.head.expanded()}
    for i, layer in enumerate(weights.layers):
        att, ffn = f"blocks.{i}.att.", f"blocks.{i}.ffn."
        r, k, v = layer.projections.expanded().chunk(3)
        z |= {f"{att}receptance.weight": r, f"{att}key.weight": k, f"{att}value.weight": v}
        z[f"{att}output.weight"] = layer.output.expanded()
        z[f"{ffn}key.weight"] = layer.key.expanded()
        z[f"{ffn}value.weight"] = layer.value.expanded()
    return z


def made(case: Case, z: dict[str, Tensor]) -> Weights:
    return build(case.sizes, case.kind, QUANTIZER, CPU, z, sparse=case.sparse, pinned=False)


def step_of(case: Case, weights: Weights, *, skip: bool = True) -> tuple[Step, StepBuffers]:
    buffers = StepBuffers.zeros(case.sizes, CPU)
    return Step(weights, PROGRAMS, buffers, case.cut, processors=4, skip=skip), buffers


def read(step: Step, buffers: StepBuffers, tokens: tuple[int, ...] = TOKENS) -> Tensor:
    """Return logits [T, V]."""
    logits = []
    for token in tokens:
        buffers.token.fill_(token)
        step.run()
        logits.append(buffers.logits.clone())
    return torch.stack(logits)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_steps_are_the_reference(case: Case) -> None:
    z = checkpoint(case.sizes)
    weights = made(case, z)
    step, buffers = step_of(case, weights)
    reference = Reference(held(weights, z))
    state = reference.new_state()
    expected = reference.forward(TOKENS, state)
    assert deviation(expected, read(step, buffers).numpy()) < WITHIN[case.kind]
    require_state(state, buffers, 1e-2)


FETCHING = [Cut(in_value=48, in_output=24), Cut(apart=True, in_output=32)]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("cut", FETCHING, ids=str)
def test_weights_that_are_fetched_ahead_change_nothing(cut: Cut, sparse: bool) -> None:
    case = Case("fp16", sparse, cut=cut)
    z = checkpoint(case.sizes)
    weights = made(case, z)
    plain = replace(case, cut=Cut(apart=cut.apart))
    expected, found = (read(*step_of(case, weights)) for case in (plain, case))
    assert torch.equal(expected, found)


def require_state(state: ReferenceState, buffers: StepBuffers, within: float) -> None:
    for name in ("att_shift", "wkv", "ffn_shift"):
        expected = getattr(state, name)
        worst = abs(expected - getattr(buffers, name).numpy()).max() / abs(expected).max()
        assert worst < within, name


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_many_steps_stay_with_the_reference(kind: WeightType) -> None:
    case = Case(kind, sparse=True, sizes=Sizes(2, 128, 512, 300, (16, 16, 8, 24)))
    z = checkpoint(case.sizes)
    weights = made(case, z)
    step, buffers = step_of(case, weights)
    reference = Reference(held(weights, z))
    tokens = tuple(7 * i % 300 for i in range(40))
    expected = reference.forward(tokens, reference.new_state())
    assert deviation(expected, read(step, buffers, tokens).numpy()) < WITHIN[kind]


@pytest.mark.parametrize("kind", ["fp16", "bf16"])
def test_leaving_zeros_out_loses_nothing(kind: WeightType) -> None:
    # The order of sums differs (rows that are left out move the others up), the terms do not. Not
    # for int8 and q4: some input of a later product then rounds to another of its few digits. What
    # is squared rounds to fp16: a bit of that may differ too.
    case = Case(kind, sparse=True)
    weights = made(case, checkpoint(case.sizes))
    skipping, everything = (read(*step_of(case, weights, skip=skip)) for skip in (True, False))
    assert float((skipping - everything).abs().max() / everything.std()) < 2e-4


@pytest.mark.parametrize("kind", ["fp16", "q4"])
def test_runs_are_bit_identical(kind: WeightType) -> None:
    case = Case(kind, sparse=True)
    weights = made(case, checkpoint(case.sizes))
    first, second = (read(*step_of(case, weights)) for _ in range(2))
    assert torch.equal(first, second)


def test_backward_threads_change_nothing() -> None:
    case = Case("fp16", sparse=True)
    weights = made(case, checkpoint(case.sizes))
    expected = read(*step_of(case, weights))
    buffers = StepBuffers.zeros(case.sizes, CPU)
    backward = Step(weights, EmulatedPrograms(backward=True), buffers, processors=4)
    assert torch.equal(read(backward, buffers), expected)


def test_a_full_activation_and_an_empty_one() -> None:
    sizes = Sizes(1, 128, 512, 300, (8, 8, 8, 8))
    for sign in (1, -1):
        z = checkpoint(sizes)
        key = z["blocks.0.ffn.key.weight"]
        key.copy_(key.abs() * 0.3)
        z["blocks.0.ln2.weight"].fill_(0.01)
        z["blocks.0.ln2.bias"].fill_(float(sign))  # every sum has this sign
        z["blocks.0.ffn.x_k"].zero_()
        case = Case("fp16", sparse=True, sizes=sizes)
        weights = made(case, z)
        step, buffers = step_of(case, weights)
        reference = Reference(held(weights, z))
        expected = reference.forward((3,), reference.new_state())
        assert deviation(expected, read(step, buffers, (3,)).numpy()) < 3e-3


def test_large_activations_stay_numbers() -> None:
    sizes = Sizes(1, 128, 512, 300, (8, 8, 8, 8))
    z = checkpoint(sizes)
    z["blocks.0.ffn.key.weight"] *= 1000
    case = Case("fp16", sparse=True, sizes=sizes)
    assert read(*step_of(case, made(case, z)), (3,)).isfinite().all()


def test_pieces_and_halves_are_taken() -> None:
    case = Case("int8", sparse=True)
    z = {name: value.bfloat16() for name, value in checkpoint(case.sizes).items()}
    whole = made(case, z)
    builder = WeightsBuilder(case.sizes, case.kind, QUANTIZER, CPU, pinned=False)
    for name in sorted(z, key=lambda name: ".ln0." not in name):
        values = z[name].squeeze()
        step = 64 if values.dim() == 2 and name.endswith(".weight") else 10**6
        for first in range(0, values.shape[0], step):
            builder.take(name, values[first : first + step], first)
    pieces = builder.finish()
    assert torch.equal(pieces.table, whole.table)
    assert torch.equal(pieces.table_norms, whole.table_norms)
    for a, b in zip(pieces.layers, whole.layers, strict=True):
        assert torch.equal(a.value.data, b.value.data)
        assert torch.equal(a.projections.data, b.projections.data)
        assert torch.equal(a.vectors, b.vectors)


def test_what_is_missing_or_unknown_is_said() -> None:
    case = Case("fp16", sparse=True)
    z = checkpoint(case.sizes)
    builder = WeightsBuilder(case.sizes, case.kind, QUANTIZER, CPU, pinned=False)
    with pytest.raises(KeyError):
        builder.take("blocks.0.att.other", z["ln_out.bias"])
    for name in sorted(z, key=lambda name: ".ln0." not in name):
        if name != "head.weight":
            builder.take(name, z[name])
    with pytest.raises(ValueError, match=r"head\.weight"):
        builder.finish()


def test_sizes_that_are_served() -> None:
    good = Sizes(2, 256, 960, 300, (32, 32, 32, 64))
    assert serves(good)
    assert not serves(replace(good, width=96))
    assert not serves(replace(good, ffn=1000))
    for cut in candidates(good, "q4"):
        assert 1 <= cut.groups <= good.ffn // 64 + 1, "an even number that holds all"
    large = replace(good, width=4096, ffn=16384)
    assert [default_cut(large, kind).groups for kind in ("fp16", "int8")] == [64, 40]


def test_rows_at_once_follow_the_loads() -> None:
    assert rows_at_once("fp16", 2048, 8) == 1
    assert rows_at_once("fp16", 768, 8) == 2
    assert rows_at_once("int8", 2048, 8) == 2
    assert rows_at_once("q4", 2048, 8) == 4
    assert rows_at_once("q4", 2048, 4) == 2
