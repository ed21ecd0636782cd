"""How near are rows of many chats to the truth, by what is multiplied in two digits of fp16?

A section of ``gpu.py``, run if asked for. The truth is ``PlainModel`` in fp32 on the very weights
that the engine holds.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kernels.cuda.rows import RowsStep, bucket_of
from kernels.cuda.rows_cut import Cut
from tests.benchmarks.gpu_checks import rounded
from tests.benchmarks.gpu_rowcuts import compiled
from tests.benchmarks.gpu_rowparts import recorded
from tests.benchmarks.gpu_tools import ON_CARD, opened, programs, source_of, tokens_of
from tests.benchmarks.plain_model import PlainModel, deviation

if TYPE_CHECKING:
    from engine.backends.cuda import CudaBackend
    from tests.benchmarks.gpu import Run

_CHATS, _LENGTH = 6, 12 if ON_CARD else 2
_WAYS = ("", "key", "key,value", "key,value,head", "into,key,value,head", "*")
_NEED_S = {"tiny": 5, "0.1B": 10, "0.4B": 15, "1.5B": 25}


def rowdigits(run: "Run") -> None:
    """Largest differences over the logits' deviation, for chats that are read in rows from zero."""
    for size in run.sizes:
        for kind in run.types:
            if run.enough(_NEED_S.get(size, 90), "rowdigits", size=size, type=kind):
                with run.part("rowdigits", size=size, type=kind):
                    _errors(run, size, kind)


def _errors(run: "Run", size: str, kind: str) -> None:
    wanted, tokens = _truth(size, kind)
    if ON_CARD:
        torch.cuda.empty_cache()
    with opened(size, kind) as backend:
        rows = run.batches[-1]
        ways = _WAYS if ON_CARD else ("", "*")
        first = recorded(backend, rows)
        cuts = {way: _in_two(first.cut, way) for way in ways}
        compiled(backend._weights, bucket_of(rows), cuts.values())
        for way, cut in cuts.items():
            got = _read(backend, cut, tokens, rows)
            spread = float((got - wanted).std() / wanted.std())
            error = deviation(wanted, got)
            of = {"size": size, "type": kind, "rows": rows}
            run.row("rowdigits", **of, two_digits=way, error=error, spread=spread)


def _in_two(cut: Cut, way: str) -> Cut:
    for name in filter(None, way.split(",")):
        cut = cut.changed(name, digits=2)
    return cut


def _truth(size: str, kind: str) -> tuple[Tensor, list[list[int]]]:
    """Return logits [chats, length, V] and tokens."""
    source = source_of(size)
    truth = PlainModel(list(source.names()), source.tensor, change=rounded(kind, source.shape))
    tokens = [tokens_of(_LENGTH, source.shape.vocab, seed=i) for i in range(_CHATS)]
    return torch.stack([truth.forward(chat, truth.new_state()) for chat in tokens]), tokens


def _read(backend: "CudaBackend", cut: Cut, tokens: list[list[int]], rows: int) -> Tensor:
    """Return logits [chats, length, V] of steps of so many rows, most of them without a chat."""
    held = backend._rows
    assert held._slots is not None
    assert held._buffers is not None
    bucket, buffers = bucket_of(rows), held._buffers
    for pool in (held._slots.att_shift, held._slots.wkv, held._slots.ffn_shift):
        pool.zero_()
    step = RowsStep(backend._weights, programs(), held._slots, buffers, bucket, cut)
    buffers.slots.fill_(-1)
    buffers.slots[:_CHATS] = torch.arange(_CHATS, dtype=torch.int32, device=buffers.slots.device)
    held._places = []
    got = []
    for column in zip(*tokens, strict=True):
        buffers.tokens[:_CHATS].copy_(torch.tensor(column, dtype=torch.int32))
        step.run()
        got.append(step.logits[:_CHATS].clone())
    return torch.stack(got, 1)
