"""An open model file: what it holds, and its weights by name, by plain reads.

Nothing is mapped into memory: a mapped file counts as resident for as long as it is open, and
the peak while loading is promised. Knows numpy, not torch, devices or backends.
"""

import os
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, cast

import numpy as np

from engine.checkpoint.entries import NUMPY_TYPES, FileTable, TensorEntry
from engine.checkpoint.fingerprint import fingerprint
from engine.checkpoint.info import VOCABULARY_FILE, ModelInfo, VocabularyKind
from engine.checkpoint.names import canonical, infer_shape
from engine.checkpoint.shape import ModelShape
from engine.checkpoint.sniff import check_is_file, read_table
from engine.checkpoint.variants import refuse_variant
from engine.errors import DamagedFile

_WORLD_VOCAB = 65536


def inspect(path: str | os.PathLike[str]) -> ModelInfo:
    """Return what the file holds; its weights are not read (some thousand of each are sampled).

    Raises DamagedFile, UnsafeFile, UnsupportedModel.
    """
    with open_checkpoint(path) as checkpoint:
        return checkpoint.info


def open_checkpoint(path: str | os.PathLike[str]) -> "Checkpoint":
    """Open a model file for reading; close it, or use it in a ``with``.

    Raises DamagedFile, UnsafeFile, UnsupportedModel; nothing is left open then.
    """
    path = Path(path)
    try:
        check_is_file(path)
        file = path.open("rb", buffering=0)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unreadable(path.name, error) from error
    try:
        return Checkpoint(path, cast("BinaryIO", file))
    except OSError as error:
        file.close()
        raise _unreadable(path.name, error) from error
    except BaseException:
        file.close()
        raise


class Checkpoint:
    """A sound RWKV-7 model file. For one thread at a time: reads share one file position.

    ``entries`` are in the model's own order, with canonical shapes: vectors [D], r_k [H,N].
    Layer 0's unused v0, v1, v2 are in it when the file has them.
    """

    entries: dict[str, TensorEntry]
    shape: ModelShape

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self.size_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        table: FileTable = read_table(file, path.name, self.size_bytes)
        refuse_variant(table.entries, path.name)
        self.format = table.format
        self.shape = infer_shape(table.entries, path.name)
        self.entries = canonical(table.entries, self.shape, path.name)

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
        """Close the file; ``info`` and ``entries`` stay."""
        self._file.close()

    @cached_property
    def info(self) -> ModelInfo:
        """What the file holds, in brief. Raises DamagedFile when it cannot be read."""
        return ModelInfo(
            path=self.path,
            name=self.path.stem,
            architecture="rwkv7",
            format=cast("Literal['pth', 'safetensors']", self.format),
            shape=self.shape,
            weights=self._weights(),
            parameters=self.shape.parameters,
            size_bytes=self.size_bytes,
            tokenizer=self._tokenizer(),
            fingerprint=fingerprint(self.shape, self.entries, self._read_at),
        )

    def read(self, name: str) -> np.ndarray:
        """Return one tensor in a fresh array of its entry's shape; bf16 as its bits in uint16.

        Raises KeyError for a name that is not in ``entries``, DamagedFile when it cannot be read.
        """
        entry = self.entries[name]
        array = np.empty(entry.shape, NUMPY_TYPES[entry.dtype])
        if entry.size_bytes:
            self._read_at(entry.offset, array.reshape(-1).view(np.uint8).data)
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
        self._read_at(entry.offset + start_byte, buffer.cast("B")[:n_bytes])

    def _read_at(self, offset: int, buffer: memoryview) -> None:
        try:
            self._file.seek(offset)
            filled = 0
            while filled < len(buffer):
                got = self._file.readinto(buffer[filled:])  # type: ignore[attr-defined]
                if not got:
                    break
                filled += got
        except OSError as error:
            raise _unreadable(self.path.name, error) from error
        if filled < len(buffer):
            raise DamagedFile(
                f"{self.path.name} became shorter while it was read.",
                "See that no other program writes it, then open it again.",
            )

    def _weights(self) -> Literal["bf16", "fp16", "fp32", "mixed"]:
        types = {entry.dtype for entry in self.entries.values()}
        found = types.pop() if len(types) == 1 else "mixed"
        return cast("Literal['bf16', 'fp16', 'fp32', 'mixed']", found)

    def _tokenizer(self) -> VocabularyKind:
        """The World vocabulary has 65536 rows; any other needs the file that came with it."""
        if self.shape.vocab == _WORLD_VOCAB:
            return "world"
        own = self.path.with_name(VOCABULARY_FILE)
        return "vocabulary.txt" if own.is_file() else "tokenizer.json"


def _unreadable(name: str, error: Exception) -> DamagedFile:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DamagedFile(
        f"{name} cannot be read: {reason}.",
        "Look whether you may read it and whether its drive is sound.",
    )
