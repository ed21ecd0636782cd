"""RWKV-4, 5 and 6 on a card: the package's own numbers, resumed states, and how fast they are.

``python -m tests.benchmarks.gpu_older`` prints one JSON object a line. Needs a CUDA card.
"""

import importlib.util
import json
import os
import tempfile
import time
from pathlib import Path
from types import ModuleType

import torch

from engine.backends.older import GPU_READ_CHUNK, OlderBackend
from engine.checkpoint import inspect
from engine.snapshot import Snapshot, load_snapshot, save_snapshot
from engine.strategy import Strategy
from tests.older import GENERATIONS, write_older_pth

TOKENS = [(i * 7919) % 287 for i in range(300)]
SPELLINGS = {
    "cuda fp16": "cuda fp16",
    "cuda bf16": "cuda bf16",
    "cuda fp32": "cuda fp32",
    "cuda int8": "cuda fp16i8",
    "cuda fp16 *3 -> cpu fp32": "cuda fp16 *3 -> cpu fp32",
}
SIZES = {"4": (24, 2048), "5.2": (24, 2048), "6": (24, 2048)}


def package() -> ModuleType:
    """Return the author's module as it is."""
    for name in ("JIT", "CUDA", "V7"):
        os.environ[f"RWKV_{name}_ON"] = "0"
    found = importlib.util.find_spec("rwkv")
    assert found is not None
    assert found.submodule_search_locations is not None
    path = Path(found.submodule_search_locations[0]) / "model.py"
    spec = importlib.util.spec_from_file_location("package_as_it_is", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.backends.cuda.matmul.allow_tf32 = False
    return module


def check(folder: Path, theirs: ModuleType, generation: str, strategy: str) -> None:
    """Print whether logits, a step and a resumed state are the package's, bit for bit."""
    path = write_older_pth(
        folder / "x.pth", generation, vocab=288, layers=8, width=256, head=64, dtype=torch.bfloat16
    )
    backend = OlderBackend(inspect(path), Strategy.parse(strategy))
    model = theirs.RWKV(str(path), SPELLINGS[strategy], verbose=False)
    state, their_state, rows = backend.new_state(), None, []
    for start in range(0, len(TOKENS), GPU_READ_CHUNK):
        chunk = TOKENS[start : start + GPU_READ_CHUNK]
        logits, their_state = model.forward(chunk, their_state, full_output=True)
        rows.append(logits)
    ours = backend.forward(TOKENS, state, all_logits=True)
    save_snapshot(folder / "s.safetensors", Snapshot(state.clone().to("cpu")), {})
    step, resumed = backend.forward([7], state), backend.new_state()
    resumed.copy_from(load_snapshot(folder / "s.safetensors")[0].state)
    told = {
        "generation": generation,
        "strategy": strategy,
        "same": torch.equal(ours, torch.cat(rows)),
        "step_same": torch.equal(step, model.forward([7], their_state)[0]),
        "resumed_same": torch.equal(backend.forward([7], resumed), step),
        "finite": bool(ours.isfinite().all()),
        "resident_mb": backend.resident_bytes / 1e6,
    }
    print(json.dumps(told), flush=True)


def speed(folder: Path, generation: str, strategy: str) -> None:
    """Print tokens per second of a model of 1.5 billion parameters or so."""
    layers, width = SIZES[generation]
    path = folder / f"large_{generation}.pth"
    if not path.exists():
        write_older_pth(path, generation, layers=layers, width=width, head=64, dtype=torch.bfloat16)
    began = time.perf_counter()
    backend = OlderBackend(inspect(path), Strategy.parse(strategy))
    load_s = time.perf_counter() - began
    state, prompt = backend.new_state(), list(range(100, 100 + 2 * GPU_READ_CHUNK))
    backend.forward(prompt, state)
    read_s = _timed(lambda: backend.forward(prompt, state))
    steps = [_timed(lambda: backend.forward([5], state)) for _ in range(40)]
    told = {
        "generation": generation,
        "strategy": strategy,
        "load_s": load_s,
        "read_tokens_per_s": len(prompt) / read_s,
        "step_ms": 1e3 * sorted(steps)[len(steps) // 2],
        "peak_card_mb": torch.cuda.max_memory_allocated() / 1e6,
    }
    print(json.dumps(told), flush=True)
    backend.close()


def _timed(work) -> float:  # type: ignore[no-untyped-def]
    torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    """Check everything, then measure."""
    theirs = package()
    with tempfile.TemporaryDirectory() as name:
        for generation in GENERATIONS:
            for strategy in SPELLINGS:
                check(Path(name), theirs, generation, strategy)
        for generation in SIZES:
            for strategy in ("cuda fp16", "cuda int8"):
                speed(Path(name), generation, strategy)


if __name__ == "__main__":
    main()
