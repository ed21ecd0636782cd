"""Checkpoint files: what they hold, whether they are sound, and their named weights.

Every reader yields the same table of BlinkDL-named tensors. Knows files and numpy, not torch,
devices or backends.
"""

from engine.checkpoint.checkpoint import Checkpoint, inspect, open_checkpoint
from engine.checkpoint.entries import TensorEntry
from engine.checkpoint.info import ModelInfo
from engine.checkpoint.shape import ModelShape, Ranks

__all__ = [
    "Checkpoint",
    "ModelInfo",
    "ModelShape",
    "Ranks",
    "TensorEntry",
    "inspect",
    "open_checkpoint",
]
