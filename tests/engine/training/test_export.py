"""A trained model as a file: read by the engine, run by the torch backend, whole or not there."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.backends.torch import TorchBackend
from engine.checkpoint import ModelShape, Ranks, inspect
from engine.errors import EngineError
from engine.strategy import Strategy
from engine.training.export import export_model
from engine.training.model import TrainedModel

SHAPE = ModelShape(2, 64, 96, 40, 64, Ranks(8, 16, 8, 16))
TOKENS = [0, 5, 17, 39, 0, 3, 3, 21]


def make() -> TrainedModel:
    model = TrainedModel.fresh(SHAPE, 3, dtype=torch.float32)
    rng = torch.Generator().manual_seed(4)
    with torch.no_grad():  # no zero is left, so that every tensor is heard
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=rng)
    return model


def read(path: Path) -> Tensor:
    backend = TorchBackend(inspect(path), Strategy.parse("cpu fp32"))
    return backend.forward(TOKENS, backend.new_state(), all_logits=True).clone()


@pytest.mark.parametrize("name", ["m.pth", "m.safetensors", "m.st"])
def test_the_backend_gives_the_same_logits(name: str, tmp_path: Path) -> None:
    model = make()
    export_model(model, tmp_path / name, torch.float32)
    wanted = model(torch.tensor([TOKENS]))[0].detach()
    assert torch.allclose(read(tmp_path / name), wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("dtype", "word", "error"), [(torch.float16, "fp16", 0.01), (torch.bfloat16, "bf16", 0.05)]
)
def test_half_the_bytes(dtype: torch.dtype, word: str, error: float, tmp_path: Path) -> None:
    model, path = make(), tmp_path / "m.safetensors"
    export_model(model, path, dtype)
    info = inspect(path)
    assert (info.shape, info.weights) == (SHAPE, word)
    assert path.stat().st_size < 2 * SHAPE.parameters + 20_000
    wanted = model(torch.tensor([TOKENS]))[0].detach()
    assert float((read(path) - wanted).abs().max() / wanted.std()) < error


def test_vectors_have_the_shape_of_the_released_files(tmp_path: Path) -> None:
    export_model(make(), tmp_path / "m.pth")
    tensors = torch.load(tmp_path / "m.pth", weights_only=True)
    assert tensors["blocks.1.att.w0"].shape == (1, 1, 64)
    assert tensors["blocks.1.att.r_k"].shape == (1, 64)
    assert tensors["blocks.1.att.w1"].shape == (64, 8)
    assert all(tensor.dtype == torch.bfloat16 for tensor in tensors.values())


class Change(nn.Module):
    def forward(self) -> Tensor:
        return torch.full((64, 64), 0.02).tril()


def test_deltas_are_merged(tmp_path: Path) -> None:
    model = make()
    model.matrices()["blocks.1.att.value.weight"].delta = Change()
    export_model(model, tmp_path / "m.pth", torch.float32)
    wanted = model(torch.tensor([TOKENS]))[0].detach()
    assert torch.allclose(read(tmp_path / "m.pth"), wanted, atol=1e-4)


def test_what_fp16_cannot_hold_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    model, path = make(), tmp_path / "m.safetensors"
    path.write_bytes(b"old")
    with torch.no_grad():
        model.head.weight[3, 4] = 1e5
    with pytest.raises(EngineError, match=r"head\.weight holds values that are not finite"):
        export_model(model, path, torch.float16)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize("name", ["m.pth", "m.safetensors"])
def test_a_folder_that_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="could not be written"):
        export_model(make(), tmp_path / "nowhere" / name)
    assert not list(tmp_path.iterdir())


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="suffix"):
        export_model(make(), tmp_path / "m.gguf")
