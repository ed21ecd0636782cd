"""Finding chats by words in their messages and titles, in any language.

Words are parts between blanks; a chat is found when each of them occurs somewhere in it. From
three characters on the trigram index answers; below (common in Chinese and Japanese) LIKE does.
"""

from dataclasses import dataclass

from engine.store.conversations import Conversation
from engine.store.database import Database
from engine.store.text import like_pattern, phrase, storable

_INDEXED = """
    SELECT node.conversation, max(node.id)
    FROM node_words JOIN node ON node.id = node_words.rowid
    WHERE node_words MATCH ? AND node.deleted IS NULL GROUP BY node.conversation
"""
_INDEXED_TITLES = "SELECT rowid FROM title_words WHERE title_words MATCH ?"
_SCANNED = r"""
    SELECT conversation, max(id) FROM node
    WHERE text LIKE ? ESCAPE '\' AND deleted IS NULL GROUP BY conversation
"""
_SCANNED_TITLES = r"SELECT id FROM conversation WHERE title LIKE ? ESCAPE '\'"
_TRIGRAM = 3
_MERGED_PAGES = 200
_BEFORE, _AFTER = 30, 90


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A chat that was found; node is the newest message with the first word, if any."""

    conversation: Conversation
    node: int | None
    snippet: str


class Search:
    """Reads the full-text tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, text: str) -> dict[int, int | None]:
        """Return the ids of chats with all words of ``text``, each with a matching node."""
        found: dict[int, int | None] | None = None
        for word in storable(text).split():
            holds = self._find_word(word)
            if found is None:
                found = holds
            else:  # the node of the first word that is in a message, not only in the title
                found = {
                    chat: holds[chat] if node is None else node
                    for chat, node in found.items()
                    if chat in holds
                }
        return found or {}

    def snippet(self, node: int | None, text: str) -> str:
        """Return one line of that message around the first word that is in it."""
        if node is None:
            return ""
        rows = self._database.read("SELECT text FROM node WHERE id=?", (node,))
        message = " ".join(rows[0][0].split()) if rows else ""
        places = [message.lower().find(word.lower()) for word in text.split()]
        start = max(0, min((place for place in places if place >= 0), default=0) - _BEFORE)
        end = start + _BEFORE + _AFTER
        cut = message[start:end].strip()
        return f"{'…' if start else ''}{cut}{'…' if end < len(message) else ''}"

    def merge(self) -> None:
        """Merge parts of the index, a bounded amount of work: for a background thread."""
        with self._database.write() as connection:
            for table in ("node_words", "title_words"):
                connection.execute(
                    f"INSERT INTO {table}({table}, rank) VALUES ('merge', ?)", (_MERGED_PAGES,)
                )

    def _find_word(self, word: str) -> dict[int, int | None]:
        if len(word) >= _TRIGRAM:
            nodes, titles, value = _INDEXED, _INDEXED_TITLES, phrase(word)
        else:
            nodes, titles, value = _SCANNED, _SCANNED_TITLES, like_pattern(word)
        found: dict[int, int | None] = {
            row[0]: None for row in self._database.read(titles, (value,))
        }
        found.update((row[0], row[1]) for row in self._database.read(nodes, (value,)))
        return found
