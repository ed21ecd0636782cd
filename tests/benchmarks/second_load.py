"""How long a model takes that was loaded before, and whether processes share its pages.

    python -m tests.benchmarks.second_load FILE --weights int8 bf16

Measured is the whole of ``load_model`` (what the file is, the plan, the vocabulary, the weights)
and ``load_backend`` alone, on the wall and in seconds of processors, torch being imported. Then a
second process loads the same, and the kernel tells how both hold the pages (Linux: smaps).
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks.conditions import print_conditions

if TYPE_CHECKING:
    from engine.model import Model

RUNS = 7
CHILD = """
import sys
from pathlib import Path
from tests.benchmarks.second_load import load
model = load(Path(sys.argv[1]), sys.argv[2])
print("loaded", flush=True)
sys.stdin.read()
"""


def load(path: Path, weights: str) -> "Model":
    """Load a model on the processor, and wait until what it packed is kept."""
    from engine.folders import Folders
    from engine.hardware import detect
    from engine.model import load_model
    from engine.strategy import Strategy

    model = load_model(path, Strategy.parse(f"cpu {weights}"), detect(Folders.standard().cache))
    settle = getattr(model.backend, "settle", None)
    if settle is not None:
        settle()
    return model


def measure(path: Path, weights: str) -> None:
    """Print the times of one weight type."""
    from engine.checkpoint import inspect
    from engine.model import load_backend
    from engine.strategy import Strategy

    first = timed(lambda: load(path, weights))
    print(f"{weights}: the first load, its file written: {first[0]:.2f} s")
    strategy, info = Strategy.parse(f"cpu {weights}"), inspect(path)
    for name, again in (
        ("load_model", lambda: load(path, weights)),
        ("load_backend", lambda: load_backend(info, strategy)),
    ):
        walls, processors = zip(*(timed(again) for _ in range(RUNS)), strict=True)
        print(
            f"{weights}: {name} again: median {median(walls):.3f} s, best {min(walls):.3f} s, "
            f"{median(processors):.3f} s of processors"
        )


def timed(make: Callable[[], Any]) -> tuple[float, float]:
    """Return seconds of the wall and of processors; what was made is closed."""
    began, used = time.perf_counter(), time.process_time()
    made = make()
    found = time.perf_counter() - began, time.process_time() - used
    made.close()
    return found


def show_sharing(path: Path, weights: str) -> None:
    """Print how two processes hold the file's pages."""
    model = load(path, weights)
    arguments = [sys.executable, "-c", CHILD, str(path), weights]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        for pid in (os.getpid(), other.pid):
            print(f"{weights}: process {pid}: {', '.join(pages_of(pid))}")
        other.communicate("")
    model.close()


def pages_of(pid: int) -> list[str]:
    """Return the lines of smaps that tell how packed files are held."""
    _, _, rest = Path(f"/proc/{pid}/smaps").read_text().partition(".packed")
    wanted = r"((?:Rss|Pss|Shared_Clean|Private_Clean|Private_Dirty|FilePmdMapped): +\d+ kB)"
    return [re.sub(" +", " ", line) for line in re.findall(wanted, rest.partition("VmFlags")[0])]


def main() -> None:
    """Measure every type of weights that was asked for."""
    parser = argparse.ArgumentParser(description="Loading what was loaded before.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--weights", nargs="+", default=["int8", "bf16"])
    options = parser.parse_args()
    print_conditions(f"{options.model.name}; goal: under 0.5 s for 0.4B")
    with tempfile.TemporaryDirectory() as home:
        os.environ["SKEIN_HOME"] = home
        for weights in options.weights:
            measure(options.model, weights)
            if Path("/proc/self/smaps").exists():
                show_sharing(options.model, weights)


if __name__ == "__main__":
    main()
