"""RWKV-4, 5 and 6: told by their tensors' names, measured, and refused where something is off."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.checkpoint import ModelInfo, inspect, open_checkpoint
from engine.checkpoint.info import ARCHITECTURE_WORDS
from engine.checkpoint.older_shape import OlderShape
from engine.errors import DamagedFile, EngineError, UnsupportedModel
from engine.tokenizer import load_tokenizer
from tests.engine.checkpoint.files import Weights, write_pth, write_st
from tests.older import DECAY_RANK, GENERATIONS, MIX_RANK, older_weights

SMALL: dict[str, Any] = {"vocab": 96, "width": 64, "head": 32}


def inspected(folder: Path, content: Weights) -> ModelInfo:
    return inspect(write_pth(folder / "older.pth", content))


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("writer", [write_pth, write_st])
def test_everything_is_inferred_from_the_tensors(tmp_path: Path, generation: str, writer):
    content = older_weights(generation, **SMALL, ffn=224, layers=3, dtype=torch.bfloat16)
    info = inspect(writer(tmp_path / "x", content))
    assert isinstance(info.shape, OlderShape)
    assert info.architecture == f"rwkv{generation[0]}"
    assert ARCHITECTURE_WORDS[info.architecture] == f"RWKV-{generation[0]}"
    assert (info.shape.older, info.shape.generation) == (generation, generation[0])
    sizes = (info.shape.layers, info.shape.width, info.shape.ffn, info.shape.vocab)
    assert sizes == (3, 64, 224, 96)
    assert info.shape.heads == (1 if generation == "4" else 2)
    ranks = (info.shape.mix_rank, info.shape.decay_rank)
    assert ranks == ((MIX_RANK, DECAY_RANK) if generation == "6" else (0, 0))
    assert info.parameters == sum(tensor.numel() for tensor in content.values())
    assert (info.weights, info.has_state) == ("bf16", False)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_fingerprint_survives_types_and_tells_models_apart(tmp_path: Path, generation: str):
    prints = {
        inspected(tmp_path, older_weights(generation, **SMALL, dtype=dtype)).fingerprint
        for dtype in (torch.float32, torch.bfloat16, torch.float16)
    }
    assert len(prints) == 1
    prints.add(inspected(tmp_path, older_weights(generation, **SMALL, seed=1)).fingerprint)
    tuned = older_weights(generation, **SMALL)
    tuned["blocks.1.att.key.weight"][0] *= -1
    prints.add(inspected(tmp_path, tuned).fingerprint)
    assert len(prints) == 3


@pytest.mark.parametrize("generation", GENERATIONS)
def test_squeezed_vectors_are_the_same_model(tmp_path: Path, generation: str):
    content = older_weights(generation, **SMALL)
    expected = inspected(tmp_path, content)
    squeezed = {name: t.squeeze() if t.shape[:1] == (1,) else t for name, t in content.items()}
    assert replace(inspected(tmp_path, squeezed), size_bytes=0) == replace(expected, size_bytes=0)


def test_a_bonus_may_be_a_logarithm(tmp_path: Path):
    content = older_weights("5.1", **SMALL)
    renamed = {name.replace("time_faaaa", "time_first"): t for name, t in content.items()}
    assert inspected(tmp_path, renamed).shape == inspected(tmp_path, content).shape


def test_a_tuned_beginning_is_seen(tmp_path: Path):
    path = write_pth(tmp_path / "x.pth", older_weights("6", **SMALL, start_state=True))
    with open_checkpoint(path) as checkpoint:
        assert checkpoint.info.has_state
        assert checkpoint.entries["blocks.1.att.time_state"].shape == (2, 32, 32)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_missing_tensor_is_named(tmp_path: Path, generation: str):
    whole = older_weights(generation, **SMALL)
    told_by = {"blocks.0.att.time_decay", "blocks.0.att.time_maa_x"}
    told_by |= {"blocks.0.att.gate.weight", "blocks.0.att.ln_x.weight"}
    for name in whole.keys() - told_by:
        with pytest.raises(DamagedFile, match=name.replace(".", r"\.")):
            inspected(tmp_path, {key: t for key, t in whole.items() if key != name})
    for name in told_by & whole.keys():
        with pytest.raises(EngineError):
            inspected(tmp_path, {key: t for key, t in whole.items() if key != name})


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_wrong_shape_is_refused(tmp_path: Path, generation: str):
    whole = older_weights(generation, **SMALL)
    for name, tensor in whole.items():
        with pytest.raises(DamagedFile):
            inspected(tmp_path, {**whole, name: torch.zeros(*tensor.shape, 3)})


def test_tensors_of_other_kinds_are_refused(tmp_path: Path):
    extra = {"blocks.0.att.tiny_q.weight": torch.zeros(4, 4)}
    with pytest.raises(UnsupportedModel, match=r"not a plain RWKV-4.*tiny_q"):
        inspected(tmp_path, older_weights("4", **SMALL) | extra)


@pytest.mark.parametrize("rows", [50277, 50304])
def test_models_of_the_pile_want_their_tokenizer(tmp_path: Path, rows: int):
    info = inspected(tmp_path, older_weights("4", vocab=rows, width=32, layers=1))
    assert info.tokenizer == "20B_tokenizer.json"
    with pytest.raises(EngineError, match=r"20B_tokenizer\.json is missing") as caught:
        load_tokenizer(info)
    assert "ChatRWKV" in caught.value.hint
    (tmp_path / "tokenizer.json").write_text("{}")
    assert inspect(info.path).tokenizer == "tokenizer.json"
    (tmp_path / "20B_tokenizer.json").write_text("{}")
    assert inspect(info.path).tokenizer == "20B_tokenizer.json"


def test_world_models_have_the_world_vocabulary(tmp_path: Path):
    info = inspected(tmp_path, older_weights("5.2", vocab=65536, width=32, layers=1))
    assert info.tokenizer == "world"
