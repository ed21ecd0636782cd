"""Weights on their way to a card, here to the processor: as the file has them, or refused."""

from pathlib import Path

import pytest
import torch

from engine.backends import card_source
from engine.backends.card_source import FileSource
from engine.checkpoint import open_checkpoint
from engine.errors import Cancelled, DamagedFile
from tests.tiny import tiny_weights

HERE = torch.device("cpu")


def write(path: Path, weights: dict[str, torch.Tensor]) -> Path:
    torch.save(weights, path)
    return path


def whole(source: FileSource, name: str) -> torch.Tensor:
    firsts, parts = zip(*source.pieces(name), strict=True)
    assert list(firsts) == [sum(len(part) for part in parts[:i]) for i in range(len(parts))]
    assert all(len(part) % 64 == 0 for part in parts[:-1])
    return torch.cat(parts)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("piece_bytes", [1 << 20, 1 << 12])
def test_every_tensor_is_the_file_s(
    tmp_path: Path, dtype: torch.dtype, piece_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_source, "_PIECE_BYTES", piece_bytes)
    monkeypatch.setattr(card_source, "_MOST_ELEMENTS", 1 << 14)
    weights = tiny_weights(vocab=320, dtype=dtype)
    told: list[tuple[int, int]] = []
    with open_checkpoint(write(tmp_path / "a.pth", weights)) as checkpoint:
        source = FileSource(checkpoint, HERE, lambda done, total: told.append((done, total)))
        assert set(source.names()) == set(weights)
        for name in source.names():
            got = whole(source, name)
            assert got.dtype == dtype
            assert torch.equal(got.flatten(), weights[name].flatten())
    assert told[-1][0] == told[-1][1]


def test_what_is_no_number_is_named(tmp_path: Path) -> None:
    weights = tiny_weights(vocab=320, dtype=torch.bfloat16)
    weights["blocks.1.att.key.weight"][3, 5] = float("nan")
    with open_checkpoint(write(tmp_path / "nan.pth", weights)) as checkpoint:
        source = FileSource(checkpoint, HERE)
        whole(source, "blocks.0.att.key.weight")
        with pytest.raises(DamagedFile, match=r"blocks\.1\.att\.key\.weight"):
            whole(source, "blocks.1.att.key.weight")


def test_it_can_be_stopped(tmp_path: Path) -> None:
    with open_checkpoint(write(tmp_path / "a.pth", tiny_weights(vocab=320))) as checkpoint:
        source = FileSource(checkpoint, HERE, cancelled=lambda: True)
        with pytest.raises(Cancelled):
            whole(source, "emb.weight")
