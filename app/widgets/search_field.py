"""A field to search in: a glass at its beginning, a cross to empty it. Knows no data."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QLineEdit

from app.theme import Theme
from app.widgets.parts import on_theme


class SearchField(QLineEdit):
    """The glass grows with the text size, which an action's icon in a line edit does not."""

    def __init__(self, theme: Theme, object_name: str, name: str) -> None:
        super().__init__()
        self.setObjectName(object_name)
        self.setAccessibleName(name)
        self.setPlaceholderText(name)
        self.setClearButtonEnabled(True)
        self._theme = theme
        self._glass = QLabel(self)
        self._glass.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        on_theme(theme, self._dress)

    def _dress(self) -> None:
        self._glass.setPixmap(self._theme.pixmap("search", 16, "faint", self))
        self._glass.adjustSize()
        self.setTextMargins(self._theme.px(20), 0, 0, 0)
        self._place()

    def _place(self) -> None:
        self._glass.move(self._theme.px(10), (self.height() - self._glass.height()) // 2)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()
