"""The field in which a person writes: grows with its text, sends on Enter, never while composing.

Knows keys and heights; not what becomes of the text.
"""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QWidget

_LOOKED_AT = 60  # blocks that are measured; a third of any window holds fewer


class TextInput(QPlainTextEdit):
    """A plain text field between one line and ``highest`` pixels."""

    submitted = Signal()
    cancelled = Signal()
    height_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.highest = 240
        self.lowest_lines = 1
        self.send_with = "enter"
        self.setTabChangesFocus(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(0)
        self.textChanged.connect(self.fit)

    @property
    def composing(self) -> bool:
        """Whether an input method has text that is not part of the document yet."""
        return bool(self.textCursor().block().layout().preeditAreaText())

    def set_highest(self, pixels: int) -> None:
        """Set the height from which on the field scrolls."""
        self.highest = pixels
        self.fit()

    def fit(self) -> None:
        """Take the height that the text needs."""
        content = self._content_height()
        margins = self.contentsMargins()
        viewport = self.viewportMargins()
        extra = margins.top() + margins.bottom() + viewport.top() + viewport.bottom()
        wanted = min(content + extra, max(self.highest, self.fontMetrics().lineSpacing() + extra))
        scrolls = content + extra > wanted
        policy = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(
            policy.ScrollBarAsNeeded if scrolls else policy.ScrollBarAlwaysOff
        )
        if wanted != self.height():
            self.setFixedHeight(wanted)
            self.height_changed.emit()

    def _content_height(self) -> int:
        lowest = self.lowest_lines * self.fontMetrics().lineSpacing()
        height, block = 0.0, self.document().begin()
        for _ in range(_LOOKED_AT):
            if not block.isValid() or height > self.highest:
                break
            height += self.blockBoundingRect(block).height()
            block = block.next()
        return max(round(height + 0.5), lowest)

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._on_enter(event)
        elif event.key() == Qt.Key.Key_Escape and not self.composing:
            self.cancelled.emit()
            event.ignore()
        else:
            super().keyPressEvent(event)

    def _on_enter(self, event: QKeyEvent) -> None:
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        sends = control if self.send_with == "ctrl+enter" else not shift
        if self.composing:
            # Enter chooses a candidate here; it must neither send nor break the line.
            event.ignore()
        elif sends:
            self.submitted.emit()
        else:
            self.textCursor().insertText("\n")
            self.ensureCursorVisible()
