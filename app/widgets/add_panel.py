"""The line in which a repository or a file on the hub is named. Asks nobody itself."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeyEvent, Qt
from PySide6.QtWidgets import QFrame, QLineEdit, QVBoxLayout, QWidget

from app.theme import Theme
from app.widgets.parts import icon_button, label, push_button, restyle, row


class AddPanel(QFrame):
    """Hidden until it is opened; Enter asks, Esc closes."""

    asked = Signal(str)
    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("add_panel")
        self.setProperty("surface", "card")
        self.field = QLineEdit()
        self.field.setObjectName("address_field")
        self.field.setAccessibleName(self.tr("Repository or file on Hugging Face"))
        self.field.setPlaceholderText("BlinkDL/rwkv7-g1")
        self.look = push_button(self.tr("Look up"), "lookup_button", kind="primary")
        self.close_button = icon_button(theme, "close", "add_close", self.tr("Close"), keys="Esc")
        self._answer = label("", "muted", wrap=True)
        self._answer.setObjectName("lookup_answer")
        caption = label(
            self.tr("Owner and name, a file in it, or the address of its page."), "muted", wrap=True
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addWidget(caption)
        across = row(self.field, self.look, self.close_button)
        across.setStretch(0, 1)
        column.addLayout(across)
        column.addWidget(self._answer)
        self.look.clicked.connect(self._on_asked)
        self.field.returnPressed.connect(self._on_asked)
        self.field.textChanged.connect(self._on_text)
        self.close_button.clicked.connect(self.dismiss)
        self._on_text("")
        self.say("")
        self.hide()

    def open_(self) -> None:
        """Show it with the keyboard in the field."""
        self.show()
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)
        self.field.selectAll()

    def ask(self, address: str) -> None:
        """Ask for an address as if it had been typed."""
        self.field.setText(address)
        self._on_asked()

    def dismiss(self) -> None:
        """Hide it."""
        self.hide()
        self.say("")
        self.closed.emit()

    def say(self, text: str, *, problem: bool = False, busy: bool = False) -> None:
        """Show an answer below the field; ``busy`` while it is being looked up."""
        self._answer.setText(text)
        self._answer.setVisible(bool(text))
        self.look.setEnabled(not busy and bool(self.field.text().strip()))
        restyle(self._answer, role="danger" if problem else "muted")
        restyle(self.field, problem="true" if problem else "false")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        else:
            super().keyPressEvent(event)

    def _on_asked(self) -> None:
        address = self.field.text().strip()
        if not address:
            return
        self.say(self.tr("Looking it up…"), busy=True)
        self.asked.emit(address)

    def _on_text(self, text: str) -> None:
        self.look.setEnabled(bool(text.strip()))
