"""Room for a model while another is loaded: what each device will have, and whether both fit."""

from collections.abc import Sequence
from dataclasses import replace

from engine.hardware import Hardware
from engine.needs import DeviceNeed
from engine.strategy import Stage

_SHARE = 0.8
"""Of what is free, a second model may take this much; the rest is for loading and others."""


def without(hardware: Hardware, needs: Sequence[DeviceNeed]) -> Hardware:
    """Return the machine as it will be once a model with these needs is gone.

    Only the weights come back, each to the device that holds them.
    """
    for need in needs:
        stage, freed = Stage(need.device, "fp16"), need.weights_bytes
        if stage.kind in ("cpu", "mps"):  # on Apple silicon a card's memory is the main memory
            free = min(hardware.ram_total, hardware.ram_free + freed)
            hardware = replace(hardware, ram_free=free)
        gpus = tuple(
            replace(gpu, vram_free=min(gpu.vram_total, gpu.vram_free + freed))
            if (gpu.kind, gpu.index) == (stage.kind, stage.index)
            else gpu
            for gpu in hardware.gpus
        )
        hardware = replace(hardware, gpus=gpus)
    return hardware


def fits_beside(hardware: Hardware, needs: Sequence[DeviceNeed]) -> bool:
    """Tell whether a model with these needs fits in what is free now, device by device."""
    return all(need.total_bytes <= _SHARE * _free(hardware, need.device) for need in needs)


def _free(hardware: Hardware, device: str) -> int:
    stage = Stage(device, "fp16")
    if stage.kind == "cpu":
        return hardware.ram_free
    same = [gpu for gpu in hardware.gpus if (gpu.kind, gpu.index) == (stage.kind, stage.index)]
    return same[0].vram_free if same else 0
