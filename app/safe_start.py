"""Starting after a start that did not get through: the note of it, and when all stands.

A file says that a start is under way; who finds one at his own start asks whether to start safely
(app.safe_dialog): on the processor, without a GPU pack, with default settings that are not written,
with no model loaded by itself. ``skein --safe`` asks nothing and does it.
"""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer
from PySide6.QtWidgets import QWidget

from app.restart import SAFE, Restart

if TYPE_CHECKING:
    from app.services.engine import EngineService
    from app.settings import SettingsStore
    from app.window import MainWindow

translate = QCoreApplication.translate
SETTLE_MS = 1500
"""How long nothing may be under way before a start counts as done."""


class StartNote:
    """The file that is there while Skein starts; what it holds is the model that is loaded."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "starting"

    def found(self) -> bool:
        """Whether an earlier start left it behind."""
        return self.path.is_file()

    def model(self) -> str:
        """Return the name of the model that was being loaded, "" when none was."""
        with contextlib.suppress(OSError, ValueError):
            return self.path.read_text("utf-8").strip()[:200]
        return ""

    def write(self, model: str = "") -> None:
        """Note that a start is under way. A disk that takes no file costs the note alone."""
        with contextlib.suppress(OSError):
            self.path.write_text(f"{model}\n", "utf-8")

    def remove(self) -> None:
        """Note that it got through, or ended as it should."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


class StartWatch(QObject):
    """Takes the note away once the window was drawn, the engine is up and nothing is loading."""

    def __init__(self, note: StartNote, window: QWidget, engine: "EngineService") -> None:
        super().__init__(window)
        self._note = note
        self._waits_for = {"window", "engine"}
        self._timer = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._timer.timeout.connect(self._on_settled)
        engine.started.connect(self._on_engine)
        engine.model_loading.connect(self._on_loading)
        for end in (engine.model_ready, engine.model_ejected, engine.model_failed):
            end.connect(self._on_loaded)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self, lambda: self._done("window"))
        return super().eventFilter(watched, event)

    def _on_engine(self) -> None:
        self._done("engine")

    def _on_loading(self, path: Path, _fraction: float) -> None:
        if "model" not in self._waits_for:
            self._waits_for.add("model")
            self._timer.stop()
            self._note.write(path.stem)

    def _on_loaded(self, *_: object) -> None:
        self._done("model")

    def _done(self, what: str) -> None:
        self._waits_for.discard(what)
        if not self._waits_for:
            self._timer.start()

    def _on_settled(self) -> None:
        self._note.remove()
        self.deleteLater()  # what is loaded from now on is no part of the start


def tell_safe(window: "MainWindow", settings: "SettingsStore", restart: Restart) -> None:
    """Say over the page what a safe start is, and how to get out of it."""

    def keep() -> None:
        if settings.keep():
            window.say(translate("SafeStart", "The default settings are saved"))

    window.show_notice(
        translate("SafeStart", "Skein was started safely."),
        translate(
            "SafeStart",
            "Models run on the processor, and changed settings are forgotten when Skein is "
            "closed. If all is well this way, a model, the graphics card or a setting ended the "
            "last start.",
        ),
        tone="warning",
        actions=(
            (translate("SafeStart", "Start as usual"), restart.ask),
            (translate("SafeStart", "Keep default settings"), keep),
        ),
    )


def tell_failed(window: "MainWindow", restart: Restart, message: str, hint: str) -> None:
    """Say that the engine did not come up, and offer to start without what may be the cause."""
    window.show_notice(
        message,
        hint,
        tone="danger",
        actions=((translate("SafeStart", "Start safely"), lambda: restart.ask(SAFE)),),
    )
