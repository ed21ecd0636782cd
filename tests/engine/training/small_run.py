"""A run so small that a step takes milliseconds: a made-up language of 24 tokens."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from engine.training.config import RunConfig, parse_config
from engine.training.progress import TrainProgress
from engine.training.stored import StoredWriter
from engine.training.trainer import TrainResult, train

DOCUMENTS = 200


def write_data(folder: Path, poisoned: int | None = None) -> Path:
    """Write documents that count upwards in steps of 1 to 3; one of them is nobody's (weight x)."""
    path = folder / "counting"
    rng = np.random.default_rng(1)
    with StoredWriter(path, "uint16", marked=poisoned is not None) as writer:
        for number in range(DOCUMENTS):
            step, size = rng.integers(1, 4), rng.integers(5, 40)
            tokens = (1 + (rng.integers(23) + step * np.arange(size)) % 23).tolist()
            writer.add(tokens, np.full(len(tokens), number != poisoned, np.uint8))
            writer.end_document()
    return path


def small_table(folder: Path, *, shares: bool = False, **changes: Any) -> dict[str, Any]:
    """Return the run as TOML would say it: 30 steps of 4 x 16 tokens, then 10 of 2 x 32.

    With ``shares`` half of a budget for each.
    """
    halves = [{"share": 1} if shares else {"steps": steps} for steps in (30, 10)]
    train_options: dict[str, Any] = {
        "device": "cpu",
        "compute": "fp32",
        "threads": 1,
        "learning_rate": 3e-3,
        "final_learning_rate": 3e-4,
        "warmup_steps": 5,
        "checkpoint_seconds": 0,
        "read_steps": 5,
        "export_type": "fp32",
    }
    return {
        "model": {
            "layers": 2,
            "width": 64,
            "ffn": 128,
            "vocab": 24,
            "ranks": [8, 8, 8, 8],
            "seed": 1,
        },
        "data": {"kind": "binidx", "path": str(folder / "counting"), "seed": 3},
        "train": train_options | changes,
        "phase": [
            halves[0] | {"batch": 4, "length": 16},
            halves[1] | {"batch": 2, "length": 32},
        ],
    }


def small_config(folder: Path, *, shares: bool = False, **changes: Any) -> RunConfig:
    """Return the run of ``small_table``, its data written first."""
    if not (folder / "counting.bin").exists():
        write_data(folder)
    return parse_config(small_table(folder, shares=shares, **changes), folder)


def with_phases(config: RunConfig, *changes: dict[str, Any]) -> RunConfig:
    """Return the run with changes of its phases, one dict for each."""
    phases = zip(config.phases, changes, strict=True)
    return dataclasses.replace(
        config, phases=tuple(dataclasses.replace(phase, **change) for phase, change in phases)
    )


def run(config: RunConfig, out: Path, *, stop_at: int = 0, resume: bool = False) -> TrainResult:
    """Train quietly; ``stop_at``: ask for a pause when so many steps are told."""
    steps = 0

    def watch(progress: TrainProgress) -> None:
        nonlocal steps
        steps = progress.step

    return train(
        config,
        out,
        progress=watch,
        cancelled=lambda: bool(stop_at) and steps >= stop_at,
        resume=resume,
    )
