"""One window per data folder: a second start raises the first one and ends.

A lock file decides who is first (it names a process, so a killed one holds nothing up); a local
socket carries the wish to be raised. Knows no window.
"""

import hashlib
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

WAIT_MS = 1000
_MESSAGE = b"raise"


class SingleInstance(QObject):
    """``acquire`` first; then ``listen`` (the first) or ``ask_to_raise`` (a later one)."""

    raise_requested = Signal()

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # The path of a socket may be no longer than some 100 bytes: hence a hash.
        place = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self.name = f"skein-{place}"
        self._lock = QLockFile(str(folder / "skein.lock"))
        self._lock.setStaleLockTime(0)  # it is stale when its process is gone, however old
        self._server: QLocalServer | None = None

    def acquire(self) -> bool:
        """Return whether this process is the first one on this folder.

        A folder that cannot be written counts as free: the store will say what is wrong.
        """
        if self._lock.tryLock(0):
            return True
        return self._lock.error() != QLockFile.LockError.LockFailedError

    def listen(self) -> bool:
        """Take wishes from later starts; return whether that works."""
        server = QLocalServer(self)
        server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        if not server.listen(self.name):
            # We hold the lock, so this socket was left behind by a process that was killed.
            QLocalServer.removeServer(self.name)
            if not server.listen(self.name):
                return False
        server.newConnection.connect(self._on_connection)
        self._server = server
        return True

    def ask_to_raise(self) -> bool:
        """Ask the first process to show its window; return whether it heard."""
        socket = QLocalSocket()
        socket.connectToServer(self.name)
        if not socket.waitForConnected(WAIT_MS):
            return False
        socket.write(_MESSAGE)
        heard = socket.waitForBytesWritten(WAIT_MS)
        socket.disconnectFromServer()
        return heard

    def close(self) -> None:
        """Let the next start be the first."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._lock.unlock()

    def _on_connection(self) -> None:
        server = self._server
        while server is not None and (socket := server.nextPendingConnection()) is not None:
            socket.disconnected.connect(socket.deleteLater)
            self.raise_requested.emit()
