"""Which parameter is in which group, name by name, and what a step does to each group."""

import re

import pytest
import torch

from engine.checkpoint import ModelShape, Ranks
from engine.training.model import TrainedModel
from engine.training.optimizer import adamw, group_of, parameter_groups, set_learning_rate

SHAPE = ModelShape(2, 64, 128, 30, 64, Ranks(8, 8, 8, 8))
DECAYING = re.compile(
    r"emb\.weight|head\.weight|blocks\.\d\.att\.(receptance|key|value|output)\.weight|"
    r"blocks\.\d\.ffn\.(key|value)\.weight"
)


def make() -> TrainedModel:
    return TrainedModel.fresh(SHAPE, 0)


def test_every_name_is_in_its_group() -> None:
    model = make()
    wanted = {
        name: "matrices"
        if DECAYING.fullmatch(name)
        else "decay speed"
        if name.endswith(".w0")
        else "others"
        for name in model.named_weights()
    }
    assert {name: group_of(name, p) for name, p in model.named_parameters()} == wanted
    counts = {group: list(wanted.values()).count(group) for group in set(wanted.values())}
    assert counts == {"matrices": 14, "decay speed": 2, "others": 53}


def test_groups_hold_every_parameter_once() -> None:
    model = make()
    groups = parameter_groups(model, 1e-3, 0.1)
    held = [id(p) for group in groups for p in group["params"]]
    assert len(held) == len(set(held))
    assert set(held) == {id(p) for p in model.parameters()}
    assert [(g["name"], g["lr"], g["weight_decay"]) for g in groups] == [
        ("others", 1e-3, 0.0),
        ("decay speed", 2e-3, 0.0),
        ("matrices", 1e-3, 0.1),
    ]


def test_frozen_parameters_are_left_out() -> None:
    model = make().requires_grad_(False)
    model.named_weights()["blocks.1.att.w0"].requires_grad_(True)
    (group,) = parameter_groups(model, 1e-3, 0.1)
    assert group["name"] == "decay speed"


def test_a_step_without_gradients_only_decays_matrices() -> None:
    model = make()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = adamw(parameter_groups(model, 1e-2, 0.1))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        factor = 1 - 1e-2 * 0.1 if DECAYING.fullmatch(name) else 1.0
        assert torch.allclose(parameter, before[name] * factor, rtol=1e-6, atol=0), name


@pytest.mark.parametrize("size", [1.0, 1e-9, 1e-15])
def test_the_first_step_is_the_learning_rate_however_small_the_gradient(size: float) -> None:
    model = make()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = adamw(parameter_groups(model, 1.0, 0.0))
    set_learning_rate(optimizer, 1e-2)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, size)
    optimizer.step()
    for name, parameter in model.named_parameters():
        wanted = 2e-2 if name.endswith(".w0") else 1e-2
        moved = before[name] - parameter.detach()
        assert torch.allclose(moved, torch.full_like(moved, wanted), rtol=1e-2), name
