"""Packed rows: every token is predicted once an epoch, and rows are a function of their number."""

import pickle
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.training.packing import PackedRows
from engine.training.rows import Row


@dataclass
class Numbered:
    """Documents whose tokens are all different, and weights that tell the token they stand at."""

    sizes: np.ndarray

    def tokens(self, index: int) -> np.ndarray:
        before = int(self.sizes[:index].sum())
        tokens = np.arange(before, before + self.sizes[index]) + 1
        tokens[:1] = 0
        return tokens

    def part(self, index: int, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        assert 0 <= begin < end <= self.sizes[index]
        tokens = self.tokens(index)
        weights = np.append(tokens[1:], 0) + 1
        return tokens[begin:end], weights[begin:end].astype(np.float32)


def same(one: Row, other: Row) -> bool:
    return np.array_equal(one.tokens, other.tokens) and np.array_equal(one.weights, other.weights)


sizes = st.lists(st.integers(0, 30), min_size=1, max_size=12).filter(any)
lengths = st.integers(1, 40)


@settings(max_examples=150, deadline=None)
@given(sizes=sizes, length=lengths, seed=st.integers(0, 1 << 70), epoch=st.integers(0, 3))
def test_every_token_is_predicted_exactly_once_an_epoch(
    sizes: list[int], length: int, seed: int, epoch: int
):
    documents = Numbered(np.array(sizes))
    rows = PackedRows(documents, length, seed)
    targets: list[int] = []
    follows: set[tuple[int, int]] = set()
    for index in range(epoch * len(rows), (epoch + 1) * len(rows)):
        row = rows.row(index)
        assert row.tokens.shape == (length + 1,)
        assert row.weights.shape == (length,)
        assert row.tokens.dtype == np.int64
        assert row.weights.dtype == np.float32
        counts = row.weights > 0
        assert np.array_equal(row.weights[counts], row.tokens[1:][counts] + 1)
        assert not row.tokens[1:][~counts].any()
        targets += row.tokens[1:][counts].tolist()
        follows |= set(zip(row.tokens.tolist(), row.tokens[1:].tolist(), strict=False))
    expected: list[int] = []
    for index, size in enumerate(sizes):
        tokens = documents.tokens(index).tolist()
        assert follows.issuperset(pairwise(tokens))
        expected += [*tokens[1:], 0] if size else []  # and where it ends
    assert sorted(targets) == sorted(expected)


@settings(max_examples=50, deadline=None)
@given(sizes=sizes, length=lengths, seed=st.integers(0, 9), order=st.randoms())
def test_rows_are_the_same_in_any_order_and_in_a_copy(
    sizes: list[int], length: int, seed: int, order
):
    documents = Numbered(np.array(sizes))
    rows = PackedRows(documents, length, seed)
    numbers = list(range(3 * len(rows)))
    first = {number: rows.row(number) for number in numbers}
    copy = pickle.loads(pickle.dumps(rows))
    order.shuffle(numbers)
    assert all(same(copy.row(number), first[number]) for number in numbers)


def test_rows_share_the_token_between_them():
    rows = PackedRows(Numbered(np.array([50, 9, 31])), 7, 3)
    for index in range(len(rows) - 1):
        assert rows.row(index).tokens[-1] == rows.row(index + 1).tokens[0]


def test_epochs_and_seeds_are_shuffled_differently():
    documents = Numbered(np.full(40, 5))
    rows, others = PackedRows(documents, 200, 0), PackedRows(documents, 200, 1)
    assert len(rows) == 1
    seen = {tuple(rows.row(epoch).tokens) for epoch in range(5)} | {tuple(others.row(0).tokens)}
    assert len(seen) == 6


def test_the_shuffle_is_the_same_everywhere():
    rows = PackedRows(Numbered(np.full(6, 2)), 12, 7)
    order = [rows.row(epoch).tokens[1::2].tolist() for epoch in (0, 1)]
    assert order == [[4, 12, 10, 2, 6, 8], [12, 10, 8, 2, 4, 6]]


def test_what_is_pickled_does_not_grow_with_what_was_read():
    rows = PackedRows(Numbered(np.full(1000, 5)), 50, 0)
    before = len(pickle.dumps(rows))
    rows.row(0)
    rows.row(len(rows))
    assert len(pickle.dumps(rows)) == before


def test_without_documents_there_are_no_rows():
    with pytest.raises(EngineError, match="nothing to train on"):
        PackedRows(Numbered(np.zeros(3, np.int64)), 8, 0)
