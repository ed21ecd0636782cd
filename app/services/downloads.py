"""The downloads of the window: a queue, two at a time, each in a worker thread.

Knows when a download runs, waits, is paused or failed, and lists the unfinished ones for the next
start. Does not know how bytes travel: a Transfer (engine.hub) does.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.services.download_list import DownloadList, Unfinished
from app.services.offers import download_id
from engine.errors import DownloadFailed, EngineError
from engine.hub.download import DownloadProgress
from engine.hub.remote_model import RemoteModel

log = logging.getLogger(__name__)

Status = Literal["waiting", "running", "paused", "failed"]
AT_ONCE = 2
JOIN_TIMEOUT_S = 5.0


class Transfer(Protocol):
    """One download that can be run, stopped, and run again from where it stopped."""

    def run(self, progress: Callable[[DownloadProgress], None], stop: threading.Event) -> Path:
        """Return the whole, verified file.

        Raises EngineError; DownloadFailed of kind "stopped" after ``stop``.
        """
        ...

    def discard(self) -> None:
        """Remove what was received so far."""
        ...


@dataclass(frozen=True, slots=True)
class DownloadEntry:
    """What is shown of one download."""

    id: str
    model: RemoteModel
    status: Status
    received: int = 0
    progress: DownloadProgress | None = None
    error: EngineError | None = None


@dataclass(slots=True)
class _Job:
    """The moving parts behind an entry; touched on the GUI thread only."""

    entry: DownloadEntry
    wanted: Literal["run", "pause", "cancel"] = "run"
    discarded: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


@dataclass(frozen=True, slots=True)
class _Ended:
    id: str
    path: Path | None
    error: EngineError | None


class DownloadService(QObject):
    """Starts, pauses, resumes and cancels downloads; every signal arrives on the GUI thread."""

    changed = Signal(str)
    """Id of a download that was added or whose status changed."""
    progressed = Signal(str, object)
    """Id and DownloadProgress, at most ten times a second."""
    finished = Signal(str, object)
    """Id and the Path of the verified file; the download is no longer listed."""
    failed = Signal(str, object)
    """Id and EngineError; the download stays listed and can be resumed."""
    paused = Signal(str)
    removed = Signal(str)
    """Id of a download that was cancelled."""

    _moved = Signal(str, object)
    _ended = Signal(object)

    def __init__(
        self,
        list_file: Path,
        make_transfer: Callable[[RemoteModel], Transfer],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._list = DownloadList(list_file)
        self._make_transfer = make_transfer
        self._jobs: dict[str, _Job] = {}
        self._closed = False
        queued = Qt.ConnectionType.QueuedConnection
        self._moved.connect(self._on_moved, queued)
        self._ended.connect(self._on_ended, queued)
        for held in self._list.load():
            key = download_id(held.model)
            self._jobs[key] = _Job(DownloadEntry(key, held.model, "paused", held.received), "pause")

    # What is going on

    def entries(self) -> list[DownloadEntry]:
        """Return every unfinished download, oldest first."""
        return [job.entry for job in self._jobs.values()]

    def entry(self, key: str) -> DownloadEntry | None:
        """Return the download with this id, or None when there is none."""
        job = self._jobs.get(key)
        return job.entry if job is not None else None

    # What can be done

    def start(self, model: RemoteModel) -> str:
        """Queue a download, or resume it when it is listed already; return its id."""
        key = download_id(model)
        if key in self._jobs:
            job = self._jobs[key]
            job.entry = replace(job.entry, model=model)  # the hub may have a newer commit
            self.resume(key)
            return key
        self._jobs[key] = _Job(DownloadEntry(key, model, "waiting"))
        self._save()
        self.changed.emit(key)
        self._start_next()
        return key

    def pause(self, key: str) -> None:
        """Stop and keep what was received; nothing happens unless it runs or waits."""
        job = self._jobs.get(key)
        if job is None or job.entry.status not in ("running", "waiting"):
            return
        job.wanted = "pause"
        job.stop.set()
        self._set(job, status="paused", error=None)
        self._save()
        self.paused.emit(key)
        self._start_next()

    def pause_all(self) -> None:
        """Pause whatever runs or waits."""
        for key in list(self._jobs):
            self.pause(key)

    @property
    def busy(self) -> bool:
        """Whether a worker runs, or will in a moment."""
        return any(
            job.thread is not None or job.entry.status == "waiting" for job in self._jobs.values()
        )

    def resume(self, key: str) -> None:
        """Go on with a paused or failed download."""
        job = self._jobs.get(key)
        if job is None or job.entry.status not in ("paused", "failed"):
            return
        job.wanted = "run"
        self._set(job, status="waiting", error=None)
        self._start_next()

    def cancel(self, key: str) -> None:
        """Stop and remove what was received."""
        job = self._jobs.get(key)
        if job is None:
            return
        job.wanted = "cancel"
        job.stop.set()
        if job.thread is None:
            self._discard(job)  # otherwise when the worker has ended

    def close(self) -> None:
        """Stop every worker and wait for it; what is unfinished is listed for the next start."""
        if self._closed:
            return
        self._closed = True
        self._save()
        threads = [job.thread for job in self._jobs.values() if job.thread is not None]
        for job in self._jobs.values():
            job.stop.set()
        deadline = time.monotonic() + JOIN_TIMEOUT_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    # The queue

    def _start_next(self) -> None:
        if self._closed:
            return
        # A worker that was told to stop still holds its place until it has ended.
        places = AT_ONCE - sum(job.thread is not None for job in self._jobs.values())
        ready = [j for j in self._jobs.values() if j.entry.status == "waiting" and j.thread is None]
        for job in ready[: max(0, places)]:
            self._run(job)

    def _run(self, job: _Job) -> None:
        job.stop = threading.Event()
        job.thread = threading.Thread(
            target=self._work,
            args=(job.entry.id, job.entry.model, job.stop),
            name="skein-download",
            daemon=True,
        )
        self._set(job, status="running", error=None)
        job.thread.start()

    def _work(self, key: str, model: RemoteModel, stop: threading.Event) -> None:
        """Run one transfer; the only code on a worker thread."""
        path, error = None, None
        try:
            transfer = self._make_transfer(model)
            path = transfer.run(lambda progress: self._moved.emit(key, progress), stop)
        except EngineError as raised:
            error = raised
        except Exception as raised:
            log.exception("The download of %s failed", key)
            error = EngineError(
                f"The download of {model.file or model.repo} stopped: {raised}",
                "Try again; if it happens again, the log says more.",
            )
        try:
            self._ended.emit(_Ended(key, path, error))
        except RuntimeError:  # the app has gone while the network kept this thread waiting
            log.debug("The download of %s ended after the window", key)

    def _discard(self, job: _Job) -> None:
        # Unlinking gigabytes can take a while: not on the GUI thread.
        job.discarded = True
        job.thread = threading.Thread(
            target=self._remove, args=(job.entry.id, job.entry.model), name="skein-discard"
        )
        job.thread.start()

    def _remove(self, key: str, model: RemoteModel) -> None:
        """Remove what was received; runs on a worker thread."""
        try:
            self._make_transfer(model).discard()
        except (EngineError, OSError) as error:
            log.warning("What was received of %s could not be removed: %s", key, error)
        self._ended.emit(_Ended(key, None, None))

    @Slot(str, object)
    def _on_moved(self, key: str, progress: DownloadProgress) -> None:
        job = self._jobs.get(key)
        if self._closed or job is None or job.entry.status != "running":
            return
        job.entry = replace(job.entry, progress=progress, received=progress.received)
        self.progressed.emit(key, progress)

    @Slot(object)
    def _on_ended(self, ended: _Ended) -> None:
        job = self._jobs.get(ended.id)
        if self._closed or job is None:
            return
        job.thread = None
        if ended.path is not None:
            self._forget(job)
            self.finished.emit(ended.id, ended.path)
        elif job.discarded:
            self._forget(job)
            self.removed.emit(ended.id)
        elif job.wanted == "cancel":
            self._discard(job)
        elif ended.error is not None and not _was_stopped(ended.error):
            self._fail(job, ended.error)
        self._start_next()

    def _forget(self, job: _Job) -> None:
        del self._jobs[job.entry.id]
        self._save()

    def _fail(self, job: _Job, error: EngineError) -> None:
        if job.wanted == "pause":  # it broke while it was being stopped: paused all the same
            return
        self._set(job, status="failed", error=error)
        self._save()
        self.failed.emit(job.entry.id, error)

    def _set(self, job: _Job, *, status: Status, error: EngineError | None) -> None:
        job.entry = replace(job.entry, status=status, error=error, progress=None)
        self.changed.emit(job.entry.id)

    def _save(self) -> None:
        try:
            self._list.save([Unfinished(e.model, e.received) for e in self.entries()])
        except OSError as error:
            log.warning("The list of downloads could not be saved: %s", error)


def _was_stopped(error: EngineError) -> bool:
    return isinstance(error, DownloadFailed) and error.kind == "stopped"
