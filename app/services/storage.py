"""What lies on the disk: how much it is, where it lies, and the token in the keyring.

All of it blocks, so all of it runs in the background; signals arrive on the GUI thread.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.services.tasks import Tasks
from app.services.throttle import throttled
from app.settings import SettingsStore
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.folders import Folders
    from engine.store import Store


class StorageService(QObject):
    """Measures and moves folders; keeps the token."""

    measured = Signal(object, object, object, object)
    """Bytes of models, of states, of the states' budget, of packed weights."""
    moving = Signal(float)  # fraction
    moved = Signal(str)  # folder
    token_known = Signal(bool, str)  # saved, a sentence about what went wrong
    failed = Signal(str, str)  # message, hint

    def __init__(
        self,
        folders: "Folders",
        store: "Store",
        settings: SettingsStore,
        tasks: Tasks,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._folders = folders
        self._store = store
        self._settings = settings
        self._tasks = tasks
        self.is_moving = False
        """Whether models are on their way to another folder."""

    def measure(self) -> None:
        """Find out how much models, states and packed weights take, and if a token is kept."""
        models, states = self._models_folder(), self._folders.states_of(self._settings.values)
        budget = self._settings.get("state_budget_bytes")
        packed = self._folders.packed
        self._tasks.run_in_background(
            lambda: (_bytes_in(models), _bytes_in(states), budget, _bytes_in(packed)),
            lambda found: self.measured.emit(*found),
        )
        self._tasks.run_in_background(_has_token, lambda known: self.token_known.emit(known, ""))

    def move_models(self, folder: str) -> None:
        """Copy all models there, verify, switch, then delete the originals."""
        if self.is_moving:
            return
        from engine.moving import move_files

        self.is_moving = True
        source, target, tell = self._models_folder(), Path(folder), throttled(self.moving.emit)
        self._tasks.run_in_background(
            lambda: move_files(source, target, tell, lambda: self._tasks.closed),
            lambda originals: self._on_copied(folder, originals),
            self._on_failed,
        )

    def switch(self, setting: str, folder: str, originals: list[Path]) -> None:
        """Use the copies in ``folder`` from now on; the originals go once that is on disk."""
        from engine.moving import remove

        self._settings.set(setting, folder)
        if self._settings.flush():
            self._tasks.run_in_background(lambda: remove(originals), lambda _: self.measure())
        self.moved.emit(folder)

    def clear_packed(self) -> None:
        """Delete the packed weights: each model's are made again when it is loaded next."""
        from engine.packed_files import PackedFiles

        files = PackedFiles(self._folders.packed)
        self._tasks.run_in_background(files.clear, lambda _: self.measure())

    def prune_packed(self) -> None:
        """Delete the packed weights that exceed what the settings have room for."""
        from engine.packed_files import PackedFiles

        files = PackedFiles(self._folders.packed, self._settings.get("packed_budget_bytes"))
        self._tasks.run_in_background(files.prune, lambda _: self.measure())

    def keep_token(self, token: str) -> None:
        """Put the token into the system's keyring; "" takes it away."""
        from engine.secrets import Secrets

        self._tasks.run_in_background(
            lambda: Secrets().set_hub_token(token),
            lambda _: self.token_known.emit(bool(token), ""),
            lambda error: self.token_known.emit(False, str(error)),
        )

    def _models_folder(self) -> Path:
        from engine.hub.library import models_folder

        return models_folder(self._folders, self._settings.values)

    def _on_copied(self, folder: str, originals: list[Path]) -> None:
        self.is_moving = False
        self.switch("models_folder", folder, originals)

    def _on_failed(self, error: Exception) -> None:
        self.is_moving = False
        if isinstance(error, EngineError):
            self.failed.emit(error.message, error.hint)
        else:
            text = self.tr("The folder could not be moved: {0}").format(error)
            self.failed.emit(text, self.tr("Nothing was lost."))


def _has_token() -> bool:
    from engine.secrets import Secrets

    return bool(Secrets().hub_token())


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*") if os.path.isdir(folder) else ():
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
