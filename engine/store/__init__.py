"""The chats on disk: one SQLite file, a tree of messages per chat. Import names from here."""

from engine.store.checkpoints import CheckpointRow, Checkpoints
from engine.store.conversations import Conversation
from engine.store.database import DamagedStore
from engine.store.nodes import Node
from engine.store.search import SearchHit
from engine.store.store import Store

__all__ = [
    "CheckpointRow",
    "Checkpoints",
    "Conversation",
    "DamagedStore",
    "Node",
    "SearchHit",
    "Store",
]
