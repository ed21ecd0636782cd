"""The chunked recurrence for reading, emulated, against one token after the other in float64."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from tests.kernels.cuda.emulator.emulator import EmulatedProgram

HEADS, N, WIDTH = 2, 64, 128
RANKS = {"W": 32, "A": 24, "V": 8, "G": 16}
RECORD = 11648
STAGES = 3
TENSORS = torch.float16


def program() -> EmulatedProgram:
    macros = {
        "D": WIDTH,
        "STAGES": STAGES,
        "LORA": "half",
        **{f"R{name}": n for name, n in RANKS.items()},
    }
    return EmulatedProgram(["wkv7_read.cuh", "wkv7_read.cu", "wkv7_scan.cu"], macros)


@dataclass
class Layer:
    rkv: Tensor  # [3, T, D]
    hid: Tensor  # [T, ranks]
    seconds: list[Tensor]  # of w, a, v: [D, rank]
    vectors: list[Tensor]  # w0 a0 v0 k_k k_a r_k, [D]
    v_first: Tensor  # [T, D]
    state: Tensor  # [H, 64, 64]


def make(length: int, room: int, seed: int = 0, w0: float | None = None) -> Layer:
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return scale * torch.randn(*shape, generator=rng)

    rkv, hid = torch.full((3, room, WIDTH), torch.nan), torch.full((room, 80), torch.nan)
    v_first = torch.full((room, WIDTH), torch.nan)
    rkv[:, :length] = normal(3, length, WIDTH)
    hid[:length] = normal(length, 80).tanh()
    v_first[:length] = normal(length, WIDTH)
    vectors = [normal(WIDTH, scale=2) - 2, normal(WIDTH), normal(WIDTH)]
    vectors += [0.7 + normal(WIDTH, scale=0.1), 1 + normal(WIDTH, scale=0.1), normal(WIDTH)]
    if w0 is not None:
        vectors[0] = torch.full((WIDTH,), w0)
    seconds = [normal(WIDTH, RANKS[n], scale=0.3).to(TENSORS) for n in "WAV"]
    state = normal(HEADS, N, N)
    return Layer(rkv.to(TENSORS), hid.to(TENSORS), seconds, vectors, v_first.to(TENSORS), state)


def exact(p: Layer, length: int, first_layer: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return (y [T, H, N], state, v [T, H, N], the bonus' sums [T, H]) in float64."""
    r, k, v = p.rkv[:, :length].double()
    hid = p.hid[:length].double().split(list(RANKS.values()), -1)
    w2, a2, v2 = (m.double() for m in p.seconds)
    w0, a0, v0, k_k, k_a, r_k = (x.double() for x in p.vectors)
    w = torch.exp(-0.6065306597126334 * torch.sigmoid(w0 + hid[0] @ w2.T))
    rate = torch.sigmoid(a0 + hid[1] @ a2.T)
    if not first_layer:
        v = v + (p.v_first[:length].double() - v) * torch.sigmoid(v0 + hid[2] @ v2.T)
    split = (length, HEADS, N)
    kk = torch.nn.functional.normalize((k * k_k).view(split), dim=-1, eps=1e-12)
    k = k * (1 + (rate - 1) * k_a)
    bonus = (r * k * r_k).view(split).sum(-1)
    r, w, k, v, rate = (x.view(split) for x in (r, w, k, v, rate))
    state, ys = p.state.double().clone(), []
    for t in range(length):
        removed = (state * -kk[t, :, None]).sum(-1)
        state = state * w[t, :, None] + removed[..., None] * (kk[t] * rate[t])[:, None]
        state = state + v[t, :, :, None] * k[t, :, None]
        ys.append((state * r[t, :, None]).sum(-1))
    return torch.stack(ys), state, v, bonus


def columns() -> Tensor:
    """Return which value is at [slice, row of 16]."""
    rows = torch.arange(16)
    j, g = 2 * torch.arange(4)[:, None] + rows // 8, rows % 8
    return 16 * (g // 2) + 2 * j + g % 2


def unpacked(fragments: Tensor) -> Tensor:
    """[chunks, H, 4, 32 lanes, 8] -> [T, H, N]."""
    chunks = fragments.shape[0]
    x = fragments.view(chunks, HEADS, 4, 8, 4, 2, 2, 2)  # n h slice g q t8 row8 pair
    x = x.permute(0, 5, 4, 7, 1, 2, 6, 3).reshape(chunks * 16, HEADS, 64)
    y = torch.empty_like(x)
    y[..., columns().flatten()] = x
    return y


def run(
    p: Layer, length: int, first_layer: bool, warps: int, early: Tensor | None = None
) -> tuple[Tensor, ...]:
    """Return what `exact` does, as the kernels do it."""
    room = p.rkv.shape[1]
    chunks, code = room // 16, program()
    place = torch.tensor([length, 1], dtype=torch.int32)
    records = torch.full((chunks, HEADS, RECORD), 255, dtype=torch.uint8)
    y = torch.full((chunks, HEADS, 4, 32, 8), torch.nan, dtype=torch.float16)
    states = torch.stack((p.state, p.state))  # the second is worked on
    state = states[1]
    first = (early, 0 if early is None else early.shape[2])
    arguments = (p.rkv, room * WIDTH, p.hid, *p.seconds, *p.vectors, *first, p.v_first, records)
    layer = 0 if first_layer else 1
    grid = ((chunks + 3) // 4, HEADS)
    code.kernel("read_chunks").launch(grid, 128, (place, layer, *arguments))
    shared = STAGES * (9472 + 512 * warps)
    code.kernel(f"read_scan_{warps}").launch(
        (HEADS, 4 // warps),
        32 * warps + 64,
        (place, records, states, state.numel(), y),
        shared_bytes=shared,
        dependent=True,
    )
    assert torch.equal(states[0], p.state)
    v = records[..., 9472:11520].contiguous().view(torch.float16).view(chunks, HEADS, 4, 32, 8)
    bonus = records[..., 11520:11584].contiguous().view(torch.float32)
    bonus = bonus.permute(0, 2, 1).reshape(chunks * 16, HEADS)
    return unpacked(y)[:length], state, unpacked(v)[:length], bonus[:length]


def error(got: Tensor, wanted: Tensor) -> float:
    """Return the root mean square of the difference, relative."""
    assert torch.isfinite(got).all()
    return ((got.double() - wanted).square().mean() / wanted.square().mean()).sqrt().item()


@pytest.mark.parametrize(
    ("length", "warps", "first_layer"), [(1, 1, False), (16, 4, True), (75, 2, False)]
)
def test_as_one_token_after_the_other(length: int, warps: int, first_layer: bool) -> None:
    p = make(length, (length + 15) // 16 * 16)
    wanted = exact(p, length, first_layer)
    for got, want in zip(run(p, length, first_layer, warps), wanted, strict=True):
        assert error(got, want) < 1e-3


@pytest.mark.parametrize("w0", [30.0, -30.0])
def test_decays_at_their_bounds(w0: float) -> None:
    p = make(200, 208, seed=1, w0=w0)
    wanted = exact(p, 200, False)
    for got, want in zip(run(p, 200, False, 1), wanted, strict=True):
        assert error(got, want) < 1.5e-3


@pytest.mark.parametrize("rows", [16, 48])
def test_the_first_chunks_r_and_k_may_be_exact(rows: int) -> None:
    p = make(40, 48)
    wanted = exact(p, 40, False)
    early = torch.full((2, 2, rows, WIDTH), torch.nan)
    early[:, 0] = p.rkv[:2, :rows].float() * 0.75
    early[:, 1] = p.rkv[:2, :rows].float() * 0.25
    p.rkv[:2, :rows] = torch.nan
    for got, want in zip(run(p, 40, False, 2, early), wanted, strict=True):
        assert error(got, want) < 1e-3


def test_the_first_layers_values_are_kept_and_room_behind_the_text_is_not_touched() -> None:
    p = make(20, 64, seed=2)
    kept = p.v_first.clone()
    run(p, 20, True, 2)
    assert torch.equal(p.v_first[:20], p.rkv[2, :20])
    assert torch.equal(p.v_first[20:], kept[20:]) or p.v_first[20:].isnan().all()
