"""How fast is the engine for cards? Sections of ``gpu.py``."""

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from engine.sampling import Sampler
from engine.sampling_params import SamplingParams
from tests.benchmarks.gpu_tools import (
    ON_CARD,
    device_ms,
    floor_ms,
    opened,
    programs,
    source_of,
    synchronize,
    tokens_of,
    wall_ms,
)
from tests.benchmarks.random_model import write_random_pth

if TYPE_CHECKING:
    from engine.backends.cuda import CudaBackend
    from engine.state import State
    from tests.benchmarks.gpu import Run

_NEED_S = {"0.1B": 8, "0.4B": 8, "1.5B": 10, "2.9B": 14, "7.2B": 20}
GREEDY = SamplingParams(temperature=0, presence_penalty=0, frequency_penalty=0)
CHAT = SamplingParams(temperature=1.0, top_p=0.5, top_k=32, seed=1)


def _each(run: "Run", section: str, types: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield sizes and types while there is time."""
    for size in run.sizes:
        for weights in types or run.types:
            if run.enough(_NEED_S.get(size, 20), section, size=size, type=weights):
                yield size, weights


def warm(run: "Run") -> None:
    """Compile everything beforehand, many sizes and types at once, each in a process of its own."""
    began = time.perf_counter()
    sizes = ("tiny", *run.sizes) if "tiny" not in run.sizes else run.sizes
    waiting = [(size, weights) for size in reversed(sizes) for weights in run.types]
    at_once = max(1, min(12, (os.cpu_count() or 2) - 2))
    with ThreadPoolExecutor(at_once) as pool:
        done = list(pool.map(_warmed, waiting))
    for (size, weights), (code, seconds, tail) in zip(waiting, done, strict=True):
        run.verdict("warm", code == 0, size=size, type=weights, seconds=seconds, tail=tail)
    run.row("warm", all_seconds=time.perf_counter() - began)


def _warmed(what: tuple[str, str]) -> tuple[int, float, str]:
    began = time.perf_counter()
    command = [sys.executable, "-m", "tests.benchmarks.gpu_warm", *what]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    except subprocess.TimeoutExpired:
        return 124, time.perf_counter() - began, "took too long"
    tail = "" if done.returncode == 0 else (done.stdout + done.stderr)[-700:]
    return done.returncode, time.perf_counter() - began, tail


def compiling(run: "Run") -> None:
    """Time a load of the smallest model with and without cubins in the cache."""
    for again in (False, True):
        began = time.perf_counter()
        with opened("0.1B", "int8") as backend:
            backend.forward(tokens_of(600, backend.info.shape.vocab), backend.new_state())
            synchronize()
            run.row("compile", again=again, seconds=time.perf_counter() - began)


def decode(run: "Run") -> None:
    """Milliseconds a token at batch 1: the graph alone, and greedy to the host."""
    for size, weights in _each(run, "decode"):
        for active in run.actives:
            part = run.part("decode", size=size, type=weights, active=active)
            with part, opened(size, weights, active) as backend:
                _decode(run, size, weights, active, backend)


def _decode(run: "Run", size: str, weights: str, active: float, backend: "CudaBackend") -> None:
    state = backend.new_state()
    logits = backend.forward(tokens_of(64, backend.info.shape.vocab), state)
    replay = backend.step_replay(state)
    step = device_ms(replay, 60, 10)
    before = time.perf_counter()
    count = 100 if ON_CARD else 3
    for _ in range(count):
        replay()
    synchronize()
    back_to_back = (time.perf_counter() - before) * 1e3 / count
    greedy = _written_ms(backend, state, logits, GREEDY)
    drawn = _written_ms(backend, state, logits, CHAT)
    floor = floor_ms(backend, run.bandwidth) if run.bandwidth else 0.0
    run.row(
        "decode",
        label=f"decode {weights} {active}",
        size=size,
        value=step,
        loop_ms=back_to_back,
        greedy_to_host_ms=greedy,
        drawn_to_host_ms=drawn,
        floor_ms=floor,
        dense_share=floor / step if step else 0.0,
        weights_mb=backend.resident_bytes / 1e6,
        shape=str(backend.tuning),
    )


def _written_ms(
    backend: "CudaBackend",
    state: "State",
    logits: torch.Tensor,
    params: SamplingParams,
    count: int = 100 if ON_CARD else 3,
) -> float:
    """Return milliseconds a token of drawing and reading in turns."""
    writer = backend.writer(Sampler(params, backend.info.shape.vocab))
    for _ in range(count // 10):
        logits = writer.read(writer.draw(logits), state)
    synchronize()
    began = time.perf_counter()
    for _ in range(count):
        logits = writer.read(writer.draw(logits), state)
    synchronize()
    return (time.perf_counter() - began) * 1e3 / count


def tune(run: "Run") -> None:
    """Milliseconds of a step by how its products are cut, and by layout of the value matrices.

    Many compilations: only where it is asked for by name.
    """
    from engine.backends.card_tuning import milliseconds
    from kernels.cuda.step import Step, StepBuffers, suits_dense
    from kernels.cuda.step_cut import candidates

    for size, weights in _each(run, "tune"):
        for by_input in (True, False):
            options = {"by_input": by_input, "cache": None}
            part = run.part("tune", size=size, type=weights, by_input=by_input)
            with part, opened(size, weights, run.actives[0], **options) as backend:
                held = backend._weights
                if not by_input and not suits_dense(held.sizes):
                    continue
                buffers = StepBuffers.zeros(held.sizes, programs().device)
                for cut in candidates(held.sizes, held.kind):
                    began = time.perf_counter()
                    ms = milliseconds(Step(held, programs(), buffers, cut), programs().device)
                    run.row(
                        "tune",
                        size=size,
                        type=weights,
                        by_input=by_input,
                        cut=str(cut),
                        ms=ms,
                        took_s=time.perf_counter() - began,
                    )


def prefill(run: "Run") -> None:
    """Tokens a second of reading 512 and 4,096 tokens, the wall's."""
    for size, weights in _each(run, "prefill"):
        with run.part("prefill", size=size, type=weights), opened(size, weights) as backend:
            for length in (512, 4096):
                tokens, state = tokens_of(length, backend.info.shape.vocab), backend.new_state()
                if ON_CARD:
                    torch.cuda.reset_peak_memory_stats()
                held = torch.cuda.memory_allocated()
                ms = wall_ms(lambda t=tokens, s=state: backend.forward(t, s), 7, 3)
                run.row(
                    "prefill",
                    label=f"prefill {length} {weights}",
                    size=size,
                    value=length / ms * 1e3,
                    ms=ms,
                    workspace_mb=(torch.cuda.max_memory_allocated() - held) / 1e6,
                )


def batch(run: "Run") -> None:
    """Tokens a second of many chats at once, greedy, tokens on the host after each step."""
    for size, weights in _each(run, "batch"):
        with run.part("batch", size=size, type=weights), opened(size, weights) as backend:
            for rows in (2, 8, 16, 32, 64) if weights == "fp16" else (8, 32):
                if run.left_s > 5:
                    _batch(run, size, weights, rows, backend)


def _batch(run: "Run", size: str, weights: str, rows: int, backend: "CudaBackend") -> None:
    states = [backend.new_state() for _ in range(rows)]
    tokens = [[token] for token in tokens_of(rows, backend.info.shape.vocab)]
    for state in states:
        for tensor in state.tensors().values():
            tensor.normal_(std=0.1)

    def step() -> None:
        nonlocal tokens
        logits = backend.forward_batch(tokens, states)
        tokens = [[int(token)] for token in logits.argmax(-1).tolist()]

    wall = wall_ms(step, 15, 4)
    device = device_ms(backend.rows_replay(rows), 30, 5)
    run.row(
        "batch",
        label=f"batch {rows} {weights}",
        size=size,
        value=rows / device * 1e3,
        device_ms=device,
        greedy_to_host_ms=wall,
    )


class _Numbers:
    """A tokenizer that needs no vocabulary file: tokens as numbers."""

    vocab_size = 65536

    def token_bytes(self, token: int) -> bytes:
        return b"%d " % token


def whole_path(run: "Run") -> None:
    """Generate as ``skein generate`` does, text written to a stream; against the graph alone."""
    from engine.generate import Generation

    for size, weights in _each(run, "whole"):
        with run.part("whole", size=size, type=weights), opened(size, weights) as backend:
            state = backend.new_state()
            logits = backend.forward(tokens_of(64, backend.info.shape.vocab), state)
            step = device_ms(backend.step_replay(state), 40, 5)
            drawer = Sampler(
                CHAT,
                backend.info.shape.vocab,
                unused=range(backend.info.shape.vocab - 6, backend.info.shape.vocab),
            )
            generation = Generation(
                backend,
                _Numbers(),  # type: ignore[arg-type]
                drawer,
                state,
                logits,
                max_tokens=330 if ON_CARD else 40,
                stop_tokens=(),
            )
            text, times = io.StringIO(), []
            for token in generation.run(lambda: False):
                text.write(token.text)
                times.append(time.perf_counter())
            ms = (times[-1] - times[29]) * 1e3 / (len(times) - 30)
            run.row(
                "whole",
                label=f"whole {weights}",
                size=size,
                value=ms,
                step_ms=step,
                share=step / ms,
                tokens_per_s=1e3 / ms,
            )


def load(run: "Run") -> None:
    """Load from a file, by type: seconds, gigabytes of the file a second, memory as planned."""
    from engine.backends.card_memory import give_back
    from engine.backends.cuda import open_on_card
    from engine.checkpoint import inspect
    from engine.needs import card_workspace_bytes, head_bytes, layer_bytes
    from engine.strategy import Strategy

    programs()
    with tempfile.TemporaryDirectory() as folder:
        for size in [size for size in run.sizes if size in ("tiny", "0.4B", "1.5B", "2.9B")]:
            if not run.enough(40, "load", size=size):
                break
            path = write_random_pth(Path(folder) / f"{size}.pth", source_of(size))
            info = inspect(path)
            for weights in run.types:
                with run.part("load", size=size, type=weights):
                    give_back(programs().device)
                    free = torch.cuda.mem_get_info()[0]
                    began = time.perf_counter()
                    backend = open_on_card(info, Strategy.parse(f"cuda {weights}"))
                    seconds = time.perf_counter() - began
                    loaded = free - torch.cuda.mem_get_info()[0]
                    backend.forward(tokens_of(2000, backend.info.shape.vocab), backend.new_state())
                    synchronize()
                    used = free - torch.cuda.mem_get_info()[0]
                    shape = info.shape
                    planned = shape.layers * layer_bytes(shape, weights, on_card=True)
                    planned += head_bytes(shape, weights) + shape.state_bytes
                    run.row(
                        "load",
                        size=size,
                        type=weights,
                        seconds=seconds,
                        gb_s=info.size_bytes / seconds / 1e9,
                        resident_mb=backend.resident_bytes / 1e6,
                        loaded_mb=loaded / 1e6,
                        tensors_mb=torch.cuda.memory_allocated() / 1e6,
                        reserved_mb=torch.cuda.memory_reserved() / 1e6,
                        used_mb=used / 1e6,
                        planned_mb=(planned + card_workspace_bytes(shape, weights)) / 1e6,
                    )
                    backend.close()
            path.unlink()
