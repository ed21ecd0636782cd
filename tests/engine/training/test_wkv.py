"""The recurrence's values and all seven gradients, against one step after the other in float64."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from engine.training.wkv import wkv7

ROWS, HEADS, N = 2, 3, 64
NAMES = ("r", "log_w", "k", "v", "a", "b", "state")
Recurrence = Callable[..., tuple[Tensor, Tensor]]


def make(length: int, *, strongest: bool = False, seed: int = 0) -> list[Tensor]:
    rng = torch.Generator().manual_seed(seed)

    def randn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    size = (ROWS, length, HEADS, N)
    kk = torch.nn.functional.normalize(randn(*size), dim=-1)
    speed = torch.ones(size, dtype=torch.float64) if strongest else torch.sigmoid(3 * randn(*size))
    a, state = torch.sigmoid(randn(*size)), randn(ROWS, HEADS, N, N)
    return [randn(*size), -0.6065306597 * speed, randn(*size), randn(*size), -kk, kk * a, state]


def one_by_one(*parts: Tensor) -> tuple[Tensor, Tensor]:
    """The equation of the paper, with nothing of the engine in it."""
    *vectors, state = parts
    ys = []
    for r, log_w, k, v, a, b in zip(*(part.unbind(1) for part in vectors), strict=True):
        removed = torch.einsum("zhij,zhj,zhk->zhik", state, a, b)
        state = state * log_w.exp().unsqueeze(-2) + removed + torch.einsum("zhi,zhj->zhij", v, k)
        ys.append(torch.einsum("zhij,zhj->zhi", state, r))
    return torch.stack(ys, 1), state


def results(run: Recurrence, parts: list[Tensor]) -> list[Tensor]:
    """y, the end state, and the gradients of a loss in which every element of both counts."""
    inputs = [part.detach().clone().requires_grad_() for part in parts]
    y, end = run(*inputs)
    rng = torch.Generator().manual_seed(7)
    pull_y, pull_end = (torch.randn(t.shape, generator=rng, dtype=torch.float64) for t in (y, end))
    loss = (y * pull_y).sum() + (end * pull_end).sum()
    return [y.detach(), end.detach(), *torch.autograd.grad(loss, inputs)]


def worst(truth: Tensor, got: Tensor) -> float:
    return float((got.double() - truth).abs().max() / truth.std())


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 33, 64])
def test_values_and_gradients(length: int) -> None:
    parts = make(length)
    truth = results(one_by_one, parts)
    for name, wanted, got in zip(
        ("y", "end", *NAMES),
        truth,
        results(wkv7, [part.float() for part in parts]),
        strict=True,
    ):
        assert got.dtype == torch.float32
        assert worst(wanted, got) < 5e-5, name


@pytest.mark.parametrize("chunk", [16, 64])
def test_the_strongest_decay_at_either_chunk(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.backends.wkv7.CPU_CHUNK", chunk)
    parts = make(70, strongest=True)
    truth = results(one_by_one, parts)
    got = results(wkv7, [part.float() for part in parts])
    assert max(map(worst, truth, got)) < 1e-4


def test_in_float64_it_is_exact() -> None:
    parts = make(37)
    assert max(map(worst, results(one_by_one, parts), results(wkv7, parts))) < 1e-11


def test_bf16_vectors_keep_their_type() -> None:
    parts = make(20)
    types = [torch.bfloat16, torch.float32, *[torch.bfloat16] * 4, torch.float32]
    rounded = [part.to(dtype) for part, dtype in zip(parts, types, strict=True)]
    got = results(wkv7, rounded)
    assert [t.dtype for t in got] == [torch.bfloat16, torch.float32, *types]
    truth = results(one_by_one, [part.double() for part in rounded])
    assert max(map(worst, truth, got)) < 0.05


def test_no_state_is_the_zero_state() -> None:
    r, log_w, k, v, a, b, state = (part.float() for part in make(9))
    y, end = wkv7(r, log_w, k, v, a, b)
    y_zero, end_zero = wkv7(r, log_w, k, v, a, b, torch.zeros_like(state))
    assert torch.equal(y, y_zero)
    assert torch.equal(end, end_zero)


def test_the_end_goes_on() -> None:
    run: Recurrence = wkv7
    *vectors, state = (part.float() for part in make(40))
    y, end = run(*vectors, state)
    first, middle = run(*(part[:, :23] for part in vectors), state)
    second, end_in_two = run(*(part[:, 23:] for part in vectors), middle)
    assert torch.allclose(y, torch.cat((first, second), 1), atol=1e-4)
    assert torch.allclose(end, end_in_two, atol=1e-4)
