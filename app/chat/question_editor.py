"""Where a question is changed in place: the field, Send and Cancel.

Knows the text it was given; not the message, nor what becomes of the new text.
"""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.chat.text_input import TextInput
from app.theme import Theme
from app.widgets.parts import on_theme

_HIGHEST = 320  # pixels at 100 % text size


class QuestionEditor(QWidget):
    """``sent`` carries the new text; ``cancelled`` says that all stays as it was."""

    sent = Signal(str)
    cancelled = Signal()
    height_changed = Signal()

    def __init__(self, theme: Theme, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("question_editor")
        self.field = TextInput()
        self.field.setObjectName("edit_field")
        self.field.setAccessibleName(self.tr("Edit the message"))
        self.field.setPlainText(text)
        self._theme = theme
        self.send = QPushButton(self.tr("Send"))
        self.send.setObjectName("edit_send_button")
        self.send.setProperty("kind", "primary")
        self.cancel = QPushButton(self.tr("Cancel"))
        self.cancel.setObjectName("edit_cancel_button")
        self._lay_out()
        on_theme(theme, self._dress)
        self.send.clicked.connect(self._on_send)
        self.cancel.clicked.connect(self.cancelled)
        self.field.submitted.connect(self._on_send)
        self.field.cancelled.connect(self.cancelled)
        self.field.height_changed.connect(self.height_changed)

    def focus_chain(self) -> list[QWidget]:
        """What Tab visits here, in order."""
        return [self.field, self.cancel, self.send]

    def take_focus(self) -> None:
        """Give the keyboard to the field, with the caret at its end."""
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)
        self.field.moveCursor(QTextCursor.MoveOperation.End)

    def _dress(self) -> None:
        self.field.setFont(self._theme.font(15))  # as the message was read a moment ago
        self.field.set_highest(self._theme.px(_HIGHEST))

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.send)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.field)
        column.addLayout(buttons)

    def _on_send(self) -> None:
        self.sent.emit(self.field.toPlainText())
