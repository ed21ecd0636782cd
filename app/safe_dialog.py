"""The question how to start, after a start that did not get through.

It has a window of its own, for what ended the last start may be part of the other one.
"""

import logging
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from app.theme import Theme
from app.widgets.parts import label, push_button, row

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from engine.settings import Settings

log = logging.getLogger(__name__)
WIDTH, WIDTH_OF_REPORT = 520, 680
Answer = Literal["safe", "usual", "quit"]


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
        column.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
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
        words.addStretch(1)
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

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit()  # before, the words had not got their fonts yet

    def _fit(self) -> None:
        """Be as high as the words at this width, with room for a report that is shown."""
        width = self._theme.px(WIDTH if self._report.isHidden() else WIDTH_OF_REPORT)
        layout = self.layout()
        assert layout is not None
        height = layout.heightForWidth(width)
        self.setMinimumHeight(height)  # the layout's own is that of words in a narrow column
        self.resize(width, height)

    def _choose(self, answer: Answer) -> None:
        self.answer = answer
        self.accept()


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
