"""Every other kind of file is named in its refusal, with what to do instead."""

from pathlib import Path

import pytest
import torch

from engine.checkpoint import inspect
from engine.errors import DamagedFile, EngineError, UnsupportedModel
from tests.engine.checkpoint.files import weights, write_pth, write_st

RWKV7 = ("emb.weight", "blocks.0.ln1.weight", "blocks.0.att.r_k", "blocks.0.ffn.key.weight")

NAMES = {
    "RWKV-7b": (*RWKV7, "blocks.0.qkv.k_emb.weight"),
    "Heron": (*RWKV7, "blocks.0.ffn.enn.weight"),
    "ROSA": (*RWKV7, "blocks.0.rosa.emb0.weight"),
    "one part of a model": (
        "model.embeddings.weight",
        "model.layers.0.pre_norm.weight",
        "model.layers.0.attn.w_lora.lora.0.weight",
    ),
    "older RWKV": ("rwkv.embeddings.weight", "rwkv.blocks.0.attention.time_decay"),
    "ARWKV": (
        "model.layers.0.self_attn.r_k",
        "model.layers.0.self_attn.w_lora.lora.0.weight",
        "model.layers.0.mlp.gate_proj.weight",
    ),
    "LoRA": ("blocks.0.att.receptance.lora_A", "blocks.0.att.receptance.lora_B"),
    "saved state": ("blocks.0.att.time_state", "blocks.1.att.time_state"),
    "state, not a model": ("att_shift", "wkv", "ffn_shift", "logits"),
    "training checkpoint": ("_forward_module.emb.weight", "_forward_module.blocks.0.att.r_k"),
    "Transformer": ("model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight"),
    "a Transformer model": ("transformer.h.0.attn.c_attn.weight",),
    "no RWKV-7": ("conv1.weight", "fc.bias"),
}


def refusal(path: Path) -> EngineError:
    with pytest.raises(EngineError) as caught:
        inspect(path)
    error = caught.value
    assert path.name in error.message
    assert error.hint
    assert error.message.endswith(".")
    assert "\n" not in error.message
    return error


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("form", ["pth", "safetensors"])
def test_other_models_are_named(tmp_path: Path, kind: str, form: str):
    tensors = {name: torch.zeros(2) for name in NAMES[kind]}
    writer = write_pth if form == "pth" else write_st
    error = refusal(writer(tmp_path / f"x.{form}", tensors))
    assert isinstance(error, UnsupportedModel)
    assert kind in error.message


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({"model": {"emb.weight": torch.zeros(2)}}, "'model'"),
        ({"state_dict": {}, "optimizer": {}, "epoch": 3, "lr": 0.1}, "'state_dict'"),
        (weights(layers=1) | {"step": 5}, "'step'"),
        ([torch.zeros(3), torch.zeros(3)], "a list"),
        (torch.zeros(3), "one tensor"),
        (7, "a single value"),
    ],
)
def test_training_checkpoints_and_single_things(tmp_path: Path, content: object, word: str):
    error = refusal(write_pth(tmp_path / "x.pth", content))
    assert isinstance(error, UnsupportedModel)
    assert word in error.message


def test_files_from_before_the_archive_format(tmp_path: Path):
    path = tmp_path / "old.pth"
    torch.save({"emb.weight": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)
    error = refusal(path)
    assert isinstance(error, UnsupportedModel)
    assert "2020" in error.message


def test_folders(tmp_path: Path):
    assert isinstance(refusal(tmp_path), UnsupportedModel)
    (tmp_path / "config.json").write_text("{}")
    assert "no weights" in refusal(tmp_path).message


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS"),
        (b"hello", "no model at all"),
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_is_no_model_at_all(tmp_path: Path, content: bytes, word: str, suffix: str):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    error = refusal(path)
    assert isinstance(error, DamagedFile)
    assert word in error.message


def test_missing_files(tmp_path: Path):
    assert isinstance(refusal(tmp_path / "nowhere.pth"), DamagedFile)
    with pytest.raises(DamagedFile):
        inspect("nul\0byte.pth")
