"""The installed copy of Skein that this process runs from: where it lies, whose it is.

Layout: ``ROOT/current`` names a folder in ``ROOT/versions``; that folder holds ``manifest.json``
and ``python``. Beside ``current``, each one line: ``channel`` (who installed it), ``next`` (what
the launcher switches to), ``previous``, ``trying`` (started, not yet seen to stand), ``failed``
(rolled back, not yet told). The launcher, no Python, switches; see installers/linux/skein.

Standard library only: it is asked before the window stands.
"""

import contextlib
import logging
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.files import write_atomically
from engine.manifest import NAME, Manifest, safe_version

log = logging.getLogger(__name__)

UPDATABLE_CHANNELS = ("run", "nsis")
"""Copies that belong to the user and that no other program looks after."""

_OTHERS = {
    "deb": "This copy was installed as a package: the system's package manager updates it.",
    "dmg": "On a Mac a new version is installed by dragging it into Applications.",
    "appimage": "This copy is a single AppImage file: a new version is a new file.",
    "tree": "This copy was built on this machine, so nothing updates it.",
}


@dataclass(frozen=True, slots=True)
class Installation:
    """``root``: the folder with ``current``. ``version``: the one that runs. ``channel``: deb, run,
    nsis, dmg, appimage, tree, or "" when nobody wrote it.
    """

    root: Path
    version: str
    channel: str

    @classmethod
    def find(cls, prefix: Path | None = None) -> "Installation | None":
        """Return the installation whose Python lies in ``prefix`` (this process's, if None).

        None for a copy that was not installed: a clone of the repository, an environment of pip.
        """
        python = Path(sys.prefix) if prefix is None else prefix
        tree = python.parent
        root = tree.parent.parent
        try:
            version = safe_version(tree.name)
        except ValueError:
            return None
        if tree.parent.name != "versions" or not (tree / NAME).is_file():
            return None
        if not (root / "current").is_file():
            return None
        return cls(root, version, read_line(root / "channel"))

    @property
    def versions(self) -> Path:
        """The folder of all versions that are here."""
        return self.root / "versions"

    @property
    def tree(self) -> Path:
        """The folder of the version that runs."""
        return self.versions / self.version

    @property
    def previous(self) -> str:
        """The version that is kept for a return to it, or ""."""
        return self._complete(read_line(self.root / "previous"))

    @property
    def next(self) -> str:
        """The version that the next start switches to, or ""."""
        return self._complete(read_line(self.root / "next"))

    def manifest(self) -> Manifest:
        """Return the list of files of the version that runs. Raises DamagedFile, OSError."""
        return Manifest.parse((self.tree / NAME).read_bytes())

    @property
    def updatable(self) -> bool:
        """Whether Skein may bring this copy up to date by itself. Writes an empty file to know."""
        return not self.why_not

    @property
    def why_not(self) -> str:
        """One sentence: why this copy is not updated by Skein itself; "" when it is."""
        if self.channel not in UPDATABLE_CHANNELS:
            return _OTHERS.get(self.channel, "It is not known how this copy was installed.")
        if not all(_is_writable(folder) for folder in (self.root, self.versions)):
            return f"{self.root} may not be written to by this user: who installed it updates it."
        return ""

    @property
    def went_back(self) -> bool:
        """Whether the launcher went back to this version, and ``take_failed`` was not asked yet."""
        return bool(read_line(self.root / "failed"))

    def started_well(self) -> None:
        """Note that this version starts (its window was drawn), so that it is not rolled back."""
        trying = self.root / "trying"
        if read_line(trying).split(" ")[0] == self.version:
            _remove(trying)

    def uncount_start(self) -> None:
        """Take back what the launcher counted: this start says nothing about the version.

        For commands, which show no window.
        """
        trying = self.root / "trying"
        version, _, count = read_line(trying).partition(" ")
        if version == self.version and count.isdecimal():
            with contextlib.suppress(OSError):
                write_atomically(trying, f"{version} {max(0, int(count) - 1)}\n".encode())

    def take_failed(self) -> str:
        """Return the version that was rolled back since the last call, or "": it is told once.

        It is remembered in ``rolled_back``, so that nobody is offered it a second time unasked.
        """
        failed = read_line(self.root / "failed")
        if not failed:
            return ""
        known = [*self._rolled_back(), failed]
        text = "".join(f"{name}\n" for name in dict.fromkeys(known))
        with contextlib.suppress(OSError):
            write_atomically(self.root / "rolled_back", text.encode("utf-8"))
        _remove(self.root / "failed")
        return failed

    def was_rolled_back(self, version: str) -> bool:
        """Say whether that version was tried here and did not start."""
        return version in (*self._rolled_back(), read_line(self.root / "failed"))

    def _rolled_back(self) -> list[str]:
        try:
            return (self.root / "rolled_back").read_text("utf-8").split()
        except (OSError, ValueError):
            return []

    def _complete(self, version: str) -> str:
        """Return the version if it can be started, else ""."""
        try:
            found = (self.versions / safe_version(version) / NAME).is_file()
        except ValueError:
            return ""
        return version if found else ""


def read_line(path: Path) -> str:
    """Return the first line of a file, without blanks around it; "" when it cannot be read."""
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline(1000).strip()
    except (OSError, ValueError):
        return ""


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s stays: %s", path, error)


def _is_writable(folder: Path) -> bool:
    """Say whether files can be made there: only trying tells, on every system."""
    try:
        handle, name = tempfile.mkstemp(prefix=".skein-", dir=folder)
    except OSError:
        return False
    os.close(handle)
    _remove(Path(name))
    return True
