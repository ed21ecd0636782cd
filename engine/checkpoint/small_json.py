"""Small JSON files that came with a model: bounded in bytes, in values and in depth, never followed
out of their folder.

What is parsed takes many times its bytes, so the number of values is counted before.
"""

import json
import os
from pathlib import Path
from typing import Any

_DEEPEST = 64


def read_small_json(path: Path, limit_bytes: int, most_values: int) -> dict[str, Any]:
    """Return the table in a file. Raises OSError, or ValueError for what is none."""
    if not path.is_file():
        raise ValueError("it is no ordinary file")
    with path.open("rb") as file:
        raw = file.read(limit_bytes + 1)
    if len(raw) > limit_bytes:
        raise ValueError("it is too large")
    if sum(map(raw.count, (b",", b"[", b"{"))) > most_values:
        raise ValueError("it holds more values than such a file needs")
    try:
        content = json.loads(raw.decode("utf-8-sig"))  # bytes might be in any encoding
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(content, dict) or not _is_shallow(content):
        raise ValueError("it is no table")
    return content


def _is_shallow(content: dict[str, Any]) -> bool:
    """Tell whether any reader may go through it by calling itself."""
    level: list[Any] = [content]
    for _ in range(_DEEPEST):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return True
    return False


def lies_inside(path: Path, folder: Path) -> bool:
    """Tell whether a path leads to a file in the folder, or in the hub's cache around it.

    The hub's cache keeps the files of its snapshots in ../../blobs and puts links into them.
    """
    real, roots = Path(os.path.realpath(path)), [Path(os.path.realpath(folder))]
    if folder.parent.name == "snapshots":
        roots.append(Path(os.path.realpath(folder.parent.parent / "blobs")))
    return any(real.is_relative_to(root) for root in roots)
