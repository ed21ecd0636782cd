"""The chats as a list with headings: Pinned, Today, Yesterday, Previous 7 days, Older.

Over engine.store.Store. Knows no widget and no message; a failing store is told by ``failed``,
never raised into the view.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import Any, TypeVar

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)

from engine.errors import StoreError
from engine.store import Conversation, Store

T = TypeVar("T")
Index = QModelIndex | QPersistentModelIndex
NO_PARENT = QModelIndex()


class Role(IntEnum):
    """What a row answers beyond its text."""

    ID = Qt.ItemDataRole.UserRole + 1
    HEADING = ID + 1
    PINNED = ID + 2
    OPEN = ID + 3
    BUSY = ID + 4


@dataclass(frozen=True, slots=True)
class Row:
    """A heading (no conversation) or a chat."""

    heading: str
    conversation: Conversation | None = None


class ConversationModel(QAbstractListModel):
    """Rows of headings and chats; ``search`` narrows, ``open_id`` is the chat in the pane."""

    deleted = Signal(int, str)
    """A chat went (its id and title); ``restore`` brings it back."""
    restored = Signal(int)
    failed = Signal(str, str)

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._rows: list[Row] = []
        self.search = ""
        self.open_id: int | None = None
        self.busy_ids: frozenset[int] = frozenset()
        self._midnight = QTimer(self, singleShot=True)
        self._midnight.timeout.connect(self.refresh)
        self.refresh()

    # ---- what is shown --------------------------------------------------------------------

    def refresh(self) -> None:
        """Read the chats again; rows that only changed keep their place and focus."""
        found = self._try(lambda: self._store.conversations(self.search))
        if found is None:
            return
        rows = group(found, date.today(), self.heading_texts())
        if [_key(row) for row in rows] == [_key(row) for row in self._rows]:
            self._rows = rows
            if rows:
                self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
        else:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
        self._midnight.start(_milliseconds_to_midnight(datetime.now()))

    def set_search(self, text: str) -> None:
        """Show only chats that hold ``text`` in their title or messages; "" shows all."""
        if text.strip() != self.search:
            self.search = text.strip()
            self.refresh()

    def set_open(self, conversation: int | None) -> None:
        """Mark the chat that the pane shows."""
        old, self.open_id = self.open_id, conversation
        self._touch(old, conversation)

    def set_busy(self, conversations: frozenset[int]) -> None:
        """Mark the chats in which a reply is being written, or waits to be."""
        old, self.busy_ids = self.busy_ids, conversations
        self._touch(*(old ^ conversations))

    def heading_texts(self) -> tuple[str, str, str, str, str]:
        """Return the headings in their order."""
        return (
            self.tr("Pinned"),
            self.tr("Today"),
            self.tr("Yesterday"),
            self.tr("Previous 7 days"),
            self.tr("Older"),
        )

    def conversation_at(self, index: Index) -> Conversation | None:
        """Return the chat of a row; None for headings."""
        return self._rows[index.row()].conversation if index.isValid() else None

    def index_of(self, conversation: int | None) -> QModelIndex:
        """Return where a chat is; an invalid index when it is not shown."""
        for place, row in enumerate(self._rows):
            if row.conversation is not None and row.conversation.id == conversation:
                return self.index(place)
        return QModelIndex()

    def chats(self) -> list[Conversation]:
        """Return the chats that are shown, without the headings."""
        return [row.conversation for row in self._rows if row.conversation is not None]

    # ---- what can be done -----------------------------------------------------------------

    def rename(self, conversation: int, title: str) -> bool:
        """Give a chat another title; an empty one is not taken."""
        title = " ".join(title.split())
        return bool(title) and self._do(lambda: self._store.rename(conversation, title))

    def set_pinned(self, conversation: int, pinned: bool) -> None:
        """Keep a chat on top, or no longer."""
        self._do(lambda: self._store.pin(conversation, pinned))

    def delete(self, conversation: int) -> None:
        """Take a chat away; it can be brought back."""
        at = self.index_of(conversation)
        title = self.data(at) if at.isValid() else ""
        if self._do(lambda: self._store.delete(conversation)):
            self.deleted.emit(conversation, title)

    def restore(self, conversation: int) -> None:
        """Bring a deleted chat back."""
        if self._do(lambda: self._store.restore(conversation)):
            self.restored.emit(conversation)

    def _do(self, change: Callable[[], object]) -> bool:
        done = self._try(lambda: (change(), True)[1])
        if done:
            self.refresh()
        return bool(done)

    def _try(self, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except StoreError as error:
            self.failed.emit(error.message, error.hint)
            return None

    def _touch(self, *conversations: int | None) -> None:
        for conversation in conversations:
            at = self.index_of(conversation)
            if at.isValid():
                self.dataChanged.emit(at, at)

    # ---- QAbstractListModel ---------------------------------------------------------------

    def rowCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if self.conversation_at(index) is None:
            return Qt.ItemFlag.NoItemFlags
        flag = Qt.ItemFlag
        return flag.ItemIsEnabled | flag.ItemIsSelectable | flag.ItemIsEditable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if row.conversation is None:
            return self._heading_data(row, role)
        return self._chat_data(row.conversation, role)

    def setData(
        self,
        index: Index,
        value: Any,  # noqa: ANN401
        role: int = Qt.ItemDataRole.EditRole,
    ) -> bool:
        conversation = self.conversation_at(index)
        if role != Qt.ItemDataRole.EditRole or conversation is None:
            return False
        return self.rename(conversation.id, str(value))

    def _heading_data(self, row: Row, role: int) -> Any:  # noqa: ANN401
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return row.heading
        return True if role == Role.HEADING else None

    def _chat_data(self, conversation: Conversation, role: int) -> Any:  # noqa: ANN401
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return conversation.title or self.tr("New chat")
            case Qt.ItemDataRole.AccessibleTextRole:
                return self._spoken(conversation)
            case Role.ID:
                return conversation.id
            case Role.HEADING:
                return False
            case Role.PINNED:
                return conversation.pinned
            case Role.OPEN:
                return conversation.id == self.open_id
            case Role.BUSY:
                return conversation.id in self.busy_ids
        return None

    def _spoken(self, conversation: Conversation) -> str:
        parts = [conversation.title or self.tr("New chat")]
        if conversation.pinned:
            parts.append(self.tr("pinned"))
        if conversation.id == self.open_id:
            parts.append(self.tr("open"))
        if conversation.id in self.busy_ids:
            parts.append(self.tr("writing"))
        return ", ".join(parts)


def group(chats: Sequence[Conversation], today: date, headings: Sequence[str]) -> list[Row]:
    """Return the chats under ``headings`` (pinned, today, yesterday, week, older), in order."""
    groups: list[list[Row]] = [[] for _ in headings]
    for chat in chats:
        groups[0 if chat.pinned else _age_group(chat.updated, today)].append(Row("", chat))
    rows: list[Row] = []
    for heading, held in zip(headings, groups, strict=True):
        if held:
            rows += [Row(heading), *held]
    return rows


def _age_group(updated: float, today: date) -> int:
    day = datetime.fromtimestamp(updated).date()
    if day >= today:  # a clock that was set back makes no chat unfindable
        return 1
    if day == today - timedelta(days=1):
        return 2
    return 3 if day > today - timedelta(days=8) else 4


def _key(row: Row) -> tuple[str, int]:
    return row.heading, row.conversation.id if row.conversation is not None else 0


def _milliseconds_to_midnight(now: datetime) -> int:
    tomorrow = datetime.combine(now.date() + timedelta(days=1), datetime.min.time())
    return int((tomorrow - now).total_seconds() * 1000) + 1000
