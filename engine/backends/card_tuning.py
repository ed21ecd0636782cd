"""Which shapes of launches suit a card: measured once for a size and type, then remembered.

Shapes do not travel between cards. A convenience: what cannot be measured, read or written leaves
the default. Knows steps and clocks; knows nothing of what is computed.
"""

import json
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from engine.backends.graphs import CudaGraphs
from engine.files import write_atomically
from kernels.cuda.program import CudaProblem
from kernels.cuda.step import Step, StepBuffers
from kernels.cuda.step_cut import Cut, candidates, default_cut

if TYPE_CHECKING:
    from pathlib import Path

    from engine.checkpoint import ModelShape
    from kernels.cuda.program import Programs
    from kernels.cuda.weights import Weights

TUNING_SECONDS = 4.5
"""After so long the best found so far is taken."""

_FILE = "card_shapes.json"
_REPLAYS = 20
_ROUNDS = 5
_PAYS_FROM_WIDTH = 2048
_log = logging.getLogger(__name__)


def lies_by_input(shape: "ModelShape") -> bool:
    """Tell whether value matrices are laid so that rows which meet zeros can be left out.

    In the prototype on an H100 that cost 8 % at 0.1B and won 14 to 26 % from 1.5B on.
    """
    return shape.width >= _PAYS_FROM_WIDTH or 4 * shape.ffn > 40 * 1024


def chosen_cut(
    weights: "Weights", programs: "Programs", buffers: StepBuffers, cache: "Path | None"
) -> Cut:
    """Return the shape for these weights on this card, measured now or earlier.

    cache: None measures nothing. The buffers are written over.
    """
    default = default_cut(weights.sizes, weights.kind)
    if cache is None or programs.device.type != "cuda":
        return default
    path, key = cache / _FILE, _key(weights, programs.device)
    kept = _kept(path)
    if key in kept:
        try:
            return Cut(**kept[key])
        except TypeError:  # another release's
            pass
    best = _measured(weights, programs, buffers)
    kept[key] = asdict(best)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(kept, indent=1).encode())
    except OSError as error:
        _log.warning("the shapes of launches cannot be kept: %s", error)
    return best


def _measured(weights: "Weights", programs: "Programs", buffers: StepBuffers) -> Cut:
    began = time.monotonic()
    cuts = candidates(weights.sizes, weights.kind)
    best, best_ms = cuts[0], float("inf")
    with ThreadPoolExecutor(min(len(cuts), os.cpu_count() or 1)) as compilers:
        steps = [compilers.submit(Step, weights, programs, buffers, cut) for cut in cuts]
        for cut, step in zip(cuts, steps, strict=True):
            if best_ms < float("inf") and time.monotonic() - began > TUNING_SECONDS:
                step.cancel()
                continue
            try:
                ms = milliseconds(step.result(), programs.device)
            except CudaProblem as problem:
                _log.warning("%s cannot be launched: %s", cut, problem)
                continue
            if ms < best_ms:
                best, best_ms = cut, ms
    _log.info("%s: %.3f ms a step, chosen in %.1f s", best, best_ms, time.monotonic() - began)
    return best


def milliseconds(step: Step, device: torch.device) -> float:
    """Return the least of a few times of a step, its graph replayed in a row."""
    replay = CudaGraphs(device).captured(step.run)
    times = []
    for _ in range(_ROUNDS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(_REPLAYS):
            replay()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / _REPLAYS)
    return min(times)


def _key(weights: "Weights", device: torch.device) -> str:
    sizes = weights.sizes
    card = torch.cuda.get_device_name(device)
    layout = "by input" if weights.layers[0].value.by_input else "by output"
    return f"{card}, {sizes.width} x {sizes.ffn}, {sizes.ranks}, {weights.kind}, {layout}"


def _kept(path: "Path") -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
