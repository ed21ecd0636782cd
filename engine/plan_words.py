"""The reason of a plan, in plain sentences for people who are no programmers. No decisions."""

import math
from typing import TYPE_CHECKING

from engine.hardware.facts import Gpu, Hardware
from engine.needs import DeviceNeed, find_gpu
from engine.older_strategy import unrunnable_for_older
from engine.strategy import Stage, Strategy, unrunnable_stage

if TYPE_CHECKING:
    from engine.checkpoint.shape import ModelShape
    from engine.plan import Plan

_ANY_LENGTH = "whatever the length of the chat"


def gigabytes(size_bytes: float) -> str:
    """Return "6.1 GB": memory as systems and makers of cards count it, 1024^3."""
    return f"{size_bytes / 2**30:.1f} GB"


def _need(size_bytes: int) -> str:
    """Needs are rounded up and room is rounded down, so that no sentence contradicts itself."""
    return f"{math.ceil(size_bytes / 2**30 * 10) / 10:.1f} GB"


def _have(size_bytes: int) -> str:
    return f"{math.floor(size_bytes / 2**30 * 10) / 10:.1f} GB"


def reason(
    shape: "ModelShape",
    hardware: Hardware,
    plan: "Plan",
    *,
    other: Strategy | None = None,
    smaller: str = "",
) -> str:
    """Return one or two sentences: where it runs, what it needs, what else there is to know.

    Of a plan that is too large, ``other`` is a strategy that is not, and ``smaller`` the label
    of a released model that fits.
    """
    missing = next((s for s in plan.strategy.stages if _is_missing(hardware, s)), None)
    if missing:
        return _missing_sentence(hardware, missing)
    if plan.verdict == "too_large":
        return _too_large(plan, other, smaller)
    sentence = f"{_where(shape, hardware, plan)}, {_ANY_LENGTH}.{_advice(plan)}"
    if shape.generation == "7":
        notes = _unrunnable_sentence(hardware, plan)
    else:
        notes = _older_sentence(shape.generation, plan)
    notes = notes or _unused_gpu_sentence(hardware, plan)
    return " ".join([sentence, *notes])


def _is_missing(hardware: Hardware, stage: Stage) -> bool:
    return stage.kind != "cpu" and find_gpu(hardware, stage) is None


def _missing_sentence(hardware: Hardware, stage: Stage) -> str:
    same = [gpu for gpu in hardware.gpus if gpu.kind == stage.kind]
    there = next((gpu for gpu in same if gpu.index == stage.index), None)
    if there:
        return f"Your {_gpu_name(there)} cannot be used yet. {there.why_not}"
    return f"This computer has no device “{stage.device}”."


def _where(shape: "ModelShape", hardware: Hardware, plan: "Plan") -> str:
    kinds = {stage.kind for stage in plan.strategy.stages}
    cards = [need for need in plan.needs if need.device != "cpu"]
    if kinds == {"cpu"}:
        return f"Runs on your processor ({hardware.cpu_name}): {_one_place(plan, 'of memory')}"
    if "cpu" not in kinds and len(cards) == 1:
        return f"Runs on your {_card(hardware, cards[0])}: {_one_place(plan, 'there')}"
    if "cpu" not in kinds:
        return f"Shared between your graphics cards: it needs {_places(hardware, plan)}"
    placement = plan.strategy.placement(shape.layers)[: shape.layers]
    on_cards = sum(stage.kind != "cpu" for stage in placement)
    return (
        f"{on_cards} of {shape.layers} layers run on the graphics card, the others on your "
        f"processor, which is slower: it needs {_places(hardware, plan)}"
    )


def _one_place(plan: "Plan", where: str) -> str:
    need = plan.needs[0]
    joint = "but only" if need.total_bytes > need.available_bytes else "and"
    return (
        f"it needs {_need(need.total_bytes)} {where} {joint} {_have(need.available_bytes)} are free"
    )


def _places(hardware: Hardware, plan: "Plan") -> str:
    """Return what each device that computes must hold, and what it has free."""
    parts = []
    for need in plan.needs:
        if need.device == "cpu" and not need.state_bytes and plan.strategy.stages[-1].kind != "cpu":
            continue  # the embedding table alone
        place = "of memory" if need.device == "cpu" else f"on your {_card(hardware, need)}"
        free = _have(need.available_bytes)
        parts.append(f"{_need(need.total_bytes)} {place} ({free} are free)")
    return " and ".join(parts)


def _advice(plan: "Plan") -> str:
    if any(need.total_bytes > need.available_bytes for need in plan.needs):
        return " Close other programs first."
    return " That leaves little room for other programs." if plan.verdict == "tight" else ""


def _card(hardware: Hardware, need: DeviceNeed) -> str:
    gpu = find_gpu(hardware, Stage(need.device, "fp16"))
    return _gpu_name(gpu) if gpu else "graphics card"


def _gpu_name(gpu: Gpu) -> str:
    size = gpu.vram_total / 2**30
    shown = f"{size:.0f}" if abs(size - round(size)) < 0.1 else f"{size:.1f}"
    shared = " of the shared memory" if gpu.kind == "mps" else ""
    return f"{gpu.name} ({shown} GB{shared})"


def _unrunnable_sentence(hardware: Hardware, plan: "Plan") -> list[str]:
    if unrunnable_stage(plan.strategy):
        return [f"This version cannot run “{unrunnable_stage(plan.strategy)}” yet."]
    if stage := unrunnable_stage(
        plan.strategy, native=bool(hardware.native), cuda=hardware.cuda_engine
    ):
        why = "it was made without a C++ compiler"
        if stage.kind == "cuda":
            why = "the installed PyTorch brings no compiler for Skein's engine for NVIDIA cards"
        return [f"This installation cannot run “{stage}”: {why}."]
    return []


def _older_sentence(generation: str, plan: "Plan") -> list[str]:
    if stage := unrunnable_for_older(plan.strategy):
        return [f"Models of RWKV-{generation} cannot run as “{stage}”; choose “auto”."]
    return [
        f"RWKV-{generation} is an older generation: its author's package runs it, more slowly than "
        "an RWKV-7 of its size."
    ]


def _unused_gpu_sentence(hardware: Hardware, plan: "Plan") -> list[str]:
    """Say why a card stands idle while the processor works."""
    if any(stage.kind != "cpu" for stage in plan.strategy.stages):
        return []
    idle = next((gpu for gpu in hardware.gpus if not gpu.usable), None)
    return [f"Your {_gpu_name(idle)} is not used. {idle.why_not}"] if idle else []


def _too_large(plan: "Plan", other: Strategy | None, smaller: str) -> str:
    short = next(need for need in plan.needs if need.total_bytes > need.capacity_bytes)
    place = "of memory" if short.device == "cpu" else "on the graphics card"
    lack = (
        f"it needs {_need(short.total_bytes)} {place}, of which at most "
        f"{_have(short.capacity_bytes)} can be had."
    )
    if other:
        return f"Too large for “{plan.strategy}”: {lack} “{other}” has the room."
    fits = f"The {smaller.upper()} model fits." if smaller else "No released model fits right now."
    return f"Too large for this computer: {lack} {fits}"
