"""Folders in the Hugging Face layouts: read as the .pth of the same model, or refused by name."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.checkpoint import inspect, open_checkpoint
from engine.checkpoint.names import unused_tensors
from engine.convert import convert
from engine.errors import DamagedFile, EngineError, UnsafeFile, UnsupportedModel
from engine.model import load_backend
from engine.strategy import Strategy
from engine.tokenizer import WorldTokenizer, load_tokenizer
from engine.vocabulary import format_vocabulary, read_vocabulary, world_vocabulary_path
from tests.engine.checkpoint.files import weights, write
from tests.engine.checkpoint.huggingface_files import LAYOUTS, fla, write_folder
from tests.reference import Reference, deviation


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_yields_what_the_pth_yields(tmp_path: Path, layout: str, shards: int):
    made = weights(layers=3)
    folder = write_folder(tmp_path / "a model", made, layout, shards)
    with (
        open_checkpoint(folder) as ours,
        open_checkpoint(write(tmp_path, "pth", made)) as plain,
    ):
        assert ours.shape == plain.shape
        assert set(ours.entries) - set(unused_tensors(ours.shape)) == set(plain.entries)
        for name, entry in plain.entries.items():
            assert ours.entries[name].shape == entry.shape
            assert np.array_equal(ours.read(name), plain.read(name)), name
        assert ours.info.fingerprint == plain.info.fingerprint
        assert (ours.info.format, ours.info.name) == ("huggingface", "a model")
        assert ours.info.size_bytes == sum(f.stat().st_size for f in folder.glob("*.safetensors"))
        assert len(ours.info.files) == shards


def test_turned_loras_are_read_in_any_part(tmp_path: Path):
    made = weights()
    with open_checkpoint(write_folder(tmp_path / "m", made)) as checkpoint:
        for name in ("blocks.1.att.w1", "blocks.1.att.g2"):
            whole = made[name].contiguous().view(torch.uint8).numpy().tobytes()
            for start, count in ((0, len(whole)), (7, 100), (len(whole) - 3, 3), (10, 0)):
                buffer = bytearray(count)
                checkpoint.read_into(name, memoryview(buffer), start, count)
                assert bytes(buffer) == whole[start : start + count]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors.index.json", ""])
def test_each_file_of_a_folder_stands_for_the_whole(tmp_path: Path, name: str):
    folder = write_folder(tmp_path / "m", weights(), shards=2)
    chosen = folder / (name or "model-00002-of-00002.safetensors")
    assert inspect(chosen) == inspect(folder)


def test_weights_alone_run_without_their_configuration(tmp_path: Path):
    folder = write_folder(tmp_path / "m", weights())
    path = (folder / "model.safetensors").rename(tmp_path / "alone.safetensors")
    info = inspect(path)
    assert (info.path, info.format) == (path, "safetensors")


def test_weights_as_a_pickle(tmp_path: Path):
    folder = write_folder(tmp_path / "m", weights())
    torch.save(fla(weights()), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert inspect(folder).fingerprint == inspect(write(tmp_path, "pth", weights())).fingerprint


def test_doubles_are_read_as_singles(tmp_path: Path):
    made = weights(dtype=torch.float32)
    wide = {name: tensor.double() for name, tensor in made.items()}
    for folder in (write_folder(tmp_path / "m", wide, "fla_first"), write(tmp_path, "pth", wide)):
        with open_checkpoint(folder) as checkpoint:
            assert checkpoint.info.weights == "fp32"
            for name in ("blocks.1.att.w1", "blocks.1.att.x_a", "blocks.1.ffn.key.weight"):
                wanted = made[name].numpy().reshape(checkpoint.entries[name].shape)
                assert np.array_equal(checkpoint.read(name), wanted)


def test_a_tied_head_is_the_embedding(tmp_path: Path):
    made = weights()
    made["head.weight"] = made["emb.weight"].clone()
    folder = write_folder(tmp_path / "m", made, tie_word_embeddings=True)
    named = fla(made)
    del named["lm_head.weight"]
    from safetensors.torch import save_file

    save_file(named, folder / "model.safetensors")
    with open_checkpoint(folder) as checkpoint:
        assert np.array_equal(checkpoint.read("head.weight"), checkpoint.read("emb.weight"))


# What is refused


def refusal(path: Path) -> EngineError:
    with pytest.raises(EngineError) as caught:
        inspect(path)
    assert caught.value.message.endswith(".")
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"hidden_size": 256}, "hidden_size = 256"),
        ({"num_hidden_layers": 3}, "num_hidden_layers = 3"),
        ({"vocab_size": 1}, "vocab_size = 1"),
        ({"intermediate_size": 1}, "intermediate_size = 1"),
        ({"head_dim": 32}, "head_dim = 32"),
    ],
)
def test_a_configuration_of_another_model(tmp_path: Path, said: dict, words: str):
    error = refusal(write_folder(tmp_path / "m", weights(), **said))
    assert isinstance(error, DamagedFile)
    assert words in error.message


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"model_type": "llama"}, "'llama', not RWKV"),
        ({"model_type": "rwkv6"}, "RWKV-6"),
        ({"model_type": "rwkv"}, "RWKV-4"),
        ({"model_type": "rwkv7_qwen2"}, "rwkv7_qwen2"),
        ({"attn": {"layers": [1]}}, "attention"),
        ({"norm_eps": 1e-6}, "norm_eps = 1e-06"),
        ({"norm_first": False}, "norm_first = False"),
    ],
)
def test_other_models_are_named_by_their_configuration(tmp_path: Path, said: dict, words: str):
    error = refusal(write_folder(tmp_path / "m", weights(), **said))
    assert isinstance(error, UnsupportedModel)
    assert words in error.message


def test_sizes_that_a_configuration_leaves_open_are_not_compared(tmp_path: Path):
    assert inspect(write_folder(tmp_path / "m", weights(), intermediate_size=None)).shape.ffn == 512


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", ".."])
def test_an_index_leads_nowhere_else(tmp_path: Path, name: str):
    folder = write_folder(tmp_path / "m", weights())
    shutil.copy(folder / "model.safetensors", tmp_path / "secret.safetensors")
    index = {"weight_map": {"model.embeddings.weight": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert isinstance(refusal(folder), UnsafeFile)


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path):
    folder = write_folder(tmp_path / "m", weights())
    os.rename(folder / "model.safetensors", tmp_path / "x.safetensors")
    (folder / "model.safetensors").symlink_to(tmp_path / "x.safetensors")
    assert isinstance(refusal(folder), UnsafeFile)


def hub_snapshot(tmp_path: Path) -> Path:
    """Return a folder as the hub's cache has it: links to blobs, the name a commit."""
    root = tmp_path / "models--RWKV--RWKV7-Goose-1.5B-HF"
    source = write_folder(tmp_path / "source", weights(), shards=2)
    snapshot = root / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    (root / "blobs").mkdir()
    for i, path in enumerate(sorted(source.iterdir())):
        path.rename(root / "blobs" / str(i))
        (snapshot / path.name).symlink_to(Path("../../blobs") / str(i))
    return snapshot


def test_links_into_the_hubs_own_cache_are(tmp_path: Path):
    info = inspect(hub_snapshot(tmp_path))
    assert info.name == "RWKV7-Goose-1.5B-HF"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"weight_map": {}}', '{"weight_map": [1]}'])
def test_a_broken_index(tmp_path: Path, content: str):
    folder = write_folder(tmp_path / "m", weights(), shards=2)
    (folder / "model.safetensors.index.json").write_text(content)
    assert isinstance(refusal(folder), DamagedFile)


@pytest.mark.parametrize("content", ["", "[]", "{" * 100_000])
def test_a_broken_configuration(tmp_path: Path, content: str):
    folder = write_folder(tmp_path / "m", weights())
    (folder / "config.json").write_text(content)
    assert isinstance(refusal(folder), DamagedFile)


def test_a_missing_shard(tmp_path: Path):
    folder = write_folder(tmp_path / "m", weights(), shards=3)
    (folder / "model-00002-of-00003.safetensors").unlink()
    assert "model-00002-of-00003.safetensors is missing" in refusal(folder).message
    (folder / "model.safetensors.index.json").unlink()
    assert "2 of 3" in refusal(folder).message


def test_a_folder_without_weights(tmp_path: Path):
    folder = write_folder(tmp_path / "m", weights())
    (folder / "model.safetensors").unlink()
    assert "no weights" in refusal(folder).message


def test_a_tensor_that_rwkv7_does_not_have(tmp_path: Path):
    made = weights() | {"blocks.0.att.surprise": torch.zeros(4)}
    assert "blocks.0.att.surprise" in refusal(write_folder(tmp_path / "m", made)).message


def test_closing_lets_go_of_every_file(tmp_path: Path):
    folder = write_folder(tmp_path / "m", weights(), shards=3)
    checkpoint = open_checkpoint(folder)
    checkpoint.read("blocks.1.att.w1")
    assert open_paths(tmp_path)
    checkpoint.close()
    assert not open_paths(tmp_path)
    with pytest.raises(ValueError, match="closed"):
        checkpoint.read("ln_out.weight")


def open_paths(folder: Path) -> list[str]:
    """Return which files below a folder this process has open (Linux tells)."""
    handles = Path("/proc/self/fd")
    if not handles.is_dir():
        pytest.fail("this test needs /proc")
    found = []
    for handle in handles.iterdir():
        try:
            found.append(os.readlink(handle))
        except OSError:  # the one that lists
            continue
    return [path for path in found if path.startswith(str(folder))]


# Vocabularies


WORLD = weights(layers=1, width=64, vocab=65536)


def test_the_world_vocabulary_is_known_in_every_spelling(tmp_path: Path):
    folder = write_folder(tmp_path / "m", WORLD)
    assert inspect(folder).tokenizer == "world"
    text = world_vocabulary_path().read_bytes()
    path = folder / "rwkv_vocab_v20230424.txt"
    for spelling in (text, text.replace(b"\n", b"\r\n"), b"\n".join(text.split(b"\n")[::-1])):
        path.write_bytes(spelling)
        assert inspect(folder).tokenizer == "world"


def test_a_vocabulary_of_its_own_is_used(tmp_path: Path):
    folder = write_folder(tmp_path / "m", WORLD)
    lines = world_vocabulary_path().read_bytes().split(b"\n")
    lines[-2] = b"65529 'skein-own-word' 14"
    (folder / "rwkv_vocab_v20260603.txt").write_bytes(b"\n".join(lines))
    info = inspect(folder)
    assert info.tokenizer == "rwkv_vocab_v20260603.txt"
    assert load_tokenizer(info).encode("skein-own-word") == [65529]


def test_the_vocabulary_of_transformers_own_tokenizer(tmp_path: Path):
    folder = write_folder(tmp_path / "m", WORLD, "transformers")
    world = read_vocabulary(world_vocabulary_path())
    spelt = {data.decode("latin-1"): token for token, data in world.items()}
    spelt |= {"<|endoftext|>": 0, "<|rwkv_unused_65530|>": 65530}
    path = folder / "vocab.json"
    path.write_text(json.dumps(spelt), encoding="utf-8")
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "RWKV7LongestMatch"}}))
    assert inspect(folder).tokenizer == "world"
    spelt["skein-own-word"] = spelt.pop(world[65000].decode("latin-1"))
    path.write_text(json.dumps(spelt), encoding="utf-8")
    info = inspect(folder)
    assert info.tokenizer == "vocab.json"
    tokenizer = load_tokenizer(info)
    assert isinstance(tokenizer, WorldTokenizer)
    assert tokenizer.encode("skein-own-word") == [65000]


def test_such_a_model_keeps_its_vocabulary_when_it_is_converted(tmp_path: Path):
    folder = write_folder(tmp_path / "m", WORLD)
    tokens = read_vocabulary(world_vocabulary_path()) | {65529: b"skein-own-word"}
    (folder / "rwkv_vocab_v20260603.txt").write_bytes(format_vocabulary(tokens))
    for name in ("x.pth", "x.gguf"):
        convert(folder, tmp_path / name)
        info = inspect(tmp_path / name)
        assert info.tokenizer != "world"
        assert load_tokenizer(info).encode("skein-own-word") == [65529]


def test_a_small_vocabulary_in_the_same_folder_is_another_models(tmp_path: Path):
    path = write(tmp_path, "safetensors", WORLD)
    world = read_vocabulary(world_vocabulary_path())
    few = {token: world[token] for token in range(1, 400)}
    (tmp_path / "vocabulary.txt").write_bytes(format_vocabulary(few))
    assert inspect(path).tokenizer == "world"


def test_a_tokenizer_of_the_pile(tmp_path: Path):
    folder = write_folder(tmp_path / "m", weights())
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "BPE", "vocab": {}}}))
    assert inspect(folder).tokenizer == "tokenizer.json"


@pytest.mark.parametrize("layout", ["fla", "transformers"])
def test_it_runs_as_the_reference_says(tmp_path: Path, layout: str):
    made = weights(dtype=torch.float32)
    backend = load_backend(
        inspect(write_folder(tmp_path / "m", made, layout, 2)), Strategy.parse("cpu fp32")
    )
    tokens = [3, 200, 7, 7, 91]
    ours = backend.forward(tokens, backend.new_state()).double().numpy()
    backend.close()
    truth = Reference(made)
    assert deviation(truth.forward(tokens, truth.new_state())[-1], ours) < 1e-4
