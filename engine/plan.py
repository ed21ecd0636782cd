"""What runs where: the choice for a model on a machine, and what to expect of it.

Pure functions of (ModelShape, Hardware). Bytes come from ``engine.needs``, speeds from
``engine.prediction``, sentences from ``engine.plan_words``; here they are weighed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from engine.checkpoint.shape import ModelShape
from engine.errors import NotEnoughMemory
from engine.hardware.facts import Gpu, Hardware
from engine.needs import (
    DeviceNeed,
    activation_bytes,
    card_workspace_bytes,
    embedding_bytes,
    empty_need,
    head_bytes,
    is_narrow,
    layer_bytes,
    needs_of,
    served_by_both,
    served_on_card,
    suits_native,
)
from engine.plan_words import reason
from engine.prediction import tokens_per_s, turn_seconds
from engine.strategy import WEIGHT_TYPES, Stage, Strategy

__all__ = ["RELEASED", "WEIGHT_TYPES", "DeviceNeed", "Plan", "Verdict", "choose", "require_room"]

Verdict = Literal["fits", "tight", "too_large"]
RELEASED = ("0.1b", "0.4b", "1.5b", "2.9b", "7.2b", "13.3b")

_SEVERITY: tuple[Verdict, ...] = ("fits", "tight", "too_large")
_WORTH_IT = 0.9  # a later candidate must take less than this share of an earlier one's time
_CPU_TYPES = ("fp32", "bf16", "fp16")  # the most exact first; a later one must be quicker
_NATIVE_TYPES = (*_CPU_TYPES, "int8")  # q4 loses too much to be chosen unasked
_NARROW_TYPES = ("fp32", "fp16")  # int8 would be fp16, too, and bf16 no quicker
_OLDER_TYPES = ("fp32", "fp16", "int8")  # bf16 would hold the residual, too, in so few bits
_Q4_FROM = 6_000_000_000  # parameters from which on q4 loses little: taken where int8 is too large


@dataclass(frozen=True, slots=True)
class Plan:
    """A strategy, what it needs on each device, how fast it will be, and why it was chosen.

    verdict: "fits"; "tight" (leaves less than a tenth free, or other programs must be closed
    first); "too_large". Speeds are predictions, 0.0 when too large.
    """

    strategy: Strategy
    verdict: Verdict
    needs: tuple[DeviceNeed, ...]
    read_tokens_per_s: float
    write_tokens_per_s: float
    reason: str


def choose(shape: ModelShape, hardware: Hardware, wanted: Strategy | None = None) -> Plan:
    """Return the plan for a model on a machine; with ``wanted``, the plan for exactly that.

    A ``wanted`` of "auto" chooses, and keeps its number of threads. The best verdict wins, then
    graphics cards alone, then the shortest ordinary turn; of nearly equals the simpler one.
    Never raises: what cannot run is "too_large" with the reason.
    """
    if wanted is not None and not wanted.is_auto:
        best = _weigh(shape, hardware, wanted)
    else:
        best = _best(shape, hardware)
        threads = wanted.threads if wanted else 0
        best = replace(best, strategy=replace(best.strategy, threads=threads))
    return replace(best, reason=_reason(shape, hardware, best))


def require_room(shape: ModelShape, hardware: Hardware, wanted: Strategy) -> Plan:
    """Return the plan for ``wanted``, or raise NotEnoughMemory with the strategy that fits."""
    plan = choose(shape, hardware, wanted)
    if plan.verdict != "too_large":
        return plan
    other = choose(shape, hardware)
    if other.verdict == "too_large" or wanted.is_auto:
        raise NotEnoughMemory(plan.reason, "Choose a smaller model.")
    raise NotEnoughMemory(
        plan.reason, f"Choose “{other.strategy}” or “auto”.", suggestion=str(other.strategy)
    )


def _weigh(shape: ModelShape, hardware: Hardware, strategy: Strategy) -> Plan:
    """Return the plan of one strategy, without its reason."""
    needs = needs_of(shape, hardware, strategy)
    verdict: Verdict = max((_verdict(need) for need in needs), key=lambda v: _SEVERITY.index(v))
    if verdict == "too_large":
        return Plan(strategy, verdict, needs, 0.0, 0.0, "")
    return Plan(strategy, verdict, needs, *tokens_per_s(shape, hardware, strategy), "")


def _verdict(need: DeviceNeed) -> Verdict:
    if need.total_bytes > need.capacity_bytes:
        return "too_large"
    if need.total_bytes + need.headroom_bytes > need.available_bytes:
        return "tight"
    return "fits"


def _best(shape: ModelShape, hardware: Hardware) -> Plan:
    """Return the plan of the best verdict; a card that holds the whole model beats the rest."""
    plans = [_weigh(shape, hardware, strategy) for strategy in _candidates(shape, hardware)]
    for verdict in ("fits", "tight"):
        good = [plan for plan in plans if plan.verdict == verdict]
        on_cards = [plan for plan in good if not _uses_cpu(plan.strategy)]
        exact = [plan for plan in on_cards if plan.strategy.card_weights != "q4"]
        if good:
            return _quickest(shape, hardware, exact or on_cards or good)
    return min(plans, key=lambda plan: _lacking_bytes(plan.needs))


def _uses_cpu(strategy: Strategy) -> bool:
    return any(stage.kind == "cpu" for stage in strategy.stages)


def _quickest(shape: ModelShape, hardware: Hardware, plans: Sequence[Plan]) -> Plan:
    best, best_s = plans[0], turn_seconds(shape, hardware, plans[0].strategy)
    for plan in plans[1:]:
        seconds = turn_seconds(shape, hardware, plan.strategy)
        if seconds < best_s * _WORTH_IT:
            best, best_s = plan, seconds
    return best


def _reason(shape: ModelShape, hardware: Hardware, plan: Plan) -> str:
    if plan.verdict != "too_large":
        return reason(shape, hardware, plan)
    other = _best(shape, hardware)
    if other.verdict != "too_large":
        return reason(shape, hardware, plan, other=other.strategy)
    return reason(shape, hardware, plan, smaller=_largest_that_fits(shape, hardware))


def _largest_that_fits(shape: ModelShape, hardware: Hardware) -> str:
    """Return the label of the largest smaller released size that fits, or ""."""
    for label in reversed(RELEASED):
        smaller = ModelShape.released(label)
        if (
            smaller.parameters < shape.loaded_parameters
            and _best(smaller, hardware).verdict == "fits"
        ):
            return label
    return ""


def _lacking_bytes(needs: Sequence[DeviceNeed]) -> int:
    return sum(max(0, need.total_bytes - need.capacity_bytes) for need in needs)


def _candidates(shape: ModelShape, hardware: Hardware) -> Iterator[Strategy]:
    """Yield what is worth weighing, the simplest first: a GPU, the CPU, then both or many."""
    gpus = _ranked(hardware)
    several = len([gpu for gpu in hardware.gpus if gpu.kind == gpus[0].kind]) > 1 if gpus else False
    names = [f"{gpu.kind}:{gpu.index}" if several else gpu.kind for gpu in gpus]
    for name in names:
        yield Strategy((Stage(name, "fp16"),))
        for weights in _card_types(shape):
            if served_on_card(shape, hardware, small := Strategy((Stage(name, weights),))):
                yield small
    for weights in _processor_types(shape, hardware):
        yield Strategy((Stage("cpu", weights),))
    for name in names[:1]:
        for at_best in (False, True):
            if shared := _shared(shape, hardware, name, at_best=at_best):
                yield shared
    for count in range(1, len(names) + 1):
        beside = _CPU_TYPES if shape.generation == "7" else _OLDER_TYPES[:2]
        for rest, at_best in product(beside, (False, True)):
            if split := _spread(shape, hardware, names[:count], rest, at_best=at_best):
                yield split


def _card_types(shape: ModelShape) -> Sequence[str]:
    """Return what only our engine for cards has, and what may be chosen unasked."""
    if is_narrow(shape):
        return ()
    return ("int8", "q4") if shape.loaded_parameters >= _Q4_FROM else ("int8",)


def _processor_types(shape: ModelShape, hardware: Hardware) -> Sequence[str]:
    if shape.generation != "7":
        return _OLDER_TYPES
    if not hardware.native or not suits_native(shape):
        return _CPU_TYPES
    return _NARROW_TYPES if is_narrow(shape) else _NATIVE_TYPES


def _ranked(hardware: Hardware) -> list[Gpu]:
    """Return the usable GPUs of the best kind, the fastest and roomiest first."""

    def rank(gpu: Gpu) -> tuple[float, int]:
        return (gpu.bandwidth or 0.0, gpu.vram_free)

    gpus = sorted(hardware.usable_gpus, key=rank, reverse=True)
    return [gpu for gpu in gpus if gpu.kind == gpus[0].kind]


def _spread(
    shape: ModelShape, hardware: Hardware, names: Sequence[str], rest: str, *, at_best: bool
) -> Strategy | None:
    """Fill GPUs in order with layers in fp16; what is left goes to the processor as ``rest``.

    ``at_best`` counts on what other programs hold now. None where no real split comes out.
    """
    left = [layer_bytes(shape, "fp16")] * shape.layers + [head_bytes(shape, "fp16")]
    stages = []
    for name in names:
        count = _fitting(shape, empty_need(hardware, name), left, at_best=at_best)
        if count:
            stages.append(Stage(name, "fp16", count))
        left = left[count:]
    if left and names[0] == "mps":
        return None  # the same memory: nothing is gained by a second place
    if left:
        stages.append(Stage("cpu", rest))
    elif stages:
        stages[-1] = replace(stages[-1], layers=None)
    return Strategy(tuple(stages)) if len(stages) > 1 else None


def _shared(shape: ModelShape, hardware: Hardware, name: str, *, at_best: bool) -> Strategy | None:
    """Fill a card with layers in int8 by our own engines; the others go to the processor's.

    None where these are not there, or no layer fits.
    """
    one = Strategy((Stage(name, "int8", 1), Stage("cpu", "int8")))
    if is_narrow(shape) or not served_by_both(shape, hardware, one):
        return None
    sizes = [layer_bytes(shape, "int8", on_card=True)] * shape.layers
    beside = card_workspace_bytes(shape, "int8") + 2 * shape.state_bytes
    count = _filled(empty_need(hardware, name), sizes, beside, at_best=at_best)
    return Strategy((Stage(name, "int8", count), Stage("cpu", "int8"))) if count else None


def _fitting(shape: ModelShape, empty: DeviceNeed, sizes: Sequence[int], *, at_best: bool) -> int:
    """Return how many of ``sizes``, from the first on, fit in torch beside state and workspace."""
    beside = activation_bytes(shape, Stage(empty.device, "fp16").kind) + shape.state_bytes
    if empty.device == "mps":
        beside += embedding_bytes(shape)
    return _filled(empty, sizes, beside, at_best=at_best)


def _filled(empty: DeviceNeed, sizes: Sequence[int], beside: int, *, at_best: bool) -> int:
    """Return how many of ``sizes``, from the first on, fit on a device with ``beside`` bytes."""
    room = empty.capacity_bytes if at_best else empty.available_bytes - empty.headroom_bytes
    room = min(room, empty.capacity_bytes)
    room -= empty.workspace_bytes + beside
    count = 0
    for size in sizes:
        room -= size
        if room < 0:
            break
        count += 1
    return count
