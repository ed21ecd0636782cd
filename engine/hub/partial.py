"""A file that is not whole yet: its bytes, what it will be, and who may write it.

Beside ``NAME`` lie ``NAME.part`` (bytes from the start) and ``NAME.part.json`` (repository, file,
commit, size, SHA-256), so that any later process can go on or throw both away. Knows disks, not
hubs.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.errors import DownloadFailed
from engine.files import rename, write_atomically

PART = ".part"
NOTE = ".part.json"
_LOCK = ".part.lock"
_LOCK_WAIT_S = 0.3
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a partial file will be once it is whole; ``sha256`` is "" when nobody promised one."""

    repo: str
    file: str
    revision: str
    size_bytes: int
    sha256: str

    def same_content(self, other: "Wanted") -> bool:
        """Say whether bytes received for ``other`` are a beginning of this."""
        if self.sha256 and other.sha256:
            return (self.sha256, self.size_bytes) == (other.sha256, other.size_bytes)
        return self == other


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A download that some process began: what it is, and how much of it is here."""

    wanted: Wanted
    target: Path
    received: int


class PartFile:
    """The partial file that becomes ``target``."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + PART)
        self._note = target.with_name(target.name + NOTE)

    @property
    def received(self) -> int:
        """Bytes that are here."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def wanted(self) -> Wanted | None:
        """Return what the file will be, or None when there is no (readable) note."""
        try:
            return Wanted(**json.loads(self._note.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, wanted: Wanted) -> None:
        """Make ready to receive ``wanted``: keep a beginning of it, remove anything else."""
        before = self.wanted()
        if before is None or not wanted.same_content(before) or self.received > wanted.size_bytes:
            self.discard()
        if before != wanted or not self._note.exists():
            write_atomically(self._note, json.dumps(asdict(wanted)).encode())

    def finish(self) -> Path:
        """Give the whole file its own name, safely on disk first."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        rename(self.path, self.target)
        self._note.unlink(missing_ok=True)
        return self.target

    def discard(self) -> None:
        """Remove bytes and note."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file against other processes. Raises DownloadFailed when one has it."""
        from huggingface_hub.utils import WeakFileLock

        lock = self.target.with_name(self.target.name + _LOCK)
        held = WeakFileLock(lock, timeout=_LOCK_WAIT_S)
        try:
            held.__enter__()
        except TimeoutError as error:
            raise DownloadFailed(
                f"{self.target.name} is being downloaded by another program.",
                f"Wait for it. If there is none, remove {lock}.",
                kind="busy",
            ) from error
        try:
            yield
        finally:
            # Before it is let go: whoever waits for this very file sees then that it has no name
            # any more. Afterwards it might be another's already, and a third would make a new one.
            _remove(lock)
            held.__exit__(None, None, None)
            if os.name == "nt":  # there an open file keeps its name
                _remove(lock)


def unfinished(folder: Path) -> list[Unfinished]:
    """Return the downloads in ``folder`` that can go on, by name."""
    found: list[Unfinished] = []
    for note in sorted(folder.glob(f"*{NOTE}")):
        part = PartFile(note.with_name(note.name.removesuffix(NOTE)))
        wanted = part.wanted()
        if wanted is not None:
            found.append(Unfinished(wanted, part.target, part.received))
    return found


def _remove(lock: Path) -> None:
    """Remove a lock file; one that another process has just taken may stay."""
    try:
        lock.unlink(missing_ok=True)
    except OSError as error:
        log.debug("%s stays: %s", lock, error)
