"""The GPU pack as the window sees it: what is here, what would suit, and the one job at work.

One thread at a time fetches or removes; every signal arrives on the GUI thread. Does not know how
a pack is chosen, fetched and tried out: engine.gpu_pack does.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.services.tasks import Tasks
from app.settings import SettingsStore
from engine.errors import EngineError, PackFailed
from engine.folders import Folders
from engine.hub.meter import DownloadProgress

if TYPE_CHECKING:
    from engine.gpu_pack.choice import PackChoice
    from engine.gpu_pack.packs import Pack
    from engine.gpu_pack.table import PackRow
    from engine.hardware import Hardware
    from engine.settings import Settings

log = logging.getLogger(__name__)
JOIN_TIMEOUT_S = 5.0

Status = Literal["idle", "running", "stopping", "removing", "failed"]


class Install(Protocol):
    """One pack's way here; ``engine.gpu_pack.install.PackInstall`` is one."""

    @property
    def received(self) -> int:
        """Bytes that earlier runs left."""
        ...

    @property
    def needed_bytes(self) -> int:
        """What must be free for the rest."""
        ...

    def run(self, progress: Callable[[DownloadProgress], None], stop: threading.Event) -> "Pack":
        """Return the pack that the next start uses. Raises PackFailed."""
        ...

    def discard(self) -> None:
        """Remove what was received."""
        ...


MakeInstall = Callable[["PackRow", Folders, "Settings"], Install]


@dataclass(frozen=True, slots=True)
class PackFacts:
    """What there is and what there could be.

    choice: what suits the card, or why nothing does. row: what Get, Continue and Repair fetch: the
    choice, else that of the pack which is here; None when neither can be had. active: what the
    next start uses; used: this process runs with it, or with one that was removed since; problem:
    why it is not used, in a sentence. received, needed_bytes: of ``row``. free_bytes: on its disk.
    """

    choice: "PackChoice"
    row: "PackRow | None" = None
    active: "Pack | None" = None
    used: bool = False
    problem: str = ""
    usage_bytes: int = 0
    received: int = 0
    needed_bytes: int = 0
    free_bytes: int = 0

    @property
    def left_alone(self) -> bool:
        """Whether this process runs with a pack that no card of this computer can use now."""
        gpu = self.choice.gpu
        return self.used and self.active is not None and (gpu is None or not gpu.usable)


@dataclass(frozen=True, slots=True)
class _Ended:
    pack: "Pack | None" = None
    error: EngineError | None = None
    removed: bool = False
    left_over: bool = False


class GpuPackService(QObject):
    """``look`` first. ``facts`` is None until then."""

    changed = Signal()
    """Facts, status or error are new."""
    progressed = Signal(object)  # DownloadProgress
    installed = Signal(object)  # Pack, for the next start
    removed = Signal(bool)  # whether something is left until the next start

    _moved = Signal(object)
    _ended = Signal(object)

    def __init__(
        self,
        folders: Folders,
        settings: SettingsStore,
        tasks: Tasks,
        parent: QObject | None = None,
        *,
        rows: "Sequence[PackRow] | None" = None,
        make_install: MakeInstall | None = None,
    ) -> None:
        """rows: the packs there are, None = those of the table; make_install: the engine's."""
        super().__init__(parent)
        self._folders, self._settings, self._tasks = folders, settings, tasks
        self._rows, self._make_install = rows, make_install
        self.facts: PackFacts | None = None
        self.status: Status = "idle"
        self.error: EngineError | None = None
        self.progress: DownloadProgress | None = None
        self._hardware: Hardware | None = None
        self._discards = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        queued = Qt.ConnectionType.QueuedConnection
        self._moved.connect(self._on_moved, queued)
        self._ended.connect(self._on_ended, queued)

    @property
    def busy(self) -> bool:
        """Whether a job is at work."""
        return self.status not in ("idle", "failed")

    # ---- looking --------------------------------------------------------------------------

    def clean(self) -> None:
        """Delete what is marked, and what a kill left of an install."""
        from engine.gpu_pack.packs import Packs

        packs = Packs(self._folders.packs)
        self._tasks.run_in_background(packs.clean, lambda _: self.look())

    def look(self, hardware: "Hardware | None" = None) -> None:
        """Find out what is here and what suits this computer."""
        self._hardware = hardware or self._hardware
        self._look(self._on_found)

    def _look(
        self,
        found: Callable[[PackFacts], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        hardware, values = self._hardware, self._settings.values
        if hardware is not None and not self._closed:
            self._tasks.run_in_background(lambda: self._find(hardware, values), found, failed)

    def _find(self, hardware: "Hardware", values: "Settings") -> PackFacts:
        """Return the facts; reads the disk, so never on the GUI thread."""
        from engine.gpu_pack.choice import choose_pack
        from engine.gpu_pack.overlay import pack_in_use
        from engine.gpu_pack.packs import Packs
        from engine.gpu_pack.table import load_table
        from engine.hub.disk import free_bytes

        rows = load_table(self._folders) if self._rows is None else self._rows
        packs = Packs(self._folders.packs)
        active = packs.active()
        facts = PackFacts(
            choose_pack(hardware, rows),
            active=active,
            used=pack_in_use(self._folders) is not None,
            problem=packs.problem(),
            usage_bytes=packs.usage_bytes(),
            free_bytes=free_bytes(self._folders.data),
        )
        row = facts.choice.row or (_row_of(active, rows) if active else None)
        if row is None or not row.pinned:
            return facts
        try:
            install = self._maker()(row, self._folders, replace(values, offline=False))
            return replace(
                facts, row=row, received=install.received, needed_bytes=install.needed_bytes
            )
        except EngineError as error:
            log.warning("%s %s", error.message, error.hint)
            return replace(facts, row=row)

    def _maker(self) -> MakeInstall:
        if self._make_install is not None:
            return self._make_install
        from engine.gpu_pack.install import make_install

        return make_install

    def _on_found(self, facts: PackFacts) -> None:
        self.facts = facts
        self.changed.emit()

    # ---- what can be done -----------------------------------------------------------------

    def start(self) -> None:
        """Fetch the pack, go on with it, or mend the one that is here."""
        row = self.facts.row if self.facts is not None else None
        if row is None or self.busy or self._closed:
            return
        stop = self._stop = threading.Event()
        self._discards = False
        values = self._settings.values
        self._begin("running", lambda: self._fetch(row, values, stop))

    def pause(self) -> None:
        """Stop and keep what was received."""
        if self.status == "running":
            self.status = "stopping"
            self._stop.set()
            self.changed.emit()

    def cancel(self) -> None:
        """Stop and remove what was received."""
        if self.status in ("running", "stopping"):
            self._discards = True
            self.pause()
        elif not self.busy and self.facts is not None and self.facts.row is not None:
            row, values = self.facts.row, self._settings.values
            self._begin("removing", lambda: self._discard(row, values))

    def remove(self) -> None:
        """Delete every pack; the bundled PyTorch runs from the next start on."""
        if not self.busy and not self._closed:
            self._begin("removing", self._remove)

    def close(self) -> None:
        """Stop and wait a moment; what was received is there at the next start."""
        if self._closed:
            return
        self._closed = True
        self._stop.set()
        if self._thread is not None:
            self._thread.join(JOIN_TIMEOUT_S)

    # ---- the thread -----------------------------------------------------------------------

    def _begin(self, status: Status, work: Callable[[], _Ended]) -> None:
        self.status, self.error, self.progress = status, None, None
        self._thread = threading.Thread(
            target=self._work, args=(work,), name="skein-gpu-pack", daemon=True
        )
        self.changed.emit()
        self._thread.start()

    def _work(self, work: Callable[[], _Ended]) -> None:
        """Run one job; the only code on the thread."""
        try:
            ended = work()
        except EngineError as error:
            ended = _Ended(error=error)
        except Exception as error:
            log.exception("The GPU pack's job failed unexpectedly")
            ended = _Ended(error=EngineError(f"Unexpected error: {error}", "The log says more."))
        try:
            self._ended.emit(ended)
        except RuntimeError:  # the app has gone while the network kept this thread waiting
            log.debug("The GPU pack's job ended after the window")

    def _fetch(self, row: "PackRow", values: "Settings", stop: threading.Event) -> _Ended:
        install = self._maker()(row, self._folders, values)
        try:
            return _Ended(install.run(self._moved.emit, stop))
        except PackFailed as failed:
            if failed.kind != "stopped":
                raise
            if self._discards:
                install.discard()
            return _Ended()

    def _discard(self, row: "PackRow", values: "Settings") -> _Ended:
        self._maker()(row, self._folders, replace(values, offline=False)).discard()
        return _Ended()

    def _remove(self) -> _Ended:
        from engine.gpu_pack.packs import Packs

        return _Ended(removed=True, left_over=not Packs(self._folders.packs).remove())

    @Slot(object)
    def _on_moved(self, progress: DownloadProgress) -> None:
        if not self._closed and self.status == "running":
            self.progress = progress
            self.progressed.emit(progress)

    @Slot(object)
    def _on_ended(self, ended: _Ended) -> None:
        if self._closed:
            return
        self._thread = None
        if ended.error is not None:
            log.warning("%s %s", ended.error.message, ended.error.hint)

        def unseen(error: Exception) -> None:
            log.error("What is here of GPU packs cannot be seen", exc_info=error)
            self._settle(ended, self.facts)

        self._look(lambda facts: self._settle(ended, facts), unseen)

    def _settle(self, ended: _Ended, facts: PackFacts | None) -> None:
        """Show how a job ended together with what is here now, or was when that was last seen."""
        self.status, self.error = "failed" if ended.error else "idle", ended.error
        self.facts = facts
        self.changed.emit()
        if ended.pack is not None:
            self.installed.emit(ended.pack)
        elif ended.removed:
            self.removed.emit(ended.left_over)


def _row_of(pack: "Pack", rows: "Sequence[PackRow]") -> "PackRow | None":
    """Return the row that a pack was made of."""
    return next((row for row in rows if pack.is_of(row)), None)
