"""A panel over the dimmed window: closes on Esc or a click beside it, gives the focus back.

Base of the command palette, the list of keys and the crash report.
"""

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QFrame, QVBoxLayout, QWidget

from app.theme import Theme


class Overlay(QWidget):
    """Covers ``parent``; ``panel`` with ``column`` is what a child class fills."""

    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget, object_name: str, name: str) -> None:
        super().__init__(parent)
        self.setObjectName(object_name)
        self.setAccessibleName(name)
        self.theme = theme
        self._outer = parent
        self.panel = QFrame(self)
        self.panel.setProperty("surface", "panel")
        self.column = QVBoxLayout(self.panel)
        self.column.setContentsMargins(16, 16, 16, 16)
        self.column.setSpacing(8)
        self.wanted_width = 600
        self.wanted_height = 0
        """0: as high as its content."""
        self._focus_before: QWidget | None = None
        parent.installEventFilter(self)
        self.hide()

    def open_over(self, first: QWidget) -> None:
        """Show the panel with the keyboard in ``first``."""
        self._focus_before = QApplication.focusWidget()
        self.setGeometry(self._outer.rect())
        self._place()
        self.show()
        self.raise_()
        first.setFocus(Qt.FocusReason.PopupFocusReason)

    def dismiss(self) -> None:
        """Hide the panel; the keyboard goes back to where it was."""
        if self.isHidden():
            return
        self.hide()
        before, self._focus_before = self._focus_before, None
        if before is not None and before.isVisible():
            before.setFocus(Qt.FocusReason.PopupFocusReason)
        self.closed.emit()

    def _place(self) -> None:
        outer = self.rect()
        width = min(self.theme.px(self.wanted_width), outer.width() - 48)
        wanted = self.theme.px(self.wanted_height) or self.panel.sizeHint().height()
        height = min(wanted, outer.height() - 64)
        top = max(32, min(outer.height() // 8, outer.height() - height - 32))
        self.panel.setGeometry((outer.width() - width) // 2, top, width, height)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self.setGeometry(self._outer.rect())
            self._place()
        return super().eventFilter(watched, event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Keep Tab inside the panel."""
        held = [
            child
            for child in self.panel.findChildren(QWidget)
            if child.isVisible()
            and child.isEnabled()
            and child.focusPolicy() & Qt.FocusPolicy.TabFocus
        ]
        current = QApplication.focusWidget()
        if not held:
            return False
        place = held.index(current) if current in held else -1
        step = 1 if forward else -1
        held[(place + step) % len(held)].setFocus(Qt.FocusReason.TabFocusReason)
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        # Nothing goes through to the window below.
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self.panel.geometry().contains(event.position().toPoint()):
            self.dismiss()

    def paintEvent(self, event: QPaintEvent) -> None:
        shade = QColor(self.theme.colors.text if not self.theme.is_dark else "#000000")
        shade.setAlphaF(0.28 if not self.theme.is_dark else 0.5)
        painter = QPainter(self)
        painter.fillRect(self.rect(), shade)
        painter.end()
