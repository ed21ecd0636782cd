"""Short background jobs: disk, hashes, the hub's list. Knows threads, not what the jobs do.

A job runs on one of a few pool threads; what it returns or raises comes back on the GUI thread.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

T = TypeVar("T")
JOIN_TIMEOUT_S = 3.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    fn: Callable[[], Any]
    done: Callable[[Any], None] | None
    failed: Callable[[Exception], None] | None


@dataclass(frozen=True, slots=True)
class _Settled:
    """What a job left behind: exactly one of value and error counts."""

    job: _Job
    value: Any = None
    error: Exception | None = None


class Tasks(QObject):
    """A few threads whose results arrive on the thread that owns this object."""

    idle = Signal()
    """The last job that was asked for has been delivered."""

    _settled = Signal(object)

    def __init__(self, workers: int = 4, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workers = workers
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._running = 0
        self._settled.connect(self._on_settled, Qt.ConnectionType.QueuedConnection)

    @property
    def closed(self) -> bool:
        """Whether nothing is run or delivered any more; long jobs ask it."""
        return self._closed

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
        if len(self._threads) < min(self._workers, self._running):
            # Daemons: a job that waits for the network must not hold up the end of the app.
            worker = threading.Thread(target=self._work, name="skein-task", daemon=True)
            self._threads.append(worker)
            worker.start()
        self._jobs.put(_Job(fn, done, failed))

    def close(self) -> None:
        """Drop what waits, join what runs for at most 3 seconds, deliver nothing more."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        deadline = time.monotonic() + JOIN_TIMEOUT_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        """Run jobs until close(); the only code on a pool thread."""
        while (job := self._jobs.get()) is not None and not self._closed:
            try:
                settled = _Settled(job, value=job.fn())
            except Exception as error:
                settled = _Settled(job, error=error)
            if self._closed:
                return
            self._settled.emit(settled)

    @Slot(object)
    def _on_settled(self, settled: _Settled) -> None:
        self._running -= 1
        if self._closed:
            return
        try:
            self._deliver(settled.job, settled)
        finally:
            if not self._running:
                self.idle.emit()

    @staticmethod
    def _deliver(job: _Job, settled: _Settled) -> None:
        if settled.error is None:
            if job.done is not None:
                job.done(settled.value)
        elif job.failed is not None:
            job.failed(settled.error)
        else:
            log.error("A background job failed", exc_info=settled.error)
