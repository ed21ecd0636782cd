"""Where each layer runs and in which type: the strategy and its spelling.

The strings of the ``rwkv`` package are read as they are (``cuda fp16``, ``cpu fp32``,
``cuda fp16i8 *20 -> cpu fp32``, ``cuda fp16 *10+``); ours add ``int8``, ``q4``, ``auto`` and a
last word ``@4``, the number of processor threads. It does not know whether the machine has the
devices, nor whether a model fits on them.

Grammar, words apart by blanks, in any case::

    strategy = "auto" [threads] | stage { "->" stage } [threads]
    stage    = device weights ["*" layers ["+"]]
    device   = "cpu" | "mps" | "cuda" [":" n] | "xpu" [":" n]
    threads  = "@" n
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from engine.errors import UnsupportedStrategy

WEIGHT_TYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cpu": ("fp32", "bf16", "fp16", "int8", "q4"),
        "cuda": ("fp16", "bf16", "fp32", "int8", "q4"),
        "mps": ("fp16", "bf16", "fp32"),
        "xpu": ("fp16", "bf16", "fp32"),
    }
)
"""What the backends of today run, per kind of device. The one place that a new backend extends."""

NATIVE_WEIGHTS = ("int8", "q4")
"""Types that only our own engines have: on the processor, on one card, or on that and then this."""

KNOWN_WEIGHTS = (
    *("fp32", "fp16", "bf16"),
    *("fp32i8", "fp16i8", "bf16i8"),
    *("fp32i4", "fp16i4", "bf16i4"),
    *("fp32i3", "fp16i3", "bf16i3"),
    *("int8", "q4"),
)
"""Every spelling that is read and written back, whether a backend runs it or not."""

SPELLING_HINT = "Write for example “cuda fp16”, “cpu fp32”, “cuda fp16 *20 -> cpu fp32” or “auto”."

_DEVICE = re.compile(r"cpu|mps|(?:cuda|xpu)(?::(?:0|[1-9]\d{0,2}))?")
_LAYERS = re.compile(r"\*([1-9]\d{0,4})(\+?)")
_THREADS = re.compile(r"(.*?)(?:^|\s)@\s*([^\s@>]*)", re.DOTALL)
_COUNT = re.compile(r"[1-9]\d{0,3}")


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of layers on one device in one type.

    ``layers`` counts as the ``rwkv`` package does: the head is one more layer after the last;
    None takes an equal share of what other stages leave. ``streamed`` (written ``+``) means
    that layers beyond the count are copied to the device when they are needed.
    """

    device: str
    weights: str
    layers: int | None = None
    streamed: bool = False

    @property
    def kind(self) -> str:
        """``cuda`` for ``cuda:1``."""
        return self.device.partition(":")[0]

    @property
    def index(self) -> int:
        """1 for ``cuda:1``, 0 where no number is given."""
        return int(self.device.partition(":")[2] or 0)

    def __str__(self) -> str:
        count = "" if self.layers is None else f" *{self.layers}{'+' if self.streamed else ''}"
        return f"{self.device} {self.weights}{count}"

    @classmethod
    def parse(cls, text: str) -> "Stage":
        """Read one stage, such as ``cuda:1 fp16 *10``. Raises UnsupportedStrategy."""
        words = re.sub(r"\*\s+", "*", text.lower()).split()
        if len(words) not in (2, 3):
            raise _malformed(text, "a stage is a device, a weight type and maybe a layer count")
        device, weights = words[:2]
        if not _DEVICE.fullmatch(device):
            raise _malformed(text, f"“{device}” is no device (cuda, cuda:1, cpu, mps or xpu)")
        if weights not in KNOWN_WEIGHTS:
            raise _malformed(text, f"“{weights}” is no weight type (fp16, bf16, fp32, int8, q4)")
        if len(words) == 2:
            return cls(device, weights)
        count = _LAYERS.fullmatch(words[2])
        if not count:
            raise _malformed(text, f"“{words[2]}” is no layer count (*20, or *20+ to stream)")
        return cls(device, weights, int(count[1]), count[2] == "+")


@dataclass(frozen=True, slots=True)
class Strategy:
    """Stages in the order of the layers, and processor threads (0: torch decides).

    No stages means ``auto``: the plan chooses. ``str()`` is the canonical spelling;
    ``Strategy.parse(str(s)) == s``.
    """

    stages: tuple[Stage, ...] = ()
    threads: int = 0

    @property
    def native_weights(self) -> str:
        """The one type in which the processor runs all layers; "" for any other strategy.

        Such a strategy is what the native engine serves, where it is there.
        """
        stages = {(stage.device, stage.weights, stage.streamed) for stage in self.stages}
        device, weights, streamed = stages.pop() if len(stages) == 1 else ("", "", False)
        return weights if device == "cpu" and not streamed else ""

    @property
    def card_weights(self) -> str:
        """The one type in which one NVIDIA card runs all layers; "" for any other strategy.

        Such a strategy is what our engine for cards serves, where it can be compiled.
        """
        stages = {(stage.kind, stage.index, stage.weights) for stage in self.stages}
        kind, _, weights = stages.pop() if len(stages) == 1 else ("", 0, "")
        streamed = any(stage.streamed for stage in self.stages)
        return weights if kind == "cuda" and not streamed else ""

    @property
    def shared_weights(self) -> tuple[str, str]:
        """Types on one NVIDIA card and then on the processor, where one of them is only ours.

        Such a strategy is what our two engines serve together; "" twice for any other.
        """
        if [stage.kind for stage in self.stages] != ["cuda", "cpu"]:
            return "", ""
        card, rest = self.stages
        ours = {card.weights, rest.weights} & set(NATIVE_WEIGHTS)
        if not ours or card.weights == "fp32" or card.streamed or rest.streamed:
            return "", ""
        return card.weights, rest.weights

    @property
    def is_auto(self) -> bool:
        """Whether the plan is to choose."""
        return not self.stages

    def __str__(self) -> str:
        text = " -> ".join(str(stage) for stage in self.stages) or "auto"
        return f"{text} @{self.threads}" if self.threads else text

    @classmethod
    def parse(cls, text: str) -> "Strategy":
        """Read a strategy string. Raises UnsupportedStrategy when it is malformed."""
        body, threads = text.strip(), 0
        if match := _THREADS.fullmatch(body):
            if not _COUNT.fullmatch(match[2]):
                why = f"“@{match[2]}” is no number of threads (@4; without it Skein chooses)"
                raise _malformed(text, why)
            body, threads = match[1].strip(), int(match[2])
        if body.lower() == "auto":
            return cls((), threads)
        if not body:
            raise _malformed(text, "nothing is named")
        stages = tuple(Stage.parse(part) for part in body.split("->"))
        if sum(stage.streamed for stage in stages) > 1:
            raise _malformed(text, "only one stage can stream (+)")
        return cls(stages, threads)

    def placement(self, layers: int) -> tuple[Stage, ...]:
        """Return the stage of every layer and, as the last element, of the head: layers + 1.

        Raises UnsupportedStrategy for ``auto``, which places nothing yet.
        """
        if self.is_auto:
            raise UnsupportedStrategy(
                "“auto” says nothing about single layers.", "Ask the plan for its choice first."
            )
        counts = _counts(self.stages, layers + 1)
        return tuple(
            stage for stage, count in zip(self.stages, counts, strict=True) for _ in range(count)
        )


def refuse_unsupported(strategy: Strategy, *, native: bool = True, cuda: bool = True) -> None:
    """Raise UnsupportedStrategy, in a sentence, when no backend of today can run it.

    native, cuda: whether this installation has the engine for processors, that for cards. Threads
    are not looked at: too many are slow, and what was written elsewhere runs all the same.
    """
    stage = unrunnable_stage(strategy, native=native, cuda=cuda)
    if stage is None:
        return
    if stage.weights not in WEIGHT_TYPES[stage.kind]:
        types = ", ".join(WEIGHT_TYPES[stage.kind])
        raise UnsupportedStrategy(
            f"“{stage}” cannot run: this version has no {stage.weights} on {stage.kind}.",
            f"On {stage.kind} choose one of {types}.",
        )
    if stage.streamed:
        raise UnsupportedStrategy(
            f"“{stage}” cannot run: this version does not stream layers (the “+”).",
            f"Put the other layers on the processor: “{_without_stream(stage)} -> cpu bf16”.",
        )
    if strategy.card_weights:
        raise UnsupportedStrategy(
            f"“{stage}” cannot run: {stage.weights} needs Skein's engine for NVIDIA cards, and the "
            "installed PyTorch, which is not made for them, brings no compiler for it.",
            "Choose “cuda fp16”, or install PyTorch's build for NVIDIA cards (see the README).",
        )
    if any(strategy.shared_weights):
        lacking = "for NVIDIA cards" if not cuda else "for processors"
        raise UnsupportedStrategy(
            f"“{strategy}” cannot run: {stage.weights} in a part needs both of Skein's engines, "
            f"and that {lacking} is not in this installation.",
            "Choose “auto”, or fp16 for both parts.",
        )
    if stage.kind == "cuda":
        raise UnsupportedStrategy(
            f"“{strategy}” cannot run: {stage.weights} on a card is for whole models on one card, "
            "or for its first layers before the processor's.",
            f"Write “{stage.device} {stage.weights}” alone, or fp16 for this part.",
        )
    if strategy.native_weights:
        raise UnsupportedStrategy(
            f"“{stage}” cannot run: {stage.weights} needs the engine for processors, which was "
            "not built into this installation.",
            "Choose “cpu fp16”, or install a C++ compiler and then Skein again.",
        )
    raise UnsupportedStrategy(
        f"“{strategy}” cannot run: {stage.weights} on the processor is for whole models, or "
        "for the layers after those of one NVIDIA card.",
        f"Write “cpu {stage.weights}” alone, or “cpu fp16” for this part.",
    )


def refuse_threads(strategy: Strategy, most: int) -> None:
    """Raise UnsupportedStrategy where one is written with more threads than a computer has."""
    if strategy.threads > most:
        raise UnsupportedStrategy(
            f"“@{strategy.threads}” is more than the {most} threads that this computer has: they "
            "would wait for each other.",
            f"Write “@{most}” at most, or leave it out: then Skein chooses.",
        )


def unrunnable_stage(strategy: Strategy, *, native: bool = True, cuda: bool = True) -> Stage | None:
    """Return the first stage that no backend of today can run, or None."""
    alone = (native and bool(strategy.native_weights)) or (cuda and bool(strategy.card_weights))
    alone = alone or (native and cuda and any(strategy.shared_weights))
    for stage in strategy.stages:
        if stage.weights not in WEIGHT_TYPES[stage.kind] or stage.streamed:
            return stage
        if stage.weights in NATIVE_WEIGHTS and not alone:
            return stage
    return None


def smaller_on_card(strategy: Strategy) -> str:
    """Return the strategy with the next smaller weights on the same card; "" for others.

    Where our engines share a model: with a quarter of the card's layers less.
    """
    if any(strategy.shared_weights):
        card, rest = strategy.stages
        fewer = (card.layers or 1) * 3 // 4
        return str(Strategy((replace(card, layers=fewer), rest))) if fewer else ""
    following = {"fp32": "fp16", "fp16": "int8", "bf16": "int8", "int8": "q4"}
    weights = following.get(strategy.card_weights, "")
    return f"{strategy.stages[0].device} {weights}" if weights else ""


def in_sixteen_bits(strategy: Strategy) -> Strategy:
    """Return what torch can run instead where our engines were to share a model.

    The card holds no more bytes than it was to: fewer layers, at least one.
    """
    card, rest = strategy.stages
    smaller = {"int8": 2, "q4": 4}
    layers, parts = card.layers or 1, smaller.get(card.weights, 1)
    on_card = Stage(card.device, _in_sixteen(card.weights), max(1, layers // parts))
    return Strategy((on_card, Stage(rest.device, _in_sixteen(rest.weights))), strategy.threads)


def _in_sixteen(weights: str) -> str:
    return "fp16" if weights in NATIVE_WEIGHTS else weights


def _without_stream(stage: Stage) -> Stage:
    return Stage(stage.device, stage.weights, stage.layers)


def _counts(stages: Sequence[Stage], total: int) -> list[int]:
    """Share ``total`` layers out as the ``rwkv`` package does.

    Counts are served in order until nothing is left; then stages without a count share the
    rest evenly; what is still left goes to the stage that streams, else to the last one.
    """
    left, counts = total, []
    for stage in stages:
        counts.append(min(stage.layers or 0, left))
        left -= counts[-1]
    streaming = [i for i, stage in enumerate(stages) if stage.streamed]
    open_ended = [i for i, stage in enumerate(stages) if stage.layers is None]
    if streaming:
        counts[streaming[0]] += left
        return counts
    for served, i in enumerate(open_ended):
        counts[i] = left // (len(open_ended) - served)
        left -= counts[i]
    counts[-1] += left
    return counts


def _malformed(text: str, why: str) -> UnsupportedStrategy:
    shown = " ".join(text.split())
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return UnsupportedStrategy(f"“{shown}” is not a strategy: {why}.", SPELLING_HINT)
