"""Rows as batches on their way to a device: which rows a step reads, and who prepares them.

Step s of a phase reads the rows s B ... (s + 1) B - 1, B over all processes; process k of W takes
the k-th of W equal parts. So what is read follows from the step alone, and a run that goes on
needs no memory of its data. Knows no model.
"""

import multiprocessing
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from engine.training.rows import Row, Rows

_MASK = 0xFFFF


class Batch(NamedTuple):
    """The rows of one step, on the host.

    tokens: int16 [B, T + 1], the bits of 16-bit ids without sign. weights: float32 [B, T].
    row_weights: float64 [B], each row's sum of weights. largest: the largest id.
    """

    tokens: Tensor
    weights: Tensor
    row_weights: Tensor
    largest: int

    def on(self, device: torch.device, part: slice) -> tuple[Tensor, Tensor, Tensor]:
        """Return inputs and targets int64 [b, T] and weights float32 [b, T] of some rows."""
        tokens = self.tokens[part].to(device, non_blocking=True).to(torch.int64) & _MASK
        weights = self.weights[part].to(device, non_blocking=True)
        return tokens[:, :-1], tokens[:, 1:], weights


class _RowSet(Dataset[Row]):
    """Rows as torch's loader wants them."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __getitem__(self, index: int) -> Row:
        return self._rows.row(index)


class _Steps(Sampler[list[int]]):
    """The numbers of the rows of one step after another, without an end."""

    def __init__(self, step: int, batch: int, rank: int, size: int) -> None:
        self._step, self._batch, self._share = step, batch, batch // size
        self._skip = rank * self._share

    def __iter__(self) -> Iterator[list[int]]:
        step = self._step
        while True:
            first = step * self._batch + self._skip
            yield list(range(first, first + self._share))
            step += 1


def open_batches(
    rows: Rows,
    batch: int,
    step: int,
    *,
    rank: int = 0,
    size: int = 1,
    workers: int = 0,
    prefetch: int = 4,
    pinned: bool = False,
) -> DataLoader[Batch]:
    """Return the batches from ``step`` on, without an end.

    batch: rows of a step over all ``size`` processes, a multiple of ``size``. workers: processes
    that prepare rows, each ``prefetch`` batches ahead; 0: it happens where it is asked for.
    pinned: in memory that a CUDA card reads by itself.
    """
    return DataLoader(  # pyright: ignore[reportReturnType] - of Row, as torch sees it
        _RowSet(rows),
        batch_sampler=_Steps(step, batch, rank, size),
        collate_fn=stack,
        num_workers=workers,
        prefetch_factor=prefetch if workers else None,
        multiprocessing_context=_start_method() if workers else None,
        worker_init_fn=_one_thread if workers else None,
        pin_memory=pinned,
    )


def stack(rows: list[Row]) -> Batch:
    """Put rows of one length together."""
    tokens = np.stack([row.tokens for row in rows])
    weights = np.stack([row.weights for row in rows]).astype(np.float32, copy=False)
    return Batch(
        torch.from_numpy(tokens.astype(np.uint16).view(np.int16)),
        torch.from_numpy(weights),
        torch.from_numpy(weights.sum(axis=1, dtype=np.float64)),
        int(tokens.max()),
    )


def _one_thread(_worker: int) -> None:
    torch.set_num_threads(1)


def _start_method() -> str:
    """Forked workers start at once; they never touch the card. Elsewhere that is not safe."""
    forks = sys.platform == "linux" and "fork" in multiprocessing.get_all_start_methods()
    return "fork" if forks else "spawn"
