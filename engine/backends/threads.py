"""How many threads compute fastest here: measured once per kind of model, then remembered.

Counting cores does not tell: hyperthreads, slow cores and a memory that two threads saturate all
make fewer better. Who saves power takes half of the cores at most. Results do not depend on it.
Knows clocks and a file in the cache folder.
"""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from engine.backends.base import IsCancelled
from engine.errors import Cancelled
from engine.files import write_atomically
from engine.hardware.processor import count_cores
from kernels.cpu.library import NativeModel, Pool

FILE_NAME = "threads.json"
_STEPS = 4  # decoded per try; the best counts, since other programs only make it slower
_WORTH_IT = 0.9  # fewer threads must take less than this share: reading text gains from many
_BUSY_PERCENT = 15.0  # of all processors: what others use then decides more than the count does
_log = logging.getLogger(__name__)


def most_threads(*, power_saving: bool) -> int:
    """Return how many threads are worth trying here: one a core, or half of that, at least 1."""
    cores = count_cores()[0]
    return max(1, cores // 2) if power_saving else cores


def choose_threads(
    model: NativeModel,
    step: Callable[[], None],
    weights: str,
    cache: Path | None,
    *,
    is_busy: Callable[[], bool] | None = None,
    cancelled: IsCancelled | None = None,
) -> None:
    """Give ``model`` the number of threads that decodes fastest; it has all that it may have now.

    step: decodes one token. cache: the folder in which the answer is kept; None: nowhere.
    is_busy: tells whether other programs compute (None: looks). Then nothing is measured, so that
    a busy minute does not decide for ever: all cores stay until a quieter load. cancelled: asked
    before every token; raises Cancelled, and nothing is remembered then.
    """
    cores = model.threads
    if cores == 1:
        return
    key = _key(model, weights, cores)
    chosen = _remembered(cache, key)
    if chosen is None or not 1 <= chosen <= cores:
        if (is_busy or others_compute)():
            return
        chosen = _fastest(model, _stoppable(step, cancelled), cores)
        _remember(cache, key, chosen)
    if chosen != model.threads:
        model.set_pool(Pool(model.library, chosen))


def others_compute() -> bool:
    """Tell whether the processors have work now; looks for a tenth of a second."""
    import psutil

    return psutil.cpu_percent(0.1) > _BUSY_PERCENT


def candidates(cores: int) -> list[int]:
    """Return the counts worth trying, falling: all, and shares of them down to 1."""
    counts = {cores, cores * 3 // 4, cores // 2, cores // 4, 4, 2, 1}
    return sorted((n for n in counts if 1 <= n <= cores), reverse=True)


def _stoppable(step: Callable[[], None], cancelled: IsCancelled | None) -> Callable[[], None]:
    def checked() -> None:
        if cancelled is not None and cancelled():
            raise Cancelled
        step()

    return checked


def _fastest(model: NativeModel, step: Callable[[], None], cores: int) -> int:
    """Try from all cores downwards; stop once fewer is clearly slower."""
    best, best_s = cores, 0.0
    for count in candidates(cores):
        if count != model.threads:
            model.set_pool(Pool(model.library, count))
        seconds = _seconds(step)
        if not best_s or seconds < best_s * _WORTH_IT:
            best, best_s = count, seconds
        elif seconds > 1.5 * best_s:
            break
    return best


def _seconds(step: Callable[[], None]) -> float:
    step()
    times = []
    for _ in range(_STEPS):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return min(times)


def _key(model: NativeModel, weights: str, cores: int) -> str:
    """Name what the answer depends on: cores, instructions, type, and the size in powers of 2."""
    size = model.weights_bytes.bit_length()
    usable = count_cores()[1]
    return f"{cores} of {usable}, {model.instruction_set}, {weights}, 2^{size}"


def _remembered(cache: Path | None, key: str) -> int | None:
    value = _read(cache).get(key) if cache else None
    return value if isinstance(value, int) else None


def _read(cache: Path) -> dict:
    try:
        rows = json.loads((cache / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return rows if isinstance(rows, dict) else {}


def _remember(cache: Path | None, key: str, threads: int) -> None:
    if cache is None:
        return
    rows = {**_read(cache), key: threads}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        write_atomically(cache / FILE_NAME, json.dumps(rows, indent=2).encode())
    except OSError:
        _log.warning("the number of threads could not be remembered", exc_info=True)
