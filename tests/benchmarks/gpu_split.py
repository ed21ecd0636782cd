"""Is a model that a card shares with the processor right, and how fast? A section of ``gpu.py``.

Needs the engine for processors (``SKEIN_CPU_LIBRARY`` names it where nothing is installed).
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from engine.checkpoint import ModelInfo, inspect
from engine.strategy import Strategy
from kernels.cpu.library import find_library
from tests.benchmarks.gpu_tools import ON_CARD, programs, source_of, tokens_of, wall_ms
from tests.benchmarks.plain_model import deviation
from tests.benchmarks.random_model import write_random_pth

if TYPE_CHECKING:
    from engine.backends.base import Backend
    from engine.state import State
    from tests.benchmarks.gpu import Run

_TEXT = 300 if ON_CARD else 20
_BOUNDS = {"int8": 0.15, "q4": 1.2, "fp16": 2e-2}
"""Of the logits, over their deviation: the processor rounds inputs its own way."""


def split(run: "Run") -> None:
    """Compare with the same file whole on the card: text, steps, a chat that is resumed."""
    programs()
    with tempfile.TemporaryDirectory() as folder:
        for size in [size for size in run.sizes if size in ("tiny", "0.4B", "1.5B")]:
            if not run.enough(40, "split", size=size):
                return
            path = write_random_pth(Path(folder) / f"{size}.pth", source_of(size))
            info = inspect(path)
            for weights in [kind for kind in run.types if kind in _BOUNDS]:
                with run.part("split", size=size, type=weights):
                    _split(run, info, weights)
            path.unlink()


def _split(run: "Run", info: ModelInfo, weights: str) -> None:
    tokens = tokens_of(_TEXT, info.shape.vocab)
    with _Opened(info, f"cuda {weights}") as whole:
        expected, _ = _read(whole, tokens)
    for layers in (info.shape.layers // 2, info.shape.layers - 1):
        strategy = f"cuda {weights} *{layers} -> cpu {weights}"
        with _Opened(info, strategy) as backend:
            got, state = _read(backend, tokens)
            again, resumed = _read(backend, tokens)
            step = backend.forward([7], state)
            same = torch.equal(step, backend.forward([7], resumed)) and torch.equal(got, again)
            worst = deviation(expected.cpu(), got)
            run.verdict(
                *("split", same and worst < _BOUNDS[weights]),
                **{"size": info.name, "strategy": strategy, "worst": worst, "same_bits": same},
                step_ms=wall_ms(_step(backend), 20, 3),
                text_tokens_per_s=_TEXT / wall_ms(lambda b=backend: _read(b, tokens), 3, 1) * 1e3,
                resident_mb=backend.resident_bytes / 1e6,
            )


def _read(backend: "Backend", tokens: list[int]) -> tuple[torch.Tensor, "State"]:
    state = backend.new_state()
    return backend.forward(tokens, state).clone(), state


def _step(backend: "Backend") -> Callable[[], object]:
    state = backend.new_state()
    return lambda: backend.forward([9], state)


class _Opened:
    """A backend for a while."""

    def __init__(self, info: ModelInfo, strategy: str) -> None:
        from engine.backends.cuda import open_on_card
        from engine.backends.split import open_split

        parsed, library = Strategy.parse(strategy), find_library()
        if len(parsed.stages) == 1:
            self._backend: Backend = open_on_card(info, parsed)
        elif library is None:
            raise RuntimeError("the engine for processors is not here")
        else:
            self._backend = open_split(info, parsed, library)

    def __enter__(self) -> "Backend":
        return self._backend

    def __exit__(self, *_: object) -> None:
        self._backend.close()
