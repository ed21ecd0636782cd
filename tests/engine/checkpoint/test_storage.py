"""How a tensor's bytes are got: in any piece, from any of many files, and never after closing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.checkpoint.storage import Blocks, Range, SourceFiles, Storage, Turned
from engine.errors import DamagedFile
from tests.engine.test_eject import in_use

RAW = np.random.default_rng(3).integers(0, 256, 6000, np.uint8)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SourceFiles]:
    path = tmp_path_factory.mktemp("storage") / "x"
    path.write_bytes(RAW.tobytes())
    with SourceFiles([path]) as files:
        yield files


def decode(raw: np.ndarray) -> np.ndarray:
    """Blocks of a scale and four values, one byte each."""
    blocks = raw.reshape(-1, 5).astype(np.float32)
    return (blocks[:, :1] * blocks[:, 1:]).reshape(-1)


BLOCKS = Blocks(0, 100, 5, 4, decode)
STORAGES: list[tuple[Storage, bytes]] = [
    (Range(0, 40), RAW[40:1640].tobytes()),
    (Turned(Range(0, 8), 30, 20, 2),
     RAW[8:1208].view("<u2").reshape(30, 20).T.copy().tobytes()),
    (BLOCKS, decode(RAW[100:600]).tobytes()),
    (Turned(BLOCKS, 20, 20, 4), decode(RAW[100:600]).reshape(20, 20).T.copy().tobytes()),
]  # fmt: skip


@given(which=st.sampled_from(range(len(STORAGES))), data=st.data())
def test_any_piece_is_that_of_the_whole(files: SourceFiles, which: int, data: st.DataObject):
    storage, whole = STORAGES[which]
    start = data.draw(st.integers(0, len(whole)))
    count = data.draw(st.integers(0, len(whole) - start))
    buffer = bytearray(count)
    storage.read_into(files, start, memoryview(buffer))
    assert bytes(buffer) == whole[start : start + count]


def test_large_pieces_are_decoded_in_steps(files: SourceFiles, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("engine.checkpoint.storage._DECODED_BYTES", 64)
    whole = decode(RAW[100:600]).tobytes()
    buffer = bytearray(len(whole) - 7)
    BLOCKS.read_into(files, 3, memoryview(buffer))
    assert bytes(buffer) == whole[3:-4]


def test_hundreds_of_files_are_never_open_at_once(tmp_path: Path):
    paths = [tmp_path / str(i) for i in range(300)]
    for i, path in enumerate(paths):
        path.write_bytes(i.to_bytes(2, "little"))
    with SourceFiles(paths) as files:
        for _ in range(2):
            for i in range(len(paths)):
                buffer = bytearray(2)
                Range(i, 0).read_into(files, 0, memoryview(buffer))
                assert int.from_bytes(buffer, "little") == i
        assert 0 < len(in_use(tmp_path)) <= 16
    assert not in_use(tmp_path)


def test_a_file_that_shrank_or_went_says_so(tmp_path: Path):
    path = tmp_path / "x"
    path.write_bytes(b"12345678")
    with SourceFiles([path]) as files:
        path.write_bytes(b"1")
        with pytest.raises(DamagedFile, match="shorter"):
            Range(0, 0).read_into(files, 0, memoryview(bytearray(8)))
    path.unlink()
    with pytest.raises(DamagedFile, match="cannot be read"):
        SourceFiles([path]).file(0)


def test_nothing_is_read_after_closing(tmp_path: Path):
    path = tmp_path / "x"
    path.write_bytes(bytes(64))
    files, turned = SourceFiles([path]), Turned(Range(0, 0), 4, 4, 4)
    turned.read_into(files, 0, memoryview(bytearray(64)))
    files.close()
    files.close()
    for storage in (turned, Range(0, 0)):
        with pytest.raises(ValueError, match="closed"):
            storage.read_into(files, 0, memoryview(bytearray(4)))
