"""The number types of GGUF files: their numbers, names and blocks, and how they become fp32.

Most are block types: a row is cut into blocks of elements that share scales. What the bytes of a
block mean is known by the package ``gguf``, which follows the format's own code; sizes stand here,
because a table of contents is read without it (importing it takes a fifth of a second).
Knows bytes, not files or models.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import UnsupportedModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SLICE_ELEMENTS = 1 << 17  # two to four times faster than whole pieces: temporaries stay cached


@dataclass(frozen=True, slots=True)
class GgmlType:
    """One type: its number in files, its name, and ``block`` elements in ``block_bytes``."""

    number: int
    name: str
    block: int
    block_bytes: int

    def size_bytes(self, elements: int) -> int:
        """Return the bytes of so many elements, which must be whole blocks (else ValueError)."""
        if elements % self.block:
            raise ValueError(f"{elements} elements are not whole blocks of {self.block}")
        return elements // self.block * self.block_bytes


_TYPES = (
    GgmlType(0, "F32", 1, 4),
    GgmlType(1, "F16", 1, 2),
    GgmlType(2, "Q4_0", 32, 18),
    GgmlType(3, "Q4_1", 32, 20),
    GgmlType(6, "Q5_0", 32, 22),
    GgmlType(7, "Q5_1", 32, 24),
    GgmlType(8, "Q8_0", 32, 34),
    GgmlType(10, "Q2_K", 256, 84),
    GgmlType(11, "Q3_K", 256, 110),
    GgmlType(12, "Q4_K", 256, 144),
    GgmlType(13, "Q5_K", 256, 176),
    GgmlType(14, "Q6_K", 256, 210),
    GgmlType(16, "IQ2_XXS", 256, 66),
    GgmlType(17, "IQ2_XS", 256, 74),
    GgmlType(18, "IQ3_XXS", 256, 98),
    GgmlType(19, "IQ1_S", 256, 50),
    GgmlType(20, "IQ4_NL", 32, 18),
    GgmlType(21, "IQ3_S", 256, 110),
    GgmlType(22, "IQ2_S", 256, 82),
    GgmlType(23, "IQ4_XS", 256, 136),
    GgmlType(29, "IQ1_M", 256, 56),
    GgmlType(30, "BF16", 1, 2),
    GgmlType(34, "TQ1_0", 256, 54),
    GgmlType(35, "TQ2_0", 256, 66),
    GgmlType(39, "MXFP4", 32, 17),
    GgmlType(40, "NVFP4", 64, 36),
)

TYPES: dict[int, GgmlType] = {kind.number: kind for kind in _TYPES}
"""By number: every type that is read."""

BY_NAME: dict[str, GgmlType] = {kind.name: kind for kind in _TYPES}
"""The same by name."""

PLAIN = {"F32": "fp32", "F16": "fp16", "BF16": "bf16"}
"""Types without blocks, as number types of a checkpoint: their bytes are used as they are."""


def dequantise(
    kind: GgmlType, raw: "bytes | memoryview | NDArray[np.uint8]"
) -> "NDArray[np.float32]":
    """Return the fp32 values [elements] that whole blocks stand for.

    raw: contiguous bytes. A damaged scale gives infinities or NaN, never an error: whoever loads
    weights looks for them. Raises ValueError for a part of a block, UnsupportedModel when the
    installed package does not know the type.
    """
    import numpy as np
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import dequantize

    data = np.frombuffer(raw, np.uint8)
    if data.size % kind.block_bytes:
        raise ValueError(f"{data.size} bytes are not whole blocks of {kind.block_bytes}")
    values = np.empty(data.size // kind.block_bytes * kind.block, np.float32)
    step = _SLICE_ELEMENTS // kind.block
    try:
        known = GGMLQuantizationType(kind.number)
        with np.errstate(all="ignore"):
            for at in range(0, data.size // kind.block_bytes, step):
                part = data[at * kind.block_bytes : (at + step) * kind.block_bytes]
                values[at * kind.block : (at + step) * kind.block] = dequantize(part, known)
    except (ValueError, NotImplementedError) as error:
        raise UnsupportedModel(
            f"The weights are {kind.name}, which the installed package “gguf” does not read.",
            "Install a newer one: pip install --upgrade gguf",
        ) from error
    return values


def quantise(kind: GgmlType, values: "NDArray[np.float32]") -> "NDArray[np.uint8]":
    """Return the bytes of a block type for fp32 values [whole blocks], rounded as ggml rounds.

    Only for types that the package quantises, such as Q8_0. Raises ValueError for a part of a
    block, NotImplementedError for another type.
    """
    import numpy as np
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import quantize

    raw = np.empty(kind.size_bytes(values.size), np.uint8)
    known = GGMLQuantizationType(kind.number)
    for at in range(0, values.size, _SLICE_ELEMENTS):
        part = quantize(values[at : at + _SLICE_ELEMENTS], known)
        raw[kind.size_bytes(at) : kind.size_bytes(at) + part.size] = part
    return raw
