"""What sound files say of themselves, in every form that carries them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.checkpoint import Checkpoint, ModelShape, Ranks, inspect, open_checkpoint
from engine.checkpoint.storage import SourceFiles
from tests.engine.checkpoint.files import VOCAB, WRITERS, Weights, weights, write, write_pth

SHAPE = ModelShape(2, 128, 512, VOCAB, 64, Ranks(16, 24, 8, 32))
FORMS = sorted(WRITERS)


def bits(tensor: torch.Tensor) -> np.ndarray:
    """Return what ``Checkpoint.read`` gives for this tensor, before it is reshaped."""
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.uint16).numpy()
    return tensor.numpy()


@pytest.mark.parametrize("form", FORMS)
def test_everything_is_inferred_from_the_tensors(tmp_path: Path, form: str):
    path = write(tmp_path, form, weights(), "any name.v2")
    info = inspect(path)
    assert info.shape == SHAPE
    assert (info.path, info.name) == (path, "any name.v2")
    assert (info.architecture, info.format, info.weights) == ("rwkv7", form, "bf16")
    assert info.size_bytes == path.stat().st_size
    assert info.parameters == sum(t.numel() for t in weights().values())
    assert len(info.fingerprint) == 32


def test_the_name_of_a_file_decides_nothing(tmp_path: Path):
    path = write(tmp_path, "safetensors", weights())
    assert inspect(path.rename(tmp_path / "model.pth")).format == "safetensors"


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"layers": 1}, ModelShape(1, 128, 512, VOCAB, 64, Ranks(16, 24, 0, 32))),
        (
            {"layers": 1, "layer0_v": True},
            ModelShape(1, 128, 512, VOCAB, 64, Ranks(16, 24, 8, 32)),
        ),
        (
            {"layers": 3, "width": 192, "ranks": (1, 2, 3, 4), "vocab": 70},
            ModelShape(3, 192, 768, 70, 64, Ranks(1, 2, 3, 4)),
        ),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_odd_sizes(tmp_path: Path, form: str, options: dict, shape: ModelShape):
    assert inspect(write(tmp_path, form, weights(**options))).shape == shape


def test_the_world_vocabulary_is_known_by_its_rows(tmp_path: Path):
    world = weights(layers=1, width=64, vocab=65536)
    assert inspect(write(tmp_path, "pth", world)).tokenizer == "world"
    assert inspect(write(tmp_path, "pth", weights())).tokenizer == "tokenizer.json"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("form", FORMS)
def test_reads_what_was_written(tmp_path: Path, form: str, dtype: torch.dtype):
    written = weights(dtype=dtype)
    with open_checkpoint(write(tmp_path, form, written)) as checkpoint:
        assert set(checkpoint.entries) == set(written)
        for name, tensor in written.items():
            read = checkpoint.read(name)
            assert read.shape == checkpoint.entries[name].shape
            assert np.array_equal(read.reshape(tensor.shape), bits(tensor)), name


def test_vectors_come_squeezed(tmp_path: Path):
    with open_checkpoint(write(tmp_path, "pth", weights())) as checkpoint:
        assert checkpoint.read("blocks.0.att.x_r").shape == (128,)
        assert checkpoint.read("blocks.0.att.r_k").shape == (2, 64)
        assert checkpoint.read("blocks.1.att.v1").shape == (128, 8)


@pytest.mark.parametrize("form", FORMS)
def test_squeezed_and_flat_forms_are_the_same_model(tmp_path: Path, form: str):
    plain = weights()
    flat = {name: t.squeeze() for name, t in plain.items()}
    flat |= {name: t.flatten() for name, t in plain.items() if name.endswith("r_k")}
    infos = [inspect(write(tmp_path, form, w, n)) for w, n in ((plain, "a"), (flat, "b"))]
    assert infos[0].shape == infos[1].shape
    assert infos[0].fingerprint == infos[1].fingerprint


def test_ranks_of_one_keep_their_matrices(tmp_path: Path):
    path = write(tmp_path, "safetensors", weights(ranks=(1, 1, 1, 1)))
    with open_checkpoint(path) as checkpoint:
        assert checkpoint.entries["blocks.1.att.w1"].shape == (128, 1)
        assert checkpoint.entries["blocks.1.att.w2"].shape == (1, 128)


def test_read_into_takes_any_part(tmp_path: Path):
    name = "blocks.1.ffn.key.weight"
    with open_checkpoint(write(tmp_path, "pth", weights())) as checkpoint:
        whole = checkpoint.read(name).tobytes()
        buffer = bytearray(b"\xff" * 100)
        checkpoint.read_into(name, memoryview(buffer), 1234, 90)
        assert bytes(buffer) == whole[1234:1324] + b"\xff" * 10


@pytest.mark.parametrize(("start", "count"), [(-1, 5), (0, 1 << 30), (10, -1)])
def test_read_into_never_leaves_its_tensor(tmp_path: Path, start: int, count: int):
    with (
        open_checkpoint(write(tmp_path, "pth", weights())) as checkpoint,
        pytest.raises(ValueError, match="bytes"),
    ):
        checkpoint.read_into("ln_out.bias", memoryview(bytearray(10)), start, count)


def test_shared_and_offset_views_of_one_storage(tmp_path: Path):
    plain = weights()
    both = torch.cat([plain["ln_out.weight"], plain["ln_out.bias"]])
    views = plain | {"ln_out.weight": both[:128], "ln_out.bias": both[128:]}
    with open_checkpoint(write_pth(tmp_path / "a.pth", views)) as checkpoint:
        for name in ("ln_out.weight", "ln_out.bias"):
            assert np.array_equal(checkpoint.read(name), bits(plain[name].contiguous()))


def test_transposed_views_are_turned_back(tmp_path: Path):
    """Scripts that make a .pth of another layout often save loras so."""
    plain = weights()
    turned = {
        name: t.t().contiguous().t() if name.endswith(("w1", "g2", "output.weight")) else t
        for name, t in plain.items()
    }
    assert not turned["blocks.1.att.g2"].is_contiguous()
    with open_checkpoint(write_pth(tmp_path / "a.pth", turned)) as checkpoint:
        for name in turned:
            read = checkpoint.read(name)
            assert np.array_equal(read, bits(plain[name]).reshape(read.shape)), name
        same = inspect(write_pth(tmp_path / "b.pth", plain)).fingerprint
        assert checkpoint.info.fingerprint == same


def test_parameters_and_ordered_dicts_are_only_tensors(tmp_path: Path):
    module = torch.nn.Module()
    for name, tensor in weights().items():
        module.register_parameter(name.replace(".", "/"), torch.nn.Parameter(tensor))
    ordered = module.state_dict()  # an OrderedDict with an attribute, _metadata
    for name in list(ordered):
        ordered[name.replace("/", ".")] = torch.nn.Parameter(ordered.pop(name))
    assert inspect(write_pth(tmp_path / "a.pth", ordered)).shape == SHAPE


def test_mixed_number_types_are_named(tmp_path: Path):
    mixed: Weights = weights()
    mixed["blocks.0.att.w0"] = mixed["blocks.0.att.w0"].float()
    assert inspect(write(tmp_path, "pth", mixed)).weights == "mixed"


def test_inspecting_reads_a_small_part_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write(tmp_path, "pth", weights(vocab=20_000))
    sizes: list[int] = []
    read = SourceFiles.read_at

    def counted(self: SourceFiles, number: int, offset: int, buffer: memoryview) -> None:
        sizes.append(len(buffer))
        read(self, number, offset, buffer)

    monkeypatch.setattr(SourceFiles, "read_at", counted)
    inspect(path)
    assert 0 < sum(sizes) < path.stat().st_size / 100


def test_importing_it_does_not_import_torch():
    code = "import sys, engine.checkpoint; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_closed_checkpoint_lets_go_of_its_file(tmp_path: Path):
    path = write(tmp_path, "pth", weights())
    checkpoint: Checkpoint = open_checkpoint(path)
    info = checkpoint.info
    checkpoint.close()
    assert checkpoint.info is info
    path.unlink()
