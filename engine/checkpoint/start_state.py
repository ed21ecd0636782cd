"""The initial state that a state-tuned RWKV-7 brings among its weights: ``att.time_state``.

One [H, N, N] per layer, rows = values, as in a running state. Knows names and shapes, not files.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from engine.checkpoint.entries import NUMPY_TYPES, TensorEntry
from engine.checkpoint.shape import ModelShape
from engine.errors import DamagedFile

_NAME = re.compile(r"blocks\.\d{1,6}\.att\.time_state", re.ASCII)

Entries = Mapping[str, TensorEntry]


def without_start(entries: Entries) -> tuple[dict[str, TensorEntry], dict[str, TensorEntry]]:
    """Return the weights, and the parts of an initial state, which a file may hold or not."""
    start = {name: entry for name, entry in entries.items() if _NAME.fullmatch(name)}
    return {name: entry for name, entry in entries.items() if name not in start}, start


def canonical_start(start: Entries, shape: ModelShape, file_name: str) -> dict[str, TensorEntry]:
    """Return the parts in the order of the layers, each as [H, N, N]; {} if there are none.

    Raises DamagedFile when a layer's is missing, or has another size or number type.
    """
    if not start:
        return {}
    size = (shape.heads, shape.head_size, shape.head_size)
    names = [f"blocks.{i}.att.time_state" for i in range(shape.layers)]
    for name in names:
        entry = start.get(name)
        found = None if entry is None else tuple(n for n in entry.shape if n != 1)
        if entry is None or entry.dtype not in NUMPY_TYPES or found != _squeezed(size):
            raise DamagedFile(
                f"{file_name} is damaged: the initial state that it brings does not fit its "
                f"weights ({name}).",
                "Download it again, or choose another file of this model.",
            )
    if len(start) > len(names):
        raise DamagedFile(f"{file_name} is damaged: it has more initial states than layers.")
    return {name: replace(start[name], shape=size) for name in names}


def _squeezed(size: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in size if n != 1)
