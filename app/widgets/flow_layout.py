"""A layout that sets its items side by side and begins a new line where the width ends.

Knows sizes only.
"""

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget


class FlowLayout(QLayout):
    """Left to right, top to bottom; each line as tall as its tallest item, centred in it.

    Items that ``add_right`` adds last go to the right end of the line that they come to lie in.
    centred: every line stands in the middle, and nothing is added at the right.
    """

    def __init__(
        self, parent: QWidget | None = None, spacing: int = 8, *, centred: bool = False
    ) -> None:
        super().__init__(parent)
        self._centred = centred
        self._items: list[QLayoutItem] = []
        self._right: list[QWidget] = []
        self._heights: dict[int, int] = {}  # by width: Qt asks again and again
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(spacing)

    def add_right(self, widget: QWidget) -> None:
        """Add a widget that keeps to the right."""
        self._right.append(widget)
        self.addWidget(widget)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        if width not in self._heights:
            self._heights[width] = self._arrange(QRect(0, 0, width, 0), place=False)
        return self._heights[width]

    def invalidate(self) -> None:
        self._heights.clear()
        super().invalidate()

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._arrange(rect, place=True)

    def sizeHint(self) -> QSize:
        shown = [item.sizeHint() for item in self._items if not item.isEmpty()]
        gaps = self.spacing() * max(0, len(shown) - 1)
        height = max((size.height() for size in shown), default=0)
        return QSize(sum(size.width() for size in shown) + gaps, height)

    def minimumSize(self) -> QSize:
        shown = [item.minimumSize() for item in self._items if not item.isEmpty()]
        widest = max((size.width() for size in shown), default=0)
        return QSize(widest, max((size.height() for size in shown), default=0))

    def _arrange(self, rect: QRect, *, place: bool) -> int:
        """Set the items into ``rect`` when ``place``; return the height that they need."""
        y = rect.y()
        for line in self._lines(rect.width()):
            height = max(size.height() for _, size in line)
            if place:
                self._place(line, QRect(rect.x(), y, rect.width(), height))
            y += height + self.spacing()
        return max(0, y - rect.y() - self.spacing())

    def _place(self, line: list[tuple[QLayoutItem, QSize]], rect: QRect) -> None:
        x = rect.x()
        if self._centred:
            taken = sum(size.width() + self.spacing() for _, size in line) - self.spacing()
            x += max(0, rect.width() - taken) // 2
        for place, (item, size) in enumerate(line):
            if item.widget() in self._right:
                rest = sum(each.width() + self.spacing() for _, each in line[place:])
                x = max(x, rect.x() + rect.width() + self.spacing() - rest)
            item.setGeometry(
                QRect(QPoint(x, rect.y() + (rect.height() - size.height()) // 2), size)
            )
            x += size.width() + self.spacing()

    def _lines(self, width: int) -> list[list[tuple[QLayoutItem, QSize]]]:
        lines: list[list[tuple[QLayoutItem, QSize]]] = []
        left = 0
        for item in self._items:
            if item.isEmpty():
                continue
            size = item.sizeHint().boundedTo(QSize(max(width, 1), 1 << 20))
            if not lines or size.width() > left:
                lines.append([])
                left = width
            lines[-1].append((item, size))
            left -= size.width() + self.spacing()
        return lines
