"""One window per data folder: a second start raises the first one and ends.

A lock file decides who is first (it names a process, so a killed one holds nothing up); a local
socket carries the wish to be raised and the files to open. Knows no window.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

WAIT_MS = 1000
READ_MS = 100
START_S = 3.0
"""How long the first process may take from its lock to its socket."""


class SingleInstance(QObject):
    """``acquire`` first; then ``listen`` (the first) or ``ask_to_raise`` (a later one)."""

    raise_requested = Signal()
    files_requested = Signal(list)
    """Paths of the model files that a later start was given."""

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

    def ask_to_raise(self, files: Sequence[Path] = ()) -> bool:
        """Ask the first process to show its window and open files; return whether it heard."""
        socket = QLocalSocket()
        give_up = time.monotonic() + START_S
        socket.connectToServer(self.name)
        while not socket.waitForConnected(WAIT_MS):
            if time.monotonic() > give_up:
                return False
            time.sleep(0.05)  # it has its lock, but does not listen yet
            socket.connectToServer(self.name)
        socket.write(json.dumps([str(path.absolute()) for path in files]).encode() + b"\n")
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
            files = _files_in(_wish_of(socket))
            socket.deleteLater()
            self.raise_requested.emit()
            if files:
                self.files_requested.emit(files)


def _wish_of(socket: QLocalSocket) -> bytes:
    """Return the line that a later start wrote, which it does at once: there is no real wait."""
    while not socket.canReadLine() and socket.waitForReadyRead(READ_MS):
        pass
    return bytes(socket.readLine().data())


def _files_in(wish: bytes) -> list[Path]:
    try:
        return [Path(name) for name in json.loads(wish)]
    except (ValueError, TypeError):
        return []
