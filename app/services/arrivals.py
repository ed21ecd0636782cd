"""What somebody hands over is looked at in the background; the window then offers what fits.

Knows files by ``engine.recognition``; opens nothing and decides nothing.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.services.tasks import Tasks

if TYPE_CHECKING:
    from engine.checkpoint.info import ModelInfo
    from engine.recognition import Recognised


class Arrivals(QObject):
    """``take`` files and folders; ``recognised`` brings a tuple of Recognised, in their order."""

    recognised = Signal(object)

    def __init__(
        self,
        tasks: Tasks,
        models: "Callable[[], Sequence[ModelInfo]]",
        parent: QObject | None = None,
    ) -> None:
        """models: those on this computer, to one of which a LoRA or a state may belong."""
        super().__init__(parent)
        self._tasks = tasks
        self._models = models

    def take(self, paths: Sequence[Path]) -> None:
        """Look at all of them; takes milliseconds for a file, longer for a large folder."""
        held, models = list(paths), list(self._models())

        def look() -> "tuple[Recognised, ...]":
            from engine.recognition import recognise

            return tuple(recognise(path, models) for path in held)

        if held:
            self._tasks.run_in_background(look, self.recognised.emit)
