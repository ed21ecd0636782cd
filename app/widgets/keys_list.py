"""The list of keys, as Settings and F1 show it. Knows the table of commands."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QScrollArea, QWidget

from app.shortcuts import COMMANDS
from app.theme import Theme
from app.widgets.overlay import Overlay
from app.widgets.parts import label, push_button


class KeysList(QWidget):
    """Two columns: what it does, which key."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("keys_list")
        self.setAccessibleName(self.tr("Keys"))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(10)
        grid.setColumnStretch(0, 1)
        place = 0
        for command in COMMANDS:
            if command.keys:
                grid.addWidget(label(command.text, wrap=True), place, 0)
                key = label(command.key_text, "key")
                key.setAccessibleName(f"{command.text}: {command.key_text}")
                grid.addWidget(key, place, 1, Qt.AlignmentFlag.AlignRight)
                place += 1
        grid.setRowStretch(place, 1)


class KeysOverlay(Overlay):
    """The list of keys over the window (F1)."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(theme, parent, "keys_overlay", "")
        self.setAccessibleName(self.tr("Keys"))
        self.wanted_width, self.wanted_height = 460, 620
        scroll = QScrollArea()
        scroll.setObjectName("keys_scroll")
        scroll.setAccessibleName(self.tr("Keys"))
        scroll.setWidgetResizable(True)
        inner = KeysList()
        inner.setContentsMargins(0, 0, 10, 0)
        scroll.setWidget(inner)
        self._close = push_button(self.tr("Close"), "keys_close", clicked=self.dismiss)
        self.column.setContentsMargins(24, 20, 16, 16)
        self.column.setSpacing(12)
        self.column.addWidget(label(self.tr("Keys"), "heading"))
        self.column.addWidget(scroll, 1)
        self.column.addWidget(self._close, 0, Qt.AlignmentFlag.AlignRight)

    def open_keys(self) -> None:
        """Show it."""
        self.open_over(self._close)
