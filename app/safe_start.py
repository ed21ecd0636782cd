"""Starting after a start that did not get through: the note of it, the question, when all stands.

A file says that a start is under way; who finds one at his own start asks whether to start safely:
on the processor, without a GPU pack, with default settings that are not written, with no model
loaded by itself. ``skein --safe`` asks nothing and does it. The question has a window of its own,
for what ended the last start may be part of the other one.
"""

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from app.theme import Theme
from app.widgets.parts import label, push_button, row

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from app.restart import Restart
    from app.services.engine import EngineService
    from app.settings import SettingsStore
    from app.window import MainWindow
    from engine.settings import Settings

translate = QCoreApplication.translate
log = logging.getLogger(__name__)

SETTLE_MS = 1500
"""How long nothing may be under way before a start counts as done."""

WIDTH, WIDTH_OF_REPORT = 520, 680

Answer = Literal["safe", "usual", "quit"]


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


class SafeStartDialog(QDialog):
    """Asks how to start. ``answer`` is what was chosen; closing the dialog means not to start."""

    def __init__(self, theme: Theme, model: str, report: str) -> None:
        """model: what was being loaded, "" for nothing. report: of the crash, "" for none."""
        super().__init__()
        self.answer: Answer = "quit"
        self._theme = theme
        self.setObjectName("safe_start")
        self.setWindowTitle("Skein")
        self.setWindowIcon(theme.app_icon())
        self._report = self._report_view(report)
        self._show = push_button(
            self.tr("Show report"), "safe_report", kind="quiet", clicked=self._on_report
        )
        self._show.setEnabled(bool(report))
        usual = push_button(
            self.tr("Start as usual"), "safe_no", clicked=lambda: self._choose("usual")
        )
        self._safely = push_button(
            self.tr("Start safely"),
            "safe_yes",
            kind="primary",
            clicked=lambda: self._choose("safe"),
        )
        self._safely.setDefault(True)
        buttons = row(self._show, stretch=True)
        buttons.addWidget(usual)
        buttons.addWidget(self._safely)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 18)
        column.setSpacing(12)
        column.addLayout(self._words(model))
        column.addWidget(self._report, 1)
        column.addSpacing(4)
        column.addLayout(buttons)
        self.setMinimumWidth(theme.px(WIDTH))
        self._fit()
        self._safely.setFocus(Qt.FocusReason.OtherFocusReason)

    def _words(self, model: str) -> QHBoxLayout:
        mark = QLabel()
        mark.setPixmap(self._theme.app_icon().pixmap(self._theme.px(48), self._theme.px(48)))
        title = label(self.tr("The last start did not finish"), "heading", wrap=True)
        what = (
            self.tr("Skein ended while it loaded {0}.").format(model)
            if model
            else self.tr("Skein ended before its window was ready.")
        )
        safe = self.tr(
            "A safe start computes on the processor, without a GPU pack, with default settings "
            "that are not saved, and loads no model by itself. Chats and models stay as they are."
        )
        words = QVBoxLayout()
        words.setSpacing(6)
        words.addWidget(title)
        words.addWidget(label(what, wrap=True))
        words.addWidget(label(safe, "muted", wrap=True))
        self.setAccessibleName(title.text())
        self.setAccessibleDescription(f"{what} {safe}")
        across = QHBoxLayout()
        across.setSpacing(16)
        across.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        across.addLayout(words, 1)
        return across

    def _report_view(self, report: str) -> QWidget:
        text = QPlainTextEdit(report)
        text.setObjectName("safe_report_text")
        text.setAccessibleName(self.tr("Crash report"))
        text.setReadOnly(True)
        text.setTabChangesFocus(True)
        text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        text.setFont(self._theme.mono_font())
        copy = push_button(
            self.tr("Copy"),
            "safe_copy",
            clicked=lambda: QGuiApplication.clipboard().setText(report),
        )
        view = QWidget()
        column = QVBoxLayout(view)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(text, 1)
        column.addLayout(row(copy, stretch=True))
        view.setMinimumHeight(self._theme.px(260))
        view.hide()
        return view

    def _on_report(self) -> None:
        is_shown = self._report.isHidden()
        self._report.setVisible(is_shown)
        self._show.setText(self.tr("Hide report") if is_shown else self.tr("Show report"))
        QTimer.singleShot(0, self, self._fit)  # once the layout knows what is hidden

    def _fit(self) -> None:
        """Be as high as the words at this width, with room for a report that is shown."""
        width = self._theme.px(WIDTH if self._report.isHidden() else WIDTH_OF_REPORT)
        layout = self.layout()
        assert layout is not None
        self.resize(width, layout.heightForWidth(width))

    def _choose(self, answer: Answer) -> None:
        self.answer = answer
        self.accept()


def tell_safe(window: "MainWindow", settings: "SettingsStore", restart: "Restart") -> None:
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


def ask_how(qt_app: "QApplication", settings: "Settings", model: str, report: str) -> Answer:
    """Ask in a dialog, in the language and the colours of the settings; never raises.

    A dialog that fails itself is taken for the wish to start safely.
    """
    from app.translation import install_translation

    ends = qt_app.quitOnLastWindowClosed()
    qt_app.setQuitOnLastWindowClosed(False)  # the dialog is the last window just now
    try:
        install_translation(qt_app, settings.language)
        theme = Theme()
        theme.apply(qt_app, settings.theme)
        dialog = SafeStartDialog(theme, model, report)
        dialog.exec()
        dialog.deleteLater()
        return dialog.answer
    except Exception:
        log.exception("The question how to start failed")
        return "safe"
    finally:
        qt_app.setQuitOnLastWindowClosed(ends)
