"""Deleting a model deletes a model, and nothing else."""

import json
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.hub.removal import remove_model


def folder(path: Path, *names: str) -> Path:
    path.mkdir(parents=True)
    for name in names:
        (path / name).write_text(name)
    return path


def test_a_file(tmp_path):
    (tmp_path / "a.pth").write_text("a")
    (tmp_path / "b.pth").write_text("b")
    remove_model(tmp_path / "a.pth")
    remove_model(tmp_path / "absent.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["b.pth"]


def test_a_folder_goes_with_all_of_the_model(tmp_path):
    names = ("config.json", "model-00001-of-00001.safetensors", "model.safetensors.index.json")
    model = folder(tmp_path / "m", *names, "tokenizer_config.json", "rwkv_vocab_v20230424.txt")
    remove_model(model)
    assert not model.exists()


def test_what_only_lies_beside_it_stays(tmp_path):
    model = folder(tmp_path / "m", "config.json", "model.safetensors", "diary.txt", "train.py")
    folder(model / "checkpoints", "model.safetensors")
    remove_model(model)
    left = sorted(str(path.relative_to(model)) for path in model.rglob("*") if path.is_file())
    assert left == ["checkpoints/model.safetensors", "diary.txt", "train.py"]


def test_loras_and_states_beside_a_model_stay(tmp_path):
    model = folder(tmp_path / "m", "config.json", "model.safetensors")
    for name in ("my_lora.safetensors", "persona.safetensors"):
        (model / name).write_text(name)
    remove_model(model)
    assert sorted(path.name for path in model.iterdir()) == [
        "my_lora.safetensors", "persona.safetensors",
    ]  # fmt: skip


def test_weights_under_a_name_of_their_own_go(tmp_path):
    alone = folder(tmp_path / "alone", "config.json", "rwkv.safetensors")
    remove_model(alone)
    indexed = folder(tmp_path / "indexed", "config.json", "a.safetensors", "b.safetensors")
    places = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}
    (indexed / "model.safetensors.index.json").write_text(json.dumps(places))
    remove_model(indexed)
    assert not alone.exists()
    assert not indexed.exists()


def test_the_hubs_cache_gives_its_bytes_back(tmp_path):
    blobs = folder(tmp_path / "models--a--b" / "blobs", "1", "2", "other")
    snapshot = folder(tmp_path / "models--a--b" / "snapshots" / "commit")
    (snapshot / "config.json").symlink_to(blobs / "1")
    (snapshot / "model.safetensors").symlink_to(blobs / "2")
    remove_model(snapshot)
    assert not snapshot.exists()
    assert [path.name for path in blobs.iterdir()] == ["other"]


def test_what_cannot_be_deleted_is_said(tmp_path, monkeypatch):
    (tmp_path / "a.pth").write_text("a")

    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(EngineError, match=r"a\.pth could not be deleted: Permission denied"):
        remove_model(tmp_path / "a.pth")
