"""Files for web-rwkv and Ai00 (``.st``): BlinkDL's names, the low-rank pairs turned.

Their converter writes w1 as [rank, D] and w2 as [D, rank], a, v and g likewise (Ai00's
convert_safetensors.py). Knows names and shapes, not files.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from engine.checkpoint.entries import ITEM_BYTES, TensorEntry
from engine.checkpoint.storage import Turned

_PAIR = re.compile(r"blocks\.\d{1,6}\.att\.[wavg][12]", re.ASCII)


def straightened(entries: Mapping[str, TensorEntry]) -> dict[str, TensorEntry]:
    """Return the entries with the pairs as BlinkDL has them, if they are all turned."""
    if not _are_turned(entries):
        return dict(entries)
    return {name: _turned(e) if _PAIR.fullmatch(name) else e for name, e in entries.items()}


def _are_turned(entries: Mapping[str, TensorEntry]) -> bool:
    """Tell it from the widths of layer 0: a rank that is the model's width tells nothing."""
    table = entries.get("emb.weight")
    shapes = [entries[n].shape for n in (f"blocks.0.att.{c}1" for c in "wag") if n in entries]
    if table is None or len(table.shape) != 2 or not shapes:
        return False
    width = table.shape[1]
    telling = [shape for shape in shapes if len(shape) == 2 and shape != (width, width)]
    return bool(telling) and all(shape[1] == width for shape in telling)


def _turned(entry: TensorEntry) -> TensorEntry:
    if len(entry.shape) != 2:
        return entry  # what is wrong with it is said where shapes are checked
    rows, columns = entry.shape
    turned = Turned(entry.storage, rows, columns, ITEM_BYTES[entry.dtype])
    return replace(entry, shape=(columns, rows), other=turned)
