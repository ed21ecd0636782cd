"""A pack is tried out in a child process before it is used. Knows the child, not the install."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import PackFailed
from engine.gpu_pack import selftest
from engine.gpu_pack.table import PackRow
from engine.hub.pump import Stopped

_LIMIT_S = 600.0
"""A virus scanner reads gigabytes while they are imported for the first time."""
_LOOK_S = 0.1
_DRIVER_HINT = "Update the NVIDIA driver and restart the computer, then try again."
_AGAIN_HINT = "Try again; if it fails again, report it. The processor does the work meanwhile."
_SENTENCES = {
    "import": ("PyTorch of the pack {name} cannot be loaded: {detail}.", _AGAIN_HINT),
    "place": ("Another PyTorch than that of the pack {name} was loaded: {detail}.", _AGAIN_HINT),
    "version": ("The pack {name} holds another PyTorch than it should: {detail}.", _AGAIN_HINT),
    "cuda": ("The pack {name} holds a PyTorch without CUDA.", "Choose another index in Settings."),
    "card": ("The pack {name} was loaded, but CUDA finds no card.", _DRIVER_HINT),
    "arch": (
        "The pack {name} has no code for this card; it has code for {detail}.",
        "Update Skein: its table of packs does not suit this card.",
    ),
    "kernel": (
        "The card computes wrong or not at all with the pack {name}: {detail}.",
        _DRIVER_HINT,
    ),
}


def try_pack(
    folder: Path,
    row: PackRow,
    stop: threading.Event,
    command: Sequence[str] = (),
    limit_s: float = _LIMIT_S,
) -> Mapping[str, Any]:
    """Return what the child found out about the pack in ``folder``: torch, card, archs ...

    command: the child's, without the folder. Raises PackFailed (kind "test") and Stopped.
    """
    child = subprocess.Popen(
        [*(command or own_command()), str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    try:
        output, errors = _waited(child, row, stop, limit_s)
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()
    return _judged(output, errors, child.returncode, row)


def own_command() -> list[str]:
    """Return the command of the real test: this Python, with nothing of the user's in it."""
    return [sys.executable, "-I", "-X", "utf8", selftest.__file__]


def _waited(
    child: "subprocess.Popen[bytes]", row: PackRow, stop: threading.Event, limit_s: float
) -> tuple[bytes, bytes]:
    until = time.monotonic() + limit_s
    while True:
        try:
            return child.communicate(timeout=_LOOK_S)
        except subprocess.TimeoutExpired:
            if stop.is_set():
                raise Stopped from None
            if time.monotonic() > until:
                raise PackFailed(
                    f"The test of the pack {row.name} did not end in {limit_s:.0f} seconds.",
                    _AGAIN_HINT,
                    "test",
                ) from None


def _judged(output: bytes, errors: bytes, code: int, row: PackRow) -> Mapping[str, Any]:
    """Return the facts of the child's last line; raise what its problem means."""
    lines = output.decode("utf-8", "replace").strip().splitlines()
    try:
        told = json.loads(lines[-1])
        problem, detail = str(told["problem"]), str(told.get("detail", ""))
    except (IndexError, ValueError, KeyError, TypeError):
        last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
        why = f"it ended with {code}" + (f": {last[0][:500]}" if last else "")
        raise PackFailed(
            f"The test of the pack {row.name} crashed: {why}.", _AGAIN_HINT, "test"
        ) from None
    if problem:
        message, hint = _SENTENCES.get(problem, _SENTENCES["kernel"])
        raise PackFailed(message.format(name=row.name, detail=detail.rstrip(".")), hint, "test")
    return told
