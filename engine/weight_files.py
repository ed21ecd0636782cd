"""Writes files of named tensors, streamed: ``.safetensors`` and ``.pth`` (torch's archive).

The libraries' own writers want every tensor in memory at once; these take the bytes of one after
another. Knows containers, not where the bytes come from or what the names mean.
"""

import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

from engine.checkpoint.entries import ITEM_BYTES, element_count

_SAFETENSORS = {"bf16": "BF16", "fp16": "F16", "fp32": "F32"}
_STORAGES = {"bf16": "BFloat16Storage", "fp16": "HalfStorage", "fp32": "FloatStorage"}
_ALIGNMENT = 64  # torch maps a file only if tensors begin at multiples of it
_ZIP64_EXTRA_BYTES = 20
_LOCAL_HEADER_BYTES = 30

Pieces = Callable[[], Iterator["memoryview | bytes"]]


@dataclass(frozen=True, slots=True)
class OutTensor:
    """One tensor to write: ``dtype`` "bf16", "fp16" or "fp32"; ``pieces()`` yields its bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    pieces: Pieces

    @property
    def size_bytes(self) -> int:
        """Bytes of all pieces together."""
        return element_count(self.shape) * ITEM_BYTES[self.dtype]


def write_safetensors(
    file: BinaryIO, tensors: Sequence[OutTensor], metadata: Mapping[str, str]
) -> None:
    """Write a safetensors file: 8 bytes of length, JSON, data. Raises OSError."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for tensor in tensors:
        end = at + tensor.size_bytes
        header[tensor.name] = {
            "dtype": _SAFETENSORS[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [at, end],
        }
        at = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for tensor in tensors:
        for piece in tensor.pieces():
            file.write(piece)


def write_pth(file: BinaryIO, tensors: Sequence[OutTensor]) -> None:
    """Write what ``torch.save`` writes for a dict of contiguous tensors. Raises OSError.

    The layout is torch's (torch/serialization.py, ``_save``): a zip archive without compression
    that holds a pickle, the byte order and a member for each tensor's bytes.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _member(archive, "data.pkl", [_pickled(tensors)])
        _member(archive, "byteorder", [b"little"])
        for key, tensor in enumerate(tensors):
            _member(archive, f"data/{key}", tensor.pieces(), tensor.size_bytes)
        _member(archive, "version", [b"3\n"])


def _member(
    archive: zipfile.ZipFile,
    name: str,
    pieces: "Iterable[memoryview | bytes]",
    size_bytes: int = 0,
) -> None:
    """Add a member whose bytes begin at a multiple of the alignment."""
    info = zipfile.ZipInfo(f"archive/{name}")
    is_large = size_bytes > zipfile.ZIP64_LIMIT // 2
    extra = _ZIP64_EXTRA_BYTES if is_large else 0
    start = archive.fp.tell() + _LOCAL_HEADER_BYTES + len(info.filename) + extra + 4  # type: ignore[union-attr]
    padding = -start % _ALIGNMENT
    info.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
    with archive.open(info, "w", force_zip64=is_large) as member:
        for piece in pieces:
            member.write(piece)


class _Storage:
    """Stands for a tensor's bytes in the pickle; torch finds them by key."""

    def __init__(self, key: int, tensor: OutTensor) -> None:
        self.key = str(key)
        self.kind = _STORAGES[tensor.dtype]
        self.elements = element_count(tensor.shape)


class _Tensor:
    """Stands for a tensor in the pickle: it becomes the call that makes one."""

    def __init__(self, key: int, tensor: OutTensor) -> None:
        self._storage = _Storage(key, tensor)
        self._shape = tensor.shape

    def __reduce__(self) -> tuple[Any, ...]:
        from torch._utils import _rebuild_tensor_v2

        stride, strides = 1, []
        for size in reversed(self._shape):
            strides.append(stride)
            stride *= size
        backward = tuple(strides[::-1])
        values = (self._storage, 0, self._shape, backward, False, OrderedDict())
        return _rebuild_tensor_v2, values


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> tuple[Any, ...] | None:
        if not isinstance(obj, _Storage):
            return None
        import torch

        return "storage", getattr(torch, obj.kind), obj.key, "cpu", obj.elements


def _pickled(tensors: Sequence[OutTensor]) -> bytes:
    stream = BytesIO()
    table = {tensor.name: _Tensor(key, tensor) for key, tensor in enumerate(tensors)}
    _Pickler(stream, protocol=2).dump(table)
    return stream.getvalue()
