"""A checkpoint under llama.cpp's names: every tensor once, in the layout that it reads."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.bench_peers import require_peer
from engine.checkpoint import open_checkpoint
from engine.errors import EngineError
from engine.gguf_export import _escaped, _tensors, export_gguf
from tests.tiny import tiny_weights


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.pth"
    torch.save(tiny_weights(vocab=320, dtype=torch.bfloat16), path)
    return path


def test_names_and_layouts(path: Path) -> None:
    weights = tiny_weights(vocab=320, dtype=torch.bfloat16)
    with open_checkpoint(path) as checkpoint:
        names = [name for name, _ in _tensors(checkpoint)]
        tensors = dict(_tensors(checkpoint))
    assert len(names) == len(tensors) == len(weights) - 2 * 5 + 3  # mixes fused, stand-ins for v
    assert tensors["blk.1.time_mix_lerp_fused.weight"].shape == (6, 1, 1, 128)
    assert tensors["blk.1.time_mix_v1.weight"].shape == (8, 128)
    assert tensors["blk.0.time_mix_v1.weight"].shape == (24, 128)  # the rank of a
    assert tensors["blk.0.time_mix_r_k.weight"].shape == (128,)
    for letter, mix in zip("rwkvag", tensors["blk.1.time_mix_lerp_fused.weight"], strict=True):
        expected = weights[f"blocks.1.att.x_{letter}"].float().numpy().ravel()
        assert np.array_equal(mix.ravel(), expected)
    expected = weights["blocks.1.att.g2"].float().numpy().T
    assert np.array_equal(tensors["blk.1.time_mix_g2.weight"], expected)
    assert np.array_equal(tensors["output.weight"], weights["head.weight"].float().numpy())


@pytest.mark.parametrize(
    ("data", "text"), [(b"a 'b'", b"a 'b'"), (b"\\\n\xff", b"\\x5c\\x0a\\xff"), (b"", b"")]
)
def test_tokens_are_escaped(data: bytes, text: bytes) -> None:
    assert _escaped(data) == text


def test_a_missing_package_is_told(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(EngineError, match="gguf") as caught:
        export_gguf(path, tmp_path / "x.gguf", "BF16")
    assert "pip install" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "known"), [("rwkv", True), ("llama.cpp:Q8_0", True), ("llama", False), ("", False)]
)
def test_peers_that_there_are(name: str, known: bool) -> None:
    if known:
        require_peer(name)
        return
    with pytest.raises(EngineError, match="cannot compare"):
        require_peer(name)
