"""Proof that a reader only reads: an audit hook that stops whatever would run what was read.

Python reports to it every exec, compile, import, process, library and opened file, whoever asks
(https://docs.python.org/3/library/audit_events.html). It cannot be taken off again, so it belongs
into processes of its own.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REFUSED = (
    "exec", "compile", "import", "marshal.", "code.__new__", "pickle.find_class", "subprocess.",
    "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "os.startfile", "pty.",
    "ctypes.", "socket.", "urllib.", "os.truncate", "os.rename", "os.link", "os.symlink",
    "os.mkdir", "os.chmod", "os.chown", "shutil.",
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Refused(BaseException):
    """A reader did what no reader may do; no ``except Exception`` of it hides this."""


class Guard:
    """Watches one process from ``install`` on, while ``armed``."""

    def __init__(self) -> None:
        self.found: list[str] = []
        """What was refused while armed."""
        self._folder = ""
        self._armed = False

    def install(self) -> None:
        """Add the hook to this process."""
        sys.addaudithook(self._hook)

    @contextmanager
    def armed(self, folder: Path) -> Iterator[None]:
        """Refuse everything but reading; in ``folder`` a reader may delete what it owns."""
        self.found, self._folder, self._armed = [], str(folder), True
        try:
            yield
        finally:
            self._armed = False

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._armed and self._is_refused(event, arguments):
            self.found.append(f"{event} {str(arguments)[:200]}")
            raise Refused(event)

    def _is_refused(self, event: str, arguments: tuple[object, ...]) -> bool:
        if event == "open":
            return _is_write(arguments)
        if event in ("os.remove", "os.rmdir"):
            return not os.fsdecode(str(arguments[0])).startswith(self._folder)
        return event.startswith(_REFUSED)


def _is_write(arguments: tuple[object, ...]) -> bool:
    _, mode, flags = arguments
    letters = mode if isinstance(mode, str) else ""
    return any(c in letters for c in "wax+") or bool(isinstance(flags, int) and flags & _WRITES)
