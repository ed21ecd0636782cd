"""Weights on their way from a file into the CPU engine's packed memory, a piece at a time.

One thread reads the file while the library packs what came before on all of its own. Knows files,
LoRAs and the library's calls; knows nothing of what the weights mean.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.backends.base import IsCancelled, Progress
from engine.checkpoint.names import is_table
from engine.errors import Cancelled, DamagedFile
from kernels.cpu.library import NativeError, NativeModel

if TYPE_CHECKING:
    from engine.backends.lora import LoraMerge
    from engine.checkpoint import Checkpoint

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_FILE_DTYPES = {**_DTYPES, "fp64": torch.float64}
_PIECE_BYTES = 8 << 20
_ROW_STEP = 128  # the library takes rows of a matrix by so many (skn_model_rows)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Elements [start, start + count) of a tensor; whole rows of ``columns`` if that is not 0."""

    name: str
    start: int
    count: int
    columns: int


def fill_model(
    model: NativeModel,
    checkpoint: "Checkpoint",
    loras: "LoraMerge",
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
    *,
    wanted: Callable[[str], bool] = lambda _name: True,
) -> None:
    """Give every tensor of the file to the library, or those whose names are wanted.

    Raises DamagedFile when a value is not finite, NativeError, or Cancelled when asked to stop.
    """
    pieces = [piece for piece in _pieces(checkpoint) if wanted(piece.name)]
    total = sum(_bytes_of(checkpoint, piece) for piece in pieces)
    buffers = [bytearray(max(_bytes_of(checkpoint, piece) for piece in pieces)) for _ in range(2)]
    done = 0
    with ThreadPoolExecutor(1) as reader:

        def start(i: int) -> "Future[Tensor]":
            return reader.submit(_read, checkpoint, loras, pieces[i], buffers[i % 2])

        coming = start(0)
        for i, piece in enumerate(pieces):
            values = coming.result()
            if cancelled is not None and cancelled():
                raise Cancelled
            if i + 1 < len(pieces):
                coming = start(i + 1)
            _pack(model, checkpoint, piece, values)
            done += _bytes_of(checkpoint, piece)
            if progress:
                progress(done, total)


def _pieces(checkpoint: "Checkpoint") -> Iterator[_Piece]:
    """Cut the large matrices by rows; whatever else there is stays whole."""
    for name, entry in checkpoint.entries.items():
        if is_table(name):
            continue
        count = 1
        for size in entry.shape:
            count *= size
        if len(entry.shape) != 2 or not name.endswith(".weight"):
            yield _Piece(name, 0, count, 0)
            continue
        columns = entry.shape[1]
        row_bytes = columns * _FILE_DTYPES[entry.dtype].itemsize
        step = max(1, _PIECE_BYTES // row_bytes // _ROW_STEP) * _ROW_STEP * columns
        for begin in range(0, count, step):
            yield _Piece(name, begin, min(step, count - begin), columns)


def _bytes_of(checkpoint: "Checkpoint", piece: _Piece) -> int:
    return piece.count * _FILE_DTYPES[checkpoint.entries[piece.name].dtype].itemsize


def _read(checkpoint: "Checkpoint", loras: "LoraMerge", piece: _Piece, buffer: bytearray) -> Tensor:
    """Return a piece's values [count], changed by LoRAs, in a type that the library takes."""
    source = _FILE_DTYPES[checkpoint.entries[piece.name].dtype]
    size = piece.count * source.itemsize
    view = memoryview(buffer)[:size]
    with torch.inference_mode():
        checkpoint.read_into(piece.name, view, piece.start * source.itemsize, size)
        values = loras.changed(piece.name, torch.frombuffer(view, dtype=source), piece.start)
        return values.float() if values.dtype == torch.float64 else values.contiguous()


def _pack(model: NativeModel, checkpoint: "Checkpoint", piece: _Piece, values: Tensor) -> None:
    dtype = next(name for name, there in _DTYPES.items() if there == values.dtype)
    address = values.data_ptr()
    try:
        if piece.columns:
            first, rows = piece.start // piece.columns, piece.count // piece.columns
            model.rows(piece.name, dtype, address, first, rows)
        else:
            model.tensor(piece.name, dtype, address, piece.count)
    except NativeError as error:
        if error.code != NativeError.NOT_FINITE:
            raise
        raise DamagedFile(
            f"{checkpoint.info.path.name} holds values that are not numbers "
            f"(NaN or infinity) in {piece.name}.",
            "Download the file again; if that does not help, the model itself is broken.",
        ) from error
