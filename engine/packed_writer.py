"""A thread that keeps what was packed: late and slowly, so that nobody notices.

Knows when to write and when to stop; what is written, and where, is ``packed_files``.
"""

import logging
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.priority import IDLE, give_way

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Signs:
    """What the owner tells its thread."""

    stop: threading.Event = field(default_factory=threading.Event)
    begin: threading.Event = field(default_factory=threading.Event)
    hurry: threading.Event = field(default_factory=threading.Event)


Write = Callable[[memoryview, Callable[[], bool], Callable[[], bool]], object]
"""Called with the bytes, and what tells whether to stop and whether to hurry."""


class PackedWriter:
    """Writes one model's packed bytes while it is in use, until told to stop."""

    def __init__(self, write: Write, data: memoryview, owner: object, delay_s: float) -> None:
        """Start the thread. data: what ``owner`` keeps in memory. delay_s: before it begins."""
        self._signs = signs = _Signs()
        self._thread = threading.Thread(
            target=_write_later,
            args=(write, data, owner, delay_s, signs),
            name="skein-packed",
            daemon=True,
        )
        self._thread.start()
        # Also at the end of the program, which else would leave half a file.
        self._stop = weakref.finalize(self, _end, signs, self._thread)

    def stop(self) -> None:
        """Give it up and wait until the bytes are not read any more."""
        self._stop()

    def finish(self) -> None:
        """Write all of it now, as fast as the disk takes it, and wait until that is done."""
        self._signs.hurry.set()
        self._signs.begin.set()
        self._thread.join()


def _write_later(
    write: Write, data: memoryview, owner: object, delay_s: float, signs: _Signs
) -> None:
    """What the thread does; it holds ``owner``, so that nobody gives the memory back meanwhile."""
    give_way(IDLE)
    try:
        signs.begin.wait(delay_s)
        if not signs.stop.is_set():
            write(data, signs.stop.is_set, signs.hurry.is_set)
    except Exception:  # a cache is never worth a crash
        _log.exception("packed weights could not be kept")
    finally:
        data.release()
        del owner


def _end(signs: _Signs, thread: threading.Thread) -> None:
    signs.stop.set()
    signs.begin.set()
    if thread is not threading.current_thread():
        thread.join()
