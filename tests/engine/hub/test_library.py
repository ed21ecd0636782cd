"""What is found on a disk, and what is passed over."""

import os
from pathlib import Path

import pytest
import torch

from engine.folders import Folders
from engine.hub.library import hub_cache, model_places, scan
from engine.settings import Settings
from tests.engine.checkpoint.huggingface_files import write_folder
from tests.tiny import tiny_weights, write_tiny_pth


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / "rwkv7-tiny.pth"
    write_tiny_pth(path, width=64, vocab=256)
    return path


def test_a_model_is_found_with_what_it_holds(model):
    (found,) = scan([model.parent])
    assert found.path == model
    assert found.info is not None
    assert found.info.shape.layers == 2
    assert found.problem == ""


def test_a_file_may_be_named_itself(model):
    assert [m.path for m in scan([model, model.parent])] == [model]


def test_a_damaged_file_says_why_and_hides_nothing(model):
    (model.parent / "broken.pth").write_bytes(model.read_bytes()[:5000])
    (model.parent / "random.safetensors").write_bytes(os.urandom(3000))
    (model.parent / "later.gguf").write_bytes(b"GGUF" + bytes(100))
    good, *bad = scan([model.parent])
    assert good.path == model
    assert len(bad) == 3
    assert all(m.info is None and m.problem for m in bad)


@pytest.mark.parametrize(
    "name", ["x.pth.part", "x.pth.incomplete", "x.pth.damaged", ".x.pth", "._x.pth", "x.txt", "x"]
)
def test_what_is_not_whole_or_not_a_model_is_not_offered(model, name):
    (model.parent / name).write_bytes(model.read_bytes())
    assert len(scan([model.parent])) == 1


def test_a_file_that_another_program_still_writes_is_not_offered(model):
    (model.parent / "rwkv7-tiny.pth.aria2").touch()
    assert scan([model.parent]) == []


def test_missing_and_closed_places_are_passed_over(model, tmp_path):
    assert len(scan([tmp_path / "absent", model.parent, Path("/dev/null"), Path("")])) >= 1


def test_links_are_followed_once(model, tmp_path):
    (model.parent / "circle").symlink_to(model.parent)
    (model.parent / "again.pth").symlink_to(model)
    (model.parent / "broken-link.pth").symlink_to(tmp_path / "absent")
    assert len(scan([model.parent])) == 1


def test_the_hubs_cache_is_understood(model, tmp_path):
    cache = tmp_path / "hub"
    for repo in ("models--BlinkDL--rwkv7-g1", "models--other--llama", "datasets--rwkv--x"):
        blob = cache / repo / "blobs" / "abc"
        blob.parent.mkdir(parents=True)
        blob.write_bytes(model.read_bytes())
        (blob.parent / "abc.incomplete").write_bytes(b"half")
        snapshot = cache / repo / "snapshots" / "commit"
        snapshot.mkdir(parents=True)
        (snapshot / "rwkv7-cached.pth").symlink_to(blob)
    (found,) = scan([cache])
    assert found.path.name == "rwkv7-cached.pth"
    assert found.info is not None


def test_a_folder_in_the_hugging_face_layout_is_one_model(tmp_path):
    folder = write_folder(tmp_path / "rwkv7-0.1B-g1", tiny_weights(width=64, vocab=256), shards=2)
    (found,) = scan([tmp_path])
    assert found.path == folder
    assert found.info is not None
    assert (found.info.format, found.info.shape.width) == ("huggingface", 64)
    assert scan([folder]) == [found]


def test_such_a_folder_of_another_model_says_so(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    (found,) = scan([tmp_path])
    assert found.info is None
    assert "llama" in found.problem


def test_loras_and_states_are_known_as_such(tmp_path):
    pair = {"blocks.0.att.key.lora_A": torch.zeros(4, 64)}
    torch.save(pair | {"blocks.0.att.key.lora_B": torch.zeros(64, 4)}, tmp_path / "a.pth")
    torch.save({"blocks.0.att.time_state": torch.zeros(1, 64, 64)}, tmp_path / "b.pth")
    torch.save({"c": torch.zeros(1)}, tmp_path / "c.pth")
    assert [m.kind for m in scan([tmp_path])] == ["lora", "state", ""]


def test_places(folders: Folders, tmp_path):
    places = model_places(folders, Settings(model_folders=(str(tmp_path),)))
    assert places[:2] == [folders.models, tmp_path]
    moved = Settings(models_folder=str(tmp_path / "big disk"))
    assert model_places(folders, moved)[0] == tmp_path / "big disk"


def test_where_the_hub_keeps_its_cache():
    assert hub_cache({"HF_HUB_CACHE": "/a"}) == Path("/a")
    assert hub_cache({"HF_HOME": "/b"}) == Path("/b/hub")
    assert hub_cache({"XDG_CACHE_HOME": "/c"}) == Path("/c/huggingface/hub")
    assert hub_cache({}) == Path.home() / ".cache/huggingface/hub"
