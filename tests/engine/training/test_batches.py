"""Batches: which rows a step reads, in how many processes ever; ids of all 16 bits."""

from itertools import islice

import numpy as np
import pytest
import torch

from engine.training.batches import open_batches, stack
from engine.training.rows import Row


class NumberedRows:
    """Row i is (i, i + 1, ...), all of weight i."""

    length = 3

    def __len__(self) -> int:
        return 1000

    def row(self, index: int) -> Row:
        return Row(np.arange(index, index + 4), np.full(3, index, np.float32))


def firsts(step: int, rank: int = 0, size: int = 1, workers: int = 0) -> list[list[int]]:
    batches = open_batches(NumberedRows(), 4, step, rank=rank, size=size, workers=workers)
    return [batch.tokens[:, 0].tolist() for batch in islice(batches, 3)]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_step_reads_what_its_number_says(workers: int):
    assert firsts(0, workers=workers) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert firsts(1)[0] == [4, 5, 6, 7]
    assert firsts(25)[0] == [100, 101, 102, 103]


def test_processes_share_a_step():
    assert firsts(5, 0, 2) == [[20, 21], [24, 25], [28, 29]]
    assert firsts(5, 1, 2) == [[22, 23], [26, 27], [30, 31]]


def test_ids_of_16_bits_and_weights():
    rows = [Row(np.array([0, 255, 65535]), np.ones(2, np.float32))]
    rows.append(Row(np.array([32768, 7, 1]), np.array([0.5, 0], np.float32)))
    batch = stack(rows)
    assert batch.tokens.element_size() == 2
    assert batch.largest == 65535
    assert batch.row_weights.tolist() == [2.0, 0.5]
    inputs, targets, weights = batch.on(torch.device("cpu"), slice(0, 2))
    assert inputs.dtype == torch.int64
    assert inputs.tolist() == [[0, 255], [32768, 7]]
    assert targets.tolist() == [[255, 65535], [7, 1]]
    assert weights.tolist() == [[1, 1], [0.5, 0]]
    assert batch.on(torch.device("cpu"), slice(1, 2))[0].tolist() == [[32768, 7]]
