"""The torch backend on a CUDA card: right, and how fast. ``python -m tests.benchmarks.cuda``.

Makes random models of the released shapes, compares the card with the processor in fp32 (which
the test suite holds to the equations), and prints medians of the wall clock. The bounds are for
models up to 0.1B: these random weights are not scaled by depth, so deeper ones amplify rounding.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from engine.backends.torch import TorchBackend
from engine.checkpoint import inspect
from engine.hardware import detect
from engine.plan import choose
from engine.strategy import Strategy
from tests.tiny import tiny_weights

SIZES = {
    "tiny": (3, 128, (32, 32, 32, 64)),
    "0.1B": (12, 768, (64, 64, 32, 128)),
    "1.5B": (24, 2048, (96, 96, 64, 256)),
}
BOUNDS = {
    "cuda fp32": 1e-4,
    "cuda fp32 *2 -> cpu fp32": 1e-4,
    "cuda fp16": 3e-2,
    "cuda bf16": 1e-1,
}


def main() -> None:
    """Check and measure the sizes named on the command line, or all."""
    sizes = sys.argv[1:] or list(SIZES)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            layers, width, ranks = SIZES[size]
            path = Path(folder) / f"rwkv7-{size}.pth"
            weights = tiny_weights(layers=layers, width=width, ranks=ranks, dtype=torch.bfloat16)
            torch.save(weights, path)
            del weights
            check(path, size)
            measure(path, size)
            path.unlink()


def check(path: Path, size: str) -> None:
    """Compare every weight type with the processor's fp32."""
    info = inspect(path)
    tokens = [int(t) for t in torch.randint(1, 65000, (100,), generator=torch.Generator())]
    truth = TorchBackend(info, Strategy.parse("cpu fp32"))
    expected_state = truth.new_state()
    expected = truth.forward(tokens, expected_state, all_logits=True)
    truth.close()
    for strategy, bound in BOUNDS.items():
        backend = TorchBackend(info, Strategy.parse(strategy))
        state, steps_state = backend.new_state(), backend.new_state()
        logits = backend.forward(tokens, state, all_logits=True).cpu()
        steps = torch.stack([backend.forward([token], steps_state) for token in tokens]).cpu()
        other = backend.new_state()
        again = torch.stack([backend.forward([token], other) for token in tokens]).cpu()
        worst = [deviation(expected, logits), deviation(expected, steps)]
        worst += [
            deviation(getattr(expected_state, name), tensor.cpu())
            for name, tensor in state.tensors().items()
        ]
        ok = max(worst) < bound and torch.equal(steps, again)
        verdict = "not judged" if size == "1.5B" else "ok" if ok else "WRONG"
        print(
            f"{size} {strategy}: {verdict}; prefill {worst[0]:.1e}, "
            f"steps {worst[1]:.1e}, state {max(worst[2:]):.1e}, repeats equal: "
            f"{torch.equal(steps, again)}"
        )
        backend.close()


def deviation(expected: torch.Tensor, got: torch.Tensor) -> float:
    """Return max |difference| over the standard deviation of what is expected."""
    return float((expected - got).abs().max() / expected.std())


def measure(path: Path, size: str) -> None:
    """Print load, decode with and without the graph, prefill, and memory against the plan."""
    info = inspect(path)
    strategy = Strategy.parse("cuda fp16")
    plan = choose(info.shape, detect(None), strategy)
    free = torch.cuda.mem_get_info()[0]
    began = time.perf_counter()
    backend = TorchBackend(info, strategy)
    load_s = time.perf_counter() - began
    state = backend.new_state()
    tokens = [int(t) for t in torch.randint(1, 65000, (4096,))]

    def greedy() -> None:
        token = 1
        for _ in range(50):
            token = int(backend.forward([token], state).argmax())

    graph = median(greedy) / 50
    used = free - torch.cuda.mem_get_info()[0]
    backend._on_one_card = False
    eager = median(greedy) / 50
    prefill = {n: n / median(lambda n=n: backend.forward(tokens[:n], state)) for n in (512, 4096)}
    planned = sum(need.total_bytes for need in plan.needs if need.device != "cpu")
    print(
        f"{size} fp16: load {load_s:.1f} s; decode {graph * 1e3:.2f} ms a token "
        f"({1 / graph:.0f}/s) in a graph, {eager * 1e3:.2f} ms eager, planned "
        f"{plan.write_tokens_per_s:.0f}/s; prefill "
        + ", ".join(f"{n}: {speed:.0f}/s" for n, speed in prefill.items())
        + f"; memory {used / 1e9:.2f} GB, planned {planned / 1e9:.2f}"
    )
    backend.close()


def median(work: Callable[[], object], rounds: int = 7) -> float:
    """Return the median seconds of the wall, after one warm-up."""
    seconds = []
    for _ in range(rounds + 1):
        torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
