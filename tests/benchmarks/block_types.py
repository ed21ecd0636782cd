"""How fast the block types of GGUF files become fp32, on one thread.

    python -m tests.benchmarks.block_types

What a file of 450 million weights (0.4B) would take stands beside it.
"""

import time

import numpy as np

from engine.checkpoint.ggml import PLAIN, TYPES, GgmlType, dequantise
from tests.benchmarks.conditions import median, print_conditions

_ELEMENTS = 1 << 21
_MODEL = 450e6
_ROUNDS = 5


def seconds(kind: GgmlType) -> float:
    """Return what a piece of 8 MB of fp32 takes: the median of some rounds."""
    rng = np.random.default_rng(kind.number)
    raw = rng.integers(0, 100, kind.size_bytes(_ELEMENTS), dtype=np.uint8)
    dequantise(kind, raw[: kind.block_bytes])  # imports the package, makes its tables
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for at in range(0, _ELEMENTS, 1 << 18):  # as a loader asks for it
            dequantise(kind, raw[kind.size_bytes(at) : kind.size_bytes(at + (1 << 18))])
        times.append(time.perf_counter() - began)
    return median(times)


def main() -> None:
    """Print one line per type."""
    print_conditions()
    for kind in TYPES.values():
        if kind.name in PLAIN:
            continue
        took = seconds(kind)
        rate, whole = _ELEMENTS / took, _MODEL * took / _ELEMENTS
        raw = kind.size_bytes(_ELEMENTS) / took / 1e6
        print(
            f"{kind.name:8}{rate / 1e6:7.0f} M weights/s {raw:6.0f} MB/s read "
            f"{4 * rate / 1e6:7.0f} MB/s fp32 {whole:6.1f} s for 0.4B"
        )


if __name__ == "__main__":
    main()
