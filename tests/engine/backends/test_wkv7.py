"""The chunked recurrence against the sequential one, where it is hardest."""

import pytest
import torch

from engine.backends.wkv7 import CPU_CHUNK, GPU_CHUNK, wkv7_chunked, wkv7_sequential

GROUPS, N = 3, 64


def make(length: int, decay: str, seed: int = 0) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)

    def randn() -> torch.Tensor:
        return torch.randn(GROUPS, length, N, generator=rng)

    strongest, weakest = -0.6065306597, -1e-6
    log_w = {
        "strongest": torch.full((GROUPS, length, N), strongest),
        "weakest": torch.full((GROUPS, length, N), weakest),
        "mixed": strongest * torch.sigmoid(3 * randn()),
    }[decay]
    kk = torch.nn.functional.normalize(randn(), dim=-1)
    a = torch.sigmoid(randn())
    return [randn(), log_w, randn(), randn(), -kk, kk * a]


@pytest.mark.parametrize("chunk", [CPU_CHUNK, GPU_CHUNK])
@pytest.mark.parametrize("decay", ["strongest", "weakest", "mixed"])
@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 63, 65, 200])
def test_chunked_is_sequential(
    length: int, decay: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.backends.wkv7.CPU_CHUNK", chunk)
    parts = make(length, decay)
    start = torch.randn(GROUPS, N, N, generator=torch.Generator().manual_seed(9))
    truth_state = start.double()
    truth = wkv7_sequential(truth_state, *(part.double() for part in parts))
    state = start.clone()
    y = wkv7_chunked(state, *parts)
    assert float((y - truth).abs().max() / truth.std()) < 2e-5
    assert float((state - truth_state).abs().max() / truth_state.std()) < 2e-5


def test_equal_keys_in_a_whole_chunk_do_not_upset_it() -> None:
    parts = make(64, "weakest")
    parts[4] = parts[4][:, :1].expand(-1, 64, -1).contiguous()
    parts[5] = -parts[4]
    state, truth_state = torch.zeros(GROUPS, N, N), torch.zeros(GROUPS, N, N).double()
    truth = wkv7_sequential(truth_state, *(part.double() for part in parts))
    y = wkv7_chunked(state, *parts)
    assert float((y - truth).abs().max() / truth.std()) < 2e-5
