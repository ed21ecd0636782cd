"""Ctrl+K: one field that finds chats and commands.

Knows the table of commands and a way to find chats; it only says what was chosen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QEvent, QObject, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.models.conversations import NO_PARENT, Index
from app.shortcuts import COMMANDS, Command
from app.theme import Theme
from app.widgets.overlay import Overlay
from app.widgets.parts import label, line
from engine.store import Conversation

MOST_CHATS = 30
SEARCH_DELAY_MS = 80
FindChats = Callable[[str], Sequence[Conversation]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: a command, or a chat (``conversation`` is not 0)."""

    title: str
    icon: str
    keys: str = ""
    command: str = ""
    conversation: int = 0


def matches(words: str, title: str) -> bool:
    """Whether every word of ``words`` begins somewhere in ``title``, case apart."""
    title = title.casefold()
    return all(word in title for word in words.casefold().split())


class PaletteModel(QAbstractListModel):
    """The rows that fit what was typed: commands first, then chats."""

    def __init__(self, find_chats: FindChats, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._find_chats = find_chats
        self._entries: list[Entry] = []

    def find(self, text: str) -> None:
        """Show what fits ``text``."""
        self.beginResetModel()
        chats = [self._of_chat(chat) for chat in self._find_chats(text)[:MOST_CHATS]]
        commands = [
            self._of_command(command)
            for command in COMMANDS
            if command.palette and matches(text, command.text)
        ]
        self._entries = [*commands, *chats] if text.strip() else [*chats[:5], *commands]
        self.endResetModel()

    def entry(self, index: Index) -> Entry | None:
        """Return the row of ``index``, if there is one."""
        return self._entries[index.row()] if index.isValid() else None

    def _of_chat(self, chat: Conversation) -> Entry:
        return Entry(chat.title or self.tr("New chat"), "chat", conversation=chat.id)

    def _of_command(self, command: Command) -> Entry:
        return Entry(command.text, command.icon, command.key_text, command=command.id)

    def rowCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        entry = self.entry(index)
        if entry is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{entry.title}, {entry.keys}" if entry.keys else entry.title
        return None


class PaletteDelegate(QStyledItemDelegate):
    """Draws an icon, the title and the key."""

    def __init__(self, theme: Theme, model: PaletteModel, parent: QAbstractItemView) -> None:
        super().__init__(parent)
        self._theme = theme
        self._model = model

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, self._theme.px(36))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry = self._model.entry(index)
        if entry is None:
            return
        theme, rect = self._theme, option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(painter, option)
        icon = theme.pixmap(entry.icon, 16, "muted", option.widget)
        left = rect.left() + theme.px(10)
        painter.drawPixmap(left, rect.center().y() - theme.px(16) // 2 + 1, icon)
        inner = rect.adjusted(theme.px(38), 0, -theme.px(10), 0)
        inner.setRight(self._paint_keys(painter, inner, entry.keys))
        font = theme.font()
        painter.setFont(font)
        painter.setPen(QColor(theme.colors.text))
        elide = Qt.TextElideMode.ElideRight
        title = QFontMetrics(font).elidedText(entry.title, elide, inner.width())
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter, title)
        painter.restore()

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        colors, state = self._theme.colors, option.state
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.selection if chosen else colors.hover))
            painter.drawRoundedRect(option.rect.adjusted(0, 1, 0, -1), 8, 8)

    def _paint_keys(self, painter: QPainter, inner: QRect, keys: str) -> int:
        font = self._theme.font(12)
        painter.setFont(font)
        painter.setPen(QColor(self._theme.colors.muted))
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(inner, flags, keys)
        return inner.right() - QFontMetrics(font).horizontalAdvance(keys) - self._theme.px(8)


class CommandPalette(Overlay):
    """``open_palette`` shows it; then ``command_chosen`` or ``chat_chosen`` says what to do."""

    command_chosen = Signal(str)
    chat_chosen = Signal(int)

    def __init__(self, theme: Theme, find_chats: FindChats, parent: QWidget) -> None:
        super().__init__(theme, parent, "command_palette", "")
        self.setAccessibleName(self.tr("Search chats and commands"))
        self.wanted_width, self.wanted_height = 600, 420
        self.search = QLineEdit()
        self.search.setObjectName("palette_search")
        self.search.setAccessibleName(self.tr("Search chats and commands"))
        self.search.setPlaceholderText(self.tr("Search chats and commands"))
        self.model = PaletteModel(find_chats, self)
        self.list = QListView()
        self._nothing = label(self.tr("Nothing found"), "muted")
        self._timer = QTimer(self, singleShot=True, interval=SEARCH_DELAY_MS)
        self._build()

    def _build(self) -> None:
        self.list.setObjectName("palette_list")
        self.list.setAccessibleName(self.tr("Results"))
        self.list.setModel(self.model)
        self.list.setItemDelegate(PaletteDelegate(self.theme, self.model, self.list))
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.clicked.connect(self._choose)
        self.column.setContentsMargins(8, 8, 8, 8)
        self.column.addWidget(self.search)
        self.column.addWidget(line())
        self.column.addWidget(self._nothing, 0, Qt.AlignmentFlag.AlignHCenter)
        self.column.addWidget(self.list, 1)
        self.search.installEventFilter(self)
        self.search.textChanged.connect(lambda _text: self._timer.start())
        self._timer.timeout.connect(self._find)

    def open_palette(self) -> None:
        """Show it, empty, with the newest chats and every command."""
        self.search.clear()
        self._find()
        self.open_over(self.search)

    def _find(self) -> None:
        self._timer.stop()
        self.model.find(self.search.text())
        has_rows = self.model.rowCount() > 0
        self._nothing.setVisible(not has_rows)
        if has_rows:
            self.list.setCurrentIndex(self.model.index(0))

    def _choose(self, index: Index) -> None:
        entry = self.model.entry(index)
        if entry is None:
            return
        self.dismiss()
        if entry.command:
            self.command_chosen.emit(entry.command)
        else:
            self.chat_chosen.emit(entry.conversation)

    def _move(self, step: int) -> None:
        rows = self.model.rowCount()
        if rows:
            place = (self.list.currentIndex().row() + step) % rows
            self.list.setCurrentIndex(self.model.index(place))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if (
            watched is self.search
            and isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and self._on_key(event.key())
        ):
            return True
        return super().eventFilter(watched, event)

    def _on_key(self, key: int) -> bool:
        steps = {
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_PageDown: 8,
            Qt.Key.Key_PageUp: -8,
        }
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._find()
            self._choose(self.list.currentIndex())
        elif key in steps:
            self._move(steps[Qt.Key(key)])
        else:
            return False
        return True
