"""What the author's package can run of a strategy: the one place that says so.

Knows words and types' names; knows no tensors and no machine.
"""

from collections.abc import Mapping
from types import MappingProxyType

from engine.errors import UnsupportedStrategy
from engine.strategy import Stage, Strategy

EIGHT_BITS = "i8"

_TYPES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **{"fp32": ("fp32", "fp32"), "fp16": ("fp16", "fp16"), "bf16": ("bf16", "bf16")},
        **{"fp32i8": ("fp32", "i8"), "fp16i8": ("fp16", "i8"), "bf16i8": ("bf16", "i8")},
    }
)


def package_types(stage: Stage) -> tuple[str, str]:
    """Return the types of activations and matrices ("i8": 8 bits) that a stage asks for.

    Our "int8" is the package's 8 bits under fp32 on the processor, under fp16 elsewhere.
    Raises UnsupportedStrategy for what the package does not have.
    """
    if stage.weights == "int8":
        return ("fp32" if stage.kind == "cpu" else "fp16"), EIGHT_BITS
    if stage.weights in _TYPES:
        return _TYPES[stage.weights]
    raise UnsupportedStrategy(
        f"“{stage}” cannot run: models of RWKV-4, 5 and 6 have no {stage.weights}.",
        "Choose “auto”, or fp16, bf16, fp32 or int8.",
    )


def counted_types(stage: Stage) -> tuple[str, str]:
    """Return what to count with: of a stage that cannot run, the smallest that could."""
    can_run = stage.weights == "int8" or stage.weights in _TYPES
    return package_types(stage) if can_run else ("fp32", EIGHT_BITS)


def unrunnable_for_older(strategy: Strategy) -> Stage | None:
    """Return the first stage that the package's forward passes cannot run, or None."""
    for stage in strategy.stages:
        if stage.streamed or (stage.weights != "int8" and stage.weights not in _TYPES):
            return stage
    return None


def refuse_for_older(strategy: Strategy) -> None:
    """Raise UnsupportedStrategy when the package's forward passes cannot run a strategy."""
    stage = unrunnable_for_older(strategy)
    if stage is None:
        return
    package_types(stage)
    raise UnsupportedStrategy(
        f"“{stage}” cannot run: this version does not stream layers (the “+”).",
        "Put the other layers on the processor, or choose “auto”.",
    )
