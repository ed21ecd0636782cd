"""The fingerprint: the same for every cast and form, another for other weights."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.checkpoint import inspect, open_checkpoint
from engine.convert import convert
from engine.vocabulary import format_vocabulary, read_vocabulary, world_vocabulary_path
from tests.engine.checkpoint.files import Weights, weights, write
from tests.engine.checkpoint.huggingface_files import LAYOUTS, write_folder

CASTS = [torch.bfloat16, torch.float16, torch.float32]


def fingerprint(folder: Path, content: Weights, form: str = "safetensors") -> str:
    return inspect(write(folder, form, content)).fingerprint


@pytest.mark.parametrize("form", ["pth", "safetensors"])
@pytest.mark.parametrize("dtype", CASTS)
def test_casts_and_forms_do_not_change_it(tmp_path: Path, form: str, dtype: torch.dtype):
    source = weights(dtype=torch.float32)
    source["emb.weight"][0, :8] = torch.tensor([1e-30, -1e-30] * 4)  # zero in fp16
    cast = {name: t.to(dtype) for name, t in source.items()}
    assert fingerprint(tmp_path, cast, form) == fingerprint(tmp_path, source)


@pytest.mark.parametrize("kind", ["f32", "f16", "bf16", "q8_0"])
def test_gguf_files_keep_it(tmp_path: Path, kind: str):
    """Those of 16 bits by their weights, quantised ones of ours by what they say of themselves."""
    source = write(tmp_path, "pth", weights(vocab=320))
    world = read_vocabulary(world_vocabulary_path())
    few = {token: world[token] for token in range(1, 301)}
    (tmp_path / "vocabulary.txt").write_bytes(format_vocabulary(few))
    convert(source, tmp_path / "x.gguf", kind)
    if kind != "q8_0":
        with open_checkpoint(tmp_path / "x.gguf") as checkpoint:
            assert not checkpoint.table.fingerprint
    assert inspect(tmp_path / "x.gguf").fingerprint == inspect(source).fingerprint


@pytest.mark.parametrize("layout", LAYOUTS)
def test_folders_in_the_hugging_face_layout_have_it(tmp_path: Path, layout: str):
    made = weights()
    folder = write_folder(tmp_path / "m", made, layout, shards=2)
    assert inspect(folder).fingerprint == fingerprint(tmp_path, made)


def test_mixed_number_types_do_not_change_it(tmp_path: Path):
    source = weights(dtype=torch.float32)
    mixed = {n: t if "weight" in n else t.half() for n, t in source.items()}
    assert fingerprint(tmp_path, mixed) == fingerprint(tmp_path, source)


def test_unused_tensors_and_order_do_not_change_it(tmp_path: Path):
    full = weights(layer0_v=True)
    unused = {f"blocks.0.att.v{i}" for i in range(3)}
    lean = {name: t for name, t in reversed(full.items()) if name not in unused}
    assert len(lean) == len(full) - 3
    assert fingerprint(tmp_path, lean, "pth") == fingerprint(tmp_path, full, "pth")


def retrained(name: str, share: float) -> Callable[[Weights], None]:
    def change(content: Weights) -> None:
        tensor = content[name]
        noise = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(5))
        content[name] = tensor + share * tensor.std() * noise.to(tensor.dtype)

    return change


@pytest.mark.parametrize(
    "change",
    [
        retrained("blocks.1.att.key.weight", 0.2),
        retrained("blocks.0.ffn.value.weight", 0.2),
        retrained("head.weight", 0.2),
        retrained("blocks.1.att.w2", 0.5),
        retrained("blocks.1.att.r_k", 0.5),
        lambda content: content["ln_out.bias"].neg_(),
    ],
)
def test_other_weights_change_it(tmp_path: Path, change: Callable[[Weights], None]):
    plain, changed = weights(), weights()
    change(changed)
    assert fingerprint(tmp_path, changed) != fingerprint(tmp_path, plain)


def test_another_seed_and_another_size_change_it(tmp_path: Path):
    options = [{}, {"seed": 1}, {"layers": 3}, {"ranks": (16, 24, 8, 40)}, {"vocab": 255}]
    assert len({fingerprint(tmp_path, weights(**o)) for o in options}) == len(options)
