"""Rows that say which state file belongs to which node. Knows file names, never opens a file."""

import sqlite3
import time
from dataclasses import dataclass

from engine.store.database import Database


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """One saved state.

    key: names everything read up to it. position: how many of the node's own tokens are in it.
    file: name inside the folder of the archive. last_used: seconds since 1970.
    """

    id: int
    node: int
    key: str
    position: int
    fingerprint: str
    file: str
    size_bytes: int
    last_used: float
    pinned: bool


_COLUMNS = "id, node, key, position, fingerprint, file, size_bytes, last_used, pinned"

# Everything but the pinned ones and the newest of each chat that is not deleted.
_EVICTABLE = f"""
    SELECT {_COLUMNS} FROM checkpoint
    WHERE pinned = 0 AND id NOT IN (
        SELECT max(checkpoint.id) FROM checkpoint
        JOIN node ON node.id = checkpoint.node
        JOIN conversation ON conversation.id = node.conversation
        WHERE conversation.deleted IS NULL AND node.deleted IS NULL
        GROUP BY conversation.id
    )
    ORDER BY last_used, id
"""


class Checkpoints:
    """Reads and writes the table ``checkpoint``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, node: int, key: str, position: int, fingerprint: str, file: str, size_bytes: int
    ) -> list[CheckpointRow]:
        """Add a row; remove and return those of the same place that know no more than it does."""
        place = (node, key, fingerprint, position)
        with self._database.write() as connection:
            replaced = connection.execute(
                f"DELETE FROM checkpoint WHERE node=? AND key=? AND fingerprint=? AND position<=?"
                f" RETURNING {_COLUMNS}",
                place,
            ).fetchall()
            pinned = any(row["pinned"] for row in replaced)
            connection.execute(
                "INSERT INTO checkpoint(node, key, position, fingerprint, file, size_bytes,"
                " last_used, pinned) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (node, key, position, fingerprint, file, size_bytes, time.time(), pinned),
            )
        return [_checkpoint(row) for row in replaced]

    def find(self, node: int, key: str, fingerprint: str) -> list[CheckpointRow]:
        """Return the rows of one place, the one that has read most first."""
        return self._rows(
            "WHERE node=? AND key=? AND fingerprint=? ORDER BY position DESC",
            node,
            key,
            fingerprint,
        )

    def of_node(self, node: int) -> list[CheckpointRow]:
        """Return the rows of one node, whatever their keys and weights."""
        return self._rows("WHERE node=?", node)

    def all(self) -> list[CheckpointRow]:
        """Return all rows, the last used first."""
        return self._rows("ORDER BY last_used DESC, id DESC")

    def evictable(self) -> list[CheckpointRow]:
        """Return the rows that may go for space, the least recently used first."""
        return [_checkpoint(row) for row in self._database.read(_EVICTABLE)]

    def total_bytes(self) -> int:
        """Return the bytes of all files together."""
        return self._database.read("SELECT coalesce(sum(size_bytes), 0) FROM checkpoint")[0][0]

    def touch(self, checkpoint: int) -> None:
        """Note that it was used now."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE checkpoint SET last_used=? WHERE id=?", (time.time(), checkpoint)
            )

    def pin(self, checkpoint: int, pinned: bool) -> None:
        """Keep it whatever the budget says, or no longer."""
        with self._database.write() as connection:
            connection.execute("UPDATE checkpoint SET pinned=? WHERE id=?", (pinned, checkpoint))

    def remove(self, checkpoint: int) -> None:
        """Forget a row; its file is the archive's to delete."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM checkpoint WHERE id=?", (checkpoint,))

    def _rows(self, rest: str, *values: object) -> list[CheckpointRow]:
        rows = self._database.read(f"SELECT {_COLUMNS} FROM checkpoint {rest}", values)
        return [_checkpoint(row) for row in rows]


def _checkpoint(row: sqlite3.Row) -> CheckpointRow:
    *values, pinned = row
    return CheckpointRow(*values, pinned=bool(pinned))
