"""Deleting a model takes its own files, and nothing else that lies beside them."""

from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.hub.removal import remove_model
from tests.engine.checkpoint.huggingface_files import write_folder
from tests.tiny import tiny_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = write_folder(tmp_path / "m", tiny_weights(width=64, vocab=80), shards=2)
    for name in ("README.md", "modeling_rwkv7.py", "rwkv_vocab_v20230424.txt"):
        (path / name).write_text("x")
    return path


def test_a_folder_that_is_only_a_model_goes(folder: Path):
    remove_model(folder)
    assert not folder.exists()


def test_what_else_lies_in_the_folder_stays(folder: Path):
    (folder / "thesis.txt").write_text("years of work")
    (folder / "photos").mkdir()
    (folder / "other.safetensors").write_bytes(b"another model")
    remove_model(folder)
    left = {path.name for path in folder.iterdir()}
    assert left == {"thesis.txt", "photos", "other.safetensors", "README.md"}


def test_weights_under_a_name_of_their_own(tmp_path: Path):
    path = write_folder(tmp_path / "m", tiny_weights(width=64, vocab=80))
    (path / "model.safetensors").rename(path / "mine.safetensors")
    remove_model(path)
    assert not path.exists()


def test_a_file(tmp_path: Path):
    path = tmp_path / "a.pth"
    path.write_bytes(b"x")
    remove_model(path)
    remove_model(path)  # somebody was quicker
    assert not path.exists()


def test_the_bytes_in_the_hubs_cache_go(tmp_path: Path, folder: Path):
    root = tmp_path / "models--a--b"
    snapshot = root / "snapshots" / "commit"
    snapshot.mkdir(parents=True)
    (root / "blobs").mkdir()
    for i, path in enumerate(sorted(folder.iterdir())):
        path.rename(root / "blobs" / str(i))
        (snapshot / path.name).symlink_to(Path("../../blobs") / str(i))
    remove_model(snapshot)
    assert not snapshot.exists()
    assert not list((root / "blobs").iterdir())


def test_what_cannot_be_deleted_says_so(tmp_path: Path):
    with pytest.raises(EngineError, match="could not be deleted"):
        remove_model(tmp_path / ("x" * 300))
