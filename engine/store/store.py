"""The store: all chats on this computer behind one object. Knows no model and no window.

Any thread may call any method. Single calls take well below a millisecond, so the GUI thread may
make them; search below three characters reads every message, so it may take longer.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.errors import StoreError
from engine.store.checkpoints import Checkpoints
from engine.store.conversations import Conversation, Conversations
from engine.store.database import DamagedStore, Database, move_aside
from engine.store.guard import Guard
from engine.store.nodes import Node, Nodes, Role, Status
from engine.store.schema import MIGRATIONS
from engine.store.search import Search, SearchHit
from engine.store.text import storable, to_json


class Store:
    """Conversations, their nodes, and the rows of their checkpoints, in one SQLite file.

    notice: a sentence for the user about what happened at opening, or empty.
    Every method raises StoreError when the disk is full, busy, unreadable or damaged.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file; migrate it.

        Raises StoreError (unreadable, or written by a newer version: untouched then) and its
        child DamagedStore (not a sound database: use ``Store.open`` to move it aside).
        """
        with _readable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.notice = ""
        database = Database(path, MIGRATIONS)
        self._database = database
        self._guard = Guard(path.with_name(path.name + ".guard"))
        self._conversations = Conversations(database)
        self._nodes = Nodes(database)
        self._search = Search(database)
        self.checkpoints = Checkpoints(database)

    @classmethod
    def open(cls, path: Path) -> "Store":
        """Open; a damaged file is renamed, kept, and a new one begun (see ``notice``).

        Raises StoreError when it cannot be opened for another reason.
        """
        try:
            return cls(path)
        except DamagedStore:
            with _readable(path):
                kept = move_aside(path)
        store = cls(path)
        store.notice = f"The saved chats were damaged. They are kept as {kept.name}."
        return store

    def close(self) -> None:
        """Close the connections of all threads; further use raises StoreError."""
        with contextlib.suppress(StoreError):
            self._database.tidy()
        self._guard.close()
        self._database.close()

    def tidy(self) -> None:
        """Merge the search index and fold the log into the file; for a background thread."""
        self._search.merge()
        self._database.tidy()

    def alone(self) -> contextlib.AbstractContextManager[bool]:
        """Give whether no other process uses this store; none can open it inside the block."""
        return self._guard.alone()

    def recover(self) -> int:
        """At start: mark replies that a crash cut off as stopped; return how many.

        Does nothing while another process has the store open: it may be writing them.
        """
        with self.alone() as alone:
            return self._nodes.stop_writing() if alone else 0

    # Conversations

    def conversations(self, search: str = "") -> list[Conversation]:
        """Return the chats that hold all words of ``search``: pinned first, newest first."""
        if not search.strip():
            return self._conversations.all()
        return self._conversations.among(set(self._search.find(search)))

    def search(self, text: str, limit: int = 200) -> list[SearchHit]:
        """Return the same chats, each with a message that matches and a line of it."""
        found = self._search.find(text)
        chats = self._conversations.among(set(found))[:limit]
        return [
            SearchHit(chat, found[chat.id], self._search.snippet(found[chat.id], text))
            for chat in chats
        ]

    def create_conversation(
        self, title: str = "", settings: Mapping[str, Any] | None = None
    ) -> Conversation:
        """Add an empty chat; settings are JSON values."""
        return self._conversations.create(title, settings)

    def conversation(self, conversation: int) -> Conversation:
        """Return one chat, deleted or not. Raises StoreError when there is none."""
        return self._conversations.get(conversation)

    def rename(self, conversation: int, title: str) -> None:
        """Set the title."""
        self._conversations.change(conversation, title=storable(title))

    def pin(self, conversation: int, pinned: bool) -> None:
        """Keep a chat at the top, or no longer."""
        self._conversations.change(conversation, pinned=int(pinned))

    def delete(self, conversation: int) -> None:
        """Hide a chat; ``restore`` undoes it until it is purged."""
        self._conversations.change(conversation, deleted=time.time())

    def restore(self, conversation: int) -> None:
        """Show a deleted chat again."""
        self._conversations.change(conversation, deleted=None)

    def purge_deleted(self, before: float) -> None:
        """Remove for good the chats and messages that were deleted before that time (seconds).

        Their state files go with the archive's next ``prune``.
        """
        self._conversations.purge_deleted(before)
        self._nodes.purge_deleted(before)

    def set_settings(self, conversation: int, settings: Mapping[str, Any]) -> None:
        """Replace the settings of a chat; JSON values."""
        self._conversations.change(conversation, settings=to_json(dict(settings)))

    def set_current(self, conversation: int, node: int | None) -> None:
        """Remember which path is shown, by its last node."""
        self._conversations.change(conversation, current_node=node)

    # Nodes

    def add_node(
        self,
        conversation: int,
        parent: int | None,
        role: Role,
        text: str,
        *,
        status: Status = "done",
        think: str = "off",
        model: str = "",
        fingerprint: str = "",
    ) -> Node:
        """Add a message below ``parent``; it becomes the current node of its chat.

        Raises StoreError when the parent is not a node of that chat.
        """
        return self._nodes.add(
            conversation,
            parent,
            role,
            text,
            status=status,
            think=think,
            model=model,
            fingerprint=fingerprint,
        )

    def node(self, node: int) -> Node:
        """Return one node, deleted or not. Raises StoreError when there is none."""
        return self._nodes.get(node)

    def update_node(
        self,
        node: int,
        *,
        text: str | None = None,
        tokens: Iterable[int] | None = None,
        status: Status | None = None,
        stats: Mapping[str, Any] | None = None,
        error: str | None = None,
        model: str | None = None,
        fingerprint: str | None = None,
    ) -> None:
        """Change what is given; a node that was purged meanwhile is no error."""
        self._nodes.update(
            node,
            text=text,
            tokens=tokens,
            status=status,
            stats=stats,
            error=error,
            model=model,
            fingerprint=fingerprint,
        )

    def path_to(self, node: int) -> list[Node]:
        """Return the nodes from the root to ``node``. Raises StoreError when there is none."""
        return self._nodes.path_to(node)

    def children(self, conversation: int, parent: int | None) -> list[Node]:
        """Return what follows ``parent`` (None: what opens the chat), oldest first."""
        return self._nodes.children(conversation, parent)

    def sibling_ids(self, path: Iterable[Node]) -> dict[int, tuple[int, ...]]:
        """Return, by node id, the ids of all versions at its place, oldest first: one query."""
        return self._nodes.sibling_ids(path)

    def leaf_below(self, node: int) -> int:
        """Return the end of the newest path through ``node`` (itself when nothing follows)."""
        return self._nodes.leaf_below(node)

    def delete_node(self, node: int) -> int:
        """Hide a message and all below it; return the token for ``restore_node``.

        When the shown path ended there, the chat falls back to another version or the parent.
        """
        return self._nodes.delete(node)

    def restore_node(self, token: int) -> None:
        """Undo ``delete_node``. Raises StoreError when it was purged."""
        self._nodes.restore(token)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn OSError into a sentence."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The chats in {path.parent} cannot be read or written.",
            "Check that the folder exists and may be written.",
        ) from error
