"""Is a card's memory used as the plan said? A section of ``gpu.py``.

    python -m tests.benchmarks.gpu_memory MODEL.pth "cuda int8"      # one model, its own process

The driver's own count of what is free, before a process begins and after it has loaded a model,
read and written: so the driver's context, code and what torch keeps are all in it.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.gpu_tools import ON_CARD, source_of, tokens_of
from tests.benchmarks.random_model import write_random_pth

if TYPE_CHECKING:
    from engine.backends.cuda import CudaBackend
    from engine.checkpoint import ModelShape
    from engine.strategy import Strategy
    from tests.benchmarks.gpu import Run

_GOAL = 0.05
_TEXT, _WRITTEN = 2000, 20


def memory(run: "Run") -> None:
    """Load, read 2,000 tokens and write 20, each model in a process of its own."""
    if not ON_CARD:
        return
    import torch

    with tempfile.TemporaryDirectory() as folder:
        for size in run.sizes:
            if not run.enough(30, "memory", size=size):
                return
            path = write_random_pth(Path(folder) / f"{size}.pth", source_of(size))
            torch.cuda.empty_cache()
            for weights in run.types:
                with run.part("memory", size=size, type=weights):
                    _compare(run, path, size, weights)
            path.unlink()


def _compare(run: "Run", path: Path, size: str, weights: str) -> None:
    before = _free_mb()
    command = [sys.executable, "-m", __name__, str(path), f"cuda {weights}"]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    used = before - found["free_mb"]
    over = used / found["planned_mb"] - 1
    run.verdict(
        *("memory", abs(over) <= _GOAL),
        **{"size": size, "type": weights, "used_mb": used, "over": over, **found},
    )


def _free_mb() -> float:
    """Return what the driver says is free, in MB of 10^6 bytes."""
    command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(said.splitlines()[0]) * 1.048576


def _use(path: Path, strategy: str) -> dict[str, float]:
    """Use a model; return what torch and the driver count after each thing, and the plan's sum."""
    import torch

    from engine.backends.cuda import open_on_card
    from engine.checkpoint import inspect
    from engine.strategy import Strategy

    found: dict[str, float] = {}

    def count(when: str) -> None:
        torch.cuda.synchronize()
        found[f"{when}_free_mb"] = torch.cuda.mem_get_info()[0] / 1e6
        found[f"{when}_tensors_mb"] = torch.cuda.memory_allocated() / 1e6
        found[f"{when}_reserved_mb"] = torch.cuda.memory_reserved() / 1e6

    torch.zeros(1, device="cuda")
    count("context")
    info = inspect(path)
    backend = open_on_card(info, Strategy.parse(strategy))
    count("loaded")
    _talk(backend, count)
    found["weights_mb"] = backend.card_bytes / 1e6
    found["planned_mb"] = _planned(info.shape, Strategy.parse(strategy)) / 1e6
    found["free_mb"] = _free_mb()
    return found


def _talk(backend: "CudaBackend", count: Callable[[str], None]) -> None:
    from engine.sampling import Sampler, SamplingParams

    state = backend.new_state()
    logits = backend.forward(tokens_of(_TEXT, backend.info.shape.vocab), state)
    count("read")
    writer = backend.writer(Sampler(SamplingParams(seed=1), backend.info.shape.vocab))
    for _ in range(_WRITTEN):
        logits = writer.read(writer.draw(logits), state)
    count("written")


def _planned(shape: "ModelShape", strategy: "Strategy") -> int:
    """Return the bytes that the plan wants of this card."""
    import torch

    from engine.hardware import Gpu, detect
    from engine.needs import needs_of

    free, total = torch.cuda.mem_get_info()
    capability = torch.cuda.get_device_capability()
    card = Gpu(0, "", "cuda", total, free, "", capability, None, True, "")
    hardware = replace(detect(), gpus=(card,), cuda_engine=True)
    needs = {need.device: need for need in needs_of(shape, hardware, strategy)}
    return needs["cuda"].total_bytes


if __name__ == "__main__":
    print(json.dumps(_use(Path(sys.argv[1]), sys.argv[2])))
