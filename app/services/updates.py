"""Looking for a newer version of Skein and fetching it, off the GUI thread.

Knows one installation and how far an update is; what is asked of the user and when is the update
desk's business, what an update consists of is the engine's.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, Qt, Signal, Slot

from engine.errors import EngineError, UpdateFailed
from engine.folders import Folders
from engine.hub.meter import DownloadProgress
from engine.installation import Installation
from engine.settings import Settings
from engine.updates.source import UpdateSource

if TYPE_CHECKING:
    from engine.updates.check import Update
    from engine.updates.install import UpdateInstall

log = logging.getLogger(__name__)

JOIN_TIMEOUT_S = 5.0

Status = Literal[
    "idle",  # nobody looked yet
    "checking",
    "newest",  # there is nothing newer
    "available",  # an update that is not here yet
    "fetching",
    "paused",
    "ready",  # the next start switches to it
    "unchecked",  # the look failed
    "failed",  # the fetching failed
]


@dataclass(frozen=True, slots=True)
class UpdateStand:
    """How far it is. received: bytes that are here of an update that is being fetched or paused.

    by_itself: nobody pressed a button for what goes on. version: what is ready.
    """

    status: Status = "idle"
    update: "Update | None" = None
    progress: DownloadProgress | None = None
    error: EngineError | None = None
    received: int = 0
    by_itself: bool = False
    version: str = ""


@dataclass(frozen=True, slots=True)
class _Ended:
    """What a job left behind: a stand, or an error and the bytes that are here all the same."""

    stand: UpdateStand | None
    error: EngineError | None = None
    received: int = 0


class UpdateService(QObject):
    """``check`` looks, ``fetch`` downloads and lays ready, ``pause`` and ``discard`` stop that.

    One thing at a time; every signal arrives on the GUI thread. Without an installation that may
    be changed, or without an address, ``able`` is False and nothing is ever asked of anybody.
    """

    changed = Signal()
    """``stand`` is new."""

    _moved = Signal(object)
    _ended = Signal(object)

    def __init__(
        self,
        source: UpdateSource,
        installation: Installation | None,
        folders: Folders,
        settings: Callable[[], Settings],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.source, self.installation = source, installation
        self._folders, self._settings = folders, settings
        self.why_not = installation.why_not if installation is not None else ""
        waiting = installation.next if installation is not None else ""
        self.stand = UpdateStand("ready", version=waiting) if waiting else UpdateStand()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._discards = False
        self._closed = False
        self._moved.connect(self._on_moved, Qt.ConnectionType.QueuedConnection)
        self._ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)

    @property
    def able(self) -> bool:
        """Whether this copy may look for updates and install them."""
        return self.installation is not None and not self.why_not and self.source.configured

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return self._thread is not None

    # ---- what can be asked ----------------------------------------------------------------

    def check(self, *, by_itself: bool = False) -> None:
        """Look for a newer version."""
        if not self.able or self.busy or self.stand.status == "ready":
            return
        self._show(UpdateStand("checking", by_itself=by_itself))
        self._begin(self._look)

    def fetch(self) -> None:
        """Download what was found and lay it ready; goes on where it was stopped."""
        update = self.stand.update
        if update is None or self.busy:
            return
        self._show(replace(self.stand, status="fetching", error=None, progress=None))
        self._begin(lambda: self._lay_ready(update))

    def pause(self) -> None:
        """Stop fetching; what was received is kept."""
        if self.stand.status == "fetching":
            self._stop.set()

    def discard(self) -> None:
        """Stop fetching and remove what was received."""
        if self.stand.status == "fetching":
            self._discards = True
            self._stop.set()
        elif (update := self.stand.update) is not None and not self.busy:
            self._begin(lambda: self._remove(update))

    def close(self) -> None:
        """End what is under way within some seconds; nothing is told any more."""
        self._closed = True
        self._stop.set()
        if self._thread is not None:
            self._thread.join(JOIN_TIMEOUT_S)

    # ---- on the worker thread -------------------------------------------------------------

    def _look(self) -> UpdateStand:
        from engine.updates.check import check

        assert self.installation is not None
        found = check(self.source, self.installation, self._folders, self._settings(), self._stop)
        if found is None:
            return UpdateStand("newest")
        return UpdateStand("available", found, received=self._install(found).received)

    def _lay_ready(self, update: "Update") -> UpdateStand:
        from engine.updates.install import make_install

        assert self.installation is not None
        install = make_install(update, self.installation, self._folders, self._settings())
        return UpdateStand("ready", update, version=install.run(self._tell, self._stop))

    def _remove(self, update: "Update") -> UpdateStand:
        self._install(update).discard()
        return UpdateStand("available", update)

    def _install(self, update: "Update") -> "UpdateInstall":
        from engine.updates.install import UpdateInstall

        assert self.installation is not None
        return UpdateInstall(update, self.installation, self._folders.updates)

    def _tell(self, progress: DownloadProgress) -> None:
        if not self._closed:
            self._moved.emit(progress)

    def _work(self, job: Callable[[], UpdateStand]) -> None:
        """Run one job; the only code on the worker thread."""
        try:
            ended = _Ended(job())
        except EngineError as error:
            ended = _Ended(None, error, self._received())
        except Exception as error:
            log.exception("The update failed")
            failed = UpdateFailed(f"The update stopped: {error}", "The log says more.", "disk")
            ended = _Ended(None, failed, self._received())
        if not self._closed:
            self._ended.emit(ended)

    def _received(self) -> int:
        update = self.stand.update
        return self._install(update).received if update is not None else 0

    # ---- on the GUI thread ----------------------------------------------------------------

    def _begin(self, job: Callable[[], UpdateStand]) -> None:
        self._stop = threading.Event()
        self._discards = False
        # A daemon: a connection that does not answer must not hold up the end of the app.
        self._thread = threading.Thread(
            target=self._work, args=(job,), name="skein-update", daemon=True
        )
        self._thread.start()

    @Slot(object)
    def _on_moved(self, progress: DownloadProgress) -> None:
        if self.stand.status != "fetching" or self._stop.is_set():
            return
        loading = progress.phase in ("starting", "downloading")
        received = progress.received if loading else self.stand.received
        self._show(replace(self.stand, progress=progress, received=received))

    @Slot(object)
    def _on_ended(self, ended: _Ended) -> None:
        self._thread = None
        if self._closed:
            return
        before = replace(self.stand, progress=None, received=ended.received)
        error = ended.error
        if ended.stand is not None:
            self._show(replace(ended.stand, by_itself=before.by_itself))
        elif before.status == "checking":
            self._show(UpdateStand("unchecked", error=error, by_itself=before.by_itself))
        elif not _was_stopped(error):
            self._show(replace(before, status="failed", error=error))
        elif self._discards:
            self._show(replace(before, status="available", received=0))
            self.discard()
        else:
            self._show(replace(before, status="paused"))

    def _show(self, stand: UpdateStand) -> None:
        self.stand = stand
        self.changed.emit()


def _was_stopped(error: EngineError | None) -> bool:
    return isinstance(error, UpdateFailed) and error.kind == "stopped"
