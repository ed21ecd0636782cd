"""How many tokens a second a strategy will read and write on a machine, before it is tried.

Writing reads all weights once per token: bytes over bandwidth, plus a fixed time per layer for
torch's calls. Reading many tokens at once is arithmetic. It knows the torch backend, and our
engines for processors and for cards where a machine has them.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.checkpoint.older_shape import OlderShape
from engine.hardware.facts import Gpu, Hardware
from engine.needs import (
    BYTES_PER_WEIGHT,
    find_gpu,
    head_bytes,
    layer_bytes,
    read_chunk,
    served_by_both,
    served_on_card,
    suits_native,
)
from engine.older_strategy import EIGHT_BITS, counted_types
from engine.strategy import Stage, Strategy

if TYPE_CHECKING:
    from engine.checkpoint.shape import ModelShape

TURN_READ_TOKENS = 200
TURN_WRITE_TOKENS = 300
"""A turn of an ordinary chat: strategies are compared by its seconds."""

DEFAULT_RAM_BANDWIDTH = 20e9  # two channels of DDR4 in a laptop, before anything was measured
DEFAULT_GPU_BANDWIDTH = 200e9  # a small laptop card
HOP_S = 50e-6  # the residual [D] from one device to another


@dataclass(frozen=True, slots=True)
class Speed:
    """One device with one weight type: bytes/s, flop/s, and seconds that do not depend on size.

    ``write_layer_s``: per layer and written token; ``read_layer_s``: per layer and chunk.
    """

    bytes_per_s: float
    flops: float
    write_layer_s: float
    read_layer_s: float


def tokens_per_s(
    shape: "ModelShape", hardware: Hardware, strategy: Strategy
) -> tuple[float, float]:
    """Return predicted (read, write) tokens/s of a strategy that fits."""
    placement = strategy.placement(shape.layers)
    chunk = read_chunk(placement[0].kind)
    shared = served_by_both(shape, hardware, strategy)
    whole = hardware.native and strategy.native_weights and suits_native(shape)
    native = shared or bool(whole)
    in_one_graph = native or len({(stage.kind, stage.index) for stage in placement}) == 1
    ours = shared or served_on_card(shape, hardware, strategy)
    write_s = read_s = 0.0
    for i, stage in enumerate(placement):
        on_card = ours and stage.kind == "cuda"
        if isinstance(shape, OlderShape):
            speed = older_speed(hardware, stage, shape)
        else:
            speed = speed_of(hardware, stage, native=native and not on_card, on_card=on_card)
        is_head = i == shape.layers
        layer = layer_bytes(shape, stage.weights, on_card=on_card)
        size = head_bytes(shape, stage.weights) if is_head else layer
        skipped = _skipped_bytes(shape, stage.weights) if on_card and not is_head else 0.0
        write_s += (size - skipped) / speed.bytes_per_s
        if is_head:  # of a chunk, only the last token needs logits
            read_s += size / speed.bytes_per_s / chunk
            continue
        state_traffic = 2 * shape.state_bytes / shape.layers
        calls_s = speed.write_layer_s if in_one_graph else max(speed.write_layer_s, EAGER_LAYER_S)
        write_s += state_traffic / speed.bytes_per_s + calls_s
        matrices = shape.layer_matrix_parameters + 2 * shape.width * shape.ranks.total
        matrices += shape.layer_deep_parameters
        per_chunk = size / speed.bytes_per_s + speed.read_layer_s
        read_s += 2 * matrices / speed.flops + per_chunk / chunk
    hops = _count_hops(placement)
    return 1 / (read_s + hops * HOP_S / chunk), 1 / (write_s + hops * HOP_S)


def turn_seconds(shape: "ModelShape", hardware: Hardware, strategy: Strategy) -> float:
    """Return the seconds of an ordinary turn: what strategies are compared by."""
    read, write = tokens_per_s(shape, hardware, strategy)
    return TURN_READ_TOKENS / read + TURN_WRITE_TOKENS / write


def speed_of(
    hardware: Hardware, stage: Stage, *, native: bool = False, on_card: bool = False
) -> Speed:
    """Return the speed of a stage's device in its type; a GPU that is not there counts as small.

    native: our engine for processors runs it, not torch. on_card: our engine for cards does.
    """
    if native:
        return _native_speed(hardware, stage.weights)
    if on_card:
        return _card_speed(find_gpu(hardware, stage), stage.weights)
    if stage.kind == "cpu":
        return _cpu_speed(hardware, stage.weights)
    gpu = find_gpu(hardware, stage)
    return _gpu_speed(gpu, stage.kind, stage.weights)


# Processor: what TorchBackend takes, in fp32, bf16 (raised to fp32 piece by piece) and fp16
# (FBGEMM). Two cores of an AMD EPYC that read 35 GB/s: 12 layers of 768 wide in 45, 29, 16.5 ms
# a token, 4 of 2048 in 73, 52, 22 ms; 690 and 330 tokens/s read in any type. 16 cores of an
# Intel Xeon that read 196 GB/s: 1.5B in 76, 101, 84 ms, 220 tokens/s read: the 16-bit products
# stop growing there, and each torch call takes 1.8 times as long.
_CPU_WRITE_LAYER_S = 0.8e-3
_CPU_READ_LAYER_S = 5e-3
_FP32_SHARE, _RAISED_SHARE, _FBGEMM_SHARE = 0.52, 0.40, 0.95
_RAISED_LIMIT, _FBGEMM_LIMIT = 42e9, 55e9  # bytes/s, however many cores
_SLOWLY_RAISED_SHARE = 0.15  # without vectors that widen numbers; not measured
_CORE_FLOPS = {"avx2": 80e9, "neon": 40e9, "": 14e9}  # Arm and old ones: by their units' width
_CORES_EXPONENT = 0.8  # eight times the cores gave five times the flops


def _cpu_speed(hardware: Hardware, weights: str) -> Speed:
    vectors = next((name for name in ("avx2", "neon") if name in hardware.instruction_sets), "")
    return Speed(
        _cpu_bytes_per_s(hardware.ram_bandwidth or DEFAULT_RAM_BANDWIDTH, weights, vectors),
        _CORE_FLOPS[vectors] * hardware.cores**_CORES_EXPONENT,
        _CPU_WRITE_LAYER_S,
        _CPU_READ_LAYER_S,
    )


def _cpu_bytes_per_s(bandwidth: float, weights: str, vectors: str) -> float:
    if weights == "fp32":
        return bandwidth * _FP32_SHARE
    if weights == "fp16" and vectors == "avx2":
        return min(bandwidth * _FBGEMM_SHARE, _FBGEMM_LIMIT)
    return min(bandwidth * (_RAISED_SHARE if vectors else _SLOWLY_RAISED_SHARE), _RAISED_LIMIT)


# The native engine, first estimates from its prototype (targets.md, 3): on two cores of an EPYC
# 0.88 to 0.97 of what a plain read finds, dense; products of 256 tokens at 395 Gflop/s in bf16,
# 787 in int8 with VNNI, fp32 at 215. Per core, and a third taken off for all that is no product.
_NATIVE_SHARE = 0.85
_PORTABLE_CORE_BYTES = 3e9  # without wide vectors it is the arithmetic that takes the time
_NATIVE_WRITE_LAYER_S = 0.04e-3
_NATIVE_READ_LAYER_S = 1e-3
_NATIVE_CORE_FLOPS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "avx512vnni": {"int8": 260e9, "q4": 220e9, "bf16": 130e9, "": 70e9},
        "avx512": {"": 70e9},
        "avx2": {"": 40e9},
        "neon": {"": 25e9},
        "portable": {"": 8e9},
    }
)


def _native_speed(hardware: Hardware, weights: str) -> Speed:
    family = hardware.native.split("-")[0]  # neon-i8mm is at least as fast as neon
    by_type = _NATIVE_CORE_FLOPS.get(family, _NATIVE_CORE_FLOPS["portable"])
    core_bytes = _PORTABLE_CORE_BYTES if hardware.native == "portable" else math.inf
    bandwidth = (hardware.ram_bandwidth or DEFAULT_RAM_BANDWIDTH) * _NATIVE_SHARE
    return Speed(
        min(bandwidth, core_bytes * hardware.cores),
        by_type.get(weights, by_type[""]) * hardware.cores**_CORES_EXPONENT,
        _NATIVE_WRITE_LAYER_S,
        _NATIVE_READ_LAYER_S,
    )


# GPU. On an H100 (tests/benchmarks/cuda.py) TorchBackend took 0.22 ms a layer and token in its
# graph, where one card holds all; 1.5 to 1.8 ms eager, beside a slow Xeon; and 2.3 ms a layer and
# chunk of 512. mps and xpu are not measured. Large products reach 0.89 of the bandwidth in
# cuBLAS (targets.md, 2).
EAGER_LAYER_S = 1.5e-3
_GPU_SHARE = 0.85
_GPU_WRITE_LAYER_S = {"cuda": 0.22e-3, "mps": 2.5e-3, "xpu": 2.5e-3}
_GPU_READ_LAYER_S = {"cuda": 2.3e-3, "mps": 6e-3, "xpu": 6e-3}
# Cards' fp16 arithmetic grows with their bandwidth: flop per byte, as cards of the kind have it.
_FLOPS_PER_BYTE = {"cuda": 100.0, "mps": 25.0, "xpu": 50.0}
_NO_TENSOR_CORES_FLOPS_PER_BYTE = 20.0
_FIRST_WITH_TENSOR_CORES = (7, 0)
_READ_EFFICIENCY = 0.5


def _gpu_speed(gpu: Gpu | None, kind: str, weights: str) -> Speed:
    bandwidth = (gpu.bandwidth if gpu else None) or DEFAULT_GPU_BANDWIDTH
    ratio = _FLOPS_PER_BYTE[kind]
    if gpu and gpu.capability and gpu.capability < _FIRST_WITH_TENSOR_CORES:
        ratio = _NO_TENSOR_CORES_FLOPS_PER_BYTE
    slower = 4 if weights == "fp32" else 1
    return Speed(
        bandwidth * _GPU_SHARE,
        bandwidth * ratio * _READ_EFFICIENCY / slower,
        _GPU_WRITE_LAYER_S[kind],
        _GPU_READ_LAYER_S[kind],
    )


# Our engine for cards on an H100 (ARCHITECTURE.md, "Measured on one card"): within a tenth of 11 of
# 15 figures, the others within a fifth. Launches behind each other take so long a layer besides the
# bytes; wide models leave out the rows of zeros, four of five at least.
_CARD_SHARE = 0.88
_CARD_WRITE_LAYER_S = {"int8": 10e-6, "q4": 13e-6}
_CARD_WRITE_16_BITS_LAYER_S = 6e-6
_CARD_SKIPS_FROM_WIDTH, _CARD_SKIPPED = 2048, 0.8
_CARD_READ_LAYER_S = 0.15e-3
_CARD_READ_EFFICIENCY = 0.8


def _skipped_bytes(shape: "ModelShape", weights: str) -> float:
    """Return the bytes of a layer's value matrix that our engine for cards leaves unread."""
    if shape.width < _CARD_SKIPS_FROM_WIDTH:
        return 0.0
    return _CARD_SKIPPED * shape.width * shape.ffn * BYTES_PER_WEIGHT[weights]


def _card_speed(gpu: Gpu | None, weights: str) -> Speed:
    bandwidth = (gpu.bandwidth if gpu else None) or DEFAULT_GPU_BANDWIDTH
    return Speed(
        bandwidth * _CARD_SHARE,
        bandwidth * _FLOPS_PER_BYTE["cuda"] * _CARD_READ_EFFICIENCY,
        _CARD_WRITE_LAYER_S.get(weights, _CARD_WRITE_16_BITS_LAYER_S),
        _CARD_READ_LAYER_S,
    )


# Models of RWKV-4, 5 and 6 in the author's package, on two cores of an EPYC that read 35 GB/s:
# 24 layers of 1024 (RWKV-6) in 145, 67, 38 ms a token as fp32, bf16, fp16, which is what the bytes
# take, and 0.6 s in int8, whose matrices are opened for every token; 131, 219, 49, 55 tokens/s
# read. Both loops over a chunk's tokens are Python's.
_OLDER_EIGHT_BITS_SHARE = 0.02
_OLDER_FP16_READ_SHARE = 0.35
_OLDER_CARD_EIGHT_BITS_SHARE = 0.08  # not measured: each weight is written and read in fp16 thrice
_OLDER_WRITE_LAYER_S = {"cpu": 0.25e-3}
_OLDER_READ_TOKEN_LAYER_S = {"cpu": 0.06e-3}
_OLDER_CARD_LAYER_S = 0.8e-3
_OLDER_CARD_READ_TOKEN_LAYER_S = 0.1e-3


def older_speed(hardware: Hardware, stage: Stage, shape: OlderShape) -> Speed:
    """Return the speed of a stage's device in the author's package."""
    weight = counted_types(stage)[1]
    on_cpu = stage.kind == "cpu"
    plain = speed_of(hardware, Stage(stage.device, "fp32" if weight == EIGHT_BITS else weight))
    bytes_per_s, flops = plain.bytes_per_s, plain.flops
    if weight == EIGHT_BITS:
        bytes_per_s *= _OLDER_EIGHT_BITS_SHARE if on_cpu else _OLDER_CARD_EIGHT_BITS_SHARE
    if on_cpu and weight == "fp16":
        flops *= _OLDER_FP16_READ_SHARE
    per_token = _OLDER_READ_TOKEN_LAYER_S.get(stage.kind, _OLDER_CARD_READ_TOKEN_LAYER_S)
    looped = 0.0 if shape.older in ("5.0", "5.1") else per_token
    return Speed(
        bytes_per_s,
        flops,
        _OLDER_WRITE_LAYER_S.get(stage.kind, _OLDER_CARD_LAYER_S),
        looped * read_chunk(stage.kind),
    )


def _count_hops(placement: Iterable[Stage]) -> int:
    return sum(1 for _ in groupby(placement, key=lambda stage: (stage.kind, stage.index))) - 1
