"""How fast this computer reads its main memory: one second of reading, remembered.

Writing one token reads every weight once, so this number decides the speed on a processor.
"""

import hashlib
import itertools
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.files import write_atomically

if TYPE_CHECKING:
    from numpy import uint64
    from numpy.typing import NDArray

    from engine.hardware.facts import Hardware

FILE_NAME = "bandwidth.json"
BUFFER_BYTES = 256 << 20  # far more than any cache of a desktop processor
PIECE_BYTES = 4 << 20  # between two looks at the clock: some 0.2 ms
FILL_COUNT = (1 << 20) // 8
ROUNDS = 5
MOST_THREADS = 16  # no memory needs more readers to be busy

_log = logging.getLogger(__name__)


def measure(seconds: float = 1.0, threads: int | None = None) -> float:
    """Return bytes/s that ``threads`` (default: all) read together from main memory.

    The best of five rounds, since other programs only ever make it slower. Blocks for about
    ``seconds`` plus a quarter to fill the buffer (256 MB).
    """
    import numpy as np

    threads = min(threads or os.cpu_count() or 1, MOST_THREADS)
    buffer = _filled(BUFFER_BYTES // 8)
    shares = np.array_split(buffer, threads)
    return max(_round(shares, seconds / ROUNDS) for _ in range(ROUNDS))


def _filled(count: int) -> "NDArray[uint64]":
    """Return that many ones, written by the megabyte: one long fill would hold the interpreter.

    They must be written: untouched pages all lie in one page of zeros.
    """
    import numpy as np

    buffer = np.empty(count, np.uint64)
    for begin in range(0, count, FILL_COUNT):
        buffer[begin : begin + FILL_COUNT] = 1
    return buffer


def _round(shares: "Sequence[NDArray[uint64]]", seconds: float) -> float:
    """Read every share on a thread of its own, over and over; return bytes/s of all together."""
    start = threading.Barrier(len(shares))
    with ThreadPoolExecutor(len(shares)) as readers:
        results = list(readers.map(lambda share: _read_for(share, seconds, start), shares))
    return sum(n_bytes for n_bytes, _ in results) / max(span for _, span in results)


def _read_for(
    share: "NDArray[uint64]", seconds: float, start: threading.Barrier
) -> tuple[int, float]:
    """Return (bytes read, seconds). The reduction holds no interpreter lock and reads in order."""
    import numpy as np

    pieces = itertools.cycle(np.array_split(share, max(1, share.nbytes // PIECE_BYTES)))
    start.wait()
    begin = now = time.perf_counter()
    n_bytes = 0
    while now - begin < seconds:
        piece = next(pieces)
        np.add.reduce(piece)
        n_bytes += piece.nbytes
        now = time.perf_counter()
    return n_bytes, now - begin


def machine_key(hardware: "Hardware") -> str:
    """Return a short name for this machine's processor and memory, to remember results under."""
    facts = (platform.node(), hardware.cpu_name, hardware.threads, hardware.ram_total >> 28)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def cached(cache: Path | None, hardware: "Hardware") -> float | None:
    """Return the remembered bytes/s of this machine, or None. A damaged file counts as none."""
    if cache is None:
        return None
    row = _read(cache).get(machine_key(hardware))
    speed = row.get("bytes_per_s") if isinstance(row, dict) else None
    return float(speed) if isinstance(speed, int | float) and 0 < speed < 1e14 else None


def measured(hardware: "Hardware", cache: Path | None, seconds: float = 1.0) -> "Hardware":
    """Return ``hardware`` with its bandwidth: known, remembered, or measured now and remembered.

    Blocks for about a second when it has to measure: never call it on the GUI thread.
    """
    speed = hardware.ram_bandwidth or cached(cache, hardware)
    if speed is None:
        speed = measure(seconds, hardware.cores)
        if cache is not None:
            _remember(cache, machine_key(hardware), speed)
    return replace(hardware, ram_bandwidth=speed)


def _read(cache: Path) -> dict:
    try:
        rows = json.loads((cache / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return rows if isinstance(rows, dict) else {}


def _remember(cache: Path, key: str, speed: float) -> None:
    when = datetime.now(UTC).isoformat(timespec="seconds")
    rows = {**_read(cache), key: {"bytes_per_s": round(speed), "measured": when}}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        write_atomically(cache / FILE_NAME, json.dumps(rows, indent=2).encode())
    except OSError:
        _log.warning("the measured bandwidth could not be remembered", exc_info=True)
