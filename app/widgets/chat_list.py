"""The list of chats in the sidebar: how a row is drawn, renamed, pinned, deleted, opened.

Works on app.models.conversations.ConversationModel. Knows no message and no store.
"""

from PySide6.QtCore import QModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QFontMetrics, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.models.conversations import ConversationModel, Index, Role
from app.theme import Theme
from app.widgets.parts import menu

_ROW = 34
_INSET = 8
_ICON = 16


class ChatDelegate(QStyledItemDelegate):
    """Draws headings and chats, and the field in which a chat is renamed."""

    def __init__(self, theme: Theme, parent: QAbstractItemView) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, self._theme.px(_ROW))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.data(Role.HEADING):
            self._paint_heading(painter, option.rect, index.data())
        else:
            self._paint_chat(painter, option, index)
        painter.restore()

    def _paint_heading(self, painter: QPainter, rect: QRect, text: str) -> None:
        font = self._theme.font(12, 600)
        painter.setFont(font)
        painter.setPen(QColor(self._theme.colors.faint))
        inner = rect.adjusted(self._theme.px(_INSET + 2), 0, 0, -self._theme.px(4))
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        painter.drawText(inner, flags, text)

    def _paint_chat(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        state = option.state
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        self._paint_ground(painter, option.rect, bool(index.data(Role.OPEN)), hovered, focused)
        inner = option.rect.adjusted(self._theme.px(_INSET + 2), 0, -self._theme.px(_INSET), 0)
        mark = self._mark(index, hovered or focused)
        if mark:
            name, color = mark
            pixmap = self._theme.pixmap(name, _ICON, color, option.widget)
            painter.drawPixmap(self.mark_rect(option.rect).topLeft(), pixmap)
            inner.setRight(self.mark_rect(option.rect).left() - self._theme.px(4))
        font = self._theme.font(14, 500 if index.data(Role.OPEN) else 400)
        painter.setFont(font)
        painter.setPen(QColor(self._theme.colors.text))
        text = QFontMetrics(font).elidedText(
            index.data(), Qt.TextElideMode.ElideRight, inner.width()
        )
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
        painter.drawText(inner, flags, text)

    def _paint_ground(
        self, painter: QPainter, rect: QRect, is_open: bool, hovered: bool, focused: bool
    ) -> None:
        colors = self._theme.colors
        box = rect.adjusted(1, 1, -1, -1)
        painter.setPen(Qt.PenStyle.NoPen)
        if is_open or hovered:
            painter.setBrush(QColor(colors.selection if is_open else colors.hover))
            painter.drawRoundedRect(box, 8, 8)
        if focused:
            pen = painter.pen()
            pen.setStyle(Qt.PenStyle.SolidLine)
            pen.setColor(QColor(colors.accent))
            pen.setWidth(2)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 8, 8)

    def _mark(self, index: Index, active: bool) -> tuple[str, str] | None:
        """Return what stands at the end of the row: the menu, writing, pinned."""
        if active:
            return "more", "text"
        if index.data(Role.BUSY):
            return "thinking", "accent"
        return ("pin", "faint") if index.data(Role.PINNED) else None

    def mark_rect(self, row: QRect) -> QRect:
        """Return where the mark at the end of a row is."""
        side = self._theme.px(_ICON)
        left = row.right() - self._theme.px(_INSET) - side
        return QRect(left, row.center().y() - side // 2 + 1, side, side)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        field = QLineEdit(parent)
        field.setObjectName("rename_field")
        field.setAccessibleName(self.tr("New title"))
        field.setMaxLength(200)
        return field

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        # Asked again whenever the chat changes, as when its reply ends: what was typed stays.
        if not (isinstance(editor, QLineEdit) and editor.isModified()):
            super().setEditorData(editor, index)

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        editor.setGeometry(option.rect)


class ChatList(QListView):
    """``chosen`` says which chat to open; everything else is done through the model."""

    chosen = Signal(int)

    def __init__(
        self, theme: Theme, model: ConversationModel, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("chat_list")
        self.setAccessibleName(self.tr("Chats"))
        self._theme = theme
        self._chats = model
        self._pressed_mark: int | None = None
        self.delegate = ChatDelegate(theme, self)
        self.setItemDelegate(self.delegate)
        self.setModel(model)
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.DefaultContextMenu)
        self.clicked.connect(self._on_chosen)
        model.modelReset.connect(self._on_reset)
        theme.changed.connect(self.doItemsLayout)

    def current_chat(self) -> int | None:
        """Return the chat under the keyboard."""
        chat = self._chats.conversation_at(self.currentIndex())
        return chat.id if chat is not None else None

    def start_rename(self, conversation: int) -> None:
        """Open the field over a chat's title."""
        at = self._chats.index_of(conversation)
        if at.isValid():
            self.setCurrentIndex(at)
            self.edit(at)

    def chat_menu(self, conversation: int) -> QMenu | None:
        """Return the menu of a chat; None when the chat is not in the list."""
        chat = self._chats.conversation_at(self._chats.index_of(conversation))
        if chat is None:
            return None
        made = menu(self, "chat_menu", self.tr("Chat"))
        made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        icon = self._theme.icon
        rename = made.addAction(icon("edit"), self.tr("Rename"))
        rename.setObjectName("rename_chat")
        rename.triggered.connect(lambda: self.start_rename(conversation))
        pin = made.addAction(
            icon("unpin" if chat.pinned else "pin"),
            self.tr("Unpin") if chat.pinned else self.tr("Pin"),
        )
        pin.setObjectName("pin_chat")
        pin.triggered.connect(lambda: self._chats.set_pinned(conversation, not chat.pinned))
        made.addSeparator()
        delete = made.addAction(icon("trash", "danger"), self.tr("Delete"))
        delete.setObjectName("delete_chat")
        delete.triggered.connect(lambda: self._chats.delete(conversation))
        return made

    def _open_menu(self, conversation: int, where: QPoint) -> None:
        made = self.chat_menu(conversation)
        if made is not None:
            made.popup(self.viewport().mapToGlobal(where))

    def _on_chosen(self, index: QModelIndex) -> None:
        chat = self._chats.conversation_at(index)
        if chat is not None:
            self.chosen.emit(chat.id)

    def _on_reset(self) -> None:
        at = self._chats.index_of(self._chats.open_id)
        if at.isValid():
            self.setCurrentIndex(at)

    def _chat_at_mark(self, event: QMouseEvent) -> int | None:
        """Return the chat on whose three dots the pointer is."""
        where = event.position().toPoint()
        index = self.indexAt(where)
        chat = self._chats.conversation_at(index)
        if chat is None or event.button() != Qt.MouseButton.LeftButton:
            return None
        room = self._theme.px(6)
        mark = self.delegate.mark_rect(self.visualRect(index))
        return chat.id if mark.adjusted(-room, -room, room, room).contains(where) else None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed_mark = self._chat_at_mark(event)
        if self._pressed_mark is None:
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed_mark = self._pressed_mark, None
        if pressed is None:
            super().mouseReleaseEvent(event)
        elif pressed == self._chat_at_mark(event):
            self._open_menu(pressed, event.position().toPoint())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        chat = self.current_chat()
        key = event.key()
        if chat is not None and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(chat)
        elif chat is not None and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._delete_current(chat)
        else:
            super().keyPressEvent(event)

    def _delete_current(self, chat: int) -> None:
        row = self.currentIndex().row()
        self._chats.delete(chat)
        for place in (row, row - 1, row - 2):
            at = self._chats.index(place)
            if self._chats.conversation_at(at) is not None:
                self.setCurrentIndex(at)
                return

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if by_key else self.indexAt(event.pos())
        where = self.visualRect(index).center() if by_key else event.pos()
        chat = self._chats.conversation_at(index)
        if chat is not None:
            self._open_menu(chat.id, where)
