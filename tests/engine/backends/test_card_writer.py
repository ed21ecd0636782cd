"""Drawing on a card (here the emulator) is drawing on the host: tokens, counts, random numbers."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.backends.base import HostWriter, Writer
from engine.backends.card_writer import CardSampler, CardWriter
from engine.errors import EngineError
from engine.sampling import Sampler
from engine.sampling_params import SamplingParams
from engine.state import State
from kernels.cuda.sampler import DeviceSampler
from tests.kernels.cuda.emulator.emulator import EmulatedPrograms

VOCAB = 700
UNUSED, UNCOUNTED = (3, 699), (5, 6)
TABLE = torch.randn(VOCAB, VOCAB, generator=torch.Generator().manual_seed(1)) * 3


class Chain:
    """A backend whose logits follow from the last token alone; also what a writer asks of one."""

    def __init__(self) -> None:
        self.logits = torch.zeros(VOCAB)
        self.writes = 0
        self._token = torch.zeros(1, dtype=torch.int32)
        self._card: CardSampler | None = None

    def card_sampler(self, sampler: Sampler) -> CardSampler:
        if self._card is None:
            programs = EmulatedPrograms()
            device = DeviceSampler(programs, VOCAB, 1, 1, programs.device, sampler.uncounted)
            slots = torch.zeros(1, dtype=torch.int32)
            self._launches = [
                device.bind(self.logits.view(1, -1), slots, self._token, greedy=greedy)
                for greedy in (False, True)
            ]
            self._card = CardSampler(device, sampler.uncounted)
        return self._card

    def place(self, token: int | None, state: State) -> None:
        if token is not None:
            self.writes += 1
            self._token.fill_(token)

    def step_and_draw(self, greedy: bool) -> None:
        self.logits.copy_(TABLE[int(self._token)])
        self.draw_again(greedy)

    def draw_again(self, greedy: bool) -> None:
        for launch in self._launches[greedy]:
            launch.run()

    def lies_here(self, state: State) -> bool:
        return True

    def advance(self, state: State) -> None:
        state.tokens_read += 1

    def explained(self) -> AbstractContextManager[None]:
        return nullcontext()

    def forward(self, tokens: list[int], state: State) -> Tensor:
        state.tokens_read += 1
        return TABLE[tokens[0]].clone()


def new_state() -> State:
    return State(torch.zeros(1), torch.zeros(1), torch.zeros(1))


def written(writer: Writer, count: int) -> list[int]:
    state, logits, tokens = new_state(), TABLE[9].clone(), []
    for _ in range(count):
        tokens.append(writer.draw(logits))
        logits = writer.read(tokens[-1], state)
    assert state.tokens_read == count
    return tokens


def sampler(params: SamplingParams) -> Sampler:
    return Sampler(params, VOCAB, UNUSED, UNCOUNTED)


PARAMS = [
    SamplingParams(temperature=0, seed=3),
    SamplingParams(seed=4),
    SamplingParams(seed=5, top_p=0.9, top_k=40, temperature=0.8, presence_penalty=1),
    SamplingParams(seed=6, top_p=1, min_p=0.01, bias=((17, 4.0), (5, 3.0)), banned=(8, 9)),
]


@pytest.mark.parametrize("params", PARAMS)
def test_the_card_draws_what_the_host_draws(params: SamplingParams) -> None:
    here, there = sampler(params), sampler(params)
    expected = written(HostWriter(Chain(), here), 25)  # type: ignore[arg-type]
    assert written(CardWriter(Chain(), there), 25) == expected
    assert there.counts == pytest.approx(here.counts)
    assert there.save().rng_json == here.save().rng_json


def test_a_reply_goes_on_from_what_was_saved() -> None:
    params, steps, state = PARAMS[1], Chain(), new_state()
    expected = written(HostWriter(Chain(), sampler(params)), 20)  # type: ignore[arg-type]
    first = sampler(params)
    writer, logits = CardWriter(steps, first), TABLE[9].clone()
    for token in expected[:8]:
        assert writer.draw(logits) == token
        logits = writer.read(token, state)
    second = sampler(params)
    second.restore(first.save())  # while the card has drawn one more
    again = CardWriter(steps, second)
    for token in expected[8:]:
        assert again.draw(logits) == token
        logits = again.read(token, state)


def test_two_replies_in_turns() -> None:
    steps, state = Chain(), new_state()
    expected = [
        written(HostWriter(Chain(), sampler(params)), 12)  # type: ignore[arg-type]
        for params in PARAMS[1:3]
    ]
    writers = [CardWriter(steps, sampler(params)) for params in PARAMS[1:3]]
    logits = [TABLE[9].clone() for _ in writers]
    for i in range(12):
        for row, writer in enumerate(writers):
            token = writer.draw(logits[row])
            assert token == expected[row][i]
            logits[row] = writer.read(token, state)


def test_what_cannot_be_drawn_is_said() -> None:
    writer = CardWriter(Chain(), sampler(PARAMS[0]))
    logits = TABLE[9].clone()
    logits[100] = float("nan")
    with pytest.raises(EngineError, match="not finite"):
        writer.draw(logits)
    writer = CardWriter(Chain(), Sampler(PARAMS[0], VOCAB, range(VOCAB)))
    with pytest.raises(EngineError, match="No token is left"):
        writer.draw(TABLE[9].clone())
    assert np.isfinite(TABLE.numpy()).all()
