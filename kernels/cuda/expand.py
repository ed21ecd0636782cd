"""Weights of any type as fp16, for matrix products: the host's side of ``expand.cu``.

Knows ``Matrix`` and kernels; knows nothing of models.
"""

from torch import Tensor

from kernels.cuda.matrices import Matrix
from kernels.cuda.program import LaunchLike, ProgramLike, Programs

_PIECE = 16
_THREADS = 256
_ROWS = 8  # of a block, when there is one vector only


class Expander:
    """Writes a matrix's values, as the matrix lies, into fp16 memory."""

    def __init__(self, programs: Programs) -> None:
        self._program: ProgramLike = programs(["expand.cu"])

    def bind(self, matrix: Matrix, out: Tensor) -> LaunchLike:
        """Return what fills out [rows, k] fp16 ([k, rows] if the matrix lies by input).

        matrix: bf16, int8 or q4, rows and k multiples of 64. out: contiguous.
        """
        pieces = matrix.rows * matrix.k // _PIECE
        rows = matrix.rows if matrix.by_input else 0
        return self._program.kernel(f"expand_{matrix.kind}").bind(
            -(-pieces // _THREADS),
            _THREADS,
            (matrix.data, matrix.scales, out, pieces, rows),
            dependent=True,
        )

    def bind_row(self, matrix: Matrix, x: Tensor, out: Tensor) -> LaunchLike:
        """Return what fills out [rows] fp32 with the matrix times x [k] fp32, in fp32.

        matrix: of any type, not lying by input.
        """
        return self._program.kernel(f"logits_{matrix.kind}").bind(
            -(-matrix.rows // _ROWS),
            _THREADS,
            (matrix.data, matrix.scales, x, out, matrix.rows, matrix.k),
            dependent=True,
        )


def part(matrix: Matrix, first: int, rows: int) -> Matrix:
    """Return some rows of a matrix that does not lie by input: a view."""
    scales = None if matrix.scales is None else matrix.scales[first : first + rows]
    data = matrix.data[first : first + rows]
    return Matrix(matrix.kind, rows, matrix.k, data, scales)


def shape_of(matrix: Matrix) -> tuple[int, int]:
    """Return the shape in which the values lie."""
    return (matrix.k, matrix.rows) if matrix.by_input else (matrix.rows, matrix.k)
