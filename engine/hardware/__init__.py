"""What this computer has: processor, memory, GPUs, and which of them torch can use.

Looks, never measures (that is ``engine.bandwidth``) and never imports torch. It knows nothing of
models; what fits where is ``engine.plan``.

The names are looked up when they are asked for; why, ``engine.checkpoint`` says.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.hardware.detection import detect
    from engine.hardware.facts import Gpu, Hardware

__all__ = ["Gpu", "Hardware", "detect"]

_HOMES = {"Gpu": "facts", "Hardware": "facts", "detect": "detection"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: the type is that of the export
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
