"""How many tokens a second a strategy will read and write on a machine, before it is tried.

Writing reads all weights once per token: bytes over bandwidth, plus a fixed time per layer for
torch's calls. Reading many tokens at once is arithmetic. It knows the torch backend only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from engine.hardware.facts import Gpu, Hardware
from engine.needs import READ_CHUNK, find_gpu, head_bytes, layer_bytes
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
    write_s = read_s = 0.0
    for i, stage in enumerate(placement):
        speed = speed_of(hardware, stage)
        is_head = i == shape.layers
        size = head_bytes(shape, stage.weights) if is_head else layer_bytes(shape, stage.weights)
        write_s += size / speed.bytes_per_s
        if is_head:  # of a chunk, only the last token needs logits
            read_s += size / speed.bytes_per_s / READ_CHUNK
            continue
        state_traffic = 2 * shape.state_bytes / shape.layers
        write_s += state_traffic / speed.bytes_per_s + speed.write_layer_s
        matrices = shape.layer_matrix_parameters + 2 * shape.width * shape.ranks.total
        per_chunk = size / speed.bytes_per_s + speed.read_layer_s
        read_s += 2 * matrices / speed.flops + per_chunk / READ_CHUNK
    hops = _count_hops(placement)
    return 1 / (read_s + hops * HOP_S / READ_CHUNK), 1 / (write_s + hops * HOP_S)


def turn_seconds(shape: "ModelShape", hardware: Hardware, strategy: Strategy) -> float:
    """Return the seconds of an ordinary turn: what strategies are compared by."""
    read, write = tokens_per_s(shape, hardware, strategy)
    return TURN_READ_TOKENS / read + TURN_WRITE_TOKENS / write


def speed_of(hardware: Hardware, stage: Stage) -> Speed:
    """Return the speed of a stage's device in its type; a GPU that is not there counts as small."""
    if stage.kind == "cpu":
        return _cpu_speed(hardware, stage.weights)
    gpu = find_gpu(hardware, stage)
    return _gpu_speed(gpu, stage.kind, stage.weights)


# Processor: F.linear [n, 2048] x [32768, 2048], torch 2.13, two cores of an AMD EPYC that read
# 35 GB/s; once as it is, once held to AVX2 (ATEN_CPU_CAPABILITY, ONEDNN_MAX_CPU_ISA).
#                    n=1, share of the bandwidth   n=128, Gflop/s per core
#   fp32             0.56                          60
#   bf16, AVX512_BF16 0.58                         200
#   bf16, AVX2       0.93                          24
#   fp16             0.95                          23
_CPU_WRITE_LAYER_S = 0.6e-3
_CPU_READ_LAYER_S = 4e-3
_NO_VECTOR_SHARE = 0.15  # bf16 and fp16 are unpacked one by one


def _cpu_speed(hardware: Hardware, weights: str) -> Speed:
    bandwidth = hardware.ram_bandwidth or DEFAULT_RAM_BANDWIDTH
    share, core_flops = _cpu_share_and_flops(frozenset(hardware.instruction_sets), weights)
    return Speed(
        bandwidth * share,
        core_flops * hardware.cores * 0.6,  # products are not all that reading is made of
        _CPU_WRITE_LAYER_S,
        _CPU_READ_LAYER_S,
    )


def _cpu_share_and_flops(sets: frozenset[str], weights: str) -> tuple[float, float]:
    has_vectors = bool(sets & {"avx2", "neon"})
    if weights == "fp32":
        return 0.56, 60e9 if "avx2" in sets else 30e9 if has_vectors else 10e9
    if weights.startswith("bf16") and "amx_bf16" in sets:
        return 0.58, 500e9
    if weights.startswith("bf16") and "avx512_bf16" in sets:
        return 0.58, 200e9
    if "avx2" in sets:
        return 0.9, 24e9
    if sets & {"bf16"} and weights.startswith("bf16"):
        return 0.8, 60e9  # Arm; not measured
    return _NO_VECTOR_SHARE, 5e9


# GPU: eager torch from Python. 0.6 ms a layer is what the `rwkv` package takes on an H100
# (targets.md, section 2: 10 to 36 ms for 12 to 32 layers); cuBLAS reaches 0.89 of the bandwidth.
_GPU_SHARE = 0.85
_GPU_WRITE_LAYER_S = {"cuda": 0.6e-3, "mps": 1.2e-3, "xpu": 1.2e-3}
_GPU_READ_LAYER_S = {"cuda": 1.5e-3, "mps": 4e-3, "xpu": 4e-3}
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


def _count_hops(placement: Iterable[Stage]) -> int:
    return sum(1 for _ in groupby(placement, key=lambda stage: (stage.kind, stage.index))) - 1
