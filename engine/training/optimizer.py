"""Which parameter learns how fast, which one decays, and the optimizer for them.

Source: BlinkDL/RWKV-LM, RWKV-v7/train_temp (README's table, configure_optimizers in src/model.py).
Knows names and dimensions of parameters; the learning rate over time is ``schedule``'s.
"""

from typing import Any

import torch
from torch import Tensor, nn

BETAS = (0.9, 0.99)
EPSILON = 1e-18
"""The reference's: so small that even a gradient of 1e-15 makes a whole step."""

_FUSED_ON = {"cpu", "cuda", "mps", "xpu"}


def parameter_groups(
    model: nn.Module, learning_rate: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Return the optimizer's groups of all parameters that want gradients, none empty.

    "matrices" (the embedding, the head and the six large matrices of a layer) decay; "decay
    speed" (w0) learns at twice the rate; "others" are all else: vectors, norms, low-rank pairs.
    Each group is a dict with params, lr, weight_decay, and lr_scale and name, which are ours.
    """
    groups = [
        _group("others", 1.0, 0.0, learning_rate),
        _group("decay speed", 2.0, 0.0, learning_rate),
        _group("matrices", 1.0, weight_decay, learning_rate),
    ]
    by_name = {group["name"]: group for group in groups}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            by_name[group_of(name, parameter)]["params"].append(parameter)
    return [group for group in groups if group["params"]]


def group_of(name: str, parameter: Tensor) -> str:
    """Return the name of the group that a parameter of this name and shape belongs to."""
    if name.endswith("att.w0"):
        return "decay speed"
    return "matrices" if name.endswith(".weight") and parameter.dim() == 2 else "others"


def _group(name: str, scale: float, weight_decay: float, learning_rate: float) -> dict[str, Any]:
    return {
        "params": [],
        "lr": learning_rate * scale,
        "weight_decay": weight_decay,
        "lr_scale": scale,
        "name": name,
    }


def adamw(groups: list[dict[str, Any]]) -> torch.optim.AdamW:
    """Return AdamW with the reference's numbers, as one kernel where torch has one."""
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    return torch.optim.AdamW(groups, betas=BETAS, eps=EPSILON, fused=devices <= _FUSED_ON)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Give every group its share of this step's rate."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get("lr_scale", 1.0)
