"""All of LoRAs in the window: offered when one is dropped, edited on a card, remembered by model.

Brings settings, library and the panel together; the engine applies what it is told.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.pages.lora_dialog import Candidate, LoraDialog
from app.settings import SettingsStore
from app.theme import Theme
from engine.lora_use import LoraUse, as_lines, parse_loras

if TYPE_CHECKING:
    from engine.checkpoint.info import ModelInfo
    from engine.recognition import Recognised


class LoraDesk(QObject):
    """``load_wanted``: this model shall be loaded (again) with what it has now."""

    load_wanted = Signal(object)  # Path
    changed = Signal(object)  # Path of a model whose LoRAs are others now
    failed = Signal(str, str)  # message, hint

    def __init__(self, theme: Theme, window: QWidget, settings: SettingsStore) -> None:
        super().__init__(window)
        self._theme = theme
        self._window = window
        self._settings = settings
        self._dialog: LoraDialog | None = None
        self._loaded: Path | None = None

    def set_loaded(self, path: Path | None) -> None:
        """Say which model is in use: changes of its LoRAs load it again."""
        self._loaded = path

    def uses_of(self, path: Path) -> tuple[LoraUse, ...]:
        """Return the LoRAs that a model is loaded with."""
        return parse_loras(self._settings.get("loras").get(path.name, ""))

    def offer(self, found: "Sequence[Recognised]") -> None:
        """Ask which of the models that they fit shall have these LoRAs."""
        fitting = [info for info in found[0].fitting if all(info in f.fitting for f in found)]
        name = found[0].path.name
        if not fitting:
            self.failed.emit(
                self.tr(
                    "{0} is a LoRA, and no model on this computer is the one that it changes."
                ).format(name),
                self.tr("Download or open the model that it was trained on, then drop it again."),
            )
            return
        fitting = list({info.path: info for info in fitting}.values())
        paths = [info.path for info in fitting]
        chosen = self._loaded if self._loaded in paths else paths[0]
        self._panel().open_for(
            [Candidate(info.path, _title(info)) for info in fitting],
            chosen,
            self.uses_of,
            added=[LoraUse(one.path) for one in found],
            about=" ".join(self._about(one) for one in found),
            loads=True,
        )

    def edit(self, path: Path, title: str) -> None:
        """Show the LoRAs of one model."""
        self._panel().open_for(
            [Candidate(path, title)], path, self.uses_of, loads=path == self._loaded
        )

    def _panel(self) -> LoraDialog:
        if self._dialog is None:
            self._dialog = LoraDialog(self._theme, self._window)
            self._dialog.applied.connect(self._on_applied)
        return self._dialog

    def _about(self, found: "Recognised") -> str:
        facts = found.lora
        assert facts is not None
        return self.tr("{0}: rank {1}, changes {2} matrices.").format(
            found.path.name, facts.rank, facts.matrices
        )

    def _on_applied(self, path: Path, uses: tuple[LoraUse, ...]) -> None:
        before = self.uses_of(path)
        kept = dict(self._settings.get("loras"))
        kept.pop(path.name, None)
        if uses:
            kept[path.name] = as_lines(uses)
        self._settings.set("loras", kept)
        self.changed.emit(path)
        offered = self._dialog is not None and self._dialog.loads
        if offered and (uses != before or path != self._loaded):
            self.load_wanted.emit(path)


def _title(info: "ModelInfo") -> str:
    from engine.hub.file_names import parse_file_name

    parsed = parse_file_name(info.name)
    words = (parsed.title, parsed.release, info.weights) if parsed.family else (info.name,)
    return " · ".join(word for word in words if word)
