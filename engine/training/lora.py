"""LoRA training: low-rank changes of the large matrices, learned while the weights stay.

W becomes W + (alpha / r) B A with A [r, in] and B [out, r]; B is zero at first, so training
begins at the model itself (LoRA, https://arxiv.org/abs/2106.09685). Saved in RWKV-PEFT's names:
see ``engine.lora_files``, which reads and merges them. Knows nothing of data files.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.errors import EngineError
from engine.lora_files import ALPHA
from engine.training.descent import TuneOptions, TuneProgress, TuneResult, descend
from engine.training.export import export_weights
from engine.training.model import TrainedModel
from engine.training.rows import Row
from engine.training.tuning import batch_loss

LEARNING_RATE = 1e-3
"""Measured on a model of 8 layers and 256 wide, 12 examples, 80 steps, rank 16, alpha 32; loss of
other questions than the examples': rate 3e-4 gave 0.73, 1e-3 gave 0.03, 3e-3 0.06, 1e-2 0.40."""

PARTS = ("att", "ffn")


@dataclass(frozen=True, slots=True)
class LoraShape:
    """rank: r. alpha: the change counts alpha / r. parts: "att", "ffn" or both."""

    rank: int = 16
    alpha: float = 32.0
    parts: tuple[str, ...] = PARTS

    def validated(self) -> "LoraShape":
        """Return it, or raise EngineError with what is wrong."""
        if self.rank < 1:
            raise EngineError("The rank of a LoRA is 1 or more.")
        if not 0 < self.alpha < math.inf:
            raise EngineError("The alpha of a LoRA is a number above 0.")
        if not self.parts or not set(self.parts) <= set(PARTS):
            raise EngineError("A LoRA changes the parts att, ffn or both.")
        return self


class LowRank(nn.Module):
    """A change of one matrix [out, in]: ``first`` [r, in], ``second`` [out, r]."""

    def __init__(self, rows: int, columns: int, shape: LoraShape, rng: torch.Generator) -> None:
        """Begin as RWKV-PEFT does: ``first`` uniform within 1 / sqrt(in), ``second`` zero."""
        super().__init__()
        spread = 1 / math.sqrt(columns)
        first = torch.rand(shape.rank, columns, generator=rng) * (2 * spread) - spread
        self.first = nn.Parameter(first)
        self.second = nn.Parameter(torch.zeros(rows, shape.rank))
        self.scale = shape.alpha / shape.rank

    def forward(self) -> Tensor:
        """Return what is added to the weight, fp32 [out, in]."""
        return (self.scale * self.second) @ self.first


def add_loras(model: TrainedModel, shape: LoraShape, seed: int) -> dict[str, LowRank]:
    """Freeze the model and hang a change on its large matrices; return them by weight's name.

    The same seed gives the same start. Raises EngineError for an impossible shape.
    """
    shape.validated()
    model.requires_grad_(False)
    rng = torch.Generator().manual_seed(seed)
    made: dict[str, LowRank] = {}
    for name, matrix in model.matrices().items():
        if any(f".{part}." in name for part in shape.parts):
            rows, columns = matrix.weight.shape
            made[name] = LowRank(rows, columns, shape, rng).to(matrix.weight.device)
            matrix.delta = made[name]
    return made


def train_lora(
    model: TrainedModel,
    batches: Iterator[list[Row]],
    shape: LoraShape,
    options: TuneOptions,
    *,
    progress: Callable[[TuneProgress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[dict[str, LowRank], TuneResult]:
    """Train changes of the model, which stay on it; return them by weight's name.

    batches: as ``examples.batches`` yields them. Raises what ``add_loras`` and ``descend`` raise.
    """
    options.validated()
    changes = add_loras(model, shape, options.seed)
    parameters = [p for change in changes.values() for p in change.parameters()]

    def step_loss() -> tuple[Tensor, Tensor]:
        return batch_loss(model, next(batches))

    return changes, descend(parameters, step_loss, options, progress, cancelled)


def save_lora(path: Path, changes: dict[str, LowRank], shape: LoraShape) -> None:
    """Write a .pth or .safetensors with RWKV-PEFT's names, fp32, and alpha beside them.

    Raises EngineError for another suffix, or when it cannot be written.
    """
    tensors: dict[str, Tensor] = {ALPHA: torch.tensor(float(shape.alpha))}
    for name, change in changes.items():
        matrix = name.removesuffix(".weight")
        tensors[f"{matrix}.lora_A"] = change.first
        tensors[f"{matrix}.lora_B"] = change.second
    export_weights(tensors, path, torch.float32)
