"""The loss against torch's own cross entropy in float64, with the pull written out."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from engine.training.loss import training_loss


def make(
    rows: int = 2, length: int = 7, vocab: int = 50, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(2)
    logits = (3 * torch.randn(rows, length, vocab, generator=rng)).to(dtype).requires_grad_()
    targets = torch.randint(0, vocab, (rows, length), generator=rng)
    return logits, targets, torch.rand(rows, length, generator=rng)


def truth(logits: Tensor, targets: Tensor, weights: Tensor) -> tuple[float, float, Tensor]:
    """Loss, cross entropy and gradient, in float64."""
    exact = logits.detach().double().requires_grad_()
    shares = (weights.double() / weights.double().sum()).flatten()
    each = cross_entropy(exact.flatten(0, 1), targets.flatten(), reduction="none")
    ce = (each * shares).sum()
    loss = ce + 0.5e-4 * (exact.amax(-1).flatten().square() * shares).sum()
    (gradient,) = torch.autograd.grad(loss, exact)
    return float(loss.detach()), float(ce.detach()), gradient


@pytest.mark.parametrize("size", [(2, 7, 50), (1, 65, 65536), (1, 1, 3)])
def test_it_is_the_weighted_mean_and_the_pull(size: tuple[int, int, int]) -> None:
    logits, targets, weights = make(*size)
    wanted, wanted_ce, wanted_gradient = truth(logits, targets, weights)
    loss, ce = training_loss(logits, targets, weights)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(wanted, rel=1e-5)
    assert float(ce) == pytest.approx(wanted_ce, rel=1e-5)
    assert logits.grad is not None
    assert torch.allclose(logits.grad.double(), wanted_gradient, rtol=1e-4, atol=1e-8)


def test_with_equal_weights_it_is_the_mean_over_tokens() -> None:
    logits, targets, _ = make()
    _, ce = training_loss(logits, targets, torch.full((2, 7), 0.3))
    mean = cross_entropy(logits.detach().flatten(0, 1), targets.flatten())
    assert float(ce) == pytest.approx(float(mean), rel=1e-5)


def test_a_token_without_weight_has_no_gradient() -> None:
    logits, targets, weights = make()
    weights[0, 3:] = 0
    training_loss(logits, targets, weights)[0].backward()
    assert logits.grad is not None
    silent = logits.grad.abs().amax(-1) == 0
    assert torch.equal(silent, weights == 0)


def test_without_any_weight_there_is_nothing_to_learn() -> None:
    logits, targets, _ = make()
    loss, ce = training_loss(logits, targets, torch.zeros(2, 7))
    loss.backward()
    assert (float(loss.detach()), float(ce)) == (0, 0)
    assert logits.grad is not None
    assert not logits.grad.any()


def test_bf16_logits_are_summed_in_fp32() -> None:
    logits, targets, weights = make(dtype=torch.bfloat16)
    wanted, _, wanted_gradient = truth(logits, targets, weights)
    loss, _ = training_loss(logits, targets, weights)
    loss.backward()
    assert loss.dtype == torch.float32
    assert float(loss.detach()) == pytest.approx(wanted, rel=1e-5)
    assert logits.grad is not None
    assert logits.grad.dtype == torch.bfloat16
    assert torch.allclose(logits.grad.double(), wanted_gradient, rtol=2**-8, atol=1e-7)


def test_a_scaled_loss_scales_the_gradient() -> None:
    logits, targets, weights = make()
    _, _, wanted = truth(logits, targets, weights)
    (0.25 * training_loss(logits, targets, weights)[0]).backward()
    assert logits.grad is not None
    assert torch.allclose(logits.grad.double(), 0.25 * wanted, rtol=1e-4, atol=1e-8)


def test_far_logits_stay_finite() -> None:
    logits = torch.tensor([[[900.0, -900.0, 0.0]]], requires_grad=True)
    loss, ce = training_loss(logits, torch.tensor([[1]]), torch.ones(1, 1))
    loss.backward()
    assert float(ce) == 1800
    assert float(loss.detach()) == pytest.approx(1800 + 0.5e-4 * 900**2)
    assert logits.grad is not None
    assert logits.grad.flatten().tolist() == pytest.approx([1 + 0.09, -1, 0])


def test_without_gradients_it_only_measures() -> None:
    logits, targets, weights = make()
    with torch.no_grad():
        loss, ce = training_loss(logits, targets, weights)
    assert not loss.requires_grad
    assert float(ce) == pytest.approx(truth(logits, targets, weights)[1], rel=1e-5)
    even = training_loss(torch.zeros(1, 4, 50), torch.zeros(1, 4).long(), torch.ones(1, 4))
    assert float(even[1]) == pytest.approx(math.log(50))


def test_its_gradient_can_be_taken_once() -> None:
    logits, targets, weights = make()
    loss, _ = training_loss(logits, targets, weights)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="inplace"):
        loss.backward()
