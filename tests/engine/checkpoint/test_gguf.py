"""GGUF files: what the package's writer writes is read; what is damaged or foreign is refused."""

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind

from engine.checkpoint import inspect, open_checkpoint
from engine.checkpoint.gguf import GgufArray, read_head
from engine.errors import DamagedFile, EngineError, UnsupportedModel
from engine.gguf_writer import Facts, GgufOut, head_bytes
from tests.engine.checkpoint.files import weights
from tests.gguf_files import in_blocks, write_gguf

VOCAB = 320


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    return write_gguf(path, weights(vocab=VOCAB), in_blocks(Kind.Q8_0))


def refusal(path: Path) -> EngineError:
    with pytest.raises(EngineError) as caught:
        inspect(path)
    return caught.value


def spoilt(path: Path, target: Path, old: bytes, new: bytes) -> Path:
    """Copy a file with one place changed."""
    data = path.read_bytes()
    assert data.count(old) == 1
    target.write_bytes(data.replace(old, new))
    return target


def test_the_head_is_what_the_package_reads(path: Path) -> None:
    reader = gguf.GGUFReader(path)
    with path.open("rb") as file:
        head = read_head(file, path.name, path.stat().st_size)
    assert list(head.tensors) == [tensor.name for tensor in reader.tensors]
    for theirs in reader.tensors:
        ours = head.tensors[theirs.name]
        assert (ours.offset, ours.size_bytes) == (theirs.data_offset, theirs.n_bytes)
        assert ours.shape == tuple(int(n) for n in theirs.shape[::-1])
        assert ours.kind.number == theirs.tensor_type
    facts = {k: f.contents() for k, f in reader.fields.items() if not k.startswith("GGUF.")}
    assert facts.keys() == head.facts.keys()
    for key, value in head.facts.items():
        assert isinstance(value, GgufArray) or value == facts[key]


def test_a_model_is_told(path: Path) -> None:
    info = inspect(path)
    assert (info.format, info.weights, info.tokenizer) == ("gguf", "Q8_0", "gguf")
    assert info.shape == inspect_pth(path).shape
    assert info.size_bytes == path.stat().st_size


def inspect_pth(path: Path):  # type: ignore[no-untyped-def]
    torch.save(weights(vocab=VOCAB), path.with_suffix(".pth"))
    return inspect(path.with_suffix(".pth"))


@pytest.mark.parametrize(("kind", "name"), [("F32", "fp32"), ("F16", "fp16"), ("BF16", "bf16")])
def test_plain_types_have_the_models_own_fingerprint(
    tmp_path: Path, path: Path, kind: str, name: str
) -> None:
    made = write_gguf(tmp_path / "x.gguf", weights(vocab=VOCAB), in_blocks(Kind[kind]))
    assert inspect(made).weights == name
    assert inspect(made).fingerprint == inspect_pth(path).fingerprint


def test_a_told_fingerprint_counts_for_quantised_files_only(tmp_path: Path) -> None:
    told = {"skein.fingerprint": "0123456789abcdef" * 2}
    for kind, counts in ((Kind.Q4_0, True), (Kind.F16, False)):
        made = write_gguf(tmp_path / "x.gguf", weights(vocab=VOCAB), in_blocks(kind), facts=told)
        assert (inspect(made).fingerprint == told["skein.fingerprint"]) is counts
    odd = {"skein.fingerprint": "../../etc"}
    made = write_gguf(tmp_path / "x.gguf", weights(vocab=VOCAB), in_blocks(Kind.Q4_0), facts=odd)
    assert len(inspect(made).fingerprint) == 32


def test_tensors_are_blinkdls(path: Path) -> None:
    """The mixes apart, the loras turned, r_k by heads, no stand-ins."""
    original = weights(vocab=VOCAB)
    with open_checkpoint(path) as checkpoint:
        assert set(checkpoint.entries) == set(original)
        for name, tensor in original.items():
            if tensor.squeeze().ndim == 1 or name.split(".")[-1][1:] in ("1", "2"):
                expected = tensor.float().squeeze().numpy()
                assert np.array_equal(checkpoint.read(name), expected), name
        assert checkpoint.read("blocks.1.att.r_k").shape == (2, 64)


def test_every_cut_is_noticed(tmp_path: Path, path: Path) -> None:
    data = path.read_bytes()
    for end in [4, 8, 20, 30, 100, 3000, len(data) // 2, len(data) - 1]:
        (tmp_path / "x.gguf").write_bytes(data[:end])
        assert isinstance(refusal(tmp_path / "x.gguf"), DamagedFile)


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        ("arwkv7", "ARWKV hybrid"),
        ("rwkv6qwen2", "ARWKV hybrid"),
        ("rwkv6", "RWKV-6, an older generation"),
        ("llama", "“llama”, which is not RWKV-7"),
    ],
)
def test_other_architectures_are_named(tmp_path: Path, architecture: str, words: str) -> None:
    made = write_gguf(
        tmp_path / "x.gguf", weights(vocab=VOCAB), in_blocks(Kind.F16), architecture=architecture
    )
    made.write_bytes(made.read_bytes()[:2000])  # told before the vocabulary is there
    error = refusal(made)
    assert isinstance(error, UnsupportedModel)
    assert words in error.message


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"split.count": 3}, "one of 3 pieces"),
        ({"general.type": "adapter"}, "a LoRA in GGUF"),
        ({"rwkv7.attention.layer_norm_epsilon": 1e-4}, "layer norm epsilon"),
        ({"rwkv7.embedding_length": 64}, "states the width 64"),
    ],
)
def test_facts_that_forbid_it(tmp_path: Path, facts: dict, words: str) -> None:
    original = weights(vocab=VOCAB, layers=1)
    made = write_gguf(tmp_path / "x.gguf", original, in_blocks(Kind.F16), facts=facts)
    assert words in refusal(made).message


def test_a_missing_and_an_unknown_tensor_are_named(tmp_path: Path, path: Path) -> None:
    renamed = spoilt(path, tmp_path / "x.gguf", b"blk.1.time_mix_g2.", b"blk.1.time_mix_gg.")
    assert "blocks.1.att.g2" in refusal(renamed).message
    bias = spoilt(
        path, tmp_path / "y.gguf", b"blk.1.time_mix_w0.weight", b"blk.1.time_mix_w0.weighx"
    )
    assert "blocks.1.att.w0" in refusal(bias).message


def head(*records: bytes, tensors: int = 0, facts: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, facts) + b"".join(records)


def string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


ARCHITECTURE = string("general.architecture") + struct.pack("<I", 8) + string("rwkv7")
TENSOR = string("token_embd.weight") + struct.pack("<IQQIQ", 2, 64, 4, 0, 0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (head(version=1), "version 1 of the GGUF"),
        (head(version=3 << 24), "big-endian"),
        (head(facts=1 << 60), "cut short"),
        (head(tensors=1 << 60), "cut short"),
        (head(struct.pack("<Q", 1 << 50), facts=1), "claims"),
        (head(string("a"), struct.pack("<I", 99), facts=1), "unknown kind 99"),
        (head(ARCHITECTURE, ARCHITECTURE, facts=2), "twice"),
        (head(string("a"), struct.pack("<IIQ", 9, 9, 1), bytes(64), facts=1), "unknown kind 9"),
        (head(string("a"), struct.pack("<IIQ", 9, 8, 5), b"\xff" * 64, facts=1), "cut short"),
        (head(string("general.alignment"), struct.pack("<II", 4, 0), facts=1), "alignment"),
        (head(string("t"), struct.pack("<I", 9), bytes(99), tensors=1), "9 dimensions"),
        (head(string("t"), struct.pack("<IQ", 1, 0), bytes(99), tensors=1), "impossible"),
        (head(string("t"), struct.pack("<IQIQ", 1, 64, 31, 0), tensors=1), "type number 31"),
        (
            head(string("t"), struct.pack("<IQIQ", 1, 63, 8, 0), bytes(99), tensors=1),
            "whole blocks",
        ),
        (head(TENSOR, TENSOR, bytes(9999), tensors=2), "twice"),
        (head(TENSOR, TENSOR.replace(b"en_", b"em_"), bytes(9999), tensors=2), "begin where"),
        (head(TENSOR[:-8] + struct.pack("<Q", 5), bytes(9999), tensors=1), "begin where"),
        (head(TENSOR[:-8] + struct.pack("<Q", 1 << 63), bytes(99), tensors=1), "cut short"),
        (head(TENSOR, bytes(9999), tensors=1), "without architecture"),
    ],
)
def test_heads_that_lie(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    assert words in refusal(path).message


def test_our_head_is_read_by_the_package(tmp_path: Path) -> None:
    from engine.checkpoint.ggml import BY_NAME

    facts = Facts()
    facts.text("general.architecture", "rwkv7")
    facts.real("a.real", 0.5)
    facts.texts("a.list", [b"x", b"", "ü".encode()])
    facts.numbers("a.row", [1, -2])
    out = [
        GgufOut("one", BY_NAME["F16"], (3, 5), lambda: iter([bytes(30)])),
        GgufOut("two", BY_NAME["Q8_0"], (2, 32), lambda: iter([bytes(68)])),
    ]
    data = head_bytes(facts, out)
    path = tmp_path / "x.gguf"
    path.write_bytes(data + bytes(32 + 68))
    reader = gguf.GGUFReader(path)
    found = {key: field.contents() for key, field in reader.fields.items()}
    assert (found["a.real"], found["a.list"], found["a.row"]) == (0.5, ["x", "", "ü"], [1, -2])
    assert [(t.name, t.data_offset - len(data)) for t in reader.tensors] == [
        ("one", 0),
        ("two", 32),
    ]
