"""What loading a model takes at most, over what stays; and how fast a file is told what it is.

    python -m tests.benchmarks.memory MODEL.pth [--weights fp32 bf16 fp16 int8 q4]

Each case is a process of its own, in a folder of its own: first packed from the file, then, where
the engine for processors kept what it packed, loaded from there. Memory is resident memory (Linux:
VmRSS, VmHWM), counted from where the process stood with torch imported, since that is the same for
every model.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.conditions import median, print_conditions

CHILD = """
import json, sys, time
from pathlib import Path
import torch
from engine.hardware import detect
from engine.model import load_backend, plan_model
from engine.strategy import Strategy

def kilobytes(name):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])

torch.mm(torch.zeros(8, 8), torch.zeros(8, 8))
info, plan = plan_model(Path(sys.argv[1]), Strategy.parse(sys.argv[2]), detect(None))
base = kilobytes("VmRSS")
began = time.perf_counter()
backend = load_backend(info, plan.strategy)
seconds = time.perf_counter() - began
after, peak = kilobytes("VmRSS"), kilobytes("VmHWM")
backend.forward([1], backend.new_state())
backend.forward(list(range(1, 513)), backend.new_state())
print(json.dumps({"base": base, "after": after, "peak": peak, "weights": backend.resident_bytes,
                  "reading": kilobytes("VmHWM"), "seconds": seconds}))
if hasattr(backend, "settle"):
    backend.settle()
"""


def measure(path: Path, weights: str, home: Path, how: str) -> None:
    """Print one case. home: where packed weights are kept."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), f"cpu {weights}"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "SKEIN_HOME": str(home)},
    )
    found = json.loads(done.stdout)
    after, peak = (1024 * (found[name] - found["base"]) for name in ("after", "peak"))
    reading = 1024 * (found["reading"] - found["base"])
    print(
        f"{weights} {how}, {found['seconds']:.2f} s: weights {found['weights'] / 1e6:6.0f} MB, "
        f"resident after loading {after / 1e6:6.0f} MB, peak while loading {peak / 1e6:6.0f} MB = "
        f"{peak / after:.2f} x what stays, {peak / found['weights']:.2f} x the weights; peak of "
        f"reading 512 tokens {reading / 1e6:6.0f} MB; process before {found['base'] / 1000:.0f} MB",
        flush=True,
    )


def time_inspection(path: Path) -> None:
    """Print how long ``inspect`` takes, the first time (with its imports) and after."""
    began = time.perf_counter()
    from engine.checkpoint import inspect

    inspect(path)
    first = time.perf_counter() - began
    again: list[float] = []
    for _ in range(9):
        began = time.perf_counter()
        inspect(path)
        again.append(time.perf_counter() - began)
    print(
        f"ModelInfo: first {first * 1000:.0f} ms with imports, then median "
        f"{median(again) * 1000:.1f} ms (goal: under 100 ms)"
    )


def main() -> None:
    """Measure every type of weights."""
    parser = argparse.ArgumentParser(description="Peak memory of loading.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--weights", nargs="+", default=["fp32", "bf16", "fp16", "int8", "q4"])
    options = parser.parse_args()
    if not Path("/proc/self/status").exists():
        sys.exit("This benchmark reads /proc, which this system does not have.")
    time_inspection(options.model)
    print_conditions(f"{options.model.name}; goal: peak <= 1.1 x the weights")
    with tempfile.TemporaryDirectory() as home:
        for weights in options.weights:
            measure(options.model, weights, Path(home), "packed")
            if any((Path(home) / "cache" / "packed").glob("*")):
                measure(options.model, weights, Path(home), "from what was kept")
                shutil.rmtree(Path(home) / "cache" / "packed")


if __name__ == "__main__":
    main()
