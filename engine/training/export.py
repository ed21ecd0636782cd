"""Writes a trained model as a checkpoint that everything reads: BlinkDL's names and shapes.

Knows names, types and files; nothing of how the weights came about.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from engine.errors import EngineError
from engine.files import replacing
from engine.training.model import TrainedModel

SUFFIXES = (".pth", ".safetensors", ".st")


def export_model(model: TrainedModel, path: Path, dtype: torch.dtype = torch.bfloat16) -> None:
    """Write the model's weights in ``dtype``, deltas merged: see ``export_weights``."""
    merged = {name: m.effective() for name, m in model.matrices().items() if m.delta is not None}
    export_weights({**model.named_weights(), **merged}, path, dtype)


def export_weights(weights: Mapping[str, Tensor], path: Path, dtype: torch.dtype) -> None:
    """Write named weights as .pth or .safetensors (by suffix): whole, or the old file stays.

    Raises EngineError for another suffix, for values that are not finite in ``dtype`` (fp16 ends
    at 65504), and when the file cannot be written.
    """
    require_suffix(path)
    tensors = {name: _stored(name, weight, dtype) for name, weight in weights.items()}
    try:
        with replacing(path) as temporary:
            if path.suffix == ".pth":
                torch.save(tensors, temporary)
            else:
                save_file(tensors, temporary)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch.save: RuntimeError
        raise EngineError(
            f"{path.name} could not be written: {error}.",
            "Check that the folder exists, can be written to and has room.",
        ) from error


def require_suffix(path: Path) -> None:
    """Raise EngineError unless weights are written under such a name."""
    if path.suffix not in SUFFIXES:
        raise EngineError(
            f"{path.name} has no suffix that a model is written under.",
            "Choose a name that ends in .pth or .safetensors.",
        )


def _stored(name: str, weight: Tensor, dtype: torch.dtype) -> Tensor:
    # A copy always: a view would bring its whole storage into the file.
    stored = weight.detach().to("cpu", dtype, copy=True).contiguous()
    if not bool(torch.isfinite(stored).all()):
        raise EngineError(
            f"The model cannot be written: {name} holds values that are not finite as {dtype}.",
            "Export as bf16 or fp32; if that fails too, go back to an earlier checkpoint.",
        )
    return stored
