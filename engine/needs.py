"""Bytes that a model needs on each device under a strategy. No term grows with a chat's length.

Knows where the backends put what: layers and head where the strategy says, the embedding table
in main memory, vectors and state in fp32. It does not know whether the devices have the room.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.checkpoint.older_shape import OlderShape
from engine.hardware.facts import Gpu, Hardware
from engine.older_needs import (
    older_embedding_bytes,
    older_head_bytes,
    older_layer_bytes,
    opened_bytes,
)
from engine.strategy import Stage, Strategy

if TYPE_CHECKING:
    from engine.checkpoint.shape import ModelShape

_SCALES = 2 / 64  # one fp16 scale for every 64 weights
BYTES_PER_WEIGHT: Mapping[str, float] = MappingProxyType(
    {
        **{"fp32": 4.0, "bf16": 2.0, "fp16": 2.0},
        **dict.fromkeys(("fp32i8", "bf16i8", "fp16i8", "int8"), 1 + _SCALES),
        **dict.fromkeys(("fp32i4", "bf16i4", "fp16i4", "q4"), 0.5 + _SCALES),
        **dict.fromkeys(("fp32i3", "bf16i3", "fp16i3"), 0.375 + _SCALES),
    }
)
"""Of the large matrices. Vectors are fp32 whatever the type."""

_SENSITIVE = {"q4": "int8"}  # what the head, the table and the low-rank pairs are held in then
_NARROW = 256  # kNarrow of kernels/cpu/model.h

CARD_WEIGHTS = ("fp16", "bf16", "int8", "q4")  # what our engine for cards holds matrices in
CARD_CAPABILITY = (7, 5)  # the oldest card that it is compiled for
_CARD_PIECES = tuple(1 << i for i in range(4, 13))  # tokens that it reads at once: the most
_CARD_MOST_NUMBERS = 5 << 20  # of them, times the width, that fit (kernels/cuda/prefill_room.py)
_CARD_BYTES_PER_NUMBER = 38
_CARD_SLACK = 0.01  # of the weights: torch rounds blocks up and leaves holes (measured: 0.5 to 3 %)
_CARD_EXACT_WIDTH = 2048  # up to this one, the first tokens' r and k are exact, which takes
_CARD_EXACT_BYTES = 6144  # so much for every number of the width

VECTORS_PER_LAYER = 19  # of length D: mixes, biases, norms, k_k, k_a, r_k (rwkv7.md, section 2)
EMBEDDING_BYTES_PER_WEIGHT = 2  # torch keeps it as the file has it: bf16 in every released one
TORCH_BYTES = 450_000_000  # resident after `import torch` (measured: 420 to 460 MB)
TORCH_CUDA_BYTES = 1_200_000_000  # main memory once CUDA's libraries are loaded too
GPU_CONTEXT_BYTES = 500_000_000  # the driver's context, cuBLAS's workspace, code
# The same on an H100, whose context alone is 650 MB and whose cuBLAS takes 100 for three streams
# (tests.benchmarks.gpu --only memory); other cards of its size were not measured.
LARGE_CONTEXT_BYTES = 900_000_000
LARGE_GPU_BYTES = 40_000_000_000
CPU_READ_CHUNK, GPU_READ_CHUNK = 256, 512  # tokens read together (engine.backends.torch)
READ_ROWS = 32  # activations of D floats alive for each of them, chunked recurrence included

SYSTEM_RAM_BYTES = 2_500_000_000  # what a quiet desktop keeps for itself,
SYSTEM_RAM_SHARE = 0.25  # but on a small one no more than this share
SYSTEM_VRAM_BYTES = 300_000_000  # what a screen keeps of its card


@dataclass(frozen=True, slots=True)
class DeviceNeed:
    """Bytes on one device. ``available_bytes`` are free right now, ``capacity_bytes`` at best."""

    device: str
    weights_bytes: int
    state_bytes: int
    workspace_bytes: int
    available_bytes: int
    capacity_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Weights, state and workspace together."""
        return self.weights_bytes + self.state_bytes + self.workspace_bytes

    @property
    def headroom_bytes(self) -> int:
        """What should stay free beside the model: a tenth, or half a gigabyte."""
        return max(self.capacity_bytes // 10, 500_000_000)


def layer_bytes(shape: "ModelShape", weights: str, *, on_card: bool = False) -> int:
    """Bytes of one layer with matrices in type ``weights``; on_card: in our engine for cards."""
    if isinstance(shape, OlderShape):
        return older_layer_bytes(shape, weights)
    held = held_as(shape, weights)
    matrices = shape.layer_matrix_parameters * BYTES_PER_WEIGHT[held]
    each = BYTES_PER_WEIGHT["fp16"] if on_card else _sensitive_bytes(held)
    pairs = 2 * shape.width * shape.ranks.total * each
    deep = max(0, shape.layer_deep_parameters - shape.ffn) * each + 4 * shape.ffn * bool(shape.deep)
    return round(matrices + pairs + deep) + 4 * VECTORS_PER_LAYER * shape.width


def is_narrow(shape: "ModelShape") -> bool:
    """Tell whether the native engine keeps 16 bits of a model whatever is asked for (but in q4)."""
    return shape.width <= _NARROW


def suits_native(shape: "ModelShape") -> bool:
    """Tell whether the native engine can run it: as ``possible`` in kernels/cpu/model.cpp."""
    if shape.generation != "7":
        return False
    return shape.head_size == 64 and shape.width == 64 * shape.heads and shape.ffn % 64 == 0


def served_on_card(shape: "ModelShape", hardware: Hardware, strategy: Strategy) -> bool:
    """Tell whether our own engine for cards will run it: whole, on one card that it knows."""
    gpu = find_gpu(hardware, strategy.stages[0]) if strategy.stages else None
    known = gpu is not None and gpu.capability is not None and gpu.capability >= CARD_CAPABILITY
    wanted = strategy.card_weights in CARD_WEIGHTS
    suits = suits_native(shape) and not shape.deep
    return hardware.cuda_engine and known and wanted and suits


def served_by_both(shape: "ModelShape", hardware: Hardware, strategy: Strategy) -> bool:
    """Tell whether our engines for cards and for processors will run it together."""
    weights, _ = strategy.shared_weights
    if not weights or not hardware.native:
        return False
    alone = Strategy((Stage(strategy.stages[0].device, weights),))
    return served_on_card(shape, hardware, alone)


def held_as(shape: "ModelShape", weights: str) -> str:
    """Return the type in which the matrices of a layer are held when ``weights`` is asked for."""
    return "fp16" if weights == "int8" and is_narrow(shape) else weights


def head_bytes(shape: "ModelShape", weights: str) -> int:
    """Bytes of the head and the norm before it."""
    if isinstance(shape, OlderShape):
        return older_head_bytes(shape, weights)
    return round(shape.vocab * shape.width * _table_bytes(shape, weights)) + 8 * shape.width


def _table_bytes(shape: "ModelShape", weights: str) -> float:
    """Bytes of each weight of the head, and of the native engine's embedding table."""
    in_fp16 = weights in ("int8", "q4") and is_narrow(shape)
    return BYTES_PER_WEIGHT["fp16"] if in_fp16 else _sensitive_bytes(weights)


def _sensitive_bytes(weights: str) -> float:
    return BYTES_PER_WEIGHT[_SENSITIVE.get(weights, weights)]


def embedding_bytes(shape: "ModelShape", native_weights: str = "") -> int:
    """Bytes of the embedding table; one row of it is read per token.

    native_weights: the type in which the native engine holds the model; "" for torch.
    """
    each = _table_bytes(shape, native_weights) if native_weights else EMBEDDING_BYTES_PER_WEIGHT
    return round(shape.vocab * shape.width * each)


def read_chunk(kind: str) -> int:
    """Tokens that go through all layers together when the first one is on such a device."""
    return CPU_READ_CHUNK if kind == "cpu" else GPU_READ_CHUNK


def activation_bytes(shape: "ModelShape", kind: str) -> int:
    """Bytes that reading one chunk of tokens takes for a while on a device of this kind."""
    return read_chunk(kind) * (READ_ROWS * shape.width + 2 * shape.ffn) * 4


def card_workspace_bytes(shape: "ModelShape", weights: str) -> int:
    """Bytes of our engine for cards besides weights, states and the driver's context.

    At most 300 MB: what is read at once shrinks with the width.
    """
    fits = [n for n in _CARD_PIECES if n * shape.width <= _CARD_MOST_NUMBERS]
    reading = (fits or _CARD_PIECES)[-1 if fits else 0] * shape.width * _CARD_BYTES_PER_NUMBER
    exact = _CARD_EXACT_BYTES * shape.width if shape.width <= _CARD_EXACT_WIDTH else 0
    expanded = 0 if held_as(shape, weights) == "fp16" else 2 * shape.width * shape.ffn
    return reading + exact + expanded


def find_gpu(hardware: Hardware, stage: Stage) -> Gpu | None:
    """Return the usable GPU that a stage names, or None."""
    same = (gpu for gpu in hardware.usable_gpus if gpu.kind == stage.kind)
    return next((gpu for gpu in same if gpu.index == stage.index), None)


def empty_need(hardware: Hardware, device: str) -> DeviceNeed:
    """Return what a device has, and what it needs before it holds a single weight.

    A device that is not there, or that torch cannot use, has no capacity.
    """
    stage = Stage(device, "fp32")
    if stage.kind == "cpu":
        on_cuda = "+cu" in hardware.torch_build and bool(hardware.usable_gpus)
        workspace = TORCH_CUDA_BYTES if on_cuda else TORCH_BYTES
        kept = min(SYSTEM_RAM_BYTES, round(hardware.ram_total * SYSTEM_RAM_SHARE))
        return DeviceNeed("cpu", 0, 0, workspace, hardware.ram_free, hardware.ram_total - kept)
    gpu = find_gpu(hardware, stage)
    if gpu is None:
        return DeviceNeed(device, 0, 0, GPU_CONTEXT_BYTES, 0, 0)
    large = gpu.kind == "cuda" and gpu.vram_total >= LARGE_GPU_BYTES
    context = LARGE_CONTEXT_BYTES if large else GPU_CONTEXT_BYTES
    workspace = TORCH_BYTES if gpu.kind == "mps" else context
    capacity = max(0, gpu.vram_total - SYSTEM_VRAM_BYTES)
    return DeviceNeed(device, 0, 0, workspace, gpu.vram_free, capacity)


def needs_of(shape: "ModelShape", hardware: Hardware, strategy: Strategy) -> tuple[DeviceNeed, ...]:
    """Return one need per device, in the strategy's order; main memory comes last if it only
    holds the embedding table. On Apple silicon all of it is one memory, counted once.
    """
    placement = strategy.placement(shape.layers)
    weights: dict[tuple[str, int], int] = {}
    layers: dict[tuple[str, int], int] = {}
    names: dict[tuple[str, int], str] = {}
    ours = _served_by_us(shape, hardware, strategy)
    shared = served_by_both(shape, hardware, strategy)
    for i, stage in enumerate(placement):
        place = (stage.kind, stage.index)
        is_head = i == shape.layers
        layer = layer_bytes(shape, stage.weights, on_card=ours and stage.kind == "cuda")
        size = head_bytes(shape, stage.weights) if is_head else layer
        weights[place] = weights.get(place, 0) + size
        layers[place] = layers.get(place, 0) + (not is_head)
        names.setdefault(place, stage.device)
    home = ("mps", 0) if ("mps", 0) in names else ("cpu", 0)
    names.setdefault(home, home[0])
    weights[home] = weights.get(home, 0) + table_bytes(shape, hardware, strategy)
    return tuple(
        _need(
            *(shape, hardware, device, weights[place], layers.get(place)),
            card_type=placement[0].weights if ours and place[0] == "cuda" else "",
            shared=shared,
            opened=_opened(shape, placement, place),
        )
        for place, device in names.items()
    )


def table_bytes(shape: "ModelShape", hardware: Hardware, strategy: Strategy) -> int:
    """Bytes of the embedding table by whichever engine serves this strategy."""
    if isinstance(shape, OlderShape):
        return older_embedding_bytes(shape, strategy.placement(shape.layers)[0])
    return embedding_bytes(shape, strategy.native_weights if hardware.native else "")


def _served_by_us(shape: "ModelShape", hardware: Hardware, strategy: Strategy) -> bool:
    on_card = served_on_card(shape, hardware, strategy)
    return on_card or served_by_both(shape, hardware, strategy)


def _opened(shape: "ModelShape", placement: Sequence[Stage], place: tuple[str, int]) -> int:
    if not isinstance(shape, OlderShape):
        return 0
    here = (stage for stage in placement if (stage.kind, stage.index) == place)
    return max((opened_bytes(shape, stage) for stage in here), default=0)


def _need(
    shape: "ModelShape",
    hardware: Hardware,
    device: str,
    weights: int,
    layers: int | None,
    *,
    card_type: str,
    shared: bool,
    opened: int,
) -> DeviceNeed:
    """Fill in one device; ``layers`` is None where nothing is computed but rows looked up.

    card_type: of the weights where our engine for cards runs them. shared: our engines share the
    layers: the host has whole states, and the card turns its part before it sends it there.
    opened: bytes that matrices of 8 bits take for a while where no kernel multiplies them.
    """
    empty = empty_need(hardware, device)
    kind = Stage(device, "fp32").kind
    activations = 0 if layers is None else activation_bytes(shape, kind)
    if card_type and layers is not None:
        activations = card_workspace_bytes(shape, card_type) + round(_CARD_SLACK * weights)
    states = shape.state_bytes * (layers or 0) // shape.layers
    if card_type:
        states *= 2  # a step reads one and writes the other
    elif shared:
        states = shape.state_bytes
    return DeviceNeed(
        empty.device,
        weights,
        states,
        empty.workspace_bytes + activations + opened,
        empty.available_bytes,
        empty.capacity_bytes,
    )
