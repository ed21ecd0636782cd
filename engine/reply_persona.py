"""A persona from a chat: the state that was kept after one of its replies, under a name.

Knows the store and the archive; knows no model, so that none need be loaded for it.
"""

import logging
from typing import TYPE_CHECKING

from engine.errors import DamagedFile, EngineError
from engine.personas import Persona
from engine.snapshot import Snapshot, load_snapshot

if TYPE_CHECKING:
    from engine.archive import StateArchive
    from engine.store import CheckpointRow, Node, Store

_log = logging.getLogger(__name__)


def save_reply_as_persona(
    store: "Store", archive: "StateArchive", reply: int, name: str
) -> Persona:
    """Save the state after a whole reply as a persona; an older one of that name is replaced.

    reply: id of an assistant node. Raises EngineError when no state is kept for it, when the name
    is empty or the disk is full; StoreError when the chats cannot be read.
    """
    snapshot, fingerprint = reply_state(store, archive, reply)
    # What comes next and what was drawn belong to the reply, not to a beginning.
    words = {"model": store.node(reply).model}
    return archive.save_persona(name, Snapshot(snapshot.state), fingerprint, words)


def reply_state(store: "Store", archive: "StateArchive", reply: int) -> tuple[Snapshot, str]:
    """Return the snapshot after a whole reply, and the fingerprint of the weights.

    Raises EngineError when none is kept; StoreError when the chats cannot be read.
    """
    archive.flush()  # a reply that has just ended may wait to be written
    for row in _rows_after(store, store.node(reply)):
        if (snapshot := _load(archive, row)) is not None:
            return snapshot, row.fingerprint
    raise EngineError(
        "The state after this reply is no longer kept.",
        "Have it written again (Regenerate) or take a later reply, then save that.",
    )


def _rows_after(store: "Store", node: "Node") -> "list[CheckpointRow]":
    """Return the rows of states that have read the reply to its end, the last used first."""
    whole = [
        row
        for row in store.checkpoints.of_node(node.id)
        if row.position == len(node.tokens) and row.fingerprint == node.fingerprint
    ]
    return sorted(whole, key=lambda row: (row.last_used, row.id), reverse=True)


def _load(archive: "StateArchive", row: "CheckpointRow") -> Snapshot | None:
    try:
        return load_snapshot(archive.path_of(row))[0]
    except (OSError, DamagedFile) as error:
        _log.warning("The saved state %s could not be read: %s", row.file, error)
        return None
