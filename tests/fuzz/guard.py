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
_OWNERS_PATHS = {"os.mkdir": 1, "os.rename": 2}
"""What an owner may do in its folder, and how many of the arguments are paths."""
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
        self._owned = False

    def install(self) -> None:
        """Add the hook to this process."""
        sys.addaudithook(self._hook)

    @contextmanager
    def armed(self, folder: Path, *, owned: bool = False) -> Iterator[None]:
        """Refuse everything but reading; in ``folder`` a reader may delete what it owns.

        owned: the folder is the reader's own; in it, it may write and rename, too.
        """
        self.found, self._folder, self._armed = [], os.path.realpath(folder), True
        self._owned = owned
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
            return _is_write(arguments) and not (self._owned and self._is_inside(arguments[0]))
        if event in ("os.remove", "os.rmdir"):
            return not self._is_inside(arguments[0])
        if self._owned and event in _OWNERS_PATHS:
            return not all(map(self._is_inside, arguments[: _OWNERS_PATHS[event]]))
        return event.startswith(_REFUSED)

    def _is_inside(self, path: object) -> bool:
        """Whether a path lies in the folder, wherever its links and ``..`` lead."""
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        where = os.path.realpath(os.path.dirname(os.fsdecode(path)))
        return (where + os.sep).startswith(self._folder + os.sep)


def _is_write(arguments: tuple[object, ...]) -> bool:
    _, mode, flags = arguments
    letters = mode if isinstance(mode, str) else ""
    return any(c in letters for c in "wax+") or bool(isinstance(flags, int) and flags & _WRITES)
