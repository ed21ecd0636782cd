"""Starting Skein again: which command that is, and becoming it. Knows no window.

Whoever wants a new start asks ``Restart``; it closes the window, which saves all, and ``main``
calls ``run_again`` when nothing of the old run is open any more.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.installation import Installation

SAFE = "--safe"
"""The option of a safe start: see app.safe_start."""
_DETACHED = 0x00000008 | 0x00000200
"""DETACHED_PROCESS and CREATE_NEW_PROCESS_GROUP, which only Windows' Python names."""


class Restart:
    """``command`` is what shall run when this run has ended; None for an ordinary end."""

    def __init__(
        self, close: Callable[[], object], installation: Installation | None = None
    ) -> None:
        """close: ends this run in good order, as closing the window does. installation: this one's.

        How to start is found out now: a package manager may exchange the files in between.
        """
        self._close = close
        self._skein = skein_command(installation)
        self.command: list[str] | None = None

    def ask(self, *arguments: str) -> None:
        """End this run and begin the next one with these arguments."""
        self.command = [*self._skein, *arguments]
        self._close()


def skein_command(installation: Installation | None = None) -> list[str]:
    """Return how Skein is started here, without arguments.

    Of an installed one (this one, where none is given) that is its launcher, which also switches
    versions; from the sources it is what this process was started with.
    """
    found = installation if installation is not None else Installation.find()
    launcher = _launcher(found.root) if found is not None else None
    if launcher is not None:
        return [str(launcher)]
    ours = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    return [sys.executable, *ours[1:]]


def _launcher(root: Path) -> Path | None:
    """Return the launcher of an installation: in its folder, or in the bundle around it."""
    places = (root / "Skein.exe", root / "skein", root.parent.parent / "MacOS" / "Skein")
    return next((place for place in places if place.is_file()), None)


def run_again(command: Sequence[str]) -> int:
    """Begin ``command``: in this process's place, or beside it on Windows; return the exit code.

    Raises OSError when it cannot be started.
    """
    if os.name == "nt":
        subprocess.Popen(command, creationflags=_DETACHED, close_fds=True)
        return 0
    return os.execv(command[0], list(command))
