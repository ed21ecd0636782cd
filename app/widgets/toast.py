"""A short message at the bottom of the window, with one way back (Undo). Knows no chat.

It goes by itself, but never while the pointer or the keyboard is on it.
"""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeyEvent
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QWidget

from app.theme import Theme
from app.widgets.parts import icon_button, label, push_button

SHOWN_MS = 8000


class Toast(QFrame):
    """One message over ``parent``, in the middle of ``over``; a new one replaces the old."""

    def __init__(self, theme: Theme, parent: QWidget, over: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("toast")
        self.setAccessibleName(self.tr("Message"))
        self.setProperty("surface", "toast")
        self._theme = theme
        self._outer = parent
        self._over = over if over is not None else parent
        self._action: Callable[[], None] | None = None
        self._text = label("")
        self._text.setObjectName("toast_text")
        self._button = push_button(
            self.tr("Undo"), "toast_action", kind="link", clicked=self._on_action
        )
        self._close = icon_button(theme, "close", "toast_close", self.tr("Close message"))
        self._close.clicked.connect(self.dismiss)
        column = QHBoxLayout(self)
        column.setContentsMargins(16, 6, 8, 6)
        column.setSpacing(8)
        column.addWidget(self._text, 1)
        column.addWidget(self._button)
        column.addWidget(self._close)
        self._timer = QTimer(self, singleShot=True, interval=SHOWN_MS)
        self._timer.timeout.connect(self._on_timeout)
        parent.installEventFilter(self)
        self._over.installEventFilter(self)
        self.hide()

    @property
    def text(self) -> str:
        """What is being said, or "" when nothing is."""
        return self._text.text() if not self.isHidden() else ""

    def say(
        self, text: str, action: Callable[[], None] | None = None, action_text: str = ""
    ) -> None:
        """Show ``text``; with ``action`` also a button (Undo unless ``action_text``)."""
        self._action = action
        self._text.setText(text)
        self._button.setText(action_text or self.tr("Undo"))
        self._button.setAccessibleName(f"{self._button.text()}: {text}")
        self._button.setVisible(action is not None)
        self.ensurePolished()
        self._place()  # first: shown in the corner, it would think the pointer is on it
        self.show()
        self.raise_()
        self._timer.start()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))

    def dismiss(self) -> None:
        """Take the message away; its action is then no longer offered."""
        self._timer.stop()
        self._action = None
        self.hide()

    def take_back(self, text: str) -> None:
        """Take ``text`` away if it is what is being said: it is no longer true."""
        if self.text == text:
            self.dismiss()

    def _on_action(self) -> None:
        action = self._action
        self.dismiss()
        if action is not None:
            action()

    def _on_timeout(self) -> None:
        focus = QApplication.focusWidget()
        if self.underMouse() or (focus is not None and self.isAncestorOf(focus)):
            self._timer.start()
        else:
            self.dismiss()

    def _place(self) -> None:
        outer = QRect(self._over.mapTo(self._outer, QPoint(0, 0)), self._over.size())
        self._text.setWordWrap(False)
        width = self.sizeHint().width()
        if width > outer.width() - 32:
            self._text.setWordWrap(True)
            width = outer.width() - 32
        self.resize(width, max(self.heightForWidth(width), self.sizeHint().height()))
        # Above the place where one writes: the composer stays in sight.
        room = min(self._theme.px(120), outer.height() // 4)
        left = outer.x() + (outer.width() - width) // 2
        self.move(left, max(outer.bottom() + 1 - self.height() - room, 8))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self._place()
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        else:
            super().keyPressEvent(event)
