"""A banner inside a page: what happened, what to do, and the button that does it.

Stays until it is closed or answered. Knows sentences, not errors.
"""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.theme import Theme
from app.widgets.parts import icon_button, label, on_theme, push_button, restyle, row

_ICONS = {"info": "info", "success": "check", "warning": "warning", "danger": "warning"}
_COLORS = {"info": "accent", "success": "success", "warning": "warning", "danger": "danger"}


class Notice(QFrame):
    """``show_notice`` fills and shows it; hidden otherwise."""

    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self.setProperty("surface", "notice")
        self._theme = theme
        self._tone = "info"
        self._icon = QLabel()
        self._message = label("", "strong", wrap=True, select=True)
        self._message.setObjectName("notice_message")
        self._hint = label("", "muted", wrap=True, select=True)
        self._hint.setObjectName("notice_hint")
        self._buttons = row(stretch=True)
        self._actions: list[QPushButton] = []
        self._close = icon_button(theme, "close", "notice_close", self.tr("Close notice"))
        self._close.clicked.connect(self.dismiss)
        self._build()
        on_theme(theme, self._dress)
        self.hide()

    def show_notice(
        self,
        message: str,
        hint: str = "",
        *,
        tone: str = "info",
        actions: tuple[tuple[str, Callable[[], None]], ...] = (),
    ) -> None:
        """Show it. ``tone``: "info" | "success" | "warning" | "danger"."""
        self._tone = tone
        self._message.setText(message)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self._set_actions(actions)
        self.setAccessibleName(f"{message} {hint}".strip())
        restyle(self, tone=tone)
        self._dress()
        self.show()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, self.accessibleName()))

    def dismiss(self) -> None:
        """Hide it."""
        self.hide()
        self.closed.emit()

    def _set_actions(self, actions: tuple[tuple[str, Callable[[], None]], ...]) -> None:
        for old in self._actions:
            self._buttons.removeWidget(old)
            old.hide()  # deleteLater waits for the event loop; the eye does not
            old.deleteLater()
        self._actions = []
        self._buttons.setContentsMargins(0, 6 if actions else 0, 0, 0)
        for place, (text, action) in enumerate(actions):
            button = push_button(text, f"notice_action_{place + 1}", clicked=action)
            self._actions.append(button)
            self._buttons.insertWidget(place, button)

    def _dress(self) -> None:
        self._icon.setPixmap(self._theme.pixmap(_ICONS[self._tone], 20, _COLORS[self._tone], self))

    def _build(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(self._message)
        words.addWidget(self._hint)
        words.addLayout(self._buttons)
        across = QHBoxLayout(self)
        across.setContentsMargins(12, 10, 8, 10)
        across.setSpacing(12)
        across.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        across.addLayout(words, 1)
        across.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
