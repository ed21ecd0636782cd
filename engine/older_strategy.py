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


def refuse_for_older(strategy: Strategy) -> None:
    """Raise UnsupportedStrategy when the package's forward passes cannot run a strategy."""
    for stage in strategy.stages:
        package_types(stage)
        if stage.streamed:
            raise UnsupportedStrategy(
                f"“{stage}” cannot run: this version does not stream layers (the “+”).",
                "Put the other layers on the processor, or choose “auto”.",
            )
