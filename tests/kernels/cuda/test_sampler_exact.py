"""The draw on the card against whole-number arithmetic on a sorted list: the same token, always."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kernels.cuda.sampler import DeviceSampler, Drawing, SamplerCut
from tests.kernels.cuda.emulator.emulator import EmulatedPrograms

Floats = NDArray[np.float32]
F = np.float32


def exp_below_zero(x: Floats) -> Floats:
    """As sampler.cu's: every step rounded to fp32."""
    held = np.maximum(x, F(-104))
    whole = (held * F(1.44269504) + F(12582912)) - F(12582912)
    rest = (held - whole * F(0.693359375)) - whole * F(-2.12194440e-4)
    square = rest * rest
    a = F(1.9875691500e-4) * rest + F(1.3981999507e-3)
    b = F(8.3334519073e-3) * rest + F(4.1665795894e-2)
    c = F(1.6666665459e-1) * rest + F(5.0000001201e-1)
    p = ((a * square + b) * square + c) * square + (rest + F(1))
    n = whole.astype(np.int32)
    half = n >> 1
    up, down = (((k + 127) << 23).view(np.float32) for k in (half, n - half))
    return np.where(x < F(-104), F(0), p * up * down)


def units_of(weights: Floats) -> NDArray[np.int64]:
    scaled = weights * F(1 << 22)
    upper = scaled.astype(np.int64)
    lower = ((scaled - upper.astype(np.float32)) * F(1 << 22)).astype(np.int64)
    return (upper << 22) + lower


def reached(weights: Floats, amounts: NDArray[np.int64], target: float) -> tuple[float, int]:
    """Return the weight from which on the amounts reach a target, and what is above it."""
    values, place = np.unique(-weights, return_inverse=True)
    sums = np.zeros(len(values), np.int64)
    np.add.at(sums, place, amounts)
    upto = np.cumsum(sums)
    at = int(np.argmax(upto.astype(np.float64) >= target))
    return float(-values[at]), int(upto[at] - sums[at])


def exact_token(logits: Floats, drawing: Drawing, random: float) -> int:
    relative = logits - logits.max()
    weights = exp_below_zero(relative)
    units = units_of(weights)
    least = drawing.min_p
    if drawing.top_p < 1:
        cut, _ = reached(weights, units, drawing.top_p * float(units.sum()))
        least = max(least, cut)
    kept = weights >= F(least)
    if 0 < drawing.top_k < len(weights):
        kth, above = reached(weights, np.ones(len(weights), np.int64), drawing.top_k)
        if kth >= least:
            equal = np.flatnonzero(weights == F(kth))[: drawing.top_k - above]
            kept = weights > F(kth)
            kept[equal] = True
    chances = weights
    if drawing.temperature != 1:
        chances = exp_below_zero(relative / F(drawing.temperature))
    upto = np.cumsum(np.where(kept, units_of(chances), 0))
    wanted = min(int(random * float(upto[-1])), int(upto[-1]) - 1)
    return int(np.argmax(upto > wanted))


def logits_of(kind: str, vocab: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    if kind == "text":  # a few likely ones, all others far below
        ranks = rng.permutation(vocab) + 1
        return (-1.4 * np.log(ranks) + rng.normal(0, 0.5, vocab)).astype(np.float32)
    if kind == "ties":
        return rng.integers(-6, 3, vocab).astype(np.float32)
    if kind == "same":
        return np.full(vocab, 1.5, np.float32)
    return rng.normal(0, float(kind), vocab).astype(np.float32)


DRAWINGS = [
    Drawing(top_p=0.5),
    Drawing(top_p=0.95, temperature=0.7),
    Drawing(top_p=0.9999999, temperature=1.3),
    Drawing(top_k=40),
    Drawing(top_p=0.6, top_k=5),
    Drawing(top_p=0.9, top_k=500, temperature=0.9),
    Drawing(top_p=0.8, min_p=0.1),
    Drawing(top_p=0.99, min_p=0.02, top_k=300),
    Drawing(min_p=0.3),
    Drawing(top_k=1),
]


class Card:
    """A sampler of one slot."""

    def __init__(self, vocab: int, cut: SamplerCut, *, backward: bool, checked: bool) -> None:
        programs = EmulatedPrograms(backward=backward, checked=checked)
        self.device = DeviceSampler(programs, vocab, 1, 1, torch.device("cpu"), cut=cut)
        self.logits = torch.zeros(1, vocab)
        self.tokens = torch.zeros(1, dtype=torch.int32)
        slots = torch.zeros(1, dtype=torch.int32)
        self.launches = self.device.bind(self.logits, slots, self.tokens)

    def token(self, logits: Floats, random: float) -> int:
        self.logits.copy_(torch.from_numpy(logits))
        self.device.give(0, random)
        for launch in self.launches:
            launch.run()
        return self.device.take(0)


CUTS = [
    SamplerCut(rehearsals=(1, 1, 1, 1)),
    SamplerCut(segment=256, pick_threads=1024),
    SamplerCut(pick_threads=256, rehearsals=(0, 2, 0, 2)),
]


@pytest.mark.parametrize("kind", ["text", "2.5", "0.8", "0.1", "ties", "same"])
@pytest.mark.parametrize("vocab", [3003, 1000])
def test_every_token_is_the_exact_one(kind: str, vocab: int) -> None:
    cut = CUTS[("text", "2.5", "0.8", "0.1", "ties", "same").index(kind) % 3]
    card = Card(vocab, cut, backward=vocab == 1000, checked=False)
    for seed, drawing in enumerate(DRAWINGS):
        card.device.load(0, drawing)
        logits = logits_of(kind, vocab, seed)
        for random in (0.0, 0.31, 0.78, 0.9999999999):
            assert card.token(logits, random) == exact_token(logits, drawing, random), drawing


@pytest.mark.parametrize("kind", ["text", "1.0", "0.05"])
def test_of_a_whole_vocabulary(kind: str) -> None:
    vocab = 65536
    card = Card(vocab, SamplerCut(), backward=False, checked=False)
    for seed, drawing in enumerate((DRAWINGS[1], DRAWINGS[5])):
        card.device.load(0, drawing)
        logits = logits_of(kind, vocab, seed)
        for random in (0.2, 0.93):
            assert card.token(logits, random) == exact_token(logits, drawing, random)


def test_nothing_is_touched_too_early_or_elsewhere() -> None:
    for cut in CUTS:
        card = Card(700, cut, backward=False, checked=True)
        for kind, drawing in (("text", DRAWINGS[7]), ("0.8", DRAWINGS[1]), ("ties", DRAWINGS[4])):
            card.device.load(0, drawing)
            logits = logits_of(kind, 700, 1)
            assert card.token(logits, 0.4) == exact_token(logits, drawing, 0.4)
