"""Streamed files of tensors are what torch and safetensors read."""

import zipfile
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from engine.weight_files import OutTensor, write_pth, write_safetensors
from engine.weight_pieces import raw_bytes

NAMES = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
TENSORS = {
    "a": torch.arange(15.0).view(3, 5).bfloat16(),
    "ü.b": torch.arange(7.0).view(1, 1, 7).half(),
    "c": torch.randn(4, 300),
}


def out(name: str, tensor: Tensor, pieces: int = 3) -> OutTensor:
    data = raw_bytes(tensor)
    step = -(-len(data) // pieces)
    cut = [data[at : at + step] for at in range(0, len(data), step)]
    return OutTensor(name, NAMES[tensor.dtype], tuple(tensor.shape), lambda: iter(cut))


def check(found: dict[str, Tensor]) -> None:
    assert list(found) == list(TENSORS) or set(found) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("limit", [zipfile.ZIP64_LIMIT, 1000])
def test_torch_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: bool, limit: int
) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", limit)  # 1000: as if one were of gigabytes
    path = tmp_path / "x.pth"
    with path.open("wb") as file:
        write_pth(file, [out(name, tensor) for name, tensor in TENSORS.items()])
    check(torch.load(path, weights_only=True, mmap=mapped))
    assert zipfile.ZipFile(path).testzip() is None


def test_tensors_in_a_pth_begin_where_they_can_be_mapped(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    with path.open("wb") as file:
        write_pth(file, [out(name, tensor) for name, tensor in TENSORS.items()])
    mapped = torch.load(path, weights_only=True, mmap=True)
    assert all(tensor.data_ptr() % 64 == 0 for tensor in mapped.values())


def test_safetensors_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        tensors = [out(name, tensor) for name, tensor in TENSORS.items()]
        write_safetensors(file, tensors, {"format": "pt"})
    check(load_file(path))
    with safe_open(path, "pt") as opened:
        assert opened.metadata() == {"format": "pt"}
