"""What somebody hands over is looked at in the background and passed on by kind.

Knows files by ``engine.recognition``; opens nothing and decides nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.services.library import ModelLibrary
from app.services.tasks import Tasks

if TYPE_CHECKING:
    from engine.checkpoint.info import ModelInfo
    from engine.recognition import Recognised

    Found = tuple[Recognised, ...]


class Arrivals(QObject):
    """``take`` files and folders; each kind comes back by a signal of its own."""

    models_given = Signal(object)  # list[Path]: files, or folders that are one model
    folder_given = Signal(object)  # Recognised: a folder with models in it
    loras_given = Signal(object)  # list[Recognised]
    states_given = Signal(object)  # list[Recognised]
    refused = Signal(str, str)  # message, hint: of the first that is none of these
    looked = Signal()  # all of what was taken is passed on, or waits for the list of models

    def __init__(self, tasks: Tasks, library: ModelLibrary, parent: QObject | None = None) -> None:
        """library: the models to one of which a LoRA or a state may belong."""
        super().__init__(parent)
        self._tasks = tasks
        self._library = library
        self._used: ModelInfo | None = None
        self._waiting: list[Path] = []
        library.status_changed.connect(self._on_status)

    def set_used(self, info: "ModelInfo | None") -> None:
        """Say which model is loaded: it is offered first."""
        self._used = info

    def take(self, paths: Sequence[Path]) -> None:
        """Look at all of them; takes milliseconds for a file, longer for a large folder."""
        held, models, known = list(paths), self._models(), self._models_known

        def look() -> "Found":
            from engine.recognition import recognise

            return tuple(recognise(path, models) for path in held)

        if held:
            self._tasks.run_in_background(look, lambda found: self._on_found(found, known))

    @property
    def _models_known(self) -> bool:
        return self._library.scanned and not self._library.scanning

    def _models(self) -> "list[ModelInfo]":
        """Return the models on this computer, the one in use first."""
        used = [self._used] if self._used is not None else []
        here = [ready.local.info for ready in self._library.ready]
        return used + [info for info in here if info is not None and info not in used]

    def _on_found(self, found: "Found", known: bool) -> None:
        """known: the models here were known when it was looked, which may be a moment ago."""
        by_kind: dict[str, list[Recognised]] = {}
        for one in found:
            by_kind.setdefault(one.kind, []).append(one)
        for one in by_kind.get("refused", [])[:1]:
            if one.error is not None:
                self.refused.emit(one.error.message, one.error.hint)
        if models := [one.info.path for one in by_kind.get("model", []) if one.info]:
            self.models_given.emit(models)
        for one in by_kind.get("folder", []):
            self.folder_given.emit(one)
        for kind, signal in (("lora", self.loras_given), ("state", self.states_given)):
            if ready := self._ready(by_kind.get(kind, []), known):
                signal.emit(ready)
        self.looked.emit()
        self._on_status()

    def _ready(self, found: "list[Recognised]", known: bool) -> "list[Recognised]":
        """Return what can be offered now; the rest waits until the models here are known."""
        self._waiting += [one.path for one in found if not (known or one.fitting)]
        return [one for one in found if known or one.fitting]

    def _on_status(self) -> None:
        if self._waiting and self._models_known:
            waiting, self._waiting = self._waiting, []
            self.take(waiting)
