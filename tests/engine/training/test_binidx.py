"""Pairs of .bin and .idx: what is written is read, and no damage gets through."""

import pickle
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DamagedFile, EngineError
from engine.training.binidx import Binidx, BinidxWriter, pair

DTYPES = ("uint8", "int8", "int16", "int32", "int64", "uint16")


def write(path: Path, documents: list[list[int]], dtype: str = "uint16") -> Path:
    with BinidxWriter(path, dtype) as writer:
        for tokens in documents:
            writer.add(tokens)
            writer.end_document()
    return path


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """[7, 8, 0], [], [500, 0] in uint16."""
    return write(tmp_path / "some.name", [[7, 8, 0], [], [500, 0]])


def put(path: Path, at: int, data: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + len(data)] = data
    path.write_bytes(content)


def test_the_bytes_are_those_of_the_format(sound: Path):
    data, index = pair(sound)
    assert (data.name, index.name) == ("some.name.bin", "some.name.idx")
    assert data.read_bytes() == struct.pack("<5H", 7, 8, 0, 500, 0)
    assert index.read_bytes() == (
        b"MMIDIDX\0\0"
        + struct.pack("<QBQQ", 1, 8, 3, 4)
        + struct.pack("<3i", 3, 0, 2)
        + struct.pack("<3q", 0, 6, 6)
        + struct.pack("<4q", 0, 1, 2, 3)
    )


@settings(max_examples=60, deadline=None)
@given(
    documents=st.lists(st.lists(st.integers(0, 127), max_size=9), min_size=1, max_size=9),
    dtype=st.sampled_from(DTYPES),
)
def test_what_is_written_is_read(documents: list[list[int]], dtype: str):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        if not any(documents):  # a .bin without tokens is refused
            documents[0].append(1)
        made = Binidx(write(path, documents, dtype))
        assert [made.sequence(i).tolist() for i in range(len(made))] == documents
        assert made.tokens.tolist() == [token for tokens in documents for token in tokens]
        assert made.dtype == np.dtype(dtype)
        del made


def test_a_document_in_pieces_and_one_too_long_for_a_sequence(tmp_path: Path):
    with BinidxWriter(tmp_path / "x", longest=4) as writer:
        writer.add([1, 2, 3])
        writer.add([4, 5, 6, 7, 8, 9])
        writer.end_document()
        writer.add([0])
        writer.end_document()
    made = Binidx(tmp_path / "x.idx")
    assert made.sizes.tolist() == [4, 4, 1, 1]
    assert made.bounds.tolist() == [0, 3, 4]
    assert made.starts_bytes.tolist() == [0, 8, 16, 18]


@pytest.mark.parametrize("ending", [".bin", ".idx", ""])
def test_any_of_its_names_will_do(sound: Path, ending: str):
    assert len(Binidx(sound.with_name(sound.name + ending) if ending else sound)) == 3


def test_it_pickles_as_its_path(sound: Path):
    content = pickle.dumps(Binidx(sound))
    assert len(content) < 1000
    assert pickle.loads(content).tokens.tolist() == [7, 8, 0, 500, 0]


def test_every_shortened_index_is_refused(sound: Path):
    index = pair(sound)[1]
    whole = index.read_bytes()
    for size in range(len(whole)):
        index.write_bytes(whole[:size])
        with pytest.raises(DamagedFile):
            Binidx(sound)
    index.write_bytes(whole + b"\0")
    with pytest.raises(DamagedFile):
        Binidx(sound)


# Where things lie: magic 0, version 9, type 17, sequences 18, bounds 26, sizes 34, starts 46,
# documents 70.
@pytest.mark.parametrize(
    ("at", "data", "words"),
    [
        (0, b"TNTIDX", "does not begin"),
        (9, struct.pack("<Q", 2), "version is 2"),
        (17, b"\x07", "number type 7"),
        (17, b"\x00", "number type 0"),
        (17, b"\xff", "number type 255"),
        (18, struct.pack("<Q", 1 << 60), "should have"),
        (18, struct.pack("<Q", (1 << 64) - 1), "should have"),
        (26, struct.pack("<Q", 1 << 61), "should have"),
        (34, struct.pack("<i", -1), "sequence 0"),
        (34, struct.pack("<i", 6), "sequence 0"),
        (42, struct.pack("<i", (1 << 31) - 1), "sequence 2"),
        (46, struct.pack("<q", -2), "sequence 0"),
        (46, struct.pack("<q", 1), "sequence 0"),
        (54, struct.pack("<q", 12), "sequence 1"),
        (62, struct.pack("<q", (1 << 63) - 2), "sequence 2"),
        (70, struct.pack("<q", -1), "order"),
        (70, struct.pack("<q", 2), "order"),
        (94, struct.pack("<q", 4), "order"),
        (94, struct.pack("<q", 1), "order"),
    ],
)
def test_an_index_that_says_the_impossible_is_refused(
    sound: Path, at: int, data: bytes, words: str
):
    put(pair(sound)[1], at, data)
    with pytest.raises(DamagedFile, match=words) as caught:
        Binidx(sound)
    assert caught.value.message.startswith("some.name.idx")
    assert caught.value.hint


def test_an_index_without_documents_is_refused(tmp_path: Path):
    (tmp_path / "x.bin").write_bytes(b"\0\0")
    (tmp_path / "x.idx").write_bytes(b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, 0, 0))
    with pytest.raises(DamagedFile, match="no documents"):
        Binidx(tmp_path / "x")


@pytest.mark.parametrize(
    ("size", "words"), [(0, "no tokens"), (3, "whole tokens"), (4, "sequence 0")]
)
def test_a_shortened_bin_is_refused(sound: Path, size: int, words: str):
    data = pair(sound)[0]
    data.write_bytes(data.read_bytes()[:size])
    with pytest.raises(DamagedFile, match=words):
        Binidx(sound)


def test_a_missing_half_is_an_error_of_the_disk(sound: Path):
    pair(sound)[0].unlink()
    with pytest.raises(OSError, match=r"some\.name\.bin"):
        Binidx(sound)


@settings(max_examples=150, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 101), st.integers(0, 255)), min_size=1))
def test_whatever_bytes_an_index_has_nothing_outside_is_read(changes: list[tuple[int, int]]):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "x", [[7, 8, 0], [], [500, 0]])
        for at, value in changes:
            put(pair(path)[1], at, bytes((value,)))
        try:
            made = Binidx(path)
        except DamagedFile:
            return
        for i in range(len(made)):
            assert len(made.sequence(i)) == made.sizes[i] <= len(made.tokens)
        del made


def test_a_failure_leaves_what_was_there(sound: Path):
    before = {p.name: p.read_bytes() for p in sound.parent.glob("some*")}
    with pytest.raises(OverflowError):
        write(sound, [[1, 2, 3], [4, -1]])  # an id that uint16 does not have
    with pytest.raises(EngineError, match="nothing to train on"), BinidxWriter(sound):
        pass
    assert {p.name: p.read_bytes() for p in sound.parent.glob("some*")} == before
    assert not list(sound.parent.glob(".*part"))
