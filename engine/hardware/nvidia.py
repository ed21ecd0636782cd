"""NVIDIA cards through NVML: no CUDA context, no torch."""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from engine.hardware.cards import bandwidth_by_name
from engine.hardware.facts import Gpu
from engine.hardware.torch_build import nvidia_obstacle

_T = TypeVar("_T")


def nvidia_gpus(build: str) -> list[Gpu]:
    """Return the NVIDIA cards in NVML's order (that of the PCI bus); none without a driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        driver = _ask(pynvml.nvmlSystemGetDriverVersion, "")
        count = _ask(pynvml.nvmlDeviceGetCount, 0)
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(count)]
        ids = [str(_ask(pynvml.nvmlDeviceGetUUID, "", handle)) for handle in handles]
        shown = visible(ids, os.environ.get("CUDA_VISIBLE_DEVICES"))
        return [_describe(i, handles[at], driver, build) for i, at in enumerate(shown)]
    finally:
        pynvml.nvmlShutdown()


def visible(ids: Sequence[str], wanted: str | None) -> list[int]:
    """Return the positions of the cards that CUDA_VISIBLE_DEVICES leaves, in its order.

    As CUDA does, the list ends at the first entry that names no card.
    """
    if wanted is None:
        return list(range(len(ids)))
    shown: list[int] = []
    for entry in (part.strip() for part in wanted.split(",")):
        if entry.isdigit() and int(entry) < len(ids):
            shown.append(int(entry))
        elif entry.startswith("GPU-") and any(known.startswith(entry) for known in ids):
            shown.append(next(i for i, known in enumerate(ids) if known.startswith(entry)))
        else:
            break
    return shown


def _describe(index: int, handle: object, driver: str, build: str) -> Gpu:
    import pynvml

    name = _ask(pynvml.nvmlDeviceGetName, "NVIDIA GPU", handle)
    memory: Any = _ask(pynvml.nvmlDeviceGetMemoryInfo, None, handle)
    capability = _ask(pynvml.nvmlDeviceGetCudaComputeCapability, None, handle)
    why_not = nvidia_obstacle(build, capability and (capability[0], capability[1]), driver)
    if memory is None:
        why_not = why_not or "The driver does not tell how much memory this card has."
    return Gpu(
        index=index,
        name=name,
        kind="cuda",
        vram_total=memory.total if memory else 0,
        vram_free=memory.free if memory else 0,
        driver=driver,
        capability=capability and (capability[0], capability[1]),
        bandwidth=_bandwidth(handle) or bandwidth_by_name(name),
        usable=not why_not,
        why_not=why_not,
    )


def _bandwidth(handle: object) -> float | None:
    """Return bytes/s: bus width x highest memory clock x 2 transfers a clock."""
    import pynvml

    bits = _ask(pynvml.nvmlDeviceGetMemoryBusWidth, 0, handle)
    megahertz = _ask(pynvml.nvmlDeviceGetMaxClockInfo, 0, handle, pynvml.NVML_CLOCK_MEM)
    return bits / 8 * megahertz * 1e6 * 2 or None


def _ask(question: Callable[..., _T], otherwise: _T, *arguments: object) -> _T:
    """Ask NVML; virtual and old cards do not answer everything."""
    import pynvml

    try:
        return question(*arguments)
    except pynvml.NVMLError:
        return otherwise
