"""Others on the same card in the same run, where their packages are. A section of ``gpu.py``."""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from tests.benchmarks.gpu_tools import device_ms, opened, source_of, tokens_of, wall_ms
from tests.benchmarks.random_model import write_random_pth

if TYPE_CHECKING:
    from tests.benchmarks.gpu import Run


def peers(run: "Run") -> None:
    """Measure the ``rwkv`` package, and flash-linear-attention's recurrence beside ours."""
    with run.part("peers", peer="rwkv"):
        _rwkv(run)
    with run.part("peers", peer="fla"):
        _flash(run)


def _rwkv(run: "Run") -> None:
    os.environ.setdefault("RWKV_V7_ON", "1")
    os.environ.setdefault("RWKV_JIT_ON", "1")
    os.environ.setdefault("RWKV_CUDA_ON", "0")  # its kernels need a compiler and minutes
    try:
        from rwkv.model import RWKV  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        run.row("peers", peer="rwkv", skipped=repr(error)[:200])
        return
    with tempfile.TemporaryDirectory() as folder:
        for size in [size for size in run.sizes if size in ("0.1B", "1.5B")]:
            if not run.enough(40, "peers", peer="rwkv", size=size):
                return
            path = write_random_pth(Path(folder) / f"{size}.pth", source_of(size))
            model = RWKV(model=str(path.with_suffix("")), strategy="cuda fp16")
            _, state = model.forward(tokens_of(64), None)
            step = _loop_ms(model, state)
            run.row("peers", label="decode of rwkv", size=size, value=step)
            for length in (512, 4096):
                tokens = tokens_of(length)
                ms = wall_ms(lambda m=model, t=tokens: m.forward(t, None), 3, 1)
                speed = length / ms * 1e3
                run.row("peers", label=f"prefill {length} of rwkv", size=size, value=speed)
            del model, state
            path.unlink()


def _loop_ms(model: Any, state: Any, count: int = 30) -> float:
    for _ in range(5):
        _, state = model.forward([7], state)
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(count):
        _, state = model.forward([7], state)
    torch.cuda.synchronize()
    return (time.perf_counter() - began) * 1e3 / count


def _flash(run: "Run") -> None:
    """Compare the recurrence alone over 4,096 tokens with our whole prefill of as many."""
    try:
        from fla.ops.rwkv7 import chunk_rwkv7  # pyright: ignore[reportMissingImports]
    except Exception as error:  # it imports much that may be missing
        run.row("peers", peer="fla", skipped=repr(error)[:300])
        return
    for size, layers, heads in (("0.1B", 12, 12), ("1.5B", 24, 32), ("7.2B", 32, 64)):
        if size not in run.sizes or not run.enough(40, "peers", peer="fla", size=size):
            continue
        parts = _parts(heads, 4096)
        with torch.no_grad():
            ms = device_ms(lambda p=parts: chunk_rwkv7(*p, output_final_state=True), 7, 3)
        run.row(
            "peers",
            label="4096 of fla, recurrence",
            size=size,
            value=4096 / (ms * layers) * 1e3,
            layer_ms=ms,
        )
        if run.enough(20, "peers", peer="ours", size=size):
            with opened(size, "fp16") as backend:
                tokens, state = tokens_of(4096), backend.new_state()
                ours = wall_ms(lambda b=backend, t=tokens, s=state: b.forward(t, s), 5, 2)
            run.row("peers", label="4096 of ours, all", size=size, value=4096 / ours * 1e3)


def _parts(heads: int, length: int) -> Sequence[torch.Tensor]:
    """Return r, log w, k, v, a, b as a model has them, bf16 [1, T, H, 64]."""

    def normal() -> torch.Tensor:
        return torch.randn(1, length, heads, 64, device="cuda")

    kk = torch.nn.functional.normalize(normal(), dim=-1)
    log_w = -0.6065306597 * torch.sigmoid(normal())
    parts = (normal(), log_w, normal(), normal(), -kk, kk * torch.sigmoid(normal()))
    return [part.to(torch.bfloat16) for part in parts]
