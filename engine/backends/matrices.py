"""Weight matrices that multiply fp32 activations, each in the way that suits its place.

All are called alike: x [..., K] fp32 -> x @ W^T [..., M] fp32, for W [M, K]. Measured on two
cores of an EPYC (AVX-512), W [8192, 2048], one row: FBGEMM fp16 52 GB/s of weights, bf16 raised
piece by piece 15, torch's own bf16 product 15 (with 300 times the error), fp32 18.
"""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import linear

_PIECE_ELEMENTS = 2 << 20
"""Elements that are raised or packed at a time: 8 MB as fp32, which caches still hold."""


class Matrix(Protocol):
    """A matrix [M, K], ready to be multiplied with."""

    nbytes: int

    def __call__(self, x: Tensor) -> Tensor:
        """Return x @ W^T: x [..., K] fp32 -> [..., M] fp32."""
        ...


class DenseMatrix:
    """Multiplied by torch in the weight's own type: fp32 anywhere, 16 bits on a GPU."""

    def __init__(self, weight: Tensor) -> None:
        self._weight = weight
        self.nbytes = weight.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        """See ``Matrix``. fp16 ends at 65504, which relu^2 can pass: held there."""
        weight = self._weight
        if weight.dtype == torch.float32:
            return linear(x, weight)
        if weight.dtype == torch.float16:
            x = x.clamp(-65504.0, 65504.0)
        rows = x.reshape(-1, x.shape[-1]).to(weight.dtype)
        if weight.is_cuda:  # sums come out as they were added up: in fp32
            y = torch.mm(rows, weight.mT, out_dtype=torch.float32)
        else:
            y = linear(rows, weight).float()
        return y.view(*x.shape[:-1], -1)


class RaisedMatrix:
    """16-bit weights on a CPU, raised to fp32 piece by piece while they are in the cache.

    Exact: torch's own bf16 product rounds inputs and results to 8 bits.
    """

    def __init__(self, weight: Tensor) -> None:
        self._pieces = weight.split(max(1, _PIECE_ELEMENTS // weight.shape[1]))
        self.nbytes = weight.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        """See ``Matrix``."""
        return torch.cat([linear(x, piece.float()) for piece in self._pieces], -1)


class PackedMatrix:
    """fp16 weights in FBGEMM's layout (x86 CPUs): read as fp16, multiplied and added in fp32."""

    def __init__(self, pieces: list[Any], nbytes: int) -> None:
        self._pieces = pieces
        self.nbytes = nbytes

    @classmethod
    def supported(cls) -> bool:
        """Whether this build of torch has FBGEMM."""
        return "fbgemm" in torch.backends.quantized.supported_engines

    @classmethod
    def pack(cls, weight: Tensor) -> "PackedMatrix":
        """Copy ``weight`` [M, K] fp16 into packed pieces."""
        pieces = weight.split(max(1, _PIECE_ELEMENTS // weight.shape[1]))
        prepack = torch.ops.quantized.linear_prepack_fp16
        return cls([prepack(piece.float(), None) for piece in pieces], weight.nbytes)

    def __call__(self, x: Tensor) -> Tensor:
        """See ``Matrix``."""
        product = torch.ops.quantized.linear_dynamic_fp16
        return torch.cat([product(x, piece) for piece in self._pieces], -1)


def make_matrix(weight: Tensor) -> Matrix:
    """Return the matrix that multiplies fastest without losing what the weights hold."""
    if weight.device.type != "cpu" or weight.dtype == torch.float32:
        return DenseMatrix(weight)
    if weight.dtype == torch.float16 and PackedMatrix.supported():
        return PackedMatrix.pack(weight)
    return RaisedMatrix(weight)
