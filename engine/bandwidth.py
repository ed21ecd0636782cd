"""How fast this computer reads its main memory: one second of reading, remembered.

Writing one token reads every weight once, so this number decides the speed on a processor.
"""

import hashlib
import json
import logging
import os
import platform
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.hardware.facts import Hardware

FILE_NAME = "bandwidth.json"
BUFFER_BYTES = 256 << 20  # far more than any cache of a desktop processor
PIECE_BYTES = 4 << 20  # between two looks at the clock: some 0.2 ms
MOST_THREADS = 16  # no memory needs more readers to be busy

_log = logging.getLogger(__name__)


def measure(seconds: float = 1.0, threads: int | None = None) -> float:
    """Return bytes/s that ``threads`` (default: all) read together from main memory.

    Blocks for about ``seconds`` plus a quarter to fill the buffer (256 MB). numpy's reduction
    reads a sequential stream without the interpreter's lock.
    """
    import numpy as np

    threads = min(threads or os.cpu_count() or 1, MOST_THREADS)
    shares = np.array_split(np.ones(BUFFER_BYTES // 8, np.uint64), threads)
    start = threading.Barrier(threads + 1)
    bytes_read = [0] * threads
    spans = [0.0] * threads

    def read(number: int) -> None:
        share, step = shares[number], PIECE_BYTES // 8
        start.wait()
        begin = now = time.perf_counter()
        position = 0
        while now - begin < seconds:
            piece = share[position : position + step]
            np.add.reduce(piece)
            bytes_read[number] += piece.nbytes
            position = position + step if position + step < share.size else 0
            now = time.perf_counter()
        spans[number] = now - begin

    readers = [threading.Thread(target=read, args=(i,), daemon=True) for i in range(threads)]
    for reader in readers:
        reader.start()
    start.wait()
    for reader in readers:
        reader.join()
    return sum(bytes_read) / max(spans)


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
    part = cache / f"{FILE_NAME}.{os.getpid()}.part"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(rows, indent=2), encoding="utf-8")
        part.replace(cache / FILE_NAME)
    except OSError:
        _log.warning("the measured bandwidth could not be remembered", exc_info=True)
