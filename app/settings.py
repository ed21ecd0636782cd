"""The settings as the window sees them: one frozen value, and a signal when a part changes.

Knows the file only through engine.settings; what a setting does is the business of whoever
listens to ``changed``.
"""

import dataclasses
import logging
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from engine.settings import Settings, SettingsFile, safe

log = logging.getLogger(__name__)
SAVE_DELAY_MS = 300


class SettingsStore(QObject):
    """Loads at once, saves a moment after the last change; ``flush`` saves now."""

    changed = Signal(str)
    """The name of the setting that is new."""
    failed = Signal(str, str)
    """A sentence and a hint: the settings could not be saved."""

    def __init__(self, path: Path, parent: QObject | None = None, *, is_safe: bool = False) -> None:
        """is_safe: use those of a safe start, and write nothing until ``keep``."""
        super().__init__(parent)
        self._file = SettingsFile(path)
        self._is_written = not is_safe
        found = self._file.load()
        self.values: Settings = safe(found) if is_safe else found
        self._timer = QTimer(self, singleShot=True, interval=SAVE_DELAY_MS)
        self._timer.timeout.connect(self.flush)

    def get(self, name: str) -> Any:  # noqa: ANN401 - the type is that of the field
        """Return one setting. Raises AttributeError when there is none of that name."""
        return getattr(self.values, name)

    def set(self, name: str, value: object) -> None:
        """Change one setting; says so only when it is really new."""
        if getattr(self.values, name) == value:
            return
        self.values = dataclasses.replace(self.values, **{name: value})
        self._timer.start()
        self.changed.emit(name)

    @property
    def is_written(self) -> bool:
        """Whether changes reach the disk: not in a safe start, until ``keep``."""
        return self._is_written

    def keep(self) -> bool:
        """Write the settings of a safe start in place of the others, and all later changes."""
        self._is_written = True
        return self.flush()

    def flush(self) -> bool:
        """Write what is not yet on disk; return whether all of it is there now.

        A failure is logged and told, never raised. In a safe start nothing is written.
        """
        self._timer.stop()
        if not self._is_written:
            return False
        try:
            self._file.save(self.values)
        except OSError as error:
            log.warning("The settings were not saved: %s", error)
            reason = error.strerror or str(error)
            self.failed.emit(
                self.tr("The settings could not be saved: {0}.").format(reason),
                self.tr("They hold until Skein is closed. Check the disk."),
            )
            return False
        return True
