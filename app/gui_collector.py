"""Garbage is collected on the GUI thread, and on no other. Knows nothing of what it is.

Python looks for cycles on whatever thread happens to make an object: a download, the engine. A
dialog whose last references form a cycle would then be ended there, which Qt forbids: timers cannot
be stopped from another thread, and now and then the process crashes.
"""

import gc

from PySide6.QtCore import QObject, QTimer

EVERY_MS = 500


class GuiCollector(QObject):
    """Collects in place of Python from its making until ``close``, on the thread it lives on."""

    def __init__(self, parent: QObject | None = None, every_ms: int = EVERY_MS) -> None:
        super().__init__(parent)
        self._was_enabled = gc.isenabled()
        gc.disable()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.collect)
        self._timer.start(every_ms)

    def collect(self) -> None:
        """Look at the oldest generation that is due by Python's own rule; none while that is 0."""
        due = zip(gc.get_count(), gc.get_threshold(), strict=True)
        old_enough = [age for age, (count, most) in enumerate(due) if 0 < most < count]
        if old_enough and gc.get_threshold()[0]:
            gc.collect(old_enough[-1])

    def close(self) -> None:
        """Leave it to Python again."""
        self._timer.stop()
        if self._was_enabled:
            gc.enable()
