"""The table that every reader yields: where each tensor lies in the files, and as what.

Knows number types and byte ranges, not which tensors a model needs.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from engine.checkpoint.storage import Blocks, Range, Storage
from engine.errors import DamagedFile

ITEM_BYTES: Mapping[str, int] = {
    "bf16": 2,
    "fp16": 2,
    "fp32": 4,
    "fp64": 8,
    "fp8": 1,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "uint64": 8,
    "bool": 1,
    "complex64": 8,
    "complex128": 16,
}
"""Bytes per element of every number type that a checkpoint may name."""

NUMPY_TYPES: Mapping[str, str] = {
    "bf16": "<u2",  # numpy has no bfloat16: its bits travel as uint16
    "fp16": "<f2",
    "fp32": "<f4",
}
"""The weight types that are run, as the numpy types that carry them."""


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor as it is yielded: contiguous, row-major, little-endian, ``size_bytes`` long.

    dtype, shape and size_bytes are those of what ``Checkpoint.read`` gives; ``file`` (its number
    in the table's files) and ``offset`` say where the tensor begins. ``other`` is how its bytes
    are got where they do not simply lie there.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size_bytes: int
    file: int = 0
    other: Storage | None = None

    @property
    def storage(self) -> Storage:
        """How its bytes are got."""
        return self.other or Range(self.file, self.offset)


@dataclass(frozen=True, slots=True)
class FileTable:
    """What a reader found: the format, the tensors under BlinkDL's names, and more if it is told.

    files: all files that the entries' numbers count; () means the one that was read.
    weights: the name of the quantisation ("Q8_0"); "" means that the entries' types tell.
    tokenizer: as in ``ModelInfo``; "" means that nothing is said about it.
    fingerprint: of the weights before they were quantised, where the file tells it.
    metadata: what else is said, as text.
    """

    format: str
    entries: dict[str, TensorEntry]
    files: tuple[Path, ...] = ()
    weights: str = ""
    tokenizer: str = ""
    fingerprint: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def element_count(shape: tuple[int, ...]) -> int:
    """Return how many elements a shape has (1 for a scalar)."""
    return math.prod(shape)


def narrowed(entry: TensorEntry) -> TensorEntry:
    """Return an entry that yields fp32 where the file has fp64, which nobody computes in."""
    if entry.dtype != "fp64" or entry.other is not None:
        return entry
    pairs = Blocks(entry.file, entry.offset, ITEM_BYTES["fp64"], 1, _from_doubles)
    return replace(entry, dtype="fp32", size_bytes=entry.size_bytes // 2, other=pairs)


def _from_doubles(raw: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # too large for fp32 is infinite: loading refuses that
        return raw.view("<f8").astype("<f4")


def is_size(value: object) -> bool:
    """Tell whether a value from a file may be a size: an int, not a bool, 0 <= it < 2**62."""
    return type(value) is int and 0 <= value < 1 << 62


def check_ranges(entries: Iterable[TensorEntry], file_bytes: int, file_name: str) -> None:
    """Raise DamagedFile when a tensor's bytes do not lie inside the file."""
    end = max((e.offset + e.size_bytes for e in entries), default=0)
    if end > file_bytes:
        raise cut_short(file_name, file_bytes, end)


def cut_short(file_name: str, file_bytes: int, expected_bytes: int) -> DamagedFile:
    """Return the error for a file that ends before its contents do."""
    return DamagedFile(
        f"{file_name} is cut short: it has {file_bytes:,} bytes, "
        f"and its table of contents needs at least {expected_bytes:,}.",
        "Download it again, or copy it again from where it came.",
    )
