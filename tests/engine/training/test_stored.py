"""Stored tokens: documents from their id 0 on, wherever the file has it, and what counts."""

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DamagedFile, EngineError
from engine.training.binidx import BinidxWriter, pair
from engine.training.stored import StoredTokens, StoredWriter, marks_path


def write(path: Path, documents: list[list[int]], dtype: str = "uint16") -> Path:
    with BinidxWriter(path, dtype) as writer:
        for tokens in documents:
            writer.add(tokens)
            writer.end_document()
    return path


def whole(stored: StoredTokens) -> list[list[int]]:
    return [stored.part(i, 0, int(size))[0].tolist() for i, size in enumerate(stored.sizes)]


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([[5, 6, 0], [7, 0], [0]], [[0, 5, 6], [0, 7], [0]]),  # behind, as RWKV-LM's tools write
        ([[], [5, 6, 0], [7, 8]], [[], [0, 5, 6], [7, 8]]),  # one was cut: nothing is lost
        ([[0, 5, 6], [0, 7]], [[0, 5, 6], [0, 7]]),  # before
        ([[5, 6], [], [7]], [[0, 5, 6], [0], [0, 7]]),  # nowhere
    ],
)
def test_documents_begin_with_id_0(
    tmp_path: Path, documents: list[list[int]], expected: list[list[int]]
):
    stored = StoredTokens(write(tmp_path / "x", documents))
    assert whole(stored) == expected
    assert whole(pickle.loads(pickle.dumps(stored))) == expected


@settings(max_examples=60, deadline=None)
@given(
    documents=st.lists(
        st.lists(st.tuples(st.integers(1, 99), st.booleans()), max_size=8), min_size=1, max_size=4
    ),
    ends=st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_parts_are_those_of_the_whole_and_weights_of_what_follows(
    documents: list[list[tuple[int, bool]]], ends: list[bool]
):
    with tempfile.TemporaryDirectory() as folder:
        with StoredWriter(Path(folder) / "x", "uint16", marked=True) as writer:
            for document, end in zip(documents, ends, strict=False):
                writer.add([t for t, _ in document], np.array([m for _, m in document], np.uint8))
                writer.end_document(int(end))
        stored = StoredTokens(Path(folder) / "x", 0.25)
        for index, (document, end) in enumerate(zip(documents, ends, strict=False)):
            tokens = [0, *(token for token, _ in document)]
            weights = [1 if mark else 0.25 for mark in (*(m for _, m in document), end)]
            assert stored.sizes[index] == len(tokens)
            for first in range(len(tokens)):
                for last in range(first + 1, len(tokens) + 1):
                    some, counts = stored.part(index, first, last)
                    assert some.tolist() == tokens[first:last]
                    assert counts.tolist() == weights[first:last]
                    assert counts.dtype == np.float32
        del stored


@pytest.mark.parametrize("documents", [[[0, 5, 6], [0, 7]], [[5, 6], [7]], [[5, 6, 0], [7, 0]]])
def test_without_marks_everything_counts(tmp_path: Path, documents: list[list[int]]):
    stored = StoredTokens(write(tmp_path / "x", documents), 0.1)
    for index, size in enumerate(stored.sizes):
        for first in range(size):
            tokens, weights = stored.part(index, first, int(size))
            assert weights.tolist() == [1] * len(tokens)
            assert len(tokens) == size - first


def test_a_document_of_several_sequences_is_one(tmp_path: Path):
    with BinidxWriter(tmp_path / "x", longest=2) as writer:
        for document in ([1, 2, 3, 4, 0], [5, 0]):
            writer.add(document)
            writer.end_document()
    assert whole(StoredTokens(tmp_path / "x")) == [[0, 1, 2, 3, 4], [0, 5]]


def test_where_bounds_say_nothing_every_sequence_is_a_document(tmp_path: Path):
    index = pair(write(tmp_path / "x", [[1, 0], [2, 0]]))[1]
    content = bytearray(index.read_bytes())
    content[26:34] = (1).to_bytes(8, "little")  # one bound: where the first document begins
    index.write_bytes(content[:-16])
    assert whole(StoredTokens(tmp_path / "x")) == [[0, 1], [0, 2]]


def test_negative_ids_are_refused_where_they_are_read(tmp_path: Path):
    stored = StoredTokens(write(tmp_path / "x", [[1, 0], [-7, 0]], "int32"))
    assert stored.part(0, 0, 2)[0].tolist() == [0, 1]
    with pytest.raises(DamagedFile, match="token -7"):
        stored.part(1, 0, 2)


def test_marks_of_other_tokens_are_refused(tmp_path: Path):
    path = write(tmp_path / "x", [[1, 2, 0]])
    write(marks_path(path), [[1, 1]], "uint8")
    with pytest.raises(DamagedFile, match="2 marks for 3 tokens"):
        StoredTokens(path)


def test_where_the_marks_cannot_be_finished_there_are_no_tokens(tmp_path: Path):
    marks = pair(marks_path(tmp_path / "x"))[0]
    marks.mkdir()  # in the way of what is renamed last
    writer = StoredWriter(tmp_path / "x", "uint16", marked=True).__enter__()
    writer.add([1, 2], np.zeros(2, np.uint8))
    writer.end_document(0)
    with pytest.raises(OSError, match=r"x\.marks\.bin"):
        writer.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == [marks]


def test_what_is_written_again_keeps_no_marks_of_before(tmp_path: Path):
    for marked in (True, False):
        with StoredWriter(tmp_path / "x", "uint16", marked) as writer:
            writer.add([1, 2], np.zeros(2, np.uint8))
            writer.end_document(0)
    assert StoredTokens(tmp_path / "x", 0.1).part(0, 0, 3)[1].tolist() == [1, 1, 1]


def test_nothing_written_leaves_what_was_there(tmp_path: Path):
    path = write(tmp_path / "x", [[1, 2, 0]])
    with pytest.raises(EngineError), StoredWriter(path, "uint16", marked=True):
        pass
    assert whole(StoredTokens(path)) == [[0, 1, 2]]
    assert len(list(tmp_path.iterdir())) == 2
