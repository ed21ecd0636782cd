"""Tells whether this process is the only one that uses a store. Knows nothing of chats.

Cleaning up after a crash means undoing half-done work, and only a lone process knows that
nobody is in the middle of it. The lock is SQLite's own (shared while the store is open,
exclusive while cleaning): the same on every system, and gone when the process is killed.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path


class Guard:
    """A shared lock on a small file beside the store."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            path, timeout=1.0, isolation_level=None, check_same_thread=False
        )
        self._take("BEGIN")

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Yield whether no other process has the store open; none can open it meanwhile."""
        with self._lock:
            self._connection.execute("PRAGMA busy_timeout=0")
            self._release()
            try:
                yield self._take("BEGIN EXCLUSIVE")
            finally:
                self._release()
                self._connection.execute("PRAGMA busy_timeout=1000")
                self._take("BEGIN")

    def close(self) -> None:
        """Give the lock back."""
        with self._lock:
            self._connection.close()

    def _take(self, begin: str) -> bool:
        """Start a transaction; false when another process stands in the way."""
        try:
            self._connection.execute(begin)
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            # Unable to lock (a read-only or odd file system): never alone, but usable.
            self._release()
            return False
        return True

    def _release(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
