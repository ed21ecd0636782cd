"""The value product that leaves zeros out, alone, in the emulator."""

import pytest
import torch
from torch import Tensor

from kernels.cuda.ahead import NOTHING
from kernels.cuda.matrices import Kind, Matrix
from kernels.cuda.quantize import Quantizer
from kernels.cuda.step import listed_bytes, macros_of, sources_of
from kernels.cuda.step_cut import Cut
from kernels.cuda.weights import Sizes, WeightsBuilder
from tests.kernels.cuda.emulator.emulator import EmulatedPrograms

CPU = torch.device("cpu")
QUANTIZER = Quantizer(EmulatedPrograms())
KINDS: tuple[Kind, ...] = ("fp16", "bf16", "int8", "q4")
WITHIN = {"fp16": 2e-6, "bf16": 2e-6, "int8": 5e-4, "q4": 5e-4}
"""The scaled kinds take a group's inputs as digits, 15 bits of the largest."""


class Product:
    """Buffers: `width` outputs, `tile` to a block, of `ffn` inputs, `groups` of 64 to a block."""

    def __init__(
        self,
        kind: Kind,
        width: int,
        ffn: int,
        groups: int,
        programs: EmulatedPrograms,
        tile: int = 64,
    ) -> None:
        torch.manual_seed(width + ffn)
        self.matrix = matrix_of(kind, torch.randn(width, ffn) * 0.1)
        self.vectors = [torch.randn(width) for _ in range(3)]
        self.blocks = (-(-width // tile), -(-ffn // (64 * groups)))
        # What no block of this launch has written is this.
        self.parts = torch.full((self.blocks[1], width), torch.nan)
        sizes = Sizes(1, width, ffn, 64, (8, 8, 8, 8))
        weights = WeightsBuilder(sizes, kind, QUANTIZER, CPU, sparse=True, pinned=False)._weights
        cut = Cut(groups=groups, tile=tile, value_warps=8 if groups % 2 else 16, apart=True)
        self.threads, self.shared_bytes = 32 * cut.value_warps, listed_bytes(kind, cut)
        program = programs(sources_of(weights), macros_of(weights, cut))
        self._kernel, self._add = (program.kernel(n) for n in ("value_sparse", "add_value"))

    def run(self, activation: Tensor, residual: Tensor, *, skip: bool = True) -> Tensor:
        """Return the new residual; what is left behind is tested."""
        out, shift = residual.clone(), torch.zeros_like(residual)
        normed, weight, bias = self.vectors
        self._kernel.launch(
            self.blocks,
            self.threads,
            [
                *(self.matrix.data, self.matrix.scales, activation, normed, weight, bias),
                *(shift, int(skip), self.parts, *NOTHING),
            ],
            shared_bytes=self.shared_bytes,
        )
        self._add.launch(-(-residual.numel() // 1024), 256, [self.parts, out])
        torch.testing.assert_close(shift, normed * weight + bias)
        return out

    def expected(self, activation: Tensor, residual: Tensor) -> Tensor:
        """Return it in float64."""
        return residual + self.matrix.expanded().double() @ activation.double()


def matrix_of(kind: Kind, values: Tensor) -> Matrix:
    rows, k = values.shape
    matrix = Matrix.empty(kind, rows, k, CPU, by_input=True)
    QUANTIZER.put(matrix, values)
    return matrix


def activation_of(ffn: int, active: float) -> Tensor:
    return torch.randn(ffn).square() * (torch.rand(ffn) < active)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("width", "ffn", "groups", "tile"),
    [
        (128, 512, 3, 64),
        (320, 960, 1, 128),
        (512, 2048, 4, 64),
        (256, 4096, 64, 256),
        (256, 4096, 50, 256),
        (192, 4160, 64, 128),
    ],
)
def test_sums(kind: Kind, width: int, ffn: int, groups: int, tile: int) -> None:
    product = Product(kind, width, ffn, groups, EmulatedPrograms(), tile)
    residual = torch.randn(width)
    for active in (0.2, 0.0, 1.0, 0.02):
        activation = activation_of(ffn, active)
        for skip in (True, False):
            out = product.run(activation, residual, skip=skip)
            expected = product.expected(activation, residual)
            assert float((out - expected).abs().max() / expected.std()) < WITHIN[kind]


@pytest.mark.parametrize("kind", ["fp16", "q4"])
def test_the_order_of_blocks_changes_nothing(kind: Kind) -> None:
    # The emulator runs two at a time.
    ways = [
        Product(kind, 512, 2048, 1, EmulatedPrograms(backward=backward))
        for backward in (False, True)
    ]
    activation, residual = activation_of(2048, 0.2), torch.randn(512)
    first, *others = (way.run(activation, residual) for way in ways * 2)
    assert all(torch.equal(first, other) for other in others)


def test_memory_is_used_as_a_card_allows() -> None:
    for kind in KINDS:
        product = Product(kind, 320, 960, 4, EmulatedPrograms(checked=True))
        product.run(activation_of(960, 0.2), torch.randn(320))
