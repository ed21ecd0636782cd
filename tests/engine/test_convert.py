"""Models in other formats: the same weights, whole or not there, and other engines read them."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.checkpoint import inspect, open_checkpoint
from engine.convert import convert
from engine.errors import Cancelled, DamagedFile, EngineError, UnsupportedModel
from engine.lora_files import LoraUse
from engine.model import load_backend
from engine.strategy import Strategy
from engine.tokenizer import load_tokenizer
from engine.vocabulary import format_vocabulary, read_vocabulary
from tests.engine.checkpoint.huggingface_files import write_folder
from tests.peer_engines import greedy
from tests.tiny import tiny_weights

VOCAB = 512
TOKENS = [3, 141, 59, 300]
VOCABULARY = {n + 1: bytes((n,)) for n in range(256)} | {257: b" goose", 258: "天".encode()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bf16 .pth with a vocabulary of its own beside it."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "vocabulary.txt").write_bytes(format_vocabulary(VOCABULARY))
    torch.save(tiny_weights(vocab=VOCAB, dtype=torch.bfloat16), folder / "tiny.pth")
    return folder / "tiny.pth"


def tensors(path: Path) -> dict[str, np.ndarray]:
    with open_checkpoint(path) as checkpoint:
        return {name: as_fp32(checkpoint.read(name)) for name in checkpoint.entries}


def as_fp32(values: np.ndarray) -> np.ndarray:
    wide = values.astype(np.uint32) << 16 if values.dtype == np.uint16 else None
    return values.astype(np.float32) if wide is None else wide.view(np.float32)


def same(one: Path, other: Path) -> bool:
    first, second = tensors(one), tensors(other)
    assert first.keys() == second.keys()
    return all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("form", ["pth", "safetensors", "gguf"])
def test_there_and_back_is_the_same_model(tmp_path: Path, source: Path, form: str) -> None:
    there = convert(source, tmp_path / f"x.{form}")
    assert there == inspect(tmp_path / f"x.{form}")
    assert (there.format, there.weights) == (form, "bf16")
    assert there.fingerprint == inspect(source).fingerprint
    back = convert(tmp_path / f"x.{form}", tmp_path / "back.pth")
    assert same(tmp_path / "back.pth", source)
    assert back.fingerprint == there.fingerprint


def test_a_pth_is_as_blinkdls_are(tmp_path: Path, source: Path) -> None:
    convert(source, tmp_path / "x.gguf")
    convert(tmp_path / "x.gguf", tmp_path / "x.pth")
    made, original = (torch.load(p, weights_only=True) for p in (tmp_path / "x.pth", source))
    assert {n: t.shape for n, t in made.items()} == {n: t.shape for n, t in original.items()}
    assert all(torch.equal(made[name], original[name]) for name in original)


@pytest.mark.parametrize("kind", ["f32", "f16", "bf16"])
def test_types(tmp_path: Path, source: Path, kind: str) -> None:
    made = convert(source, tmp_path / "x.safetensors", kind)
    assert made.weights == {"f32": "fp32", "f16": "fp16", "bf16": "bf16"}[kind]


def test_q8_0_keeps_the_fingerprint_and_stays_as_it_is(tmp_path: Path, source: Path) -> None:
    made = convert(source, tmp_path / "x.gguf", "q8_0")
    assert (made.weights, made.fingerprint) == ("Q8_0", inspect(source).fingerprint)
    again = convert(tmp_path / "x.gguf", tmp_path / "y.gguf")
    assert (again.weights, again.fingerprint) == (made.weights, made.fingerprint)
    assert same(tmp_path / "x.gguf", tmp_path / "y.gguf")
    assert convert(tmp_path / "x.gguf", tmp_path / "z.pth").weights == "fp16"


def test_st_has_its_pairs_turned_as_its_readers_want_them(tmp_path: Path, source: Path) -> None:
    from safetensors.torch import load_file

    made = convert(source, tmp_path / "x.st")
    assert made.weights == "fp16"
    raw = load_file(tmp_path / "x.st")
    assert raw["blocks.1.att.w1"].shape == (16, 128)
    assert raw["blocks.1.att.g2"].shape == (128, 32)
    convert(source, tmp_path / "half.pth", "f16")
    assert same(tmp_path / "x.st", tmp_path / "half.pth")


def test_loras_are_merged(tmp_path: Path, source: Path) -> None:
    rng = torch.Generator().manual_seed(1)
    pair = {
        "blocks.1.att.key.lora_A": torch.randn(4, 128, generator=rng),
        "blocks.1.att.key.lora_B": torch.randn(128, 4, generator=rng),
    }
    torch.save(pair, tmp_path / "lora.pth")
    uses = [LoraUse(tmp_path / "lora.pth", 0.5)]
    convert(source, tmp_path / "x.pth", "f32", uses)
    name = "blocks.1.att.key.weight"
    change = 0.5 * (pair["blocks.1.att.key.lora_B"] @ pair["blocks.1.att.key.lora_A"])
    expected = tensors(source)[name] + change.numpy()
    assert np.allclose(tensors(tmp_path / "x.pth")[name], expected, atol=1e-5)
    quantised = convert(source, tmp_path / "x.gguf", "q8_0", uses)
    assert quantised.fingerprint == inspect(tmp_path / "x.pth").fingerprint
    assert quantised.fingerprint != inspect(source).fingerprint


@pytest.mark.parametrize("form", ["pth", "safetensors"])
def test_an_initial_state_goes_along(tmp_path: Path, source: Path, form: str) -> None:
    weights = tiny_weights(vocab=VOCAB)
    for i in range(2):
        weights[f"blocks.{i}.att.time_state"] = torch.randn(2, 64, 64)
    torch.save(weights, tmp_path / "tuned.pth")
    made = convert(tmp_path / "tuned.pth", tmp_path / f"x.{form}")
    assert made.has_state
    with open_checkpoint(made.path) as one, open_checkpoint(tmp_path / "tuned.pth") as other:
        assert np.array_equal(one.read_start(), other.read_start())  # type: ignore[arg-type]
    with pytest.raises(UnsupportedModel, match="initial state"):
        convert(tmp_path / "tuned.pth", tmp_path / "x.gguf")


def test_deep_embedding_is_converted(tmp_path: Path) -> None:
    torch.save(tiny_weights(vocab=VOCAB, deep=4), tmp_path / "deep.pth")
    made = convert(tmp_path / "deep.pth", tmp_path / "x.safetensors")
    assert made.architecture == "rwkv7a"
    assert same(tmp_path / "deep.pth", tmp_path / "x.safetensors")
    with pytest.raises(UnsupportedModel, match="no GGUF"):
        convert(tmp_path / "deep.pth", tmp_path / "x.gguf")


def test_the_vocabulary_goes_along(tmp_path: Path, source: Path) -> None:
    convert(source, tmp_path / "x.gguf")
    folder = tmp_path / "alone"
    folder.mkdir()
    made = convert(tmp_path / "x.gguf", folder / "x.pth")
    assert read_vocabulary(folder / "vocabulary.txt") == VOCABULARY
    texts = "a goose 天\n"
    expected = load_tokenizer(inspect(source)).encode(texts)
    assert load_tokenizer(made).encode(texts) == expected
    assert load_tokenizer(inspect(tmp_path / "x.gguf")).encode(texts) == expected


def test_another_models_vocabulary_is_left_alone(tmp_path: Path, source: Path) -> None:
    (tmp_path / "vocabulary.txt").write_bytes(format_vocabulary({**VOCABULARY, 300: b"other"}))
    with pytest.raises(EngineError, match="another model"):
        convert(source, tmp_path / "x.pth")
    assert not (tmp_path / "x.pth").exists()


def test_a_tokenizer_json_goes_along_but_into_no_gguf(tmp_path: Path, source: Path) -> None:
    folder = tmp_path / "json"
    folder.mkdir()
    shutil.copy(source, folder / "m.pth")
    (folder / "tokenizer.json").write_text("{}")
    convert(folder / "m.pth", tmp_path / "x.safetensors")
    assert (tmp_path / "tokenizer.json").read_text() == "{}"
    with pytest.raises(UnsupportedModel, match="cannot hold"):
        convert(folder / "m.pth", tmp_path / "x.gguf")


def large_vocabulary() -> dict[int, bytes]:
    """As large as World's, and another."""
    return {**VOCABULARY, **{n: b"%030d" % n for n in range(300, 20000)}}


def with_world_rows(folder: Path) -> Path:
    """Write a model of as many rows as World's, which has another vocabulary beside it."""
    folder.mkdir()
    torch.save(tiny_weights(layers=1, width=64, dtype=torch.bfloat16), folder / "own.pth")
    (folder / "vocabulary.txt").write_bytes(format_vocabulary(large_vocabulary()))
    return folder / "own.pth"


def test_no_neighbour_gets_another_vocabulary(tmp_path: Path) -> None:
    own = with_world_rows(tmp_path / "own")
    (tmp_path / "world.pth").write_text("a model of World")
    with pytest.raises(EngineError, match="would take for theirs"):
        convert(own, tmp_path / "x.pth")
    assert not (tmp_path / "vocabulary.txt").exists()
    (tmp_path / "world.pth").unlink()
    assert convert(own, tmp_path / "x.pth").tokenizer == "vocabulary.txt"


def test_a_vocabulary_that_would_be_lost_is_told(tmp_path: Path) -> None:
    """A small one beside a model with World's rows is no sign: it may be another model's."""
    folder = write_folder(tmp_path / "hf", tiny_weights(layers=1, width=64))
    (folder / "vocabulary.txt").write_bytes(format_vocabulary(VOCABULARY))
    (tmp_path / "out").mkdir()
    with pytest.raises(UnsupportedModel, match="taken for one of the World"):
        convert(folder, tmp_path / "out" / "x.pth")
    assert not any((tmp_path / "out").iterdir())
    assert convert(folder, tmp_path / "out" / "x.gguf").tokenizer == "gguf"


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("x.bin", "", "suffix"),
        ("x.pth", "q4_k", "no number type"),
        ("x.pth", "q8_0", "hold no Q8_0"),
        ("x.st", "bf16", "want f16"),
        ("nowhere/x.pth", "", "no folder"),
        ("there.pth", "", "there already"),
    ],
)
def test_what_cannot_be_written_is_told(
    tmp_path: Path, source: Path, name: str, kind: str, words: str
) -> None:
    (tmp_path / "there.pth").write_text("old")
    with pytest.raises(EngineError, match=words):
        convert(source, tmp_path / name, kind)
    assert [path.name for path in tmp_path.iterdir()] == ["there.pth"]


def test_a_model_is_not_written_over_itself(source: Path) -> None:
    with pytest.raises(EngineError, match="written over"):
        convert(source, source, overwrite=True)


@pytest.mark.parametrize("shards", [1, 2])
def test_no_part_of_a_folder_is_written_over(tmp_path: Path, shards: int) -> None:
    folder = write_folder(tmp_path / "hf", tiny_weights(vocab=VOCAB), shards=shards)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in ("model.safetensors", f"model-00001-of-{shards:05}.safetensors"):
        with pytest.raises(EngineError, match="a part of the model"):
            convert(folder, folder / name, overwrite=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert convert(folder, folder / "copy.pth", "f16").format == "pth"
    assert same(folder, convert(folder, folder / "copy.safetensors").path)
    assert inspect(folder).format == "huggingface"


def test_the_only_weights_of_a_folder_stay_the_only_ones(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "hf", tiny_weights(vocab=VOCAB))
    (folder / "model.safetensors").rename(folder / "rwkv.safetensors")
    for name in ("rwkv.safetensors", "other.safetensors"):
        with pytest.raises(EngineError, match="a part of the model"):
            convert(folder, folder / name, overwrite=True)
    assert inspect(folder).format == "huggingface"


def test_values_that_do_not_fit_are_told(tmp_path: Path, source: Path) -> None:
    weights: dict[str, Tensor] = tiny_weights(vocab=VOCAB)
    weights["head.weight"][5, 5] = 1e6
    torch.save(weights, tmp_path / "large.pth")
    (tmp_path / "x.safetensors").write_text("old")
    with pytest.raises(EngineError, match=r"head\.weight.*not finite as fp16"):
        convert(tmp_path / "large.pth", tmp_path / "x.safetensors", "f16", overwrite=True)
    assert (tmp_path / "x.safetensors").read_text() == "old"


def test_a_disk_without_room_is_told_first(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=65 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(EngineError, match="free"):
        convert(source, tmp_path / "x.pth", "f32")
    assert not any(tmp_path.iterdir())


def test_it_can_be_stopped_and_leaves_nothing(tmp_path: Path, source: Path) -> None:
    seen: list[tuple[int, int]] = []
    shutil.copy(source.with_name("vocabulary.txt"), tmp_path)
    with pytest.raises(Cancelled):
        convert(
            source,
            tmp_path / "x.gguf",
            progress=lambda done, total: seen.append((done, total)),
            cancelled=lambda: len(seen) > 5,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["vocabulary.txt"]
    assert len(seen) == 6
    done = convert(source, tmp_path / "x.gguf", progress=lambda *both: seen.append(both))
    assert seen[-1][0] <= seen[-1][1]
    assert done.format == "gguf"


def test_damaged_files_are_not_converted(tmp_path: Path, source: Path) -> None:
    (tmp_path / "cut.pth").write_bytes(source.read_bytes()[:-5000])
    with pytest.raises(DamagedFile):
        convert(tmp_path / "cut.pth", tmp_path / "x.gguf")


def ours(path: Path) -> list[int]:
    """Return what our engine writes greedily in fp32."""
    backend = load_backend(inspect(path), Strategy.parse("cpu fp32"), native=False)
    state = backend.new_state()
    made = [int(backend.forward(TOKENS, state).argmax())]
    while len(made) < 12:
        made.append(int(backend.forward(made[-1:], state).argmax()))
    return made


def test_the_rwkv_package_writes_the_same(tmp_path: Path, source: Path) -> None:
    convert(source, tmp_path / "x.gguf")
    convert(tmp_path / "x.gguf", tmp_path / "x.pth")
    assert greedy("rwkv", tmp_path / "x.pth", TOKENS, 12) == ours(source)


if importlib.util.find_spec("llama_cpp"):

    @pytest.mark.parametrize("kind", ["f32", "f16", "bf16", "q8_0"])
    def test_llama_cpp_writes_the_same(tmp_path: Path, source: Path, kind: str) -> None:
        convert(source, tmp_path / "x.gguf", kind)
        assert greedy("llama_cpp", tmp_path / "x.gguf", TOKENS, 12) == ours(tmp_path / "x.gguf")
