"""Files as Ai00's converter writes them for web-rwkv: fp16, the low-rank pairs turned."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.checkpoint import inspect, open_checkpoint
from engine.checkpoint.entries import TensorEntry
from engine.checkpoint.turned_pairs import straightened
from engine.errors import DamagedFile
from tests.engine.checkpoint.files import Weights, weights, write

PAIRS = ("w1", "w2", "a1", "a2", "v1", "v2", "g1", "g2")


def turned(content: Weights) -> Weights:
    """Do by hand what that script does."""
    return {
        name: (t.half().T if name.endswith(PAIRS) else t.half()).contiguous()
        for name, t in content.items()
    }


def test_pairs_are_turned_back(tmp_path: Path):
    original = weights()
    save_file(turned(original), tmp_path / "x.st")
    plain = inspect(write(tmp_path, "pth", original))
    info = inspect(tmp_path / "x.st")
    assert (info.shape, info.fingerprint) == (plain.shape, plain.fingerprint)
    with open_checkpoint(tmp_path / "x.st") as checkpoint:
        for name in original:
            expected = original[name].half().squeeze().numpy()
            assert np.array_equal(checkpoint.read(name), expected), name


def test_what_is_straight_stays_so(tmp_path: Path):
    original = weights()
    save_file({name: t.contiguous() for name, t in original.items()}, tmp_path / "x.safetensors")
    with open_checkpoint(tmp_path / "x.safetensors") as checkpoint:
        assert not any(entry.other for entry in checkpoint.entries.values())


def test_a_rank_as_large_as_the_model_tells_nothing():
    square = weights(ranks=(128, 24, 8, 32))
    entries = {
        name: TensorEntry(name, "fp16", tuple(t.shape), 0, 2 * t.numel())
        for name, t in turned(square).items()
    }
    assert straightened(entries)["blocks.0.att.a1"].shape == (128, 24)
    only = {"emb.weight": entries["emb.weight"], "blocks.0.att.w1": entries["blocks.0.att.w1"]}
    assert straightened(only) == only
    assert straightened({"lora_A": entries["blocks.0.att.a1"]}).keys() == {"lora_A"}


def test_tensors_of_other_shapes_are_left_to_the_check(tmp_path: Path):
    content = turned(weights())
    content["blocks.1.att.a2"] = torch.zeros(3, dtype=torch.float16)
    save_file(content, tmp_path / "x.st")
    with pytest.raises(DamagedFile, match=r"blocks\.1\.att\.a2"):
        inspect(tmp_path / "x.st")
