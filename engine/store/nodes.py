"""Nodes: the messages of a chat as a tree. Knows nothing of models or windows.

A node is never changed into another message: editing and regenerating add siblings. Deleting
hides a subtree until it is purged, so that it can be undone.
"""

import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import StoreError
from engine.store.database import Database
from engine.store.text import from_json, pack_tokens, storable, to_json, unpack_tokens

Role = Literal["user", "assistant"]
Status = Literal["done", "writing", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class Node:
    """One message.

    tokens: the ids of a reply, as the model wrote them (they can differ from its text encoded).
    fingerprint: of the weights that wrote it. created: seconds since 1970.
    """

    id: int
    conversation: int
    parent: int | None
    role: Role
    text: str
    tokens: tuple[int, ...]
    status: Status
    think: str
    model: str
    fingerprint: str
    error: str
    stats: dict[str, Any]
    created: float


_COLUMN_NAMES = (
    "id", "conversation", "parent", "role", "text", "tokens", "status", "think", "model",
    "fingerprint", "error", "stats", "created",
)  # fmt: skip
_COLUMNS = ", ".join(_COLUMN_NAMES)
_NODE_COLUMNS = ", ".join(f"node.{name}" for name in _COLUMN_NAMES)

# A parent is older than what follows it, so its id is smaller: said in each of these, since a
# damaged file in which two messages follow each other would be gone round for ever.
# The last child of the last child ... below each of some nodes; depth is the length of the way.
_LEAF = """
    WITH RECURSIVE way(id, depth) AS (
        SELECT ?, 0
        UNION ALL
        SELECT (SELECT max(child.id) FROM node AS child
                WHERE child.parent = way.id AND child.id > way.id AND child.deleted IS NULL),
            depth + 1
        FROM way WHERE way.id IS NOT NULL
    )
    SELECT id FROM way WHERE id IS NOT NULL ORDER BY depth DESC LIMIT 1
"""
_SUBTREE = """
    WITH RECURSIVE subtree(id) AS (
        SELECT ?
        UNION ALL
        SELECT node.id FROM node JOIN subtree ON node.parent = subtree.id
        WHERE node.id > subtree.id
    )
"""


class Nodes:
    """Reads and writes the tables ``node`` and ``deletion``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        conversation: int,
        parent: int | None,
        role: Role,
        text: str,
        *,
        status: Status,
        think: str,
        model: str,
        fingerprint: str,
    ) -> Node:
        """Add a node, which becomes the current one of its chat."""
        now, text, model = time.time(), storable(text), storable(model)
        with self._database.write() as connection:
            self._require_parent(connection, conversation, parent)
            new = connection.execute(
                "INSERT INTO node(conversation, parent, role, text, status, think, model,"
                " fingerprint, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (conversation, parent, role, text, status, think, model, fingerprint, now),
            ).lastrowid
            connection.execute(
                "UPDATE conversation SET current_node=?, updated=? WHERE id=?",
                (new, now, conversation),
            )
        assert new is not None
        return Node(
            new,
            conversation,
            parent,
            role,
            text,
            (),
            status,
            think,
            model,
            fingerprint,
            "",
            {},
            now,
        )

    def get(self, node: int) -> Node:
        """Return one node, hidden or not. Raises StoreError when there is none."""
        rows = self._database.read(f"SELECT {_COLUMNS} FROM node WHERE id=?", (node,))
        if not rows:
            raise _missing()
        return _node(rows[0])

    def update(
        self,
        node: int,
        *,
        text: str | None,
        tokens: Iterable[int] | None,
        status: Status | None,
        stats: Mapping[str, Any] | None,
        error: str | None,
        model: str | None,
        fingerprint: str | None,
    ) -> None:
        """Change what is not None. A node that is gone is no error: its chat was purged."""
        values = {
            "text": None if text is None else storable(text),
            "tokens": None if tokens is None else pack_tokens(tokens),
            "status": status,
            "stats": None if stats is None else to_json(dict(stats)),
            "error": None if error is None else storable(error),
            "model": None if model is None else storable(model),
            "fingerprint": fingerprint,
        }
        given = {name: value for name, value in values.items() if value is not None}
        if not given:
            return
        columns = ", ".join(f"{name}=?" for name in given)
        with self._database.write() as connection:
            connection.execute(f"UPDATE node SET {columns} WHERE id=?", (*given.values(), node))
            if status is not None:
                connection.execute(
                    "UPDATE conversation SET updated=?"
                    " WHERE id=(SELECT conversation FROM node WHERE id=?)",
                    (time.time(), node),
                )

    def path_to(self, node: int) -> list[Node]:
        """Return the nodes from the root to ``node``, which is the last."""
        rows = self._database.read(
            "WITH RECURSIVE way(id, depth) AS ("
            " SELECT ?, 0 UNION ALL"
            " SELECT node.parent, depth + 1 FROM node JOIN way ON node.id = way.id"
            " WHERE node.parent < node.id)"
            f" SELECT {_NODE_COLUMNS} FROM way JOIN node ON node.id = way.id ORDER BY depth DESC",
            (node,),
        )
        if not rows:
            raise _missing()
        return [_node(row) for row in rows]

    def children(self, conversation: int, parent: int | None) -> list[Node]:
        """Return what follows ``parent`` (None: what opens the chat), oldest first."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM node WHERE conversation=? AND parent IS ?"
            " AND deleted IS NULL ORDER BY id",
            (conversation, parent),
        )
        return [_node(row) for row in rows]

    def sibling_ids(self, path: Iterable[Node]) -> dict[int, tuple[int, ...]]:
        """Return, for each node, the ids of all versions at its place, oldest first: one query."""
        parents = {(node.conversation, node.parent): node for node in path}
        if not parents:
            return {}
        conversation = next(iter(parents))[0]
        listed = ",".join(str(parent) for _, parent in parents if parent is not None)
        rows = self._database.read(
            "SELECT id, parent FROM node WHERE conversation=? AND deleted IS NULL"
            f" AND (parent IS NULL OR parent IN ({listed})) ORDER BY id",
            (conversation,),
        )
        versions: dict[int | None, list[int]] = {}
        for number, parent in rows:
            versions.setdefault(parent, []).append(number)
        return {node.id: tuple(versions.get(node.parent, (node.id,))) for node in parents.values()}

    def leaf_below(self, node: int) -> int:
        """Return the end of the newest path through ``node``."""
        return self._database.read(_LEAF, (node,))[0][0]

    def delete(self, node: int) -> int:
        """Hide a node and all below it; return the token for ``restore``."""
        target = self.get(node)
        with self._database.write() as connection:
            current = connection.execute(
                "SELECT current_node FROM conversation WHERE id=?", (target.conversation,)
            ).fetchone()[0]
            token = connection.execute(
                "INSERT INTO deletion(conversation, previous_node, created) VALUES (?, ?, ?)",
                (target.conversation, current, time.time()),
            ).lastrowid
            assert token is not None
            # What an earlier deletion hid stays with that one.
            connection.execute(
                f"{_SUBTREE} UPDATE node SET deleted=?"
                " WHERE id IN (SELECT id FROM subtree) AND deleted IS NULL",
                (node, token),
            )
            if current is not None and self._is_hidden(current):
                self._set_current(connection, target.conversation, self._place_after(target))
        return token

    def restore(self, token: int) -> None:
        """Show again what that deletion hid, and the path that was shown then."""
        with self._database.write() as connection:
            found = connection.execute(
                "SELECT conversation, previous_node FROM deletion WHERE id=?", (token,)
            ).fetchone()
            if found is None:
                raise StoreError("The deleted messages are gone for good.")
            connection.execute("UPDATE node SET deleted=NULL WHERE deleted=?", (token,))
            connection.execute("DELETE FROM deletion WHERE id=?", (token,))
            if found["previous_node"] is not None and not self._is_hidden(found["previous_node"]):
                self._set_current(connection, found["conversation"], found["previous_node"])

    def purge_deleted(self, before: float) -> None:
        """Remove for good what was hidden before that time, and what hangs below it."""
        with self._database.write() as connection:
            roots = connection.execute(
                "SELECT node.id FROM node JOIN deletion ON deletion.id = node.deleted"
                " WHERE deletion.created < ?",
                (before,),
            ).fetchall()
            for (root,) in roots:
                connection.execute(
                    f"{_SUBTREE} DELETE FROM node WHERE id IN (SELECT id FROM subtree)", (root,)
                )
            connection.execute(
                "DELETE FROM deletion WHERE id NOT IN"
                " (SELECT deleted FROM node WHERE deleted IS NOT NULL)"
            )

    def stop_writing(self) -> int:
        """Mark replies that were never finished as stopped; return how many there were."""
        with self._database.write() as connection:
            return connection.execute(
                "UPDATE node SET status='stopped' WHERE status='writing'"
            ).rowcount

    def _place_after(self, deleted: Node) -> int | None:
        """Return what to show once that node is hidden: another version of it, or its parent."""
        versions = [node.id for node in self.children(deleted.conversation, deleted.parent)]
        if not versions:
            return deleted.parent
        older = [number for number in versions if number < deleted.id]
        return self.leaf_below(older[-1] if older else versions[0])

    def _is_hidden(self, node: int) -> bool:
        rows = self._database.read("SELECT deleted IS NULL FROM node WHERE id=?", (node,))
        return not rows or not rows[0][0]

    def _set_current(
        self, connection: sqlite3.Connection, conversation: int, node: int | None
    ) -> None:
        connection.execute(
            "UPDATE conversation SET current_node=? WHERE id=?", (node, conversation)
        )

    def _require_parent(
        self, connection: sqlite3.Connection, conversation: int, parent: int | None
    ) -> None:
        """Raise StoreError unless the chat is there and the parent is one of its nodes."""
        if parent is None:
            sql, values = "SELECT 1 FROM conversation WHERE id=?", (conversation,)
        else:
            sql = "SELECT 1 FROM node WHERE id=? AND conversation=?"
            values = (parent, conversation)
        if connection.execute(sql, values).fetchone() is None:
            raise _missing()


def _missing() -> StoreError:
    return StoreError("This message is not there any more.", "Open the chat again.")


def _node(row: sqlite3.Row) -> Node:
    values = list(row)
    values[5] = unpack_tokens(values[5])
    values[11] = from_json(values[11])
    return Node(*values)
