"""Reads the table of a ``.safetensors`` / ``.st`` file: 8 bytes of length, JSON, then data.

Parsed here because the library's reader does not tell where in the file a tensor lies.
Knows the container, not which tensors a model needs.
"""

import json
from typing import Any, BinaryIO

from engine.checkpoint.entries import (
    ITEM_BYTES,
    FileTable,
    TensorEntry,
    cut_short,
    element_count,
    is_size,
)
from engine.errors import DamagedFile

HEADER_LIMIT_BYTES = 100_000_000
"""The format's own limit for its JSON."""

_MOST_DIMENSIONS = 8
# What is read as objects takes many times its bytes: it must be a small part of a file, and few.
_SMALL_HEADER_BYTES = 1 << 20
_MOST_TENSORS = 10_000

_DTYPES = {
    "BF16": "bf16",
    "F16": "fp16",
    "F32": "fp32",
    "F64": "fp64",
    "F8_E4M3": "fp8",
    "F8_E5M2": "fp8",
    "I8": "int8",
    "U8": "uint8",
    "I16": "int16",
    "U16": "uint16",
    "I32": "int32",
    "U32": "uint32",
    "I64": "int64",
    "U64": "uint64",
    "BOOL": "bool",
    "C64": "complex64",
}


def looks_like_safetensors(start: bytes) -> bool:
    """Tell whether a file that begins with these 9 bytes or more may be one."""
    return len(start) > 8 and start[8:9] == b"{" and _length(start) <= HEADER_LIMIT_BYTES


def read_safetensors(file: BinaryIO, name: str, file_bytes: int) -> FileTable:
    """Return the table of a safetensors file. Raises DamagedFile."""
    file.seek(0)
    data_start = 8 + _length(file.read(8))
    if data_start > file_bytes:
        raise cut_short(name, file_bytes, data_start)
    if data_start > max(_SMALL_HEADER_BYTES, file_bytes >> 4):
        raise _damaged(name, f"its header of {data_start:,} bytes is out of proportion")
    header = _header(file, name, data_start - 8)
    words = header.pop("__metadata__", None) or {}
    if not isinstance(words, dict) or not all(type(word) is str for word in words.values()):
        raise _damaged(name, "what it says of itself is not text")
    entries = {key: _entry(key, value, data_start, name) for key, value in header.items()}
    _check_layout(list(entries.values()), name, data_start, file_bytes)
    return FileTable("safetensors", entries, metadata=words)


def _length(start: bytes) -> int:
    return int.from_bytes(start[:8], "little")


def _header(file: BinaryIO, name: str, length: int) -> dict[str, Any]:
    if length > HEADER_LIMIT_BYTES:
        raise _damaged(name, f"its header claims {length:,} bytes")
    raw = file.read(length)
    if raw.count(b"{") + raw.count(b"[") > 3 * _MOST_TENSORS + 100:
        raise _damaged(name, f"its header lists more than {_MOST_TENSORS:,} tensors")
    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _damaged(name, "its header is not valid JSON") from error
    if not isinstance(header, dict):
        raise _damaged(name, "its header is not a table")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name occurs twice")
    return table


def _entry(key: str, value: object, data_start: int, name: str) -> TensorEntry:
    record = value if isinstance(value, dict) else {}
    dtype, shape, offsets = (record.get(k) for k in ("dtype", "shape", "data_offsets"))
    known = _DTYPES.get(dtype) if isinstance(dtype, str) else None
    if known is None or not isinstance(shape, list) or not isinstance(offsets, list):
        raise _damaged(name, f"its entry for {key[:60]} is not understood")
    if not all(map(is_size, shape)) or not all(map(is_size, offsets)):
        raise _damaged(name, f"the sizes of its tensor {key[:60]} are impossible")
    if len(shape) > _MOST_DIMENSIONS or len(offsets) != 2:
        raise _damaged(name, f"the sizes of its tensor {key[:60]} are impossible")
    begin, end = offsets
    size_bytes = element_count(tuple(shape)) * ITEM_BYTES[known]
    if end - begin != size_bytes:
        raise _damaged(
            name,
            f"tensor {key[:60]} should have {size_bytes:,} bytes ({known} {shape}) "
            f"and has {end - begin:,}",
        )
    return TensorEntry(key, known, tuple(shape), data_start + begin, size_bytes)


def _check_layout(entries: list[TensorEntry], name: str, data_start: int, file_bytes: int) -> None:
    """Raise DamagedFile unless the tensors fill the file from the header to its last byte."""
    if not entries:
        raise _damaged(name, "it holds no tensor at all")
    at = data_start
    for entry in sorted(entries, key=lambda e: (e.offset, e.size_bytes)):
        if entry.offset != at:
            raise _damaged(name, f"tensor {entry.name[:60]} does not begin where it should")
        at += entry.size_bytes
    if at > file_bytes:
        raise cut_short(name, file_bytes, at)
    if at < file_bytes:
        raise _damaged(name, f"{file_bytes - at:,} bytes at its end belong to nothing")


def _damaged(name: str, what: str) -> DamagedFile:
    return DamagedFile(
        f"{name} is not a sound safetensors file: {what}.",
        "Download it again, or copy it again from where it came.",
    )
