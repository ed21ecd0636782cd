"""One window per data folder: a second start raises the first one and ends.

A lock file decides who is first (it names a process, so a killed one holds nothing up); a local
socket carries the wish to be raised and the files to open, and the answer that it was heard. Knows
no window.
"""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, QSysInfo, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from engine.errors import EngineError

PAUSE_S = 0.05
WAIT_MS = 1000
READ_MS = 1000
START_S = 3.0
"""How long the first process may take from its lock to its socket."""
ANSWER_S = 10.0
"""How long its window may be busy."""
_HEARD = b"heard\n"
_MOST_PATH_BYTES = 90
"""The path of a socket has some 100 bytes at most, and Qt makes it in a folder beside."""


class SingleInstance(QObject):
    """``acquire`` first; then ``listen`` (the first) or ``ask_to_raise`` (a later one)."""

    raise_requested = Signal()
    files_requested = Signal(list)
    """Paths of the model files that a later start was given."""

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.addresses = _addresses(folder.resolve())
        self._file = folder / "skein.lock"
        self._lock = QLockFile(str(self._file))
        self._lock.setStaleLockTime(0)  # it is stale when its process is gone, however old
        self._server: QLocalServer | None = None

    def acquire(self) -> bool:
        """Return whether this process is the first one on this folder.

        A folder that cannot be written counts as free: the store will say what is wrong.
        """
        if self._lock.isLocked() or self._lock.tryLock(0):
            return True
        return self._lock.error() != QLockFile.LockError.LockFailedError

    def listen(self) -> bool:
        """Take wishes from later starts; return whether that works."""
        server = QLocalServer(self)
        server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        if not any(_listens(server, address) for address in self.addresses):
            return False
        server.newConnection.connect(self._on_connection)
        self._server = server
        return True

    def ask_to_raise(self, files: Sequence[Path] = ()) -> bool:
        """Ask the first process to show its window and open files; return whether it did.

        It did not when it is ending: then ``acquire`` may succeed now.
        """
        wish = json.dumps([str(path.absolute()) for path in files]).encode() + b"\n"
        give_up = time.monotonic() + ANSWER_S
        while time.monotonic() < give_up and (socket := self._connected()) is not None:
            if _is_heard(socket, wish, give_up):
                return True
            time.sleep(PAUSE_S)
        return False

    def silence(self) -> EngineError:
        """Return what to say about a first process that does not answer."""
        process, host, _ = self._lock.getLockInfo()
        if host and host != QSysInfo.machineHostName():
            return EngineError(
                f"Skein runs on {host} with the same data folder.",
                f"Close it there first. If it does not run there, delete {self._file}.",
            )
        return EngineError(
            f"Skein runs already (process {process}) and does not answer.",
            "Look for its window, which may ask something. If there is none, end that process and"
            " start Skein again.",
        )

    def close(self) -> None:
        """Let the next start be the first."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._lock.unlock()

    def _connected(self) -> QLocalSocket | None:
        """Return a socket to the first process; None when it has none in time, or has ended."""
        socket = QLocalSocket()
        give_up = time.monotonic() + START_S
        while True:
            for address in self.addresses:
                socket.connectToServer(address)
                if socket.waitForConnected(WAIT_MS):
                    return socket
            if time.monotonic() > give_up or self.acquire():
                return None
            time.sleep(PAUSE_S)  # it has its lock, but does not listen yet

    def _on_connection(self) -> None:
        server = self._server
        while server is not None and (socket := server.nextPendingConnection()) is not None:
            files = _files_in(_wish_of(socket))
            socket.write(_HEARD)
            socket.flush()
            socket.disconnected.connect(socket.deleteLater)
            socket.disconnectFromServer()
            self.raise_requested.emit()
            if files:
                self.files_requested.emit(files)


def _addresses(folder: Path) -> tuple[str, ...]:
    """Return where the socket may be, the better place first.

    Beside the lock both processes find it; the folder for temporary files may be another one for
    each. A disk may know no sockets, though, and a path be too long for one: hence a hash.
    """
    short = f"skein-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    beside = str(folder / "skein.socket")
    fits = os.name != "nt" and len(os.fsencode(beside)) <= _MOST_PATH_BYTES
    return (beside, short) if fits else (short,)


def _listens(server: QLocalServer, address: str) -> bool:
    if server.listen(address):
        return True
    # The lock is ours, so this socket was left behind by a process that was killed.
    QLocalServer.removeServer(address)
    return server.listen(address)


def _is_heard(socket: QLocalSocket, wish: bytes, give_up: float) -> bool:
    """Send a wish and wait for the answer, till then; say whether it came."""
    socket.write(wish)
    while not socket.canReadLine() and (left_s := give_up - time.monotonic()) > 0:
        if not socket.waitForReadyRead(int(left_s * 1000) + 1):
            break
    return bytes(socket.readLine().data()) == _HEARD


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
