"""SIGTERM and SIGINT as an ordinary close: the reply's state is kept, as when the window closes.

Python runs its signal handlers between bytecodes, which Qt's loop rarely reaches: a socket that
the signal writes to wakes it.
"""

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator

from PySide6.QtCore import QObject, QSocketNotifier

_NUMBERS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def ended_early(work: Callable[[], object]) -> Iterator[None]:
    """Do ``work`` and end at once when the system asks for it before there is a window to close."""

    def end(number: int, _frame: object) -> None:
        work()
        os._exit(128 + number)

    former = {number: signal.signal(number, end) for number in _NUMBERS}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class Termination(QObject):
    """Calls ``close`` on the GUI thread when the system asks the process to end."""

    def __init__(self, close: Callable[[], object], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._close = close
        self._read, self._write = socket.socketpair()
        for end in (self._read, self._write):
            end.setblocking(False)
        self._notifier = QSocketNotifier(self._read.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_signal)
        self._former = {number: signal.signal(number, lambda *_: None) for number in _NUMBERS}
        self._former_fd = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)

    def end(self) -> None:
        """Give the signals back to whoever had them."""
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(self._former_fd)
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._read.close()
        self._write.close()

    def _on_signal(self, *_: object) -> None:
        self._read.recv(64)
        self._close()
