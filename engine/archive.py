"""The archive: which states are kept, in memory and on disk, and which go when space is short.

Knows snapshots, files and the store's checkpoint rows; knows nothing of models. Losing a state
only costs reading a text again, so no failure in here ever reaches a chat: it is logged.
"""

import logging
import queue
import re
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

from engine.errors import DamagedFile, EngineError
from engine.personas import Persona, Personas
from engine.snapshot import Snapshot, load_snapshot, save_snapshot
from engine.store import CheckpointRow, Store

_log = logging.getLogger(__name__)

BUDGET_BYTES = 4_000_000_000
MEMORY_BYTES = 256_000_000

# Only names that this module makes: the folder may be one that the user shares with other files.
_OWN_FILE = re.compile(r"(checkpoint-[0-9a-f]{32}\.safetensors|\.checkpoint-.*\.part)")


class Place(NamedTuple):
    """Where a state belongs: the node, what was read before it, and the weights."""

    node: int
    key: str
    fingerprint: str


class Found(NamedTuple):
    """A state that was found; position: how many of the node's own tokens are in it."""

    position: int
    snapshot: Snapshot
    from_disk: bool


class StateArchive:
    """States by place: a memory that forgets the least recently used, and files behind it.

    Files are written by one background thread, in order. ``last_problem`` is a sentence about
    the last failure to write, empty while all goes well.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        budget_bytes: int = BUDGET_BYTES,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        """Start the thread; what a crash left behind is cleaned up there."""
        self.last_problem = ""
        self.budget_bytes = budget_bytes
        self._folder = folder
        self._store = store
        self._memory = _Memory(memory_bytes)
        self._waiting: dict[Place, Found] = {}
        self._lock = threading.Lock()
        self._personas = Personas(folder / "personas")
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="state-archive", daemon=True)
        self._closed = False
        self._thread.start()
        self._jobs.put(self._sweep)

    def put(
        self,
        node: int,
        key: str,
        position: int,
        fingerprint: str,
        snapshot: Snapshot,
        *,
        disk: bool,
    ) -> None:
        """Keep a snapshot, which nobody may change from now on; returns at once.

        disk: also write it to a file, in the background. A newer one of the same place that
        comes before it was written takes its turn.
        """
        place, entry = Place(node, key, fingerprint), Found(position, snapshot, from_disk=False)
        with self._lock:
            self._memory.put(place, entry)
            if not disk or self._closed:
                return
            is_waiting = place in self._waiting
            self._waiting[place] = entry
            if not is_waiting:
                self._jobs.put(lambda: self._write(place))

    def find(
        self, node: int, key: str, fingerprint: str, *, at_most: int | None = None
    ) -> Found | None:
        """Return the state of that place which has read most, or None.

        at_most: pass over states that hold more of the node's tokens than this.
        The snapshot is shared: copy it before advancing it.
        """
        place = Place(node, key, fingerprint)
        with self._lock:
            known = [self._memory.get(place), self._waiting.get(place)]
        usable = [entry for entry in known if entry and _allowed(entry.position, at_most)]
        best = max(usable, key=lambda entry: entry.position, default=None)
        on_disk = self._read_beyond(place, -1 if best is None else best.position, at_most)
        if on_disk is None:
            return best
        with self._lock:
            self._memory.put(place, on_disk._replace(from_disk=False))
        return on_disk

    def forget(self, node: int) -> None:
        """Drop all states of a node, whose tokens are about to be others. Raises StoreError."""

        def drop() -> int:
            with self._lock:
                self._memory.forget(node)
            rows = self._store.checkpoints.of_node(node)
            for row in rows:
                self._drop(row)
            return len(rows)

        self._in_turn(drop)

    def flush(self) -> None:
        """Wait until everything that was put is on disk."""
        self._in_turn(lambda: 0)

    def prune(self, budget_bytes: int | None = None) -> int:
        """Delete what exceeds the budget and files that belong to nothing; return bytes freed.

        The newest state of each chat, pinned ones and personas stay.
        """
        budget = self.budget_bytes if budget_bytes is None else budget_bytes

        def prune() -> int:
            return self._evict(budget) + self._sweep()

        return self._in_turn(prune)

    def set_budget(self, budget_bytes: int) -> None:
        """Change the budget; what exceeds it goes in the background."""
        self.budget_bytes = budget_bytes
        self._jobs.put(lambda: self._evict(budget_bytes))

    def usage(self) -> int:
        """Return the bytes on disk: checkpoints and personas."""
        return self._store.checkpoints.total_bytes() + self._personas.total_bytes()

    def forget_memory(self) -> None:
        """Drop what is kept in memory (a model was ejected); files and waiting writes stay."""
        with self._lock:
            self._memory.clear()

    def path_of(self, row: CheckpointRow) -> Path:
        """Return the file of a row.

        Raises DamagedFile when the row names none that the archive has made: what lies elsewhere
        is neither read nor deleted, whatever a damaged or foreign database says.
        """
        if not _OWN_FILE.fullmatch(row.file):
            raise DamagedFile(f"The chats name {row.file!r}, which is no saved state.")
        return self._folder / row.file

    def close(self) -> None:
        """Write what waits, then end the thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    # Personas

    def personas(self) -> list[Persona]:
        """Return the named states, by name."""
        return self._personas.all()

    def save_persona(
        self,
        name: str,
        snapshot: Snapshot,
        fingerprint: str,
        notes: Mapping[str, str] | None = None,
    ) -> Persona:
        """Save a named state at once. Raises EngineError when it cannot be saved."""
        return self._personas.save(name, snapshot, fingerprint, notes)

    def persona(self, name: str) -> Persona:
        """Return what is known of a named state. Raises EngineError when there is none."""
        return self._personas.named(name)

    def load_persona(self, name: str) -> Snapshot:
        """Return a named state. Raises EngineError or DamagedFile."""
        return self._personas.load(name)

    def delete_persona(self, name: str) -> None:
        """Delete a named state for good."""
        self._personas.delete(name)

    # The background thread

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                # This thread must outlive anything: without it no state would be saved again.
                _log.exception("Keeping states failed")

    def _in_turn(self, job: Callable[[], int]) -> int:
        """Run a job on the background thread, after all before it; return what it returns."""
        done: Future[int] = Future()

        def run() -> None:
            try:
                done.set_result(job())
            except Exception as error:
                done.set_exception(error)

        with self._lock:
            if self._closed:
                return 0
            self._jobs.put(run)
        return done.result()

    def _write(self, place: Place) -> None:
        """Write what waits for this place, and what came while it was being written."""
        while True:
            with self._lock:
                entry = self._waiting[place]
            try:
                self._write_file(place, entry)
                self._evict(self.budget_bytes)
                self._store.tidy()
                self.last_problem = ""
            except Exception as error:
                # Whatever it was: what came meanwhile must still be written.
                self._note_problem(error)
            with self._lock:
                if self._waiting[place] is entry:
                    del self._waiting[place]
                    return

    def _write_file(self, place: Place, entry: Found) -> None:
        """Write the file, then the row: a kill in between leaves a file that nobody uses."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"checkpoint-{uuid.uuid4().hex}.safetensors"
        save_snapshot(path, entry.snapshot, _words(place, entry.position))
        try:
            replaced = self._store.checkpoints.add(
                *place[:2], entry.position, place.fingerprint, path.name, path.stat().st_size
            )
        except EngineError:
            path.unlink(missing_ok=True)
            raise
        for row in replaced:
            self._delete_file(row)

    def _note_problem(self, error: Exception) -> None:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        self.last_problem = f"The state of this chat could not be saved ({reason}); its text is."
        expected = isinstance(error, (OSError, EngineError))
        _log.warning("A state was not saved: %s", error, exc_info=not expected)

    def _read_beyond(self, place: Place, position: int, at_most: int | None) -> Found | None:
        """Return the state on disk that has read most, if it is more than ``position``."""
        try:
            for row in self._store.checkpoints.find(*place):
                if row.position <= position:
                    break
                if _allowed(row.position, at_most) and (snapshot := self._read(place, row)):
                    self._jobs.put(lambda used=row.id: self._store.checkpoints.touch(used))
                    return Found(row.position, snapshot, from_disk=True)
        except EngineError as error:
            _log.warning("Saved states could not be looked up: %s", error)
        return None

    def _read(self, place: Place, row: CheckpointRow) -> Snapshot | None:
        """Read one file; forget it when it is not what its row says."""
        try:
            snapshot, words = load_snapshot(self.path_of(row))
            if words.items() >= _words(place, row.position).items():
                return snapshot
            reason = "it belongs to something else"
        except (OSError, EngineError) as error:
            reason = str(error)
        _log.warning("The saved state %s was dropped: %s", row.file, reason)
        self._drop(row)
        return None

    def _drop(self, row: CheckpointRow) -> None:
        """Forget a state; the row first, so that a kill never leaves a row without a file."""
        self._store.checkpoints.remove(row.id)
        self._delete_file(row)

    def _delete_file(self, row: CheckpointRow) -> None:
        try:
            self.path_of(row).unlink(missing_ok=True)
        except (OSError, DamagedFile) as error:  # in use (Windows): the next sweep gets it
            _log.info("%s stays for now: %s", row.file, error)

    def _evict(self, budget_bytes: int) -> int:
        """Delete the least recently used until the budget holds; return bytes freed."""
        excess = self._store.checkpoints.total_bytes() - budget_bytes
        freed = 0
        if excess <= 0:
            return 0
        for row in self._store.checkpoints.evictable():
            if freed >= excess:
                break
            self._drop(row)
            freed += row.size_bytes
        return freed

    def _sweep(self) -> int:
        """Delete files without a row and rows without a file; return bytes freed.

        Only when no other process is in the middle of making such a pair.
        """
        with self._store.alone() as alone:
            if not alone or not self._folder.is_dir():
                return 0
            files = {path.name: path for path in self._folder.iterdir()}
            rows = {row.file: row for row in self._store.checkpoints.all()}
            for name in rows.keys() - files.keys():
                self._store.checkpoints.remove(rows[name].id)
            strays = [
                path
                for name, path in files.items()
                if _OWN_FILE.fullmatch(name) and name not in rows
            ]
            return sum(map(_unlink, strays)) + self._personas.remove_leftovers()


class _Memory:
    """Entries by place up to a number of bytes; the least recently used are forgotten."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._entries: OrderedDict[Place, Found] = OrderedDict()
        self._bytes = 0

    def put(self, place: Place, entry: Found) -> None:
        self._remove(place)
        self._entries[place] = entry
        self._bytes += entry.snapshot.nbytes
        while self._bytes > self._budget_bytes and self._entries:
            self._remove(next(iter(self._entries)))

    def get(self, place: Place) -> Found | None:
        entry = self._entries.get(place)
        if entry is not None:
            self._entries.move_to_end(place)
        return entry

    def forget(self, node: int) -> None:
        for place in [place for place in self._entries if place.node == node]:
            self._remove(place)

    def clear(self) -> None:
        self._entries.clear()
        self._bytes = 0

    def _remove(self, place: Place) -> None:
        entry = self._entries.pop(place, None)
        if entry is not None:
            self._bytes -= entry.snapshot.nbytes


def _words(place: Place, position: int) -> dict[str, str]:
    """Return the metadata by which a file proves that it is what its row says."""
    return {
        "kind": "checkpoint",
        "node": str(place.node),
        "key": place.key,
        "fingerprint": place.fingerprint,
        "position": str(position),
    }


def _allowed(position: int, at_most: int | None) -> bool:
    return at_most is None or position <= at_most


def _unlink(path: Path) -> int:
    """Delete a file; return its bytes, or 0 when it could not be deleted."""
    try:
        size = path.stat().st_size
        path.unlink()
    except OSError:
        return 0
    return size
