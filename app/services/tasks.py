"""Short background jobs: disk, hashes, the hub's list. Knows threads, not what the jobs do.

A job runs on one of a few pool threads; what it returns or raises comes back on the GUI thread.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Settled:
    """What a job left behind: exactly one of value and error counts."""

    value: Any
    error: Exception | None
    done: Callable[[Any], None] | None
    failed: Callable[[Exception], None] | None


class Tasks(QObject):
    """A small thread pool whose results arrive on the thread that owns this object."""

    _settled = Signal(object)
    idle = Signal()

    def __init__(self, workers: int = 2, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="skein-task")
        self._closed = False
        self._running = 0
        self._settled.connect(self._on_settled, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Whether a job has not been delivered yet."""
        return self._running > 0

    def run_in_background(
        self,
        fn: Callable[[], T],
        done: Callable[[T], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Run ``fn`` on a pool thread, then one of ``done`` and ``failed`` on the GUI thread.

        A failure that nobody listens to is logged. After close() nothing is run or delivered.
        """
        if self._closed:
            return
        self._running += 1
        self._pool.submit(fn).add_done_callback(lambda future: self._settle(future, done, failed))

    def close(self) -> None:
        """Drop what waits, join what runs, deliver nothing more. May be called twice."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _settle(
        self,
        future: Future[T],
        done: Callable[[T], None] | None,
        failed: Callable[[Exception], None] | None,
    ) -> None:
        # On a pool thread; after close() also on the closing one, for the jobs that were dropped.
        if self._closed or future.cancelled():
            return
        error = future.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        value = None if error is not None else future.result()
        self._settled.emit(_Settled(value, error, done, failed))

    @Slot(object)
    def _on_settled(self, settled: _Settled) -> None:
        self._running -= 1
        if self._closed:
            return
        try:
            self._deliver(settled)
        finally:
            if not self._running:
                self.idle.emit()

    @staticmethod
    def _deliver(settled: _Settled) -> None:
        if settled.error is None:
            if settled.done is not None:
                settled.done(settled.value)
        elif settled.failed is not None:
            settled.failed(settled.error)
        else:
            log.error("A background job failed", exc_info=settled.error)
