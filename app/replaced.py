"""Tells that the files of the running version were exchanged or removed under it.

A package manager does so: an update of the .deb takes the old version away while it runs. What is
loaded goes on; what is imported only later is gone. Knows one installation, not who changed it.
"""

from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer

from app.notices import Importance
from app.restart import Restart
from app.window import MainWindow
from engine.installation import Installation, read_line
from engine.manifest import NAME

NOTICE = "replaced"
SETTLE_MS = 1000
"""Who changes files is at it for a while; what it is to become can be seen after that."""
MOST_LOOKS = 30


class ReplacedWatch(QObject):
    """Watches from the start on, and says so once; without an installation there is nothing to."""

    def __init__(
        self,
        window: MainWindow,
        installation: Installation | None,
        restart: Restart,
        *,
        settle_ms: int = SETTLE_MS,
    ) -> None:
        super().__init__(window)
        self._window, self._here, self._restart = window, installation, restart
        self._looks = 0
        self._settling = QTimer(self, interval=settle_ms, singleShot=True)
        self._settling.timeout.connect(self._look)
        self._watcher = QFileSystemWatcher(self)
        self._watcher.fileChanged.connect(self._settling.start)
        if installation is not None:
            self._manifest = installation.tree / NAME
            self._was = _seen(self._manifest)
            self._watcher.addPath(str(self._manifest))

    def _look(self) -> None:
        here = self._here
        if here is None:
            return
        now, current = _seen(self._manifest), read_line(here.root / "current")
        self._looks += 1
        if now == self._was:  # the same package was installed once more
            self._watcher.removePath(str(self._manifest))  # it may mean the file that is gone
            self._watcher.addPath(str(self._manifest))
        elif not current:
            self._tell_removed()
        elif now is None and current == here.version and self._looks < MOST_LOOKS:
            self._settling.start()  # not seen yet what comes of it
        else:
            self._tell_updated()

    def _tell_updated(self) -> None:
        self._window.notices.offer(
            NOTICE,
            self.tr("Skein was updated while it was running."),
            self.tr("Start it again: until then parts of it may not work. Chats are kept."),
            actions=(
                (self.tr("Start again now"), lambda: self._restart.ask()),
                (self.tr("Later"), lambda: None),
            ),
            importance=Importance.WARNING,
            tone="warning",
        )

    def _tell_removed(self) -> None:
        self._window.show_notice(
            self.tr("Skein was removed while it was running."),
            self.tr("Parts of it may not work any more. Chats, models and states stay."),
            tone="warning",
        )


def _seen(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one in its place; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
