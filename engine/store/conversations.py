"""Conversations: the rows of the sidebar. Knows nothing of what is said in them."""

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import StoreError
from engine.store.database import Database
from engine.store.text import from_json, storable, to_json


@dataclass(frozen=True, slots=True)
class Conversation:
    """One chat.

    created, updated, deleted: seconds since 1970 (deleted: None while it is there).
    current_node: the node at the end of the path that is shown, None for an empty chat.
    settings: whatever the app keeps per chat, as JSON values.
    """

    id: int
    title: str
    created: float
    updated: float
    pinned: bool
    deleted: float | None
    current_node: int | None
    settings: dict[str, Any]


_COLUMNS = "id, title, created, updated, pinned, deleted, current_node, settings"
_ORDER = "ORDER BY pinned DESC, updated DESC, id DESC"


class Conversations:
    """Reads and writes the table ``conversation``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Conversation]:
        """Return what is not deleted: pinned ones first, then the newest first."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM conversation WHERE deleted IS NULL {_ORDER}"
        )
        return [_conversation(row) for row in rows]

    def among(self, ids: set[int]) -> list[Conversation]:
        """Return those of ``ids`` that are not deleted, in the order of ``all``."""
        listed = ",".join(map(str, ids))
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM conversation WHERE id IN ({listed}) AND deleted IS NULL"
            f" {_ORDER}"
        )
        return [_conversation(row) for row in rows]

    def get(self, conversation: int) -> Conversation:
        """Return one, deleted or not. Raises StoreError when there is none."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM conversation WHERE id=?", (conversation,)
        )
        if not rows:
            raise StoreError("This chat is not there any more.", "Choose another chat.")
        return _conversation(rows[0])

    def create(self, title: str, settings: Mapping[str, Any] | None) -> Conversation:
        """Add an empty chat."""
        now = time.time()
        with self._database.write() as connection:
            new = connection.execute(
                "INSERT INTO conversation(title, created, updated, settings) VALUES (?, ?, ?, ?)",
                (storable(title), now, now, to_json(dict(settings or {}))),
            ).lastrowid
        assert new is not None
        return self.get(new)

    def change(self, conversation: int, **values: object) -> None:
        """Set columns of one row."""
        columns = ", ".join(f"{name}=?" for name in values)
        with self._database.write() as connection:
            connection.execute(
                f"UPDATE conversation SET {columns} WHERE id=?", (*values.values(), conversation)
            )

    def purge_deleted(self, before: float) -> None:
        """Remove for good what was deleted before that time, with all that belongs to it."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM conversation WHERE deleted < ?", (before,))


def _conversation(row: sqlite3.Row) -> Conversation:
    number, title, created, updated, pinned, deleted, current, settings = row
    return Conversation(
        number, title, created, updated, bool(pinned), deleted, current, from_json(settings)
    )
