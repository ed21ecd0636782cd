"""The tables of the chats, as a list of migrations: number N brings version N to N + 1.

A migration that was released is never changed; a new one is added at the end.
"""

import sqlite3

from engine.store.database import Migration

# Notes on version 1
# - AUTOINCREMENT: an id is never used again, so what still names a purged node finds nothing.
# - node.parent has no ON DELETE CASCADE: cascades count as nested triggers, of which SQLite allows
#   1000, and a chat may be longer. Rows go with their conversation, or by their deletion.
# - deleted: the deletion that hid the node, so that undo shows exactly these again.
# - automerge=0: the index merges its parts (tens of milliseconds) in tidy(), not in the GUI thread.
# - Full text: trigrams serve any language, Chinese and Japanese included. The text of a reply that
#   is still being written is not in the index: it would be indexed anew twice a second.
_VERSION_1 = (
    """
    CREATE TABLE conversation (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        title TEXT NOT NULL DEFAULT '',
        created REAL NOT NULL,
        updated REAL NOT NULL,
        pinned INTEGER NOT NULL DEFAULT 0,
        deleted REAL,
        current_node INTEGER REFERENCES node(id) ON DELETE SET NULL,
        settings TEXT NOT NULL DEFAULT '{}'
    ) STRICT
    """,
    """
    CREATE INDEX conversation_order ON conversation(pinned DESC, updated DESC, id DESC)
    WHERE deleted IS NULL
    """,
    "CREATE INDEX conversation_current ON conversation(current_node)",
    """
    CREATE TABLE deletion (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
        previous_node INTEGER,
        created REAL NOT NULL
    ) STRICT
    """,
    "CREATE INDEX deletion_conversation ON deletion(conversation)",
    """
    CREATE TABLE node (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
        parent INTEGER REFERENCES node(id) DEFERRABLE INITIALLY DEFERRED,
        role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
        text TEXT NOT NULL,
        tokens BLOB NOT NULL DEFAULT x'',
        status TEXT NOT NULL CHECK (status IN ('done', 'writing', 'stopped', 'failed')),
        think TEXT NOT NULL,
        model TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        error TEXT NOT NULL DEFAULT '',
        stats TEXT NOT NULL DEFAULT '{}',
        created REAL NOT NULL,
        deleted INTEGER REFERENCES deletion(id) DEFERRABLE INITIALLY DEFERRED
    ) STRICT
    """,
    "CREATE INDEX node_children ON node(conversation, parent)",
    "CREATE INDEX node_parent ON node(parent)",
    "CREATE INDEX node_deleted ON node(deleted) WHERE deleted IS NOT NULL",
    "CREATE INDEX node_writing ON node(status) WHERE status = 'writing'",
    """
    CREATE TABLE checkpoint (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        node INTEGER NOT NULL REFERENCES node(id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        position INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        file TEXT NOT NULL UNIQUE,
        size_bytes INTEGER NOT NULL,
        last_used REAL NOT NULL,
        pinned INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    "CREATE INDEX checkpoint_node ON checkpoint(node, key, fingerprint)",
    """
    CREATE VIRTUAL TABLE node_words USING fts5(
        text, content='node', content_rowid='id', tokenize='trigram'
    )
    """,
    "INSERT INTO node_words(node_words, rank) VALUES ('automerge', 0)",
    """
    CREATE TRIGGER node_added AFTER INSERT ON node WHEN new.status <> 'writing' BEGIN
        INSERT INTO node_words(rowid, text) VALUES (new.id, new.text);
    END
    """,
    """
    CREATE TRIGGER node_unindexed AFTER UPDATE OF text, status ON node
    WHEN old.status <> 'writing' AND (old.text <> new.text OR new.status = 'writing') BEGIN
        INSERT INTO node_words(node_words, rowid, text) VALUES ('delete', old.id, old.text);
    END
    """,
    """
    CREATE TRIGGER node_indexed AFTER UPDATE OF text, status ON node
    WHEN new.status <> 'writing' AND (old.text <> new.text OR old.status = 'writing') BEGIN
        INSERT INTO node_words(rowid, text) VALUES (new.id, new.text);
    END
    """,
    """
    CREATE TRIGGER node_removed AFTER DELETE ON node WHEN old.status <> 'writing' BEGIN
        INSERT INTO node_words(node_words, rowid, text) VALUES ('delete', old.id, old.text);
    END
    """,
    """
    CREATE VIRTUAL TABLE title_words USING fts5(
        title, content='conversation', content_rowid='id', tokenize='trigram'
    )
    """,
    "INSERT INTO title_words(title_words, rank) VALUES ('automerge', 0)",
    """
    CREATE TRIGGER conversation_added AFTER INSERT ON conversation BEGIN
        INSERT INTO title_words(rowid, title) VALUES (new.id, new.title);
    END
    """,
    """
    CREATE TRIGGER conversation_renamed AFTER UPDATE OF title ON conversation
    WHEN old.title <> new.title BEGIN
        INSERT INTO title_words(title_words, rowid, title) VALUES ('delete', old.id, old.title);
        INSERT INTO title_words(rowid, title) VALUES (new.id, new.title);
    END
    """,
    """
    CREATE TRIGGER conversation_removed AFTER DELETE ON conversation BEGIN
        INSERT INTO title_words(title_words, rowid, title) VALUES ('delete', old.id, old.title);
    END
    """,
)


def _create_tables(connection: sqlite3.Connection) -> None:
    for statement in _VERSION_1:
        connection.execute(statement)


MIGRATIONS: tuple[Migration, ...] = (_create_tables,)
