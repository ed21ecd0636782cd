"""A checkpoint under llama.cpp's names: every tensor once, in the layout that it reads."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader

from engine.bench_peers import require_peer
from engine.checkpoint.gguf_vocabulary import is_world, written_tokens
from engine.convert import convert
from engine.errors import EngineError
from engine.vocabulary import format_vocabulary, read_vocabulary, world_vocabulary_path
from tests.tiny import tiny_weights

VOCAB = 320


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 320 rows with the first 300 tokens of the World vocabulary."""
    folder = tmp_path_factory.mktemp("gguf")
    world = read_vocabulary(world_vocabulary_path())
    (folder / "vocabulary.txt").write_bytes(format_vocabulary({n: world[n] for n in range(1, 301)}))
    path = folder / "tiny.pth"
    torch.save(tiny_weights(vocab=VOCAB, dtype=torch.bfloat16), path)
    return path


def read(path: Path) -> dict[str, np.ndarray]:
    """Return fp32 tensors as the field's own reader has them, in numpy's order of sizes."""
    tensors = GGUFReader(path).tensors
    return {t.name: t.data.reshape([int(n) for n in t.shape[::-1]]) for t in tensors}


def test_names_and_layouts(path: Path, tmp_path: Path) -> None:
    weights = tiny_weights(vocab=VOCAB, dtype=torch.bfloat16)
    convert(path, tmp_path / "x.gguf", "f32")
    tensors = read(tmp_path / "x.gguf")
    assert len(tensors) == len(weights) - 2 * 5 + 3  # mixes fused, stand-ins for v
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


def test_what_is_quantised_and_what_is_not(path: Path, tmp_path: Path) -> None:
    convert(path, tmp_path / "x.gguf", "q8_0")
    reader = GGUFReader(tmp_path / "x.gguf")
    kinds = {t.name: t.tensor_type.name for t in reader.tensors}
    assert kinds["token_embd.weight"] == kinds["blk.1.channel_mix_value.weight"] == "Q8_0"
    assert kinds["blk.1.time_mix_w1.weight"] == kinds["blk.1.time_mix_lerp_fused.weight"] == "F32"
    assert kinds["blk.1.time_mix_g1.weight"] == "F16"


def test_facts_are_those_that_llama_cpp_asks_for(path: Path, tmp_path: Path) -> None:
    made = convert(path, tmp_path / "x.gguf", "bf16")
    fields = GGUFReader(tmp_path / "x.gguf").fields
    facts = {key: field.contents() for key, field in fields.items()}
    assert facts["general.architecture"] == "rwkv7"
    assert facts["rwkv7.block_count"] == 2
    assert facts["rwkv7.attention.gate_lora_rank"] == 32
    assert facts["skein.fingerprint"] == made.fingerprint
    assert len(facts["tokenizer.ggml.tokens"]) == VOCAB
    assert facts["tokenizer.ggml.tokens"][0] == "<s>"
    assert facts["tokenizer.ggml.tokens"][-1] == "[PAD319]"
    assert "tokenizer.chat_template" not in facts  # not the World vocabulary


def test_world_tokens_are_written_as_llama_cpp_writes_them() -> None:
    world = read_vocabulary(world_vocabulary_path())
    tokens = written_tokens(world, 65536)
    assert is_world(world)
    assert tokens[11] == (b"\\n", 1)
    assert tokens[65535] == (b"[PAD65535]", 5)


@pytest.mark.parametrize(
    ("name", "known"), [("rwkv", True), ("llama.cpp:Q8_0", True), ("llama", False), ("", False)]
)
def test_peers_that_there_are(name: str, known: bool) -> None:
    if known:
        require_peer(name)
        return
    with pytest.raises(EngineError, match="cannot compare"):
        require_peer(name)
