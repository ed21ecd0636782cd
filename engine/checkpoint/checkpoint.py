"""An open model file: what it holds, and its weights by name, by plain reads.

Nothing is mapped into memory: a mapped file counts as resident for as long as it is open, and
the peak while loading is promised. Knows numpy, not torch, devices or backends.
"""

import os
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import cast

import numpy as np

from engine.checkpoint.architectures import architecture_of
from engine.checkpoint.entries import NUMPY_TYPES, FileTable, TensorEntry
from engine.checkpoint.fingerprint import fingerprint
from engine.checkpoint.huggingface import model_name
from engine.checkpoint.info import FormatName, ModelInfo
from engine.checkpoint.shape import ModelShape
from engine.checkpoint.source import open_source
from engine.checkpoint.start_state import canonical_start, without_start
from engine.checkpoint.storage import SourceFiles
from engine.checkpoint.variants import refuse_variant
from engine.checkpoint.vocabularies import vocabulary_beside
from engine.errors import DamagedFile


def inspect(path: str | os.PathLike[str]) -> ModelInfo:
    """Return what the file holds; its weights are not read (some thousand of each are sampled).

    Raises DamagedFile, UnsafeFile, UnsupportedModel.
    """
    with open_checkpoint(path) as checkpoint:
        return checkpoint.info


def open_checkpoint(path: str | os.PathLike[str]) -> "Checkpoint":
    """Open a model for reading; close it, or use it in a ``with``.

    Raises DamagedFile, UnsafeFile, UnsupportedModel; nothing is left open then.
    """
    source, table, files = open_source(Path(path))
    try:
        return Checkpoint(source, table, files)
    except BaseException:
        files.close()
        raise


class Checkpoint:
    """A sound RWKV model. For one thread at a time: reads share a file's position.

    ``entries`` are in the model's own order, with canonical shapes: vectors [D], r_k [H,N].
    Layer 0's unused v0, v1, v2 are in it when the file has them.
    """

    entries: dict[str, TensorEntry]
    shape: ModelShape

    def __init__(self, path: Path, table: FileTable, files: SourceFiles) -> None:
        """Check a table. It owns ``files`` when it could be made."""
        self.path = path
        self.table = table
        self._files = files
        refuse_variant(table.entries, path.name)
        self.architecture = architecture_of(table.entries)
        found, start = dict(table.entries), {}
        if self.architecture.name in ("rwkv7", "rwkv7a"):
            found, start = without_start(found)
        self.shape = self.architecture.infer_shape(found, path.name)
        self.entries = self.architecture.canonical(found, self.shape, path.name)
        self._start = canonical_start(start, self.shape, path.name)

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; ``info`` and ``entries`` stay."""
        self._files.close()

    @cached_property
    def info(self) -> ModelInfo:
        """What the model is, in brief. Raises DamagedFile when it cannot be read."""
        return ModelInfo(
            path=self.path,
            name=model_name(self.path),
            architecture=self.architecture.name,
            format=cast("FormatName", self.table.format),
            shape=self.shape,
            weights=self.table.weights or self._weights(),
            parameters=self.shape.parameters,
            size_bytes=sum(map(self._files.size_bytes, range(len(self._files.paths)))),
            tokenizer=self.table.tokenizer or vocabulary_beside(self.path, self.shape.vocab),
            fingerprint=self.table.fingerprint
            or fingerprint(self.shape, self.entries | self._start, self._read_part),
            files=self._files.paths,
            has_state=any(name.endswith(".time_state") for name in self.entries | self._start),
        )

    def read_start(self) -> np.ndarray | None:
        """Return the initial state that an RWKV-7 brings, fp32 [L,H,N,N]; None where it has none.

        Raises DamagedFile when it cannot be read or holds values that are no numbers.
        """
        if not self._start:
            return None
        layers = [_as_fp32(self._read(entry), entry.dtype) for entry in self._start.values()]
        start = np.stack(layers)
        if not np.isfinite(start).all():
            raise DamagedFile(
                f"The initial state in {self.path.name} holds values that are not numbers."
            )
        return start

    def read(self, name: str) -> np.ndarray:
        """Return one tensor in a fresh array of its entry's shape; bf16 as its bits in uint16.

        Raises KeyError for a name that is not in ``entries``, DamagedFile when it cannot be read.
        """
        return self._read(self.entries[name])

    def _read(self, entry: TensorEntry) -> np.ndarray:
        array = np.empty(entry.shape, NUMPY_TYPES[entry.dtype])
        if entry.size_bytes:
            self._read_part(entry, 0, array.reshape(-1).view(np.uint8).data)
        return array

    def read_into(self, name: str, buffer: memoryview, start_byte: int, n_bytes: int) -> None:
        """Fill ``buffer[:n_bytes]`` with the tensor's bytes from ``start_byte`` on.

        buffer: writable, contiguous, of bytes. Raises ValueError when the range leaves the tensor
        or the buffer is smaller, DamagedFile when the file cannot be read.
        """
        entry = self.entries[name]
        if not 0 <= start_byte <= start_byte + n_bytes <= entry.size_bytes:
            raise ValueError(f"{name} has no bytes {start_byte} to {start_byte + n_bytes}")
        if buffer.nbytes < n_bytes:
            raise ValueError(f"a buffer of {buffer.nbytes} bytes does not hold {n_bytes}")
        self._read_part(entry, start_byte, buffer.cast("B")[:n_bytes])

    def _read_part(self, entry: TensorEntry, start: int, buffer: memoryview) -> None:
        entry.storage.read_into(self._files, start, buffer)

    def _weights(self) -> str:
        types = {entry.dtype for entry in self.entries.values()}
        return types.pop() if len(types) == 1 else "mixed"


def _as_fp32(values: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "bf16":  # the upper half of an fp32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)
