"""The crash report over the window: read it, copy it, close it. Knows text only."""

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.theme import Theme
from app.widgets.overlay import Overlay
from app.widgets.parts import label, push_button, row


class CrashReport(Overlay):
    """``open_report`` shows a report, or says that there is none."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(theme, parent, "crash_report", "")
        self.setAccessibleName(self.tr("Crash report"))
        self.wanted_width, self.wanted_height = 720, 520
        self._text = QPlainTextEdit()
        self._text.setObjectName("crash_text")
        self._text.setAccessibleName(self.tr("Crash report"))
        self._text.setReadOnly(True)
        self._text.setTabChangesFocus(True)
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._copy = push_button(self.tr("Copy"), "crash_copy", clicked=self._on_copy)
        self._close = push_button(
            self.tr("Close"), "crash_close", kind="primary", clicked=self.dismiss
        )
        self.column.setContentsMargins(24, 20, 24, 16)
        self.column.setSpacing(12)
        self.column.addWidget(label(self.tr("Crash report"), "heading"))
        hint = self.tr("It stays on this computer. Copy it into a bug report if you like.")
        self.column.addWidget(label(hint, "muted", wrap=True))
        self.column.addWidget(self._text, 1)
        buttons = row()
        buttons.addStretch(1)
        buttons.addWidget(self._copy)
        buttons.addWidget(self._close)
        self.column.addLayout(buttons)

    def open_report(self, report: str) -> None:
        """Show ``report``."""
        self._text.setFont(self.theme.mono_font())
        self._text.setPlainText(report or self.tr("There is no report: nothing went wrong."))
        self._copy.setEnabled(bool(report))
        self.open_over(self._close)

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._text.toPlainText())
