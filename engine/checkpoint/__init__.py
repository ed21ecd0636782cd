"""Checkpoint files: what they hold, whether they are sound, and their named weights.

Every reader yields the same table of BlinkDL-named tensors. Knows files and numpy, not torch,
devices or backends.

The names are looked up when they are asked for. Would the package import its own modules, then
two threads that import the package and one of its modules at once might wait for each other
(https://github.com/python/cpython/issues/83065), and one of them would fail.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "Checkpoint": "checkpoint",
    "ModelInfo": "info",
    "ModelShape": "shape",
    "Ranks": "shape",
    "TensorEntry": "entries",
    "inspect": "checkpoint",
    "open_checkpoint": "checkpoint",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: the type is that of the export
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
