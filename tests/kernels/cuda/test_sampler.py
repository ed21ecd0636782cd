"""The draw on the card, run by the emulator, against engine/sampling.py and kernels/cpu."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from engine.sampling import Sampler
from engine.sampling_params import SamplingParams
from kernels.cuda.sampler import RING, DeviceSampler, Drawing, NoneLeft, NotFinite, serves
from tests.kernels.cuda.emulator.emulator import EmulatedPrograms

CPU = torch.device("cpu")


def drawing_of(params: SamplingParams, unused: Sequence[int] = ()) -> Drawing:
    return Drawing(
        *(params.temperature, params.top_p, params.min_p, params.top_k),
        *(params.presence_penalty, params.frequency_penalty, params.penalty_decay),
        params.bias,
        (*unused, *params.banned),
    )


class Both:
    """A slot of the device's sampler beside the sampler of the host."""

    def __init__(self, vocab: int, params: SamplingParams, *, backward: bool = False) -> None:
        self.host = Sampler(params, vocab, unused=(0,), uncounted=(5, 6))
        self.device = DeviceSampler(
            EmulatedPrograms(backward=backward), vocab, 2, 1, CPU, uncounted=(5, 6)
        )
        self.device.load(1, drawing_of(params, (0,)))
        self.logits = torch.empty(1, vocab)
        self.tokens = torch.zeros(1, dtype=torch.int32)
        slots = torch.tensor([1], dtype=torch.int32)
        self.launches = self.device.bind(self.logits, slots, self.tokens)

    def draw(self, logits: np.ndarray) -> tuple[int, int]:
        """Return the tokens of the host and of the device."""
        self.logits.copy_(torch.from_numpy(logits))
        self.device.give(1, self.host.peek())
        for launch in self.launches:
            launch.run()
        token = self.device.take(1)
        assert int(self.tokens) == token
        return self.host.sample(logits), token


KINDS = {
    "greedy": {"temperature": 0.0},
    "plain": {"top_p": 1.0},
    "warm": {"top_p": 1.0, "temperature": 1.7},
    "top_p": {"top_p": 0.5},
    "top_p_flat": {"top_p": 0.97, "temperature": 0.8},
    "top_k": {"top_p": 1.0, "top_k": 32, "temperature": 0.96},
    "min_p": {"top_p": 1.0, "min_p": 0.05},
    "all": {"top_p": 0.76, "top_k": 32, "min_p": 0.01, "temperature": 0.96},
}


@pytest.mark.parametrize("vocab", [65536, 1003])
@pytest.mark.parametrize("kind", KINDS)
def test_same_tokens_as_the_host(kind: str, vocab: int) -> None:
    params = SamplingParams(
        seed=7,
        banned=(3, 4),
        bias=((8, 2.5), (9, -1.0), (8, 0.25)),
        presence_penalty=0.7,
        frequency_penalty=0.3,
        penalty_decay=0.99,
        **KINDS[kind],
    )
    both = Both(vocab, params)
    rng = np.random.default_rng(3)
    for spread in (4.0, 2.0, 0.3) if vocab > 2000 else (4.0, 3.0, 2.0, 1.0, 0.3, 0.05):
        logits = rng.normal(0, spread, vocab).astype(np.float32)
        logits[5:10] += 3 * spread
        host, device = both.draw(logits)
        assert host == device


@pytest.mark.parametrize("top_k", [1, 2, 7, 40, 1000])
def test_of_equal_logits_the_first_stay(top_k: int) -> None:
    both = Both(1003, SamplingParams(seed=1, top_p=1.0, top_k=top_k, presence_penalty=0))
    rng = np.random.default_rng(top_k)
    for _ in range(12):
        logits = rng.integers(0, 4, 1003).astype(np.float32)
        host, device = both.draw(logits)
        assert host == device


def test_ties_at_the_cut_of_top_p_stay() -> None:
    both = Both(600, SamplingParams(seed=2, top_p=0.3, presence_penalty=0))
    logits = np.full(600, -5.0, np.float32)
    logits[100:140] = 2.0
    for _ in range(10):
        host, device = both.draw(logits)
        assert host == device


def test_many_draws_with_penalties_follow_each_other() -> None:
    params = SamplingParams(seed=5, top_p=0.9, temperature=1.2, frequency_penalty=0.5)
    both = Both(700, params)
    rng = np.random.default_rng(11)
    tokens = []
    for _ in range(3 * RING):
        logits = rng.normal(0, 2, 700).astype(np.float32)
        host, device = both.draw(logits)
        assert host == device
        tokens.append(host)
    counts = both.host.counts
    both.device.load(0, drawing_of(params, (0,)), list(counts), list(counts.values()))
    assert len(set(tokens)) < len(tokens)


def test_a_reply_goes_on_in_another_slot() -> None:
    params = SamplingParams(seed=5, temperature=0.0, presence_penalty=2, frequency_penalty=1)
    both = Both(512, params)
    logits = np.random.default_rng(1).normal(0, 1, 512).astype(np.float32)
    for _ in range(5):
        both.draw(logits)
    saved = both.host.save()
    for launch in 3 * both.launches:  # which nobody asks for
        launch.run()
    both.device.load(1, drawing_of(params, (0,)), saved.ids, saved.counts)
    for _ in range(5):
        host, device = both.draw(logits)
        assert host == device


def test_what_cannot_be_drawn_is_said() -> None:
    both = Both(520, SamplingParams(seed=1))
    nothing = np.full(520, -np.inf, np.float32)
    for logits, problem in (
        (nothing, NoneLeft),
        (np.full(520, np.nan, np.float32), NotFinite),
        (np.where(np.arange(520) == 519, np.inf, 0).astype(np.float32), NotFinite),
    ):
        both.logits.copy_(torch.from_numpy(logits))
        both.device.give(1, 0.5)
        for launch in both.launches:
            launch.run()
        with pytest.raises(problem):
            both.device.take(1)
    one = nothing.copy()
    one[77] = -3.0
    assert both.draw(one) == (77, 77)


def test_rows_are_independent_and_may_be_missing() -> None:
    vocab, rows = 900, 4
    device = DeviceSampler(EmulatedPrograms(backward=True), vocab, 5, rows, CPU)
    logits = torch.randn(rows, vocab, generator=torch.Generator().manual_seed(1))
    slots = torch.tensor([4, -1, 0, 2], dtype=torch.int32)
    tokens = torch.full((rows,), -7, dtype=torch.int32)
    kinds = {4: Drawing(temperature=0), 0: Drawing(top_p=0.8), 2: Drawing(top_k=5)}
    for slot, drawing in kinds.items():
        device.load(slot, drawing)
        device.give(slot, 0.3)
    for launch in device.bind(logits, slots, tokens):
        launch.run()
    drawn = {slot: device.take(slot) for slot in kinds}
    assert tokens.tolist() == [drawn[4], -7, drawn[0], drawn[2]]
    assert drawn[4] == int(logits[0].argmax())
    with pytest.raises(ValueError, match="no step"):
        device.take(0)


def test_limits() -> None:
    assert serves(65536)
    assert serves(1)
    assert not serves(600_000)
