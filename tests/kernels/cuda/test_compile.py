"""Every kernel compiles for every kind of card, and no card would refuse its launches.

NVRTC needs no card: what is checked is the compiler's word on each architecture, that every
kernel the host asks for is there, and that its registers and shared memory fit.
"""

from dataclasses import dataclass

import pytest
import torch

from engine.backends.graphs import NoGraphs
from kernels.cuda.arguments import CudaProblem
from kernels.cuda.compiler import Compiler, find_compiler
from kernels.cuda.matrices import Matrix
from kernels.cuda.prefill import Prefill
from kernels.cuda.prefill_layers import States
from kernels.cuda.products import Products
from kernels.cuda.quantize import Quantizer
from kernels.cuda.rows import RowBuffers, RowsStep
from kernels.cuda.rows_cut import cut_of, shared_of
from kernels.cuda.sampler import DeviceSampler
from kernels.cuda.step import Step, StepBuffers
from kernels.cuda.weights import Sizes, Weights, WeightsBuilder, WeightType
from tests.kernels.cuda.compiled import CompiledPrograms
from tests.kernels.cuda.resources import resources

CPU = torch.device("cpu")
RELEASED = {  # two layers of each; ranks as released
    "0.1b": Sizes(2, 768, 3072, 65536, (64, 64, 32, 128)),
    "0.4b": Sizes(2, 1024, 4096, 65536, (64, 64, 32, 128)),
    "1.5b": Sizes(2, 2048, 8192, 65536, (96, 96, 64, 256)),
    "2.9b": Sizes(2, 2560, 10240, 65536, (96, 96, 64, 320)),
    "7.2b": Sizes(2, 4096, 16384, 65536, (128, 128, 96, 480)),
    "tiny": Sizes(2, 128, 512, 300, (16, 24, 8, 30)),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One card and one model."""

    architecture: int
    size: str
    kind: WeightType
    sparse: bool = True
    rows: int = 0

    def weights(self, programs: CompiledPrograms) -> Weights:
        """Return weights that nobody has filled."""
        sizes, quantizer = RELEASED[self.size], Quantizer(programs)
        return WeightsBuilder(
            sizes, self.kind, quantizer, CPU, sparse=self.sparse, pinned=False
        )._weights


CASES = [
    Case(75, "0.1b", "q4", sparse=False),
    Case(75, "tiny", "fp16", rows=8),
    Case(80, "1.5b", "fp16"),
    Case(86, "0.4b", "int8"),
    Case(89, "tiny", "bf16", rows=16),
    Case(90, "7.2b", "q4", rows=8),
    Case(100, "2.9b", "bf16", sparse=False),
    Case(120, "tiny", "int8"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_steps(case: Case) -> None:
    programs = CompiledPrograms(case.architecture)
    weights = case.weights(programs)
    Step(weights, programs, StepBuffers.zeros(weights.sizes, CPU), processors=132)
    if case.rows:
        buffers = RowBuffers(weights, case.rows, CPU)
        states = _states(weights.sizes)
        cut = cut_of(
            *(weights.sizes, case.rows),
            scaled=case.kind in ("int8", "q4"),
            by_input=case.sparse,
            shared=shared_of(case.architecture),
        )
        RowsStep(weights, programs, states, buffers, case.rows, cut)


@pytest.mark.parametrize("case", [CASES[1], CASES[7]], ids=str)
def test_reading(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Products, "sums", lambda *_: None)
    programs = CompiledPrograms(case.architecture)
    weights = case.weights(programs)
    Prefill(weights, programs, NoGraphs(), _states(weights.sizes)).prepare(64)


def test_sampler_and_quantizer() -> None:
    programs = CompiledPrograms(75)
    sampler = DeviceSampler(programs, 65536, slots=2, rows=2, device=CPU)
    sampler.bind(torch.zeros(2, 65536), torch.zeros(2), torch.zeros(2))
    quantizer = Quantizer(programs)
    for kind in ("int8", "q4"):
        for by_input in (False, True):
            matrix = Matrix.empty(kind, 64, 128, CPU, by_input=by_input)
            quantizer.put(matrix, torch.zeros(64, 128))


@pytest.mark.parametrize(
    ("architecture", "names"),
    [(75, ["wkv7_sequential.cu"]), (80, ["tiles.cuh", "wkv7_chunk.cuh", "wkv7_forward.cu"])],
)
def test_training(architecture: int, names: list[str]) -> None:
    found = resources(names, architecture, {"WITH_BF16": None}, with_base=False)
    assert "forward_bf16" in found


def test_a_card_newer_than_the_compiler_takes_older_code() -> None:
    compiler = find_compiler()
    compiler = Compiler(compiler._library)
    compiler.architectures = (75, 80, 86, 90, 100, 120)
    wanted = {(7, 5): 75, (8, 6): 86, (8, 9): 86, (9, 0): 90, (10, 3): 100, (12, 1): 120}
    assert {card: compiler.architecture_for(card) for card in wanted} == wanted
    with pytest.raises(CudaProblem, match=r"knows no cards of compute capability 7\.0"):
        compiler.architecture_for((7, 0))


def _states(sizes: Sizes) -> States:
    shape = (1, sizes.layers, sizes.width)
    wkv = torch.zeros(1, sizes.layers, sizes.heads, 64, 64)
    return States(torch.zeros(shape), wkv, torch.zeros(shape))
