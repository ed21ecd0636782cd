"""One background thread for slow pure work of the transcript: colouring code, laying out TeX.

Jobs are plain functions of plain values; results come back on the GUI thread. Knows nothing of
what the jobs do.
"""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

log = logging.getLogger(__name__)

Job = Callable[[], Any]
Done = Callable[[Any], None]


class Workshop(QObject):
    """Runs jobs one after the other; the thread starts with the first job."""

    _finished = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: queue.SimpleQueue[tuple[Job, Done] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._waiting = 0
        self._finished.connect(self._on_finished, Qt.ConnectionType.QueuedConnection)

    @property
    def idle(self) -> bool:
        """Whether every result has been delivered."""
        return self._waiting == 0

    def submit(self, job: Job, done: Done) -> None:
        """Run ``job`` in the background, then ``done(result)`` here; failures are logged."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="workshop", daemon=True)
            self._thread.start()
        self._waiting += 1
        self._jobs.put((job, done))

    def close(self) -> None:
        """Finish the job at hand and end the thread."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, done = entry
            try:
                result = job()
            except Exception:
                log.exception("background job failed")
                result = None
            self._finished.emit(done, result)

    def _on_finished(self, done: Done, result: object) -> None:
        self._waiting -= 1
        if result is not None:
            done(result)
