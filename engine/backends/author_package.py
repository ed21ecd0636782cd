"""The forward passes of RWKV-4, 5 and 6, from the author's ``rwkv`` package.

The package's module takes its settings from the environment while it is imported, changes switches
of torch for the whole process, and opens files by itself. So a private copy of the module is
loaded here: with settings of its own, with torch's switches put back, and with a class that is
handed its weights. Knows the package; knows no files and no chats.
"""

import importlib.util
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.errors import EngineError

RESCALE_LAYERS = 6
"""In fp16 the package halves the residual after every so many layers, lest it overflows."""

# Plain torch: no compiler is started, no scripts are compiled (which torch gives up), and the
# class of the older generations keeps its name.
_SETTINGS: Mapping[str, str] = {
    "RWKV_JIT_ON": "0",
    "RWKV_CUDA_ON": "0",
    "RWKV_V7_ON": "0",
    "RWKV_DML_ON": "0",
}
_import_lock = threading.Lock()


class Runner(Protocol):
    """The package's class, ready to run."""

    w: dict[str, Tensor]

    def forward(
        self, tokens: Sequence[int], state: list[Tensor], full_output: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """Return fp32 logits ([V]; [T, V] of several tokens with full_output), the new state."""
        ...


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one layer (or the head) is computed, in which type, and what its matrices are in."""

    device: torch.device
    activation: torch.dtype
    weight: torch.dtype


def make_runner(
    weights: dict[str, Tensor],
    version: float,
    sizes: Mapping[str, int],
    placements: Sequence[Placement],
) -> Runner:
    """Return the package's model around weights as its own loader would have made them.

    version: as the package counts (4, 5, 5.1, 5.2, 6.0). sizes: n_embd, n_att, n_layer, n_head.
    placements: one per layer, and one for the head. Raises EngineError without the package.
    """
    package: Any = _package()
    runner = package.RWKV.__new__(package.RWKV)
    torch.nn.Module.__init__(runner)  # not the package's own, which reads a file
    runner.w = weights
    runner.version = version
    runner.args = SimpleNamespace(**sizes, time_state=False)
    runner.strategy = [
        SimpleNamespace(device=p.device, atype=p.activation, wtype=p.weight, stream=False)
        for p in placements
    ]
    runner.RESCALE_LAYER = rescale_layers(placements)
    return runner


def rescale_layers(placements: Sequence[Placement]) -> int:
    """Return after how many layers the residual is halved: 0 means never."""
    return RESCALE_LAYERS if any(p.activation == torch.float16 for p in placements) else 0


@cache
def _package() -> ModuleType:
    """Return our copy of the module. Raises EngineError when it is missing."""
    spec = importlib.util.find_spec("rwkv")
    folders = (spec.submodule_search_locations or ()) if spec else ()
    for folder in folders:
        path = os.path.join(folder, "model.py")
        if os.path.isfile(path):
            return _loaded(path)
    raise EngineError(
        "Models of RWKV-4, 5 and 6 need the package 'rwkv', which is missing or incomplete.",
        "Install Skein again.",
    )


def _loaded(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("skein_rwkv_older", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _import_lock, _settings(), _switches_kept():
        spec.loader.exec_module(module)
    # It goes on asking the environment while it runs: ours, whatever the user has set there.
    module.os = SimpleNamespace(environ=dict(_SETTINGS), name=os.name, path=os.path)  # type: ignore[attr-defined]
    return module


@contextmanager
def _settings() -> Iterator[None]:
    """Set the environment for the import, and put it back."""
    before = {name: os.environ.get(name) for name in _SETTINGS}
    os.environ.update(_SETTINGS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _switches_kept() -> Iterator[None]:
    """Put back what the import changes in torch: RWKV-7's results must not depend on it."""
    cudnn: Any = torch.backends.cudnn
    matmul = torch.backends.cuda.matmul
    before = (cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32)
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before
