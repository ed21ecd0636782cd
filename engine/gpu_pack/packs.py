"""The packs on this disk: which is used, what it weighs, whether it is sound, how it goes away.

Knows folders and the lists of files in them, neither indexes nor cards. In the packs folder lie
``active`` (one line: the folder that is used), a folder for each pack with ``pack.json`` in it,
``NAME.wheels`` and ``NAME.partial`` of an install that is not done, and ``NAME.removed``, which
marks a folder that goes away at the next start.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.hub.meter import DownloadProgress


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack on the disk. name, torch, python, system: as the row said it."""

    folder: Path
    name: str
    torch: str
    python: str
    system: str
    installed_bytes: int


class Packs:
    """The folder of packs, ``Folders.packs``. No method touches what another process installs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def active(self) -> Pack | None:
        """Return the pack that the next start uses (the present one may run without it)."""
        raise NotImplementedError

    def problem(self) -> str:
        """Return why the active pack is not used, as a sentence, or ""."""
        raise NotImplementedError

    def switch(self, folder: str) -> None:
        """Let the next start use this folder's pack; "" for none.

        Raises PackFailed when it is none, or the disk is full or read-only.
        """
        raise NotImplementedError

    def remove(self) -> bool:
        """Switch to none and delete every pack and all that was received for one.

        False: files are in use; what is left is marked and goes away by ``clean`` at the next
        start. Raises PackFailed when even that cannot be written.
        """
        raise NotImplementedError

    def clean(self) -> int:
        """Delete what is marked and what a kill left; return the bytes. Not for the GUI thread."""
        raise NotImplementedError

    def damaged(
        self, progress: Callable[[DownloadProgress], None], stop: threading.Event
    ) -> tuple[str, ...]:
        """Return which files of the active pack are missing or changed, by the wheels' lists.

        Reads gigabytes; phase "verifying". Empty: it is sound. Repair is ``PackInstall.run`` of
        the same row: it fetches the wheels of what is damaged only. Raises PackFailed ("stopped").
        """
        raise NotImplementedError

    def usage_bytes(self) -> int:
        """Return what all packs and beginnings of packs take on the disk."""
        raise NotImplementedError
