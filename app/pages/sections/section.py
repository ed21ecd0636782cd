"""What every section of the settings page is: a scrolling column of titled cards."""

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.theme import Theme
from app.widgets.parts import card, label, line
from app.widgets.scroll_column import ScrollColumn
from app.widgets.setting_row import SettingRow

WIDEST = 760


class Card:
    """A frame of rows with hairlines between them."""

    def __init__(self, theme: Theme, column: QVBoxLayout) -> None:
        self._theme = theme
        self.column = column

    def add(self, widget: QWidget) -> None:
        """Add anything as one more row."""
        if self.column.count():
            self.column.addWidget(line())
        self.column.addWidget(widget)

    def setting(self, title: str, hint: str, control: QWidget, *, wide: bool = False) -> SettingRow:
        """Add a setting with its control."""
        made = SettingRow(self._theme, title, hint, control, wide=wide)
        self.add(made)
        return made


class Section(ScrollColumn):
    """One section; child classes fill it with ``card``."""

    def __init__(self, theme: Theme, object_name: str, name: str) -> None:
        super().__init__(object_name, (24, 16, 24, 32))
        self.setAccessibleName(name)
        self.theme = theme
        across = QHBoxLayout()
        middle = QWidget()
        middle.setMaximumWidth(theme.px(WIDEST))
        across.addWidget(middle, 1)
        across.addStretch(0)
        self._middle = middle
        self.column = QVBoxLayout(middle)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(8)
        self.column.addStretch(1)
        self.body.addLayout(across)
        theme.changed.connect(self._on_theme)

    def card(self, title: str = "") -> Card:
        """Add a card below the others, with a caption over it."""
        place = self.column.count() - 1
        if title:
            caption = label(title, "caption")
            caption.setContentsMargins(4, 12 if place else 0, 0, 0)
            self.column.insertWidget(place, caption)
            place += 1
        frame, column = card()
        self.column.insertWidget(place, frame)
        return Card(self.theme, column)

    def _on_theme(self) -> None:
        self._middle.setMaximumWidth(self.theme.px(WIDEST))
