"""One SQLite file for many threads. Knows connections, transactions and failures, no chats.

Durability: write-ahead log with ``synchronous=NORMAL``. A killed process loses nothing that was
committed; a power cut can lose the last commits, but never leaves a half one. So a commit needs
no fsync and takes well below a millisecond; the fsync comes with ``tidy()``, off the GUI thread.
"""

import contextlib
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine.errors import StoreError

Migration = Callable[[sqlite3.Connection], None]
"""Brings a database from one version to the next, inside one transaction."""

_BUSY_TIMEOUT_MS = 5000
_CHECKPOINT_PAGES = 16_000  # a safety net only: tidy() keeps the log far shorter
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


class DamagedStore(StoreError):
    """The file is there, but it is not a sound database."""


class _Handle:
    """A connection that closes when its thread is gone."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def close(self) -> None:
        self.connection.close()

    def __del__(self) -> None:
        self.connection.close()


class Database:
    """The connections to one file: each thread gets its own, ``close()`` ends them all."""

    def __init__(self, path: Path, migrations: tuple[Migration, ...]) -> None:
        """Open or create the file and bring it to the version ``len(migrations)``.

        Raises StoreError when it cannot be opened or was written by a newer version (it is
        left untouched then), DamagedStore when it is not a sound database.
        """
        self.path = path
        self._migrations = migrations
        self._local = threading.local()
        self._handles: weakref.WeakSet[_Handle] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._closed = False
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def read(self, sql: str, values: Any = ()) -> list[sqlite3.Row]:  # noqa: ANN401
        """Return all rows of one query."""
        with self._explained():
            return self._connection().execute(sql, values).fetchall()

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside one transaction: all of it happens, or nothing.

        Nested use joins the outer transaction.
        """
        with self._explained():
            connection = self._connection()
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has rolled back already
                    connection.execute("ROLLBACK")
                raise

    def tidy(self) -> None:
        """Move the write-ahead log into the file (with fsync): for a background thread."""
        self.read("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the connections of all threads; further use raises StoreError."""
        with self._lock:
            self._closed = True
            for handle in list(self._handles):
                handle.close()
            self._handles.clear()
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        handle = getattr(self._local, "handle", None)
        return handle.connection if handle else self._connect()

    def _connect(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreError("The chats are closed already.", "Start Skein again.")
            # check_same_thread: close() ends the connections of other threads
            connection = sqlite3.connect(
                self.path,
                timeout=_BUSY_TIMEOUT_MS / 1000,
                isolation_level=None,
                check_same_thread=False,
            )
            handle = _Handle(connection)
            self._handles.add(handle)
        self._local.handle = handle
        connection.row_factory = sqlite3.Row
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        return connection

    def _open(self) -> None:
        with self._explained():
            self._check_if_suspect()
            self._refuse_newer()
            self._connection().execute("PRAGMA journal_mode=WAL")
            self._migrate()

    def _refuse_newer(self) -> None:
        version = self._version()
        if version < 0:
            raise sqlite3.DatabaseError(f"format {version}")
        if version > len(self._migrations):
            raise StoreError(
                f"The chats in {self.path.name} were written by a newer Skein "
                f"(format {version}, this one knows {len(self._migrations)}).",
                "Install the newest Skein over this one. The chats were left as they are.",
            )

    def _migrate(self) -> None:
        if self._version() == len(self._migrations):
            return
        with self.write() as connection:
            # read again: another process may have migrated while this one waited
            for number in range(self._version(), len(self._migrations)):
                self._migrations[number](connection)
                connection.execute(f"PRAGMA user_version={number + 1}")

    def _version(self) -> int:
        return self._connection().execute("PRAGMA user_version").fetchone()[0]

    @property
    def _suspect_mark(self) -> Path:
        return self.path.with_name(self.path.name + ".suspect")

    def _check_if_suspect(self) -> None:
        """Read the whole file, but only after damage was met: it takes seconds for a big one."""
        if not self._suspect_mark.exists():
            return
        answer = self._connection().execute("PRAGMA quick_check(1)").fetchone()[0]
        if answer != "ok":
            raise sqlite3.DatabaseError(answer)
        self._suspect_mark.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite raises into a sentence for the user."""
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self._explain(error) from error

    def _explain(self, error: sqlite3.Error | UnicodeDecodeError) -> StoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the family
        # A UnicodeDecodeError: SQLite's own message quotes a schema that is no text any more.
        found_by_check = type(error) in (sqlite3.DatabaseError, UnicodeDecodeError) and not code
        if code in _BROKEN or found_by_check:
            with contextlib.suppress(OSError):
                self._suspect_mark.touch()
            return DamagedStore(
                f"The chats in {self.path.name} are damaged.",
                "Start Skein again: it moves the damaged file aside and keeps it.",
            )
        if code == sqlite3.SQLITE_FULL:
            return StoreError("The disk is full, so the chat could not be saved.", "Free space.")
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreError(
                "Another program is using the chats.", "Close other copies of Skein and retry."
            )
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
            return StoreError(
                f"The chats in {self.path.parent} cannot be read or written.",
                "Check that the folder exists and may be written.",
            )
        return StoreError(f"The chats could not be saved or read: {error}.", "Start Skein again.")


def move_aside(path: Path) -> Path:
    """Rename a damaged database (with its log) to NAME.damaged-DATE; return the new path.

    Nothing is deleted. Raises OSError when the folder is read-only.
    """
    date = time.strftime("%Y%m%d-%H%M%S")
    target = path.with_name(f"{path.stem}.damaged-{date}{path.suffix}")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.stem}.damaged-{date}-{number}{path.suffix}")
    path.rename(target)
    for tail in ("-wal", "-shm", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + tail).rename(target.with_name(target.name + tail))
    path.with_name(path.name + ".suspect").unlink(missing_ok=True)
    return target
