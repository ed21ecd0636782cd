"""A model of the built-in one's shape, with random weights: it answers, and knows nothing.

For tests of what the product does with its built-in model, whatever that model says.
"""

import shutil
from importlib import resources
from pathlib import Path

import torch

from engine.built_in import FILE_NAME
from engine.checkpoint.shape import ModelShape, Ranks
from engine.training.export import export_model
from engine.training.model import TrainedModel

SHAPE = ModelShape(8, 256, 960, 2304, 64, Ranks(32, 32, 32, 64))


def write_gosling(folder: Path) -> Path:
    """Write the weights (fp16) with the real vocabulary beside them; return the weights' path."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = resources.files("resources").joinpath("models", "gosling", "vocabulary.txt")
    shutil.copy(str(vocabulary), folder / "vocabulary.txt")
    export_model(TrainedModel.fresh(SHAPE, seed=1), folder / FILE_NAME, torch.float16)
    return folder / FILE_NAME
