"""The engine for NVIDIA cards on the card at hand: is it right, and how fast, beside others?

    python -m tests.benchmarks.gpu --seconds 450 --out gpu.jsonl
    python -m tests.benchmarks.gpu --only check,decode --sizes 0.1B,1.5B --types fp16,int8

Needs no installed Skein, only the repository on PYTHONPATH, torch, cuda-core and cuda-bindings.
Weights are random, of the released shapes, and made on the card. Each finding is one JSON line of
``--out``, written at once; a table comes at the end. A section that fails prints its traceback and
the next one runs; when the seconds are over, what is left is named. Exits with 1 if anything was
wrong or failed.
"""

import argparse
import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

SIZES = ("0.1B", "0.4B", "1.5B", "2.9B", "7.2B")
TYPES = ("fp16", "int8", "q4")
_ASKED_FOR = ("tune", "parts", "rowparts", "rowcuts", "rowdigits")
"""Sections that run only when they are named."""


@dataclass(slots=True)
class Run:
    """What was asked for, what was found, and how long there is left."""

    sizes: tuple[str, ...]
    types: tuple[str, ...]
    actives: tuple[float, ...]
    seconds: float
    out: Path | None
    batches: tuple[int, ...] = (8, 32)
    bandwidth: float = 0.0
    good: bool = True
    began: float = field(default_factory=time.monotonic)
    rows: list[dict[str, object]] = field(default_factory=list)

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self.seconds - (time.monotonic() - self.began)

    def row(self, section: str, **values: object) -> None:
        """Keep and print a finding."""
        found = {"section": section, **{k: _short(v) for k, v in values.items()}}
        self.rows.append(found)
        line = json.dumps(found)
        print(line, flush=True)
        if self.out is not None:
            with self.out.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def verdict(self, section: str, ok: bool, **values: object) -> None:
        """Keep a finding that is right or wrong."""
        self.good &= ok
        self.row(section, ok=ok, **values)

    @contextmanager
    def part(self, section: str, **values: object) -> Iterator[None]:
        """Do one part of a section: its failure is told, and is no reason to stop."""
        began = time.monotonic()
        try:
            yield
        except Exception as error:
            self.good = False
            traceback.print_exc()
            sys.stderr.flush()
            self.row(section, failed=repr(error)[:600], **values)
        finally:
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            took = time.monotonic() - began
            if took > 5:
                print(f"# {section} {values}: {took:.1f} s, {self.left_s:.0f} s left", flush=True)

    def enough(self, need_s: float, section: str, **values: object) -> bool:
        """Whether there is time for a part; where not, that is told."""
        if self.left_s >= need_s:
            return True
        self.row(section, skipped=f"{self.left_s:.0f} s left", **values)
        return False


def _short(value: object) -> object:
    return float(f"{value:.5g}") if isinstance(value, float) else value


def machine(run: Run) -> None:
    """Tell what this is, and how fast its memory is read."""
    from importlib import metadata

    from tests.benchmarks.gpu_tools import read_bandwidth

    def version(name: str) -> str:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return ""

    run.row(
        "machine",
        card=torch.cuda.get_device_name(),
        capability=list(torch.cuda.get_device_capability()),
        torch=torch.__version__,
        driver=_driver(),
        core=version("cuda-core"),
        bindings=version("cuda-bindings"),
        python=sys.version.split()[0],
    )
    run.bandwidth = read_bandwidth()
    run.row("machine", read_gb_s=run.bandwidth / 1e9)


def _driver() -> str:
    path = Path("/proc/driver/nvidia/version")
    words = path.read_text("utf-8").split() if path.exists() else []
    return next((word for word in words if word[:1].isdigit() and "." in word), "")


def sections() -> dict[str, Callable[[Run], None]]:
    """Return the sections by name, in the order in which they run."""
    from tests.benchmarks import (
        gpu_checks,
        gpu_draws,
        gpu_memory,
        gpu_parts,
        gpu_peers,
        gpu_rowcuts,
        gpu_rowdigits,
        gpu_rowparts,
        gpu_speed,
        gpu_split,
    )

    return {
        "warm": gpu_speed.warm,
        "compile": gpu_speed.compiling,
        "check": gpu_checks.check,
        "wkv": gpu_checks.recurrence,
        "decode": gpu_speed.decode,
        "tune": gpu_speed.tune,
        "parts": gpu_parts.parts,
        "prefill": gpu_speed.prefill,
        "batch": gpu_speed.batch,
        "rowparts": gpu_rowparts.rowparts,
        "rowcuts": gpu_rowcuts.rowcuts,
        "rowdigits": gpu_rowdigits.rowdigits,
        "sampler": gpu_draws.sampler,
        "whole": gpu_speed.whole_path,
        "load": gpu_speed.load,
        "memory": gpu_memory.memory,
        "split": gpu_split.split,
        "peers": gpu_peers.peers,
        "sanitize": gpu_checks.sanitize,
    }


def main() -> int:
    """Run the sections that were asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="sections, separated by commas")
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--types", default=",".join(TYPES))
    parser.add_argument("--active", default="0.2,0.14", help="shares of relu^2 above zero")
    parser.add_argument("--rows", default="8,32", help="chats at once, of the rows' own sections")
    parser.add_argument("--seconds", type=float, default=450.0)
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    torch.backends.cuda.matmul.allow_tf32 = False
    run = Run(
        tuple(asked.sizes.split(",")),
        tuple(asked.types.split(",")),
        tuple(float(share) for share in asked.active.split(",")),
        asked.seconds,
        asked.out,
        tuple(int(rows) for rows in asked.rows.split(",")),
    )
    every = sections()
    wanted = (
        asked.only.split(",") if asked.only else [name for name in every if name not in _ASKED_FOR]
    )
    if unknown := set(wanted) - set(every):
        parser.error(f"no section is called {', '.join(sorted(unknown))}; there are {list(every)}")
    if torch.cuda.is_available():
        with run.part("machine"):
            machine(run)
    for name in every:
        if name in wanted and run.enough(10, name):
            with run.part(name):
                every[name](run)
    _table(run)
    return 0 if run.good else 1


_GOALS = {
    "decode fp16": (0.18, 0.42, 0.95, 1.75, 3.80),
    "decode int8": (0.18, 0.36, 0.70, 1.15, 2.30),
    "decode q4": (None, None, 0.60, 0.90, 1.60),
    "prefill 512 fp16": (220e3, 110e3, 75e3, 48e3, 27e3),
    "prefill 4096 fp16": (500e3, 250e3, 130e3, 75e3, 36e3),
    "batch 32 fp16": (60e3, 30e3, 17e3, 10e3, 5.2e3),
}
"""The issue's table: ms a token, or tokens/s."""


def _table(run: Run) -> None:
    """Print all figures that have a size, goals beside them, then what was wrong."""
    print("\n== figures (goal)", flush=True)
    found: dict[str, dict[str, str]] = {}
    for row in run.rows:
        label, size, value = row.get("label"), row.get("size"), row.get("value")
        if isinstance(label, str) and isinstance(size, str) and isinstance(value, int | float):
            found.setdefault(label, {})[size] = _figure(label, size, float(value))
    print(f"{'':28}" + "".join(f"{size:>20}" for size in SIZES))
    for label, values in found.items():
        print(f"{label:28}" + "".join(f"{values.get(size, ''):>20}" for size in SIZES))
    wrong = [row for row in run.rows if row.get("ok") is False or "failed" in row]
    left_out = [row for row in run.rows if "skipped" in row]
    print(f"== {len(wrong)} wrong or failed, {len(left_out)} left out")
    for row in (*wrong, *left_out):
        print(json.dumps(row)[:400])
    sys.stdout.flush()


def _figure(label: str, size: str, value: float) -> str:
    goal = None
    for name, goals in _GOALS.items():
        if label.startswith(name):
            by_size: dict[str, float | None] = dict(zip(SIZES, goals, strict=True))
            goal = by_size.get(size)
    shown = f"{value:.3f}" if value < 100 else f"{value / 1e3:.1f}k"
    if goal is None:
        return shown
    better = value <= goal if label.startswith("decode") else value >= goal
    return f"{shown} ({goal if goal < 100 else f'{goal / 1e3:g}k'}){' ' if better else '!'}"


if __name__ == "__main__":
    sys.exit(main())
