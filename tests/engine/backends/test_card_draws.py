"""One sampler on the card serves replies that differ in what they do not count."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.backends.base import HostWriter
from engine.backends.card_draws import CardDraws
from engine.backends.card_memory import Explained
from engine.backends.card_writer import CardSampler, CardWriter
from engine.backends.graphs import NoGraphs
from engine.errors import NotEnoughMemory
from engine.sampling import Sampler
from engine.sampling_params import SamplingParams
from engine.state import State
from engine.strategy import Strategy
from tests.kernels.cuda.emulator.emulator import EmulatedPrograms

VOCAB = 300
TABLE = torch.randn(VOCAB, VOCAB, generator=torch.Generator().manual_seed(2)) * 2


class Chain:
    """A backend whose logits follow from the last token alone."""

    def __init__(self) -> None:
        self.writes = 0
        self.logits = torch.zeros(VOCAB)
        self._token = torch.zeros(1, dtype=torch.int32)
        self._draws = CardDraws(
            EmulatedPrograms(), NoGraphs(), [self._step], self.logits, self._token
        )

    def _step(self) -> None:
        self.logits.copy_(TABLE[int(self._token)])

    def card_sampler(self, sampler: Sampler) -> CardSampler:
        return self._draws.fit(sampler)

    def place(self, token: int | None, state: State) -> None:
        if token is not None:
            self.writes += 1
            self._token.fill_(token)

    def step_and_draw(self, greedy: bool) -> None:
        self._draws.step_and_draw(0, greedy)

    def draw_again(self, greedy: bool) -> None:
        self._draws.draw(greedy)

    def lies_here(self, state: State) -> bool:
        return True

    def advance(self, state: State) -> None:
        state.tokens_read += 1

    def explained(self) -> AbstractContextManager[None]:
        return Explained("tiny", Strategy.parse("cuda fp16"))

    def forward(self, tokens: list[int], state: State) -> Tensor:
        return TABLE[tokens[0]].clone()


def sampler(uncounted: Collection[int], **changes: Any) -> Sampler:
    params = SamplingParams(seed=1, frequency_penalty=3.0, presence_penalty=0, **changes)
    return Sampler(params, VOCAB, uncounted=uncounted)


def test_replies_in_turns_that_count_differently_and_one_that_is_greedy() -> None:
    steps = Chain()
    kinds: list[tuple[range, dict[str, Any]]] = [
        (range(0, VOCAB, 2), {"top_p": 0.9}),
        (range(0, VOCAB, 3), {"top_p": 1.0, "top_k": 20}),
        (range(5), {"temperature": 0.0}),
    ]
    replies = [CardWriter(steps, sampler(uncounted, **changes)) for uncounted, changes in kinds]
    truths = [
        HostWriter(Chain(), sampler(uncounted, **changes))  # type: ignore[arg-type]
        for uncounted, changes in kinds
    ]
    state = State(torch.zeros(1), torch.zeros(1), torch.zeros(1))
    logits = [[TABLE[9].clone(), TABLE[9].clone()] for _ in kinds]
    for _ in range(15):
        for reply, truth, mine in zip(replies, truths, logits, strict=True):
            tokens = [reply.draw(mine[0]), truth.draw(mine[1])]
            assert tokens[0] == tokens[1]
            mine[:] = [reply.read(tokens[0], state), truth.read(tokens[1], state)]


def test_a_full_card_is_explained_while_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Chain()

    def full(*_: object) -> CardSampler:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(steps, "card_sampler", full)
    with pytest.raises(NotEnoughMemory, match="memory is full"):
        CardWriter(steps, sampler(())).draw(TABLE[9].clone())
