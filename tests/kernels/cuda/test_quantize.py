"""Weights quantised by the kernels are those of the CPU engine's rules (kernels/cpu/packing.h)."""

import numpy as np
import pytest
import torch

from kernels.cuda.matrices import Q4_LEVELS, Kind, Matrix
from kernels.cuda.quantize import Quantizer
from tests.kernels.cuda.emulator.emulator import EmulatedPrograms

QUANTIZER = Quantizer(EmulatedPrograms())
LEVELS = np.array(Q4_LEVELS, np.float32)


def weights(rows: int = 128, k: int = 192, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    w = torch.randn(rows, k, generator=rng) * torch.rand(rows, 1, generator=rng) * 0.1
    w[3, :64] = 0  # a group of zeros
    w[5, 64:128] = 0.01  # one of one value
    w[6, :64] *= 1e-4
    w[7, 10] = 3.0  # an outlier
    return w


def bf16(x: np.ndarray) -> np.ndarray:
    return torch.from_numpy(x.astype(np.float32)).bfloat16().float().numpy()


def int8_rule(groups: np.ndarray) -> np.ndarray:
    """groups fp32 [n, 64] -> values."""
    top = np.abs(groups).max(1) / np.float32(127)
    scale = ((top.view(np.uint32) + 0xFFFF) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    inverse = np.float32(1) / np.where(scale > 0, scale, 1)
    return np.rint(groups * inverse[:, None]) * scale[:, None]


def nearest(x: np.ndarray) -> np.ndarray:
    borders = (LEVELS[1:] + LEVELS[:-1]) * np.float32(0.5)
    return LEVELS[(x[..., None] > borders).sum(-1)]


def q4_rule(group: np.ndarray) -> np.ndarray:
    """group fp32 [64] -> values."""
    top, bottom = group.max(), group.min()
    best, found = np.float32(-1), np.float32(0)
    for plus in (False, True):
        a = (top if plus else -bottom) / np.float32(107)
        b = (-bottom if plus else top) / np.float32(127)
        sign = np.float32(1 if plus else -1)
        for length in (0.98, 0.88, 0.78):
            s = sign * max(a, b) * np.float32(length)
            for _ in range(2):
                level = nearest(group * (np.float32(1) / s))
                up, down = (group * level).sum(), (level * level).sum()
                if not (down > 0 and up * sign > 0):
                    continue
                s = up / down
                if up * (up / down) > best:
                    best, found = up * (up / down), s
    scale = bf16(np.array(found))
    return nearest(group * (np.float32(1) / scale)) * scale if scale else group * 0


def test_int8_is_the_rule() -> None:
    w = weights()
    expected = int8_rule(w.numpy().reshape(-1, 64)).reshape(w.shape)
    got = QUANTIZER.matrix(w, "int8").expanded().numpy()
    np.testing.assert_array_equal(got, expected)


def test_q4_is_the_rule() -> None:
    w = weights(rows=64)
    groups = w.numpy().reshape(-1, 64)
    expected = np.stack([q4_rule(g) if np.abs(g).max() > 1e-30 else g * 0 for g in groups])
    got = QUANTIZER.matrix(w, "q4").expanded().numpy().reshape(-1, 64)
    same = (got == expected).all(1)
    # Sums in another order may choose the neighbouring bf16 scale, which is as good.
    assert same.mean() > 0.97
    lost, expected_lost = ((x - groups) ** 2 for x in (got, expected))
    assert np.allclose(lost.sum(1), expected_lost.sum(1), rtol=2e-2, atol=1e-12)


@pytest.mark.parametrize("kind", ["fp16", "bf16", "int8", "q4"])
def test_laid_by_input_the_values_are_the_same(kind: Kind) -> None:
    w = weights()
    plain = QUANTIZER.matrix(w, kind)
    turned = QUANTIZER.matrix(w, kind, by_input=True)
    assert turned.data.shape[0] == w.shape[1]
    torch.testing.assert_close(turned.expanded(), plain.expanded(), rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["fp16", "bf16", "int8", "q4"])
@pytest.mark.parametrize("by_input", [False, True])
def test_pieces_give_the_whole(kind: Kind, by_input: bool) -> None:
    w = weights().bfloat16()
    whole = QUANTIZER.matrix(w, kind, by_input=by_input)
    pieces = Matrix.empty(kind, 128, 192, "cpu", by_input=by_input)
    QUANTIZER.put(pieces, w[:64])
    QUANTIZER.put(pieces, w[64:], first=64)
    assert torch.equal(pieces.data, whole.data)
    assert pieces.scales is None or (
        whole.scales is not None and torch.equal(pieces.scales, whole.scales)
    )


@pytest.mark.parametrize("kind", ["int8", "q4"])
def test_sources_of_16_bits_are_taken_exactly(kind: Kind) -> None:
    for dtype in (torch.float16, torch.bfloat16):
        w = weights(rows=64).to(dtype)
        narrow, wide = QUANTIZER.matrix(w, kind), QUANTIZER.matrix(w.float(), kind)
        assert torch.equal(narrow.data, wide.data)


def test_errors_are_those_of_the_types() -> None:
    w = torch.randn(64, 256, generator=torch.Generator().manual_seed(1)) * 0.02
    for kind, least, most in (("int8", 0.004, 0.008), ("q4", 0.07, 0.09)):
        got = QUANTIZER.matrix(w, kind).expanded()  # type: ignore[arg-type]
        assert least < float((got - w).norm() / w.norm()) < most


def test_rows_by_input_come_by_64() -> None:
    made = Matrix.empty("int8", 128, 64, "cpu", by_input=True)
    with pytest.raises(ValueError, match="whole groups"):
        QUANTIZER.put(made, torch.zeros(32, 64))
    with pytest.raises(ValueError, match="at row"):
        QUANTIZER.put(made, torch.zeros(64, 128))
