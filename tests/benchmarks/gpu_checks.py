"""Is the engine for cards right? Sections of ``gpu.py``; the truth is ``PlainModel`` in fp32."""

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.checkpoint import ModelShape, Ranks
from tests.benchmarks.gpu_tools import (
    NO_DEPENDENT,
    NO_GRAPHS,
    ON_CARD,
    opened,
    programs,
    source_of,
    tokens_of,
    without,
)
from tests.benchmarks.plain_model import Change, PlainModel, deviation, stacked
from tests.benchmarks.random_model import RandomSource

if TYPE_CHECKING:
    from engine.backends.cuda import CudaBackend
    from tests.benchmarks.gpu import Run

BOUNDS = {"fp16": 3e-3, "bf16": 3e-2, "int8": 6e-3, "q4": 6e-2}
"""Of prefill and steps against fp32 arithmetic on the very weights that the engine holds."""

LENGTH = 77
_FOREIGN = ("nvjet_", "cutlass", "cublas", "sm80_xmma", "sm90_xmma")
_ENDED = "done q4 True"  # the last that gpu_sanitized prints
_NEED_S = {"tiny": 8, "0.1B": 10, "0.4B": 14, "1.5B": 20, "2.9B": 30, "7.2B": 45}


def check(run: "Run") -> None:
    """Compare every size and type with the truth."""
    sizes = ("tiny", *(size for size in run.sizes if size != "tiny"))
    for size in sizes:
        if size in ("2.9B", "7.2B") and run.left_s < 300:
            continue
        for weights in run.types:
            if run.enough(_NEED_S.get(size, 30), "check", size=size, type=weights):
                good = False
                with run.part("check", size=size, type=weights):
                    good = _check(run, size, weights)
                for what in () if good else (NO_GRAPHS, NO_DEPENDENT):
                    if run.enough(30, "check", size=size, type=weights, without=what):
                        with run.part("check", without=what), without(what):
                            print(f"# the same without: {what}", flush=True)
                            _check(run, size, weights, without=what)


def _check(run: "Run", size: str, weights: str, **how: str) -> bool:
    source = source_of(size)
    shape = source.shape
    tokens = tokens_of(LENGTH, shape.vocab)
    truth = PlainModel(list(source.names()), source.tensor, change=rounded(weights, shape))
    state = truth.new_state()
    expected, arrays = truth.forward(tokens, state), stacked(state)
    active = float(torch.stack(truth.active).mean())
    del truth, state
    if ON_CARD:
        torch.cuda.empty_cache()
    with opened(size, weights) as backend:
        return _compare(run, size, weights, backend, tokens, expected, arrays, active, **how)


def rounded(weights: str, shape: ModelShape) -> "Change":
    """Return what makes of a tensor the values that the engine holds in this type."""
    from engine.needs import held_as
    from kernels.cuda.quantize import Quantizer

    held = held_as(shape, weights)
    head = "int8" if held in ("int8", "q4") else held
    quantizer = Quantizer(programs())

    def change(name: str, value: Tensor) -> Tensor:
        is_matrix = name.endswith(".weight") and value.dim() == 2 and name != "emb.weight"
        if not is_matrix:
            return value
        kind = head if name == "head.weight" else held
        return quantizer.matrix(value, kind).expanded()  # type: ignore[arg-type]

    return change


def _compare(
    run: "Run",
    size: str,
    weights: str,
    backend: "CudaBackend",
    tokens: list[int],
    expected: Tensor,
    arrays: dict[str, Tensor],
    active: float,
    **how: str,
) -> bool:
    bound = BOUNDS[weights] * (1 if size != "tiny" else 3)
    state, steps_state = backend.new_state(), backend.new_state()
    prefill = backend.forward(tokens, state, all_logits=True).clone()
    steps = torch.stack([backend.forward([token], steps_state).clone() for token in tokens])
    other = backend.new_state()
    again = torch.stack([backend.forward([token], other).clone() for token in tokens])
    errors = {
        "prefill": deviation(expected, prefill),
        "steps": deviation(expected, steps),
        **{
            f"{way}_{name}": deviation(arrays[name], tensor)
            for way, found in (("prefill", state), ("steps", steps_state))
            for name, tensor in found.tensors().items()
        },
    }
    worst_logits = max(errors["prefill"], errors["steps"])
    same_bits = torch.equal(steps, again) and torch.equal(steps_state.wkv, other.wkv)
    read_again = backend.new_state()
    repeated = torch.equal(backend.forward(tokens, read_again, all_logits=True), prefill)
    rows = _rows_error(backend, tokens)
    resumed = _resumed(backend, tokens)
    ok = worst_logits < bound and same_bits and repeated and resumed and rows < bound
    run.verdict(
        "check",
        ok,
        size=size,
        type=weights,
        bound=bound,
        **errors,
        same_bits=same_bits,
        prefill_repeats=repeated,
        rows=rows,
        resumed=resumed,
        argmax_same=float((steps.argmax(-1) == expected.argmax(-1)).float().mean()),
        active=active,
        **how,
    )
    return ok


def _rows_error(backend: "CudaBackend", tokens: list[int]) -> float:
    """Return the worst difference of rows of a batch to single steps, over several sizes."""
    worst = 0.0
    for count in (2, 5, 16, 24, 33):
        states = [backend.new_state() for _ in range(count)]
        for i, state in enumerate(states):
            backend.forward(tokens[: 2 + i % 5], state)
        single = [state.clone() for state in states]
        batch = backend.forward_batch([[tokens[i % 30]] for i in range(count)], states).clone()
        for i, state in enumerate(single):
            alone = backend.forward([tokens[i % 30]], state)
            worst = max(worst, deviation(alone, batch[i]), deviation(state.wkv, states[i].wkv))
    return worst


def _resumed(backend: "CudaBackend", tokens: list[int]) -> bool:
    """Tell whether a state that went to the host and came back goes on bit for bit."""
    state = backend.new_state()
    backend.forward(tokens[:20], state)
    kept = state.clone().to("cpu")
    went = [backend.forward([token], state).clone() for token in tokens[20:30]]
    back = backend.new_state()
    back.copy_from(kept)
    came = [backend.forward([token], back).clone() for token in tokens[20:30]]
    return all(torch.equal(x, y) for x, y in zip(went, came, strict=True))


def recurrence(run: "Run") -> None:
    """Read odd lengths whole and in parts, with decays at their lower bound for whole chunks."""
    shape = ModelShape(2, 256, 1024, 320, 64, Ranks(32, 32, 32, 32))
    for hard in (False, True):
        kind = _Hard if hard else RandomSource
        source = kind(shape, device="cuda" if ON_CARD else "cpu")
        truth = PlainModel(list(source.names()), source.tensor)
        with run.part("wkv", hard=hard), opened("wkv", "fp16", source=source) as backend:
            for length in (1, 2, 15, 16, 17, 31, 33, 100, 257, 1025, 2049):
                if not run.enough(10, "wkv", length=length):
                    break
                tokens = tokens_of(length, shape.vocab, seed=length)
                state, wanted = backend.new_state(), truth.new_state()
                logits = backend.forward(tokens, state)
                expected = truth.forward(tokens, wanted)[-1]
                error = deviation(expected, logits)
                wkv = deviation(stacked(wanted)["wkv"], state.wkv)
                ok = error < 6e-3 and wkv < 1.2e-2
                run.verdict("wkv", ok, hard=hard, length=length, logits=error, state=wkv)


class _Hard(RandomSource):
    """Decays that all stand at their lower bound, where the chunked form is at its worst."""

    def tensor(self, name: str) -> Tensor:
        value = super().tensor(name)
        return torch.full_like(value, 30.0) if name.endswith("att.w0") else value


def sanitize(run: "Run") -> None:
    """Run a tiny model under compute-sanitizer: memcheck, then racecheck."""
    found = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    for tool in ("memcheck", "racecheck"):
        if not run.enough(40, "sanitize", tool=tool):
            return
        with run.part("sanitize", tool=tool):
            command = [found, "--tool", tool, "--error-exitcode", "7", sys.executable]
            command += ["-m", "tests.benchmarks.gpu_sanitized"]
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"},
                timeout=max(30.0, run.left_s * (0.55 if tool == "memcheck" else 0.95)),
            )
            said = done.stdout + done.stderr
            tail = "\n".join(said.strip().splitlines()[-12:])[-900:]
            foreign, own = _races(said)
            # cuBLAS's kernels wait in ways that racecheck does not follow; ours must be clean.
            ok = done.returncode == 0 or (foreign > 0 and not own and _ENDED in said)
            found = {"in_cublas": foreign, "in_ours": sorted(own)}
            run.verdict("sanitize", ok, tool=tool, **found, tail=tail)


def _races(said: str) -> tuple[int, set[str]]:
    """Return how many races are in cuBLAS's kernels, and in which others there are some."""
    places = re.findall(r"(?:Read|Write) access at (\S+?)\+0x", said)
    own = {name for name in places if not name.startswith(_FOREIGN)}
    return sum(name.startswith(_FOREIGN) for name in places) // 2, own
