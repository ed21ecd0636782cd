"""The recurrence with gradients on a CUDA card: is it right, and how fast beside others?

    python -m tests.benchmarks.training_kernel

Right: y, the end state and all seven gradients against float64 sequential autograd on short rows,
and against plain torch in fp32 on the shapes of a real run. Fast: tokens per second of forward and
of forward with backward; our kernel in chunks and token by token, plain torch in chunks, and
``flash-linear-attention`` where it is installed, interleaved, medians of device time. Exits with 1
when something is wrong.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

import torch
from torch import Tensor

from engine.training.wkv import wkv7_plain
from kernels.cuda.wkv7_train import wkv7_train

SHAPES = ((128, 512, 4), (32, 2560, 4), (16, 2048, 16), (8, 4096, 32))
"""Rows, tokens and heads of 64."""

BOUNDS = {torch.float32: 1e-4, torch.bfloat16: 1e-2}
ROUNDS = 7
CALLS = 3
"""In one time taken, after a pause of the card's that lets the host run ahead."""

PAUSE_CYCLES = 4_000_000
NAMES = ("y", "end", "dr", "d log w", "dk", "dv", "da", "db", "d state")
Recurrence = Callable[..., tuple[Tensor, Tensor]]
CHUNKED: Recurrence = partial(wkv7_train, sequential=False)
TOKENS: Recurrence = partial(wkv7_train, sequential=True)


def inputs(rows: int, length: int, heads: int, dtype: torch.dtype) -> list[Tensor]:
    """Return r, log w, k, v, a, b and a state as a model has them, wanting gradients."""
    shape = (rows, length, heads, 64)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, device="cuda")

    kk = torch.nn.functional.normalize(normal(*shape), dim=-1)
    log_w = -0.6065306597 * torch.sigmoid(normal(*shape))
    b = kk * torch.sigmoid(normal(*shape))
    parts = [normal(*shape), log_w, normal(*shape), normal(*shape), -kk, b]
    typed = [part if i == 1 else part.to(dtype) for i, part in enumerate(parts)]
    return [part.requires_grad_() for part in (*typed, normal(rows, heads, 64, 64))]


def results(run: Recurrence, parts: Sequence[Tensor], seed: int = 5) -> list[Tensor]:
    """Return outputs and gradients for random gradients of the outputs."""
    y, end = run(*parts)
    rng = torch.Generator("cuda").manual_seed(seed)
    dy, d_end = (torch.randn(x.shape, device="cuda", generator=rng).to(x.dtype) for x in (y, end))
    return [y, end, *torch.autograd.grad((y, end), parts, (dy, d_end))]


def sequential(*parts: Tensor) -> tuple[Tensor, Tensor]:
    """Step by step in float64."""
    r, *_, state = parts
    rows, length, heads, n = r.shape
    exact = [p.double().transpose(1, 2).reshape(rows * heads, length, n) for p in parts[:-1]]
    now, steps = state.double().reshape(rows * heads, n, n).clone(), []
    for t in range(length):
        r_t, log_w, k, v, a, b = (part[:, t] for part in exact)
        removed = torch.bmm(now, a.unsqueeze(-1))
        now = now * torch.exp(log_w).unsqueeze(-2) + removed * b.unsqueeze(-2)
        now = now + v.unsqueeze(-1) * k.unsqueeze(-2)
        steps.append(torch.bmm(now, r_t.unsqueeze(-1)).squeeze(-1))
    y = torch.stack(steps, 1).view(rows, heads, length, n).transpose(1, 2)
    return y, now.view(rows, heads, n, n)


def compare(what: str, ours: Sequence[Tensor], truth: Sequence[Tensor], bound: float) -> bool:
    """Print the relative errors; return whether all are within the bound."""
    errors = [
        ((x.double() - t.double()).norm() / t.double().norm()).item()
        for x, t in zip(ours, truth, strict=True)
    ]
    good = all(error <= bound for error in errors)
    told = " ".join(f"{name} {error:.1e}" for name, error in zip(NAMES, errors, strict=True))
    print(f"{'ok  ' if good else 'FAIL'} {what}: {told}", flush=True)
    return good


def check() -> bool:
    """Compare both kernels with the truth, with plain torch, and with themselves."""
    good = True
    for name, run in {"chunks": CHUNKED, "tokens": TOKENS}.items():
        for dtype, bound in BOUNDS.items():
            good &= check_short(f"{name} {dtype}", run, dtype, bound)
    for rows, length, heads in SHAPES[:2]:
        parts = inputs(rows // 8, length, heads, torch.float32)
        plain = results(wkv7_plain, parts)
        for name, run in {"chunks": CHUNKED, "tokens": TOKENS}.items():
            what = f"{name} fp32 {rows // 8}x{length}x{heads} against torch"
            good &= compare(what, results(run, parts), plain, 1e-4)
    return good


def check_short(name: str, run: Recurrence, dtype: torch.dtype, bound: float) -> bool:
    """Compare with float64 and with itself; a kernel that fails says so."""
    parts = inputs(2, 128, 3, dtype)
    try:
        found, again = results(run, parts), results(run, parts)
    except Exception as error:
        print(f"FAIL {name}: {error!r}"[:600], flush=True)
        return False
    good = compare(f"{name} 2x128x3 against float64", found, results(sequential, parts), bound)
    same = all(torch.equal(x, z) for x, z in zip(found, again, strict=True))
    print(f"{'ok  ' if same else 'FAIL'} {name} repeats itself bit for bit", flush=True)
    return good and same


def flash() -> dict[str, Recurrence]:
    """Return flash-linear-attention's chunked recurrence behind our signature, if it is here."""
    try:
        from fla.ops.rwkv7 import chunk_rwkv7  # pyright: ignore[reportMissingImports]
    except Exception as error:
        print(f"flash-linear-attention is not measured: {error!r}"[:300])
        return {}

    def run(*parts: Tensor, **options: object) -> tuple[Tensor, Tensor]:
        r, log_w, k, v, a, b, state = parts
        return chunk_rwkv7(
            r=r, w=log_w.to(r.dtype), k=k, v=v, a=a, b=b, scale=1.0,
            initial_state=state.mT.contiguous(), output_final_state=True, **options,
        )  # fmt: skip

    return {"fla": run, "fla safe": partial(run, safe_gate=True)}


def timed(run: Recurrence, parts: Sequence[Tensor], *, backward: bool) -> float:
    """Return milliseconds of device time of one pass."""
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    dy = torch.ones_like(parts[0])
    torch.cuda._sleep(PAUSE_CYCLES)
    begin.record()
    for _ in range(CALLS):
        if backward:
            torch.autograd.grad(run(*parts)[0], parts[:-1], dy)
        else:
            with torch.no_grad():
                run(*parts)
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / CALLS


def measure(shapes: Sequence[tuple[int, int, int]], *, slow: bool) -> None:
    """Print medians; a way that fails or does not fit says so and is left out.

    slow: also token by token, and in plain torch.
    """
    others = {"tokens": TOKENS, "plain": wkv7_plain} if slow else {}
    ways = {"ours": CHUNKED, **others, **flash()}
    print("bf16: ms, M tokens/s (ours over it)")
    for rows, length, heads in shapes:
        parts = inputs(rows, length, heads, torch.bfloat16)
        for backward in (False, True):
            times = interleaved(ways, parts, backward=backward)
            ours = times.get("ours", float("nan"))
            words = [
                f"{name} {ms:.3f} ms {rows * length / ms / 1e3:.1f} ({ms / ours:.2f})"
                for name, ms in times.items()
            ]
            what = "both" if backward else "forward"
            print(f"{rows:3}x{length:4}, {heads:2} heads, {what:7}: {'; '.join(words)}", flush=True)


def interleaved(
    ways: dict[str, Recurrence], parts: Sequence[Tensor], *, backward: bool
) -> dict[str, float]:
    """Return each way's median milliseconds over rounds in which all take their turn."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for round_number in range(ROUNDS + 2):
        for name in list(taken):
            try:
                ms = timed(ways[name], parts, backward=backward)
            except Exception as error:  # out of memory, or a kernel that does not compile
                print(f"{name}: {error!r}"[:200])
                del taken[name]
                torch.cuda.empty_cache()
                continue
            if round_number >= 2:  # the first two compile and tune
                taken[name].append(ms)
    return {name: median(each) for name, each in taken.items()}


def main() -> int:
    """Check, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", help="ROWSxTOKENSxHEADS instead of all, such as 32x2560x4")
    parser.add_argument("--only-fla", action="store_true", help="no check, no slow ways of ours")
    options = parser.parse_args()
    rows, length, heads = (int(n) for n in (options.shape or "0x0x0").split("x"))
    torch.backends.cuda.matmul.allow_tf32 = False
    print(torch.cuda.get_device_name(), "torch", torch.__version__)
    good = options.only_fla or check()
    measure([(rows, length, heads)] if rows else SHAPES, slow=not options.only_fla)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
