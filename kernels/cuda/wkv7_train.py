"""The WKV7 recurrence with gradients on an NVIDIA card: ``wkv7_*.cu`` as two operators of torch.

Knows tensors and kernels; when they are used, ``engine.training.wkv`` decides. Importing this
registers the operators ``skein::wkv7`` and ``skein::wkv7_backward``, which torch.compile passes
over whole; a card is touched, and a source compiled, at the first call.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from kernels.cuda.program import Program

CHUNK = 16
"""Tokens that are taken at once; the backward pass begins each such chunk with a kept state."""

HEAD_SIZE = 64
CHUNKED_FROM = (8, 0)
"""The compute capability from which there are the tensor cores and copies that chunks need."""

KINDS = {torch.bfloat16: "bf16", torch.float32: "fp32"}
_THREADS = 256
_ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class _Way:
    """Sources of one direction, and the dynamic shared memory of a block."""

    sources: tuple[str, ...]
    shared_bytes: int = 0


_CHUNKED = {
    "forward": _Way(("tiles.cuh", "wkv7_chunk.cuh", "wkv7_forward.cu"), 63232),
    "backward": _Way(("tiles.cuh", "wkv7_chunk.cuh", "wkv7_backward.cu"), 77056),
}
_SEQUENTIAL = _Way(("wkv7_sequential.cu",))


def wkv7_train(
    r: Tensor,
    log_w: Tensor,
    k: Tensor,
    v: Tensor,
    a: Tensor,
    b: Tensor,
    state: Tensor | None = None,
    *,
    sequential: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """Return (y [B, T, H, 64] of r's type, the state after T tokens [B, H, 64, 64] fp32).

    r, k, v, a, b: [B, T, H, 64], all bf16 or all fp32; log_w the same in fp32, not below the
    model's -0.6066; state fp32, row = value index, None is zero. T is a multiple of 16. Gradients
    flow to all seven; the same input gives the same bits.

    sequential: token by token, for any card; else in chunks on the tensor cores (sm_80 on), five
    times as fast on an H100; None: in chunks where the card can. Relative errors: fp32 about 1e-6,
    bf16 about 2e-3 (its own rounding). For the way back a head keeps 1 KB (fp32) or 0.5 KB (bf16;
    sequential 1 KB) per token for its states.
    """
    _check(state, r, log_w, k, v, a, b)
    if sequential is None:
        sequential = not _has_chunks(r.device)
    inputs = (r, log_w, k, v, a, b, state)
    keep = torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in inputs)
    y, end, _, _ = torch.ops.skein.wkv7(*inputs, keep, sequential)
    return y, end


def _has_chunks(device: torch.device) -> bool:
    """Tell whether this card can take chunks; without a card, only shapes are asked for."""
    return not torch.cuda.is_available() or (
        torch.cuda.get_device_capability(device) >= CHUNKED_FROM
    )


def _check(state: Tensor | None, r: Tensor, log_w: Tensor, *others: Tensor) -> None:
    if r.shape[-1] != HEAD_SIZE or r.shape[1] % CHUNK:
        raise ValueError(f"heads of {HEAD_SIZE} and whole chunks of {CHUNK}, not {r.shape}")
    if r.dtype not in KINDS or log_w.dtype != torch.float32:
        raise ValueError(f"r in bf16 or fp32 and log w in fp32, not {r.dtype} and {log_w.dtype}")
    if any(x.shape != r.shape or x.dtype != r.dtype for x in others) or log_w.shape != r.shape:
        raise ValueError("r, log w, k, v, a and b must be alike")
    begun = (r.shape[0], r.shape[2], HEAD_SIZE, HEAD_SIZE)
    if state is not None and (state.shape != begun or state.dtype != torch.float32):
        raise ValueError(f"a state is {begun} in fp32, not {state.shape} in {state.dtype}")


def _outputs(r: Tensor, keep: bool, sequential: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return y, the end state, and for the way back: states, and what they lost at every token."""
    rows, length, heads, n = r.shape
    chunks = length // CHUNK if keep or sequential else 0
    exact = torch.float32 if sequential else r.dtype
    return (
        torch.empty(r.shape, dtype=r.dtype, device=r.device),
        torch.empty((rows, heads, n, n), dtype=torch.float32, device=r.device),
        torch.empty((rows * heads, chunks, n, n), dtype=exact, device=r.device),
        torch.empty((rows, chunks * CHUNK, heads, n), dtype=exact, device=r.device),
    )


@torch.library.custom_op(
    "skein::wkv7",
    mutates_args=(),
    schema="(Tensor r, Tensor log_w, Tensor k, Tensor v, Tensor a, Tensor b, Tensor? state, "
    "bool keep, bool sequential) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _wkv7(*arguments: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: ANN401 - the schema's
    *inputs, state, keep, sequential = arguments
    y, end, kept, removed = _outputs(inputs[0], keep, sequential)
    if sequential and state is None:
        state = torch.zeros_like(end)
    # Without a way back, the empty ones have null addresses, and the kernel keeps nothing.
    _launch("forward", sequential, (*inputs, state), (y, kept, removed, end))
    return y, end, kept, removed


@_wkv7.register_fake
def _(*arguments: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: ANN401
    return _outputs(arguments[0], *arguments[-2:])


@torch.library.custom_op(
    "skein::wkv7_backward",
    mutates_args=(),
    schema="(Tensor r, Tensor log_w, Tensor k, Tensor v, Tensor a, Tensor b, Tensor dy, "
    "Tensor? d_end, Tensor kept, Tensor removed, bool sequential) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def _wkv7_backward(*arguments: Any) -> tuple[Tensor, ...]:  # noqa: ANN401
    *known, sequential = arguments
    gradients = _gradients(*known)
    if sequential and known[7] is None:
        known[7] = torch.zeros_like(gradients[-1])
    _launch("backward", sequential, tuple(known), gradients)
    return gradients


@_wkv7_backward.register_fake
def _(*arguments: Any) -> tuple[Tensor, ...]:  # noqa: ANN401
    return _gradients(*arguments[:-1])


def _gradients(*known: Any) -> tuple[Tensor, ...]:  # noqa: ANN401
    rows, _, heads, n = known[0].shape
    state = torch.empty((rows, heads, n, n), dtype=torch.float32, device=known[0].device)
    parts = (torch.empty(x.shape, dtype=x.dtype, device=x.device) for x in known[:6])
    return (*parts, state)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ANN401
    *tensors, state, _, sequential = inputs
    _, _, kept, removed = output
    ctx.save_for_backward(*tensors, kept, removed)
    ctx.sequential, ctx.from_zero = sequential, state is None
    ctx.mark_non_differentiable(kept, removed)
    ctx.set_materialize_grads(False)  # else torch would fill zeros as large as `kept`


def _back(ctx: Any, dy: Tensor | None, d_end: Tensor | None, *_: None) -> tuple[Any, ...]:  # noqa: ANN401
    *inputs, kept, removed = ctx.saved_tensors
    if dy is None:
        dy = torch.zeros_like(inputs[0])
    *gradients, d_state = torch.ops.skein.wkv7_backward(
        *inputs, dy, d_end, kept, removed, ctx.sequential
    )
    return (*gradients, None if ctx.from_zero else d_state, None, None)


_wkv7.register_autograd(_back, setup_context=_remember)


def _launch(
    direction: str,
    sequential: bool,
    inputs: tuple[Tensor | None, ...],
    outputs: tuple[Tensor, ...],
) -> None:
    r = outputs[0]
    rows, length, heads, _ = r.shape
    if r.numel() == 0:
        raise ValueError(f"nothing to compute: {r.shape}")
    way = _SEQUENTIAL if sequential else _CHUNKED[direction]
    kind = KINDS[r.dtype]
    arguments = (length, heads, *(_aligned(x) for x in inputs), *(_present(x) for x in outputs))
    with torch.cuda.device(r.device):
        kernel = _program(r.device.index, way.sources, kind).kernel(f"{direction}_{kind}")
        kernel.launch(rows * heads, _THREADS, arguments, shared_bytes=way.shared_bytes)


def _aligned(x: Tensor | None) -> Tensor | None:
    """Return x as the kernels read it: contiguous, in whole vectors."""
    if x is None or (x.is_contiguous() and x.data_ptr() % _ALIGNMENT == 0):
        return x
    return x.clone(memory_format=torch.contiguous_format)


def _present(x: Tensor) -> Tensor | None:
    return x if x.numel() else None


@cache
def _program(device: int, sources: tuple[str, ...], kind: str) -> Program:
    """Return the kernels, compiled once per process and card (one to three seconds)."""
    return Program(sources, device, {f"WITH_{kind.upper()}": None}, with_base=False)
