"""What people hand over: models, LoRAs, states of three programs, folders, and all the rest."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.checkpoint import inspect
from engine.recognition import recognise
from engine.state import State, save_state
from engine.state_formats import StateFormat, export_state
from tests.tiny import write_tiny_pth


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return write_tiny_pth(folder / "rwkv7-tiny.pth", width=64, vocab=512)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return write_tiny_pth(folder / "rwkv7-wide.pth", width=128, vocab=512)


def lora(path: Path, rows: int = 64, more: dict[str, torch.Tensor] | None = None) -> Path:
    pairs = {
        "blocks.0.att.key.lora_A": torch.zeros(4, rows),
        "blocks.0.att.key.lora_B": torch.zeros(rows, 4),
        "blocks.1.ffn.key.lora_A": torch.zeros(8, rows),
        "blocks.1.ffn.key.lora_B": torch.zeros(4 * rows, 8),
    }
    torch.save(pairs | (more or {}), path)
    return path


def test_a_model(model):
    found = recognise(model)
    assert found.kind == "model"
    assert found.info == inspect(model)


def test_a_lora_and_the_models_that_it_fits(model, wide, tmp_path):
    path = lora(tmp_path / "style.pth", more={"blocks.0.ln1.weight": torch.ones(64)})
    found = recognise(path, [inspect(wide), inspect(model)])
    assert found.kind == "lora"
    assert found.lora is not None
    facts = found.lora
    assert (facts.rank, facts.matrices, facts.replaced, facts.alpha) == (8, 2, 1, None)
    assert [info.path for info in found.fitting] == [model]


def test_an_adapter_that_is_not_applied_is_refused(tmp_path):
    torch.save({"blocks.0.att.key.bone": torch.zeros(4, 64)}, tmp_path / "x.pth")
    found = recognise(tmp_path / "x.pth")
    assert found.kind == "refused"
    assert found.error is not None
    assert "Bone" in found.error.message


def test_states_of_every_program(model, wide, tmp_path):
    info = inspect(model)
    state = State.zeros(info.shape)
    state.wkv.normal_()
    forms: dict[str, StateFormat] = {"a.pth": "pth", "b.st": "web-rwkv", "c.safetensors": "skein"}
    for name, form in forms.items():
        export_state(tmp_path / name, state, form)
        found = recognise(tmp_path / name, [inspect(wide), info])
        assert found.kind == "state", name
        assert found.state is not None
        assert found.state.wkv_shape == (2, 1, 64, 64)
        assert [fit.path for fit in found.fitting] == [model]


def test_a_state_of_ours_knows_its_model(model, tmp_path):
    info = inspect(model)
    words = {"fingerprint": "of another", "name": "Pirate"}
    save_state(tmp_path / "s.safetensors", State.zeros(info.shape), words)
    found = recognise(tmp_path / "s.safetensors", [info])
    assert found.state is not None
    assert (found.state.name, found.state.fingerprint, found.fitting) == (
        "Pirate",
        "of another",
        (),
    )


def test_a_state_with_layers_of_two_sizes_is_refused(tmp_path):
    layers = {
        "blocks.0.att.time_state": torch.zeros(1, 64, 64),
        "blocks.1.att.time_state": torch.zeros(2, 64, 64),
    }
    save_file(layers, tmp_path / "x.st")
    found = recognise(tmp_path / "x.st")
    assert found.kind == "refused"


def test_folders(model, tmp_path):
    found = recognise(model.parent)
    assert (found.kind, found.models) == ("folder", 1)
    empty = recognise(tmp_path)
    assert empty.kind == "refused"
    assert empty.error is not None


@pytest.mark.parametrize("data", [b"", b"GGUF", b"hello", b"PK\x03\x04", bytes(64)])
def test_anything_else_is_refused_with_a_sentence(data, tmp_path):
    (tmp_path / "x.pth").write_bytes(data)
    found = recognise(tmp_path / "x.pth")
    assert found.kind == "refused"
    assert found.error is not None
    assert found.error.message.endswith(".")
    assert recognise(tmp_path / "absent.pth").kind == "refused"
