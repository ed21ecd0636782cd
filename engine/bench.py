"""Measuring a model on this machine: rounds that alternate between us and a peer.

These machines are shared and noisy, so what counts is the ratio of medians within one run.
Knows backends and clocks; nothing here is ever asserted by a test.
"""

import gc
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine.backends.base import Backend
from engine.bench_peers import open_peer
from engine.checkpoint.older_shape import OlderShape
from engine.folders import Folders
from engine.hardware import detect
from engine.model import load_backend, plan_model
from engine.needs import embedding_bytes
from engine.older_needs import older_embedding_bytes
from engine.strategy import Strategy

if TYPE_CHECKING:
    from engine.checkpoint import ModelInfo


@dataclass(frozen=True, slots=True)
class Speeds:
    """Medians over the rounds, of the wall. load_s: of the loads after the first, if there are any;
    a peer is loaded once.
    """

    name: str
    load_s: float
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    best_decode_tokens_per_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """What one run of ``skein bench`` found.

    bytes_per_token: weights and state that one decoded token had to read; the native engine
    leaves out rows of the channel mix that meet a zero, as many as in the last token.
    first_load_s: the first load of this run, before which weights may have been prepared or not.
    bandwidth_share: those bytes, times tokens/s, over what a plain read of memory reaches in
    the same run; 0 where the weights are not in main memory.
    """

    model: str
    strategy: str
    backend: str
    prefill: int
    decode: int
    runs: int
    threads: int
    resident_bytes: int
    peak_bytes: int
    first_load_s: float
    bytes_per_token: int
    bandwidth_bytes_per_s: float
    bandwidth_share: float
    ours: Speeds
    peer: Speeds | None

    def lines(self) -> list[str]:
        """Return the report as a person reads it."""
        rows = [
            f"{self.model}, {self.strategy} on {self.backend}, {self.threads} threads; medians of "
            f"{self.runs} rounds, prompt {self.prefill}, reply {self.decode} tokens",
            f"  weights {self.resident_bytes / 1e9:.2f} GB, peak {self.peak_bytes / 1e9:.2f} GB, "
            f"first load {self.first_load_s:.2f} s",
            *(_speed_line(speeds) for speeds in (self.ours, self.peer) if speeds),
            f"  {self.bytes_per_token / 1e6:.0f} MB read a token; memory reads "
            f"{self.bandwidth_bytes_per_s / 1e9:.1f} GB/s; share {self.bandwidth_share:.2f}",
        ]
        if self.peer:
            rows.append(
                f"  ours / {self.peer.name}: "
                f"prefill {_ratio(self.ours, self.peer, 'prefill_tokens_per_s'):.2f}, "
                f"decode {_ratio(self.ours, self.peer, 'decode_tokens_per_s'):.2f}"
            )
        return rows


def _speed_line(speeds: Speeds) -> str:
    return (
        f"  {speeds.name:6} load {speeds.load_s:.2f} s, "
        f"prefill {speeds.prefill_tokens_per_s:.0f} tokens/s, "
        f"decode {speeds.decode_tokens_per_s:.1f} tokens/s "
        f"(best {speeds.best_decode_tokens_per_s:.1f})"
    )


def _ratio(ours: Speeds, peer: Speeds, name: str) -> float:
    return getattr(ours, name) / getattr(peer, name)


class _Runner(Protocol):
    """One engine under test: reads tokens onto a fresh state, then writes greedily."""

    name: str

    def read(self, tokens: Sequence[int]) -> None: ...

    def write(self, count: int) -> None: ...


def run_bench(
    path: Path,
    strategy: str,
    prefill: int,
    decode: int,
    runs: int,
    compare: str = "",
    *,
    power_saving: bool = False,
) -> Report:
    """Load and measure a model; a peer that ``compare`` names takes every other turn.

    compare: "", or what ``open_peer`` takes. power_saving: on half of the processor's cores at
    most, the peer too. Raises what loading and ``open_peer`` raise.
    """
    import torch

    from engine.bandwidth import measure

    hardware = detect(Folders.standard().cache)
    hardware = hardware.saving_power() if power_saving else hardware
    info, plan = plan_model(path, Strategy.parse(strategy), hardware)
    backend, loads, peak = _load_repeatedly(info, plan.strategy, runs, power_saving)
    prompt = _prompt(info.shape.vocab, prefill)
    ours = _Ours(backend)
    threads = getattr(backend, "threads", 0) or torch.get_num_threads()
    peer_load_s, peer = 0.0, None
    if compare:
        peer_load_s, peer = _timed(lambda: open_peer(compare, path, plan.strategy, threads))
    runners: list[_Runner] = [ours, peer] if peer else [ours]
    for runner in runners:  # once unmeasured: caches, libraries that choose their algorithms
        _round(runner, prompt, decode)
    rounds = [
        {runner.name: _round(runner, prompt, decode) for runner in runners} for _ in range(runs)
    ]
    bandwidth = measure()
    per_token = _bytes_per_token(backend, info)
    speeds = _speeds(ours.name, statistics.median(loads[1:] or loads), rounds)
    on_cpu = all(stage.device == "cpu" for stage in plan.strategy.stages)
    return Report(
        model=info.name,
        strategy=str(plan.strategy),
        backend=backend.name,
        prefill=prefill,
        decode=decode,
        runs=runs,
        threads=threads,
        resident_bytes=backend.resident_bytes,
        peak_bytes=peak,
        first_load_s=loads[0],
        bytes_per_token=per_token,
        bandwidth_bytes_per_s=bandwidth,
        bandwidth_share=per_token * speeds.decode_tokens_per_s / bandwidth if on_cpu else 0.0,
        ours=speeds,
        peer=_speeds(peer.name, peer_load_s, rounds) if peer else None,
    )


def _load_repeatedly(
    info: "ModelInfo", strategy: Strategy, runs: int, power_saving: bool
) -> tuple[Backend, list[float], int]:
    """Return the backend of the last load, the seconds of each, and the first one's peak memory.

    What a load leaves to be done in the background is done before anything else is measured.
    """
    loads: list[float] = []
    backend, peak = None, 0
    for _ in range(runs):
        if backend is not None:
            backend.close()
        load_s, backend = _timed(lambda: load_backend(info, strategy, power_saving=power_saving))
        loads.append(load_s)
        peak = peak or _peak_bytes()
        _settle(backend)
    assert backend is not None
    return backend, loads, peak


def _settle(backend: Backend) -> None:
    """Let a backend that keeps what it packed do so now; later it would disturb the rounds."""
    settle = getattr(backend, "settle", None)
    if settle is not None:
        settle()


def _timed(make: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    began = time.perf_counter()
    made = make()
    return time.perf_counter() - began, made


def _round(runner: _Runner, prompt: Sequence[int], decode: int) -> tuple[float, float]:
    """Return tokens per second of reading and of writing."""
    read_s, _ = _timed(lambda: runner.read(prompt))
    write_s, _ = _timed(lambda: runner.write(decode))
    return len(prompt) / read_s, decode / write_s


def _speeds(name: str, load_s: float, rounds: list[dict[str, tuple[float, float]]]) -> Speeds:
    reads, writes = zip(*(done[name] for done in rounds), strict=True)
    return Speeds(name, load_s, statistics.median(reads), statistics.median(writes), max(writes))


def _prompt(vocab: int, length: int) -> list[int]:
    """Return varied ids, the same in every run."""
    return [1 + (i * 7919) % (min(vocab, 65000) - 1) for i in range(length)]


def _bytes_per_token(backend: Backend, info: "ModelInfo") -> int:
    """All weights but the table of embeddings and rows left out, and the state in and out."""
    unread = getattr(backend, "unread_bytes", 0)
    return (
        backend.resident_bytes
        - _embedding_bytes(backend, info)
        - unread
        + 2 * info.shape.state_bytes
    )


def _embedding_bytes(backend: Backend, info: "ModelInfo") -> int:
    """What the table of embeddings takes in this backend; a token reads one row of it."""
    if isinstance(info.shape, OlderShape):
        first = backend.strategy.placement(info.shape.layers)[0]
        return older_embedding_bytes(info.shape, first)
    native = backend.strategy.native_weights if backend.name == "cpu" else ""
    table = embedding_bytes(info.shape, native)
    return 2 * table if not native and info.weights == "fp32" else table


def _peak_bytes() -> int:
    """Return the most memory that this process ever had resident."""
    import psutil

    memory = psutil.Process().memory_info()
    peak = getattr(memory, "peak_wset", 0)  # Windows
    if not peak and os.name == "posix":
        import resource
        import sys

        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return int(peak or memory.rss)


class _Ours:
    name = "skein"

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._state = backend.new_state()
        self._next = 0

    def read(self, tokens: Sequence[int]) -> None:
        self._state = self._backend.new_state()
        self._next = int(self._backend.forward(tokens, self._state).argmax())

    def write(self, count: int) -> None:
        for _ in range(count):
            self._next = int(self._backend.forward([self._next], self._state).argmax())
