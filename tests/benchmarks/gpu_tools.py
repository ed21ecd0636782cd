"""What the sections of ``gpu.py`` share: clocks of a card, random models on it, its bandwidth."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import kernels.cuda.program
from engine.backends.graphs import NoGraphs
from engine.checkpoint import ModelShape, Ranks
from engine.strategy import Strategy
from tests.benchmarks.random_model import RandomSource, random_info

if TYPE_CHECKING:
    from engine.backends.cuda import CudaBackend
    from kernels.cuda.program import Programs

_READ_BYTES = 4 << 30
TINY = ModelShape(2, 320, 1280, 512, 64, Ranks(16, 24, 8, 32))
NO_GRAPHS, NO_DEPENDENT = "SKEIN_NO_GRAPHS", "SKEIN_NO_DEPENDENT"
CACHE = Path(tempfile.gettempdir()) / "skein-gpu-benchmark"
ON_CARD = torch.cuda.is_available()
"""Without a card the emulator of the tests runs the tiny size: to try the script itself."""


def device_ms(work: Callable[[], object], rounds: int = 30, warm: int = 5) -> float:
    """Return the median of device milliseconds of one call."""
    if not ON_CARD:
        return wall_ms(work, 1, 0)
    for _ in range(warm):
        work()
    pairs = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(rounds)]
    for begin, end in pairs:
        begin.record()
        work()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(begin.elapsed_time(end) for begin, end in pairs)


def wall_ms(work: Callable[[], object], rounds: int = 7, warm: int = 2) -> float:
    """Return the median of the wall's milliseconds of one call, card and all."""
    for _ in range(warm):
        work()
    taken = []
    for _ in range(rounds):
        synchronize()
        began = time.perf_counter()
        work()
        synchronize()
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken)


def synchronize() -> None:
    """Wait for the card."""
    if ON_CARD:
        torch.cuda.synchronize()


def shape_of(size: str) -> ModelShape:
    """Return the shape of a released size, or of "tiny"."""
    return TINY if size == "tiny" else ModelShape.released(size)


def read_bandwidth() -> float:
    """Return bytes/s at which the card's memory is read at best: the fastest of a few ways."""
    free = torch.cuda.mem_get_info()[0]
    size = min(_READ_BYTES, free // 4)
    data = torch.empty(size // 4, dtype=torch.float32, device="cuda").fill_(1.0)
    rows = data.view(-1, 1 << 14)
    ones = torch.ones(1 << 14, device="cuda")
    ways = (lambda: data.sum(), lambda: torch.mv(rows, ones), lambda: data.amax())
    return max(data.nbytes / device_ms(way, 15) * 1e3 for way in ways)


@contextmanager
def without(what: str) -> Iterator[None]:
    """Do without graphs (NO_GRAPHS) or dependent launches (NO_DEPENDENT), to look for a fault."""
    os.environ[what] = "1"
    programs.cache_clear()
    before = kernels.cuda.program.DEPENDENT_FROM
    if what == NO_DEPENDENT:
        kernels.cuda.program.DEPENDENT_FROM = (99, 0)
    try:
        yield
    finally:
        kernels.cuda.program.DEPENDENT_FROM = before
        del os.environ[what]
        programs.cache_clear()


@cache
def programs() -> "Programs":
    """Return what compiles for this card, as the engine uses it."""
    if not ON_CARD:
        from tests.kernels.cuda.emulator.emulator import EmulatedPrograms

        return EmulatedPrograms()
    from engine.backends.cuda import programs_for

    return programs_for(torch.device("cuda", torch.cuda.current_device()), CACHE)


def source_of(size: str, active: float = 0.2) -> RandomSource:
    """Return the weights of a random model of a released size."""
    return RandomSource(shape_of(size), active, "cuda" if ON_CARD else "cpu")


@contextmanager
def opened(
    size: str,
    weights: str,
    active: float = 0.2,
    *,
    source: RandomSource | None = None,
    **options: object,
) -> "Iterator[CudaBackend]":
    """Give the engine with a random model in it; free it afterwards. options: the backend's."""
    from engine.backends.cuda import CudaBackend

    source = source or source_of(size, active)
    if os.environ.get(NO_GRAPHS):
        options = {"graphs": NoGraphs(), **options}
    info = random_info(source.shape, size)
    strategy = Strategy.parse(f"cuda {weights}")
    options = {"cache": CACHE if ON_CARD else None, **options}
    backend = CudaBackend(info, strategy, source, programs(), **options)  # type: ignore[arg-type]
    try:
        yield backend
    finally:
        backend.close()


def tokens_of(count: int, vocab: int = 65000, seed: int = 1) -> list[int]:
    """Return random ids."""
    rng = torch.Generator().manual_seed(seed)
    return [int(token) for token in torch.randint(1, min(vocab, 65000), (count,), generator=rng)]


def floor_ms(backend: "CudaBackend", bandwidth: float) -> float:
    """Return the milliseconds of reading all weights and the state once, and writing the state."""
    state = 2 * backend.info.shape.state_bytes
    return (backend.card_bytes + state) / bandwidth * 1e3
