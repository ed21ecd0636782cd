"""A wide button of the sidebar: an icon and a word, or the icon alone. Knows no page."""

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QFontMetrics, QIcon, QPaintEvent
from PySide6.QtWidgets import (
    QSizePolicy,
    QStyle,
    QStyleOptionToolButton,
    QStylePainter,
    QToolButton,
)

from app.theme import Theme

GAP = 10
INSET = 10


class NavButton(QToolButton):
    """Draws its own icon and text: the style leaves no air between them and cannot elide."""

    def __init__(self, theme: Theme, icon: str, object_name: str, text: str, keys: str) -> None:
        super().__init__()
        self.setObjectName(object_name)
        self.setAccessibleName(text)
        self.setText(text)
        self.setToolTip(f"{text}  ({keys})")
        self.setProperty("kind", "nav")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._theme = theme
        self.is_wide = True
        theme.set_icon(self, icon)

    def set_wide(self, is_wide: bool) -> None:
        """Show the word, or only the icon."""
        self.is_wide = is_wide
        self.updateGeometry()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionToolButton()
        self.initStyleOption(option)
        option.text, option.icon = "", QIcon()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option)
        self._paint_content(painter, option)
        painter.end()

    def _paint_content(self, painter: QStylePainter, option: QStyleOptionToolButton) -> None:
        side = self.iconSize().width()
        left = self._theme.px(INSET) if self.is_wide else (self.width() - side) // 2
        place = QRect(left, (self.height() - side) // 2, side, side)
        hovered = option.state & QStyle.StateFlag.State_MouseOver
        mode = QIcon.Mode.Active if hovered else QIcon.Mode.Normal
        state = QIcon.State.On if self.isChecked() else QIcon.State.Off
        self.icon().paint(painter, place, Qt.AlignmentFlag.AlignCenter, mode, state)
        if not self.is_wide:
            return
        inner = self.rect().adjusted(place.right() + self._theme.px(GAP), 0, -6, 0)
        elide = Qt.TextElideMode.ElideRight
        text = QFontMetrics(self.font()).elidedText(self.text(), elide, inner.width())
        painter.setPen(option.palette.buttonText().color())
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter, text)
