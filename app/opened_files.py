"""Files that macOS hands to a running program, double-clicked or dropped on its icon.

There they come as an event of the application, not on the command line; elsewhere none ever comes.
"""

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Signal
from PySide6.QtGui import QFileOpenEvent


class OpenedFiles(QObject):
    """Watches ``qt_app`` for as long as it lives."""

    requested = Signal(list)
    """Paths, one at a time as they come."""

    def __init__(self, qt_app: QCoreApplication) -> None:
        super().__init__(qt_app)
        qt_app.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QFileOpenEvent) and event.file():
            self.requested.emit([Path(event.file())])
            return True
        return super().eventFilter(watched, event)
