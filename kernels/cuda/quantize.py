"""Weights into the layouts of ``kernels.cuda.matrices``, on the card, a piece at a time.

Knows layouts and the kernels of quantize.cu; knows no model and no file.
"""

import torch
from torch import Tensor

from kernels.cuda.matrices import GROUP, Kind, Matrix
from kernels.cuda.program import ProgramLike, Programs

_SOURCES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}
_GROUPS_A_BLOCK = 8


class Quantizer:
    """Makes matrices of weights in fp32, fp16 or bf16; the values are those of the CPU engine."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._program: ProgramLike | None = None

    def matrix(self, weights: Tensor, kind: Kind, *, by_input: bool = False) -> Matrix:
        """Return weights [R, K] as a matrix on the programs' device."""
        rows, k = weights.shape
        made = Matrix.empty(kind, rows, k, self._programs.device, by_input=by_input)
        self.put(made, weights)
        return made

    def put(self, matrix: Matrix, weights: Tensor, first: int = 0) -> None:
        """Write weights [n, K] to the rows first .. first + n of a matrix.

        weights: on the device, contiguous. Where the matrix is quantised and lies by input, first
        and n are multiples of 64. Runs on the current stream; `weights` may be freed at once.
        """
        count, k = weights.shape
        if k != matrix.k or first + count > matrix.rows:
            raise ValueError(f"{list(weights.shape)} at row {first} of {matrix.rows}x{matrix.k}")
        if matrix.scales is None:
            to = matrix.data[:, first : first + count].T if matrix.by_input else None
            to = matrix.data[first : first + count] if to is None else to
            to.copy_(weights)
        elif matrix.by_input:
            self._put_by_input(matrix, matrix.scales, weights.contiguous(), first)
        else:
            self._put_rows(matrix, matrix.scales, weights.contiguous(), first)

    def _put_rows(self, matrix: Matrix, scales: Tensor, weights: Tensor, first: int) -> None:
        groups = weights.numel() // GROUP
        end = first + weights.shape[0]
        self._kernel(f"{matrix.kind}_rows").launch(
            -(-groups // _GROUPS_A_BLOCK),
            256,
            (weights, matrix.data[first:end], scales[first:end], groups, _SOURCES[weights.dtype]),
        )

    def _put_by_input(self, matrix: Matrix, scales: Tensor, weights: Tensor, first: int) -> None:
        count, k = weights.shape
        if first % GROUP or count % GROUP:
            raise ValueError(f"rows {first} to {first + count}: not whole groups of {GROUP}")
        self._kernel(f"{matrix.kind}_by_input").launch(
            (count // GROUP, k // GROUP),
            256,
            (weights, matrix.data, scales, k, matrix.rows, first, _SOURCES[weights.dtype]),
        )

    def _kernel(self, name: str):  # noqa: ANN202 - a KernelLike
        if self._program is None:
            self._program = self._programs(["quantize.cu"])
        return self._program.kernel(name)
