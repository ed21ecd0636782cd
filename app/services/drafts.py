"""Messages that were begun and not sent, kept for the next start.

Saved in the background every few seconds while they change, so that a kill loses little.
"""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from app.services.tasks import Tasks
from engine.files import write_atomically

log = logging.getLogger(__name__)
SAVE_MS = 3000


class DraftKeeper(QObject):
    """Asks for the drafts now and then and writes them when they are new."""

    def __init__(
        self,
        path: Path,
        drafts: Callable[[], dict[int, str]],
        tasks: Tasks,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._path = path
        self._drafts = drafts
        self._tasks = tasks
        self._saved: dict[int, str] = {}
        self._timer = QTimer(self, interval=SAVE_MS)
        self._timer.timeout.connect(self._save_if_new)

    def load(self) -> dict[int, str]:
        """Return what was kept, by chat (0: the new one); begin to keep. Never raises."""
        self._timer.start()
        try:
            kept = json.loads(self._path.read_text("utf-8"))
            self._saved = {int(chat): str(text) for chat, text in kept.items()}
        except FileNotFoundError:
            self._saved = {}
        except (OSError, ValueError, AttributeError) as error:
            log.warning("The drafts could not be read: %s", error)
            self._saved = {}
        return dict(self._saved)

    def close(self) -> None:
        """Write what is new, now."""
        self._timer.stop()
        drafts = self._drafts()
        if drafts != self._saved:
            self._write(drafts)

    def _save_if_new(self) -> None:
        drafts = self._drafts()
        if drafts != self._saved:
            self._saved = drafts
            self._tasks.run_in_background(lambda: self._write(drafts))

    def _write(self, drafts: Mapping[int, str]) -> None:
        text = json.dumps({str(chat): draft for chat, draft in drafts.items()})
        try:
            write_atomically(self._path, text.encode("utf-8", "replace"))
        except OSError as error:
            log.warning("The drafts could not be saved: %s", error)
