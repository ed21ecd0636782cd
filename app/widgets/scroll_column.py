"""A column that scrolls only when it must, and stands in the same place whether it does or not.

Knows no content: put widgets and layouts into ``body``.
"""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget


class _Inside(QWidget):
    """As high as its width asks for.

    Sentences that wrap ask for a height of their own liking besides: then the column scrolled,
    though all of it was in sight.
    """

    def minimumSizeHint(self) -> QSize:
        least = super().minimumSizeHint()
        return QSize(least.width(), 0) if self.hasHeightForWidth() else least


class ScrollColumn(QScrollArea):
    """The room of the scroll bar comes out of the margin on its side."""

    def __init__(self, object_name: str, margins: tuple[int, int, int, int]) -> None:
        """margins: left, top, right, bottom, in pixels."""
        super().__init__()
        self.setObjectName(object_name)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._margins = margins
        inside = _Inside()
        self.body = QVBoxLayout(inside)
        self.body.setContentsMargins(*margins)
        self.setWidget(inside)

    def resizeEvent(self, event: QResizeEvent) -> None:
        left, top, right, bottom = self._margins
        bar = self.width() - self.viewport().width()
        self.body.setContentsMargins(left, top, max(right - bar, 0), bottom)
        super().resizeEvent(event)
