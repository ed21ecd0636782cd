"""The packs on this disk: which is used, what it weighs, whether it is sound, how it goes away.

Knows folders and the lists of files in them, neither indexes nor cards. In the packs folder lie
``active`` (one line: the folder that is used), a folder for each pack with ``pack.json`` in it,
``NAME.wheels`` and ``NAME.partial`` of an install that is not done, and ``NAME.removed``, which
marks a folder that goes away at the next start.
"""

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DownloadFailed, PackFailed
from engine.files import write_atomically
from engine.gpu_pack.hold import unheld
from engine.gpu_pack.overlay import ACTIVE, FACTS, active_name, obstacle
from engine.gpu_pack.table import PackRow, Wheel
from engine.gpu_pack.wheel import Listed, delete_folder, is_sound, listed_files, long_path
from engine.hub.meter import DownloadProgress, Meter
from engine.hub.partial import PartFile
from engine.hub.pump import Stopped

PARTIAL = ".partial"
WHEELS = ".wheels"
REMOVED = ".removed"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack on the disk. name, torch, python, system: as the row said it."""

    folder: Path
    name: str
    torch: str
    python: str
    system: str
    installed_bytes: int
    wheels: tuple[Wheel, ...] = ()

    def is_of(self, row: PackRow) -> bool:
        """Whether the row would install the same wheels."""
        return self.wheels == row.wheels and (self.name, self.python) == (row.name, row.python)


class Packs:
    """The folder of packs, ``Folders.packs``. No method touches what another process installs.

    path: sys.path, in which a pack that this process uses is found.
    """

    def __init__(self, folder: Path, path: Sequence[str] | None = None) -> None:
        self.folder = folder
        self._path = sys.path if path is None else path

    def active(self) -> Pack | None:
        """Return the pack that the next start uses (the present one may run without it)."""
        name = active_name(self.folder)
        return read_pack(self.folder / name) if name else None

    def all(self) -> list[Pack]:
        """Return every whole pack that is not on its way out, the active one first."""
        name = active_name(self.folder)
        folders = sorted(_folders(self.folder), key=lambda path: (path.name != name, path.name))
        found = [read_pack(folder) for folder in folders if not _mark(folder).exists()]
        return [pack for pack in found if pack]

    def problem(self) -> str:
        """Return why the active pack is not used at a start, as a sentence, or ""."""
        return obstacle(self.folder, self._path) if active_name(self.folder) else ""

    def switch(self, folder: str) -> None:
        """Let the next start use this folder's pack; "" for none.

        Raises PackFailed when it is none, or the disk is full or read-only.
        """
        if folder and read_pack(self.folder / folder) is None:
            raise PackFailed(f"{folder} is no GPU pack.", "Get the pack again.", "missing")
        try:
            if folder:
                _mark(self.folder / folder).unlink(missing_ok=True)
                write_atomically(self.folder / ACTIVE, f"{folder}\n".encode())
            else:
                (self.folder / ACTIVE).unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(error, self.folder) from error

    def remove(self) -> bool:
        """Switch to none and delete every pack and all that was received for one.

        False: files are in use; what is left is marked and goes away by ``clean`` at the next
        start. Raises PackFailed when even that cannot be written, or an install is at work.
        """
        if not self.folder.exists():
            return True
        with locked(self.folder):
            self.switch("")
            try:
                for folder in _folders(self.folder):
                    _mark(folder).touch()
            except OSError as error:
                raise _unwritable(error, self.folder) from error
            for folder in self.folder.glob(f"*{WHEELS}"):
                _forget(folder)
            self._clean()
        return not any(path.is_dir() for path in self.folder.iterdir())

    def clean(self) -> int:
        """Delete marked packs, those that are not used any more and what a kill left of an
        install; what was received stays, and what another process runs with. Return the bytes.
        Not for the GUI thread.
        """
        before = self.usage_bytes()
        if not self.folder.is_dir():
            return 0
        try:
            with locked(self.folder):
                self._clean()
        except PackFailed as error:
            _log.info("gpu packs: nothing was cleaned: %s", error.message)
        return before - self.usage_bytes()

    def _clean(self) -> None:
        """Clean while the packs are held: which is active may not change meanwhile."""
        active = active_name(self.folder)
        for folder in _folders(self.folder):
            if folder.name != active and str(folder) not in self._path:
                _forget(folder)
        for partial in self.folder.glob(f"*{PARTIAL}"):
            _forget(partial)
        for beginning in self.folder.glob(f".{ACTIVE}.*"):  # of a kill while it was written
            beginning.unlink(missing_ok=True)
        for mark in self.folder.glob(f"*{REMOVED}"):
            if not mark.with_name(mark.name.removesuffix(REMOVED)).exists():
                mark.unlink(missing_ok=True)

    def damaged(
        self, progress: Callable[[DownloadProgress], None], stop: threading.Event
    ) -> tuple[str, ...]:
        """Return which files of the active pack are missing or changed, by the wheels' lists.

        Reads gigabytes; phase "verifying". Empty: it is sound. Repair is ``PackInstall.run`` of
        the same row: it fetches the wheels of what is damaged only. Raises PackFailed ("stopped").
        """
        pack = self.active()
        if pack is None:
            return ()
        try:
            found = damaged_files(pack, Meter(progress), stop)
        except Stopped:
            raise PackFailed("The check of the GPU pack was stopped.", kind="stopped") from None
        return tuple(sorted({path for paths in found.values() for path in paths}))

    def usage_bytes(self) -> int:
        """Return what all packs and beginnings of packs take on the disk."""
        total = 0
        for base, _folders, names in os.walk(self.folder):
            for name in names:
                try:
                    total += os.lstat(os.path.join(base, name)).st_size
                except OSError:  # it has just gone
                    continue
        return total


def read_pack(folder: Path) -> Pack | None:
    """Return the pack in a folder, or None when there is none that can be read."""
    try:
        facts = json.loads((folder / FACTS).read_text("utf-8"))
        wheels = tuple(Wheel(**wheel) for wheel in facts["wheels"])
        texts = {name: str(facts[name]) for name in ("name", "torch", "python", "system")}
        return Pack(folder, **texts, installed_bytes=int(facts["installed_bytes"]), wheels=wheels)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_pack(folder: Path, row: PackRow, installed_bytes: int) -> None:
    """Write what the folder holds. Raises OSError."""
    facts = {name: getattr(row, name) for name in ("name", "torch", "python", "system")}
    wheels = [{name: getattr(wheel, name) for name in Wheel.__slots__} for wheel in row.wheels]
    told = facts | {"installed_bytes": installed_bytes, "wheels": wheels}
    write_atomically(folder / FACTS, json.dumps(told, indent=1).encode())


def damaged_files(pack: Pack, meter: Meter, stop: threading.Event) -> dict[str, list[str]]:
    """Return by wheel's file name which of its files are missing or changed; phase "verifying".

    A wheel without its list is damaged as a whole. A file that several wheels brought may be
    that of any of them. Raises Stopped.
    """
    lists = {wheel.file: listed_files(pack.folder, wheel.file) for wheel in pack.wheels}
    allowed: dict[str, set[str]] = {}
    for entry in (entry for entries in lists.values() for entry in entries):
        allowed.setdefault(entry.path, set()).add(entry.sha256)
    reader = _Reader(pack.folder, allowed, meter, stop)
    reader.total = sum(entry.size_bytes for entries in lists.values() for entry in entries)
    found = {file: [e.path for e in entries if reader.is_bad(e)] for file, entries in lists.items()}
    for file, entries in lists.items():
        if not entries:
            found[file] = [f"{file} (its list of files)"]
    return {file: paths for file, paths in found.items() if paths}


class _Reader:
    """Compares files of a pack with what their lists allow, and counts the bytes."""

    def __init__(
        self, folder: Path, allowed: dict[str, set[str]], meter: Meter, stop: threading.Event
    ) -> None:
        self.total = 0
        self._folder = folder
        self._allowed = allowed
        self._meter = meter
        self._stop = stop
        self._done = 0

    def is_bad(self, entry: Listed) -> bool:
        allowed = self._allowed[entry.path]
        path = self._folder / entry.path
        if "" in allowed:  # the list itself carries no hash
            return not long_path(path).is_file()
        return not is_sound(path, allowed, self._count, self._stop)

    def _count(self, size_bytes: int) -> None:
        self._done += size_bytes
        self._meter.show("verifying", self._done, self.total)


def _folders(packs: Path) -> list[Path]:
    """Return the folders of whole packs, or of those that were whole."""
    if not packs.is_dir():
        return []
    return [p for p in packs.iterdir() if p.is_dir() and p.suffix not in (PARTIAL, WHEELS)]


def _mark(folder: Path) -> Path:
    return folder.with_name(folder.name + REMOVED)


@contextmanager
def locked(packs: Path) -> Iterator[None]:
    """Hold all packs against other processes. Raises PackFailed (kind "busy") when one has them."""
    with ExitStack() as stack:
        try:
            stack.enter_context(PartFile(packs / "packs").locked())
        except DownloadFailed as error:
            raise PackFailed(
                "Another Skein is at work on a GPU pack.", error.hint, "busy"
            ) from error
        except OSError as error:
            raise _unwritable(error, packs) from error
        yield


def _forget(folder: Path) -> None:
    """Delete a folder; what is in use, or cannot be deleted, is left for the next time."""
    try:
        with unheld(folder / FACTS) as free:
            if free:
                # The facts first: what is left can never be taken for a whole pack.
                (folder / FACTS).unlink(missing_ok=True)
                delete_folder(folder)
                _mark(folder).unlink(missing_ok=True)
            else:
                _log.info("gpu packs: %s is in use", folder.name)
    except OSError as error:  # on Windows: a file is in use
        _log.info("gpu packs: %s stays until the next start: %s", folder.name, error)


def _unwritable(error: OSError, folder: Path) -> PackFailed:
    return PackFailed(
        f"{folder} cannot be written: {error.strerror or error}.",
        "Free some space, or make that folder writable.",
        "disk",
    )
