"""Named tensors of one small file, a state or a LoRA, by our own readers: nothing in it is run.

Knows containers and number types, not what the tensors are. Knows numpy, not torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from engine.checkpoint.entries import NUMPY_TYPES, FileTable, TensorEntry, narrowed
from engine.checkpoint.legacy_pth import read_legacy_pth
from engine.checkpoint.pth import Wrappers, read_pth
from engine.checkpoint.safetensors_file import read_safetensors
from engine.checkpoint.sniff import read_table
from engine.checkpoint.storage import SourceFiles
from engine.errors import DamagedFile, UnsupportedModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WHOLE_NUMBERS = {"int64": "<i8", "int32": "<i4"}
_WRAPPERS: Wrappers = ("state_dict", "model")


class TensorFile:
    """An open file: its table, and its tensors one by one. Close it, or use ``with``.

    For one thread at a time. ``entries``, ``metadata``: what its table says.
    """

    def __init__(self, path: Path, *, state: bool = False) -> None:
        """Read the table.

        state: as trainers write one, too: wrapped, beside values that are no tensors, or in the
        format of before 2020. Raises FileNotFoundError, DamagedFile, UnsafeFile, UnsupportedModel.
        """
        if not path.exists():
            raise FileNotFoundError(path)
        if not path.is_file():
            raise DamagedFile(f"{path.name} is not an ordinary file.", "Choose another file.")
        self.path = path
        self._files = SourceFiles([path])
        try:
            file, size_bytes = self._files.file(0), self._files.size_bytes(0)
            table = (_state_table if state else read_table)(file, path.name, size_bytes)
        except BaseException:
            self._files.close()
            raise
        self.entries: dict[str, TensorEntry] = table.entries
        self.metadata: Mapping[str, str] = table.metadata

    def __enter__(self) -> "TensorFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._files.close()

    def raw(self, entry: TensorEntry) -> bytearray:
        """Return a tensor's bytes as its entry says. Raises DamagedFile."""
        data = bytearray(entry.size_bytes)
        if data:
            entry.storage.read_into(self._files, 0, memoryview(data))
        return data

    def read(self, entry: TensorEntry) -> "NDArray":
        """Return a tensor in its entry's shape: numbers as fp32, whole numbers as they are.

        Raises UnsupportedModel for an odd number type, DamagedFile when it cannot be read.
        """
        entry = narrowed(entry)
        kind = NUMPY_TYPES.get(entry.dtype) or _WHOLE_NUMBERS.get(entry.dtype)
        if kind is None:
            raise UnsupportedModel(
                f"{self.path.name} holds {entry.name[:80]} as {entry.dtype}; "
                "bf16, fp16 or fp32 was expected."
            )
        values = np.frombuffer(self.raw(entry), kind).reshape(entry.shape)
        if entry.dtype == "bf16":  # the upper half of an fp32
            wide = values.astype(np.uint32)
            return np.left_shift(wide, 16, out=wide).view(np.float32)
        if entry.dtype == "fp16":
            return values.astype(np.float32)
        return values


def _state_table(file: BinaryIO, name: str, size_bytes: int) -> FileTable:
    start = file.read(9)
    if start[:2] == b"PK":
        return read_pth(file, name, size_bytes, _WRAPPERS)
    if start[:1] == b"\x80" and start[8:9] != b"{":
        return read_legacy_pth(file, name, _WRAPPERS)
    return read_safetensors(file, name, size_bytes)
