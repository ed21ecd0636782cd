"""The models of the window: those on this computer, those on the hub, and what fits.

Scans, refreshes and plans in the background and says when the answer changed. Does not download
(app.services.downloads does) and loads nothing.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal

from app.services.offers import AvailableModel, ReadyModel, download_id, recommended_id
from app.services.tasks import Tasks
from engine.errors import EngineError
from engine.hub.remote_model import RemoteModel

if TYPE_CHECKING:
    from engine.checkpoint.shape import ModelShape
    from engine.hardware import Hardware
    from engine.hub.library import LocalModel
    from engine.plan import Plan
    from engine.strategy import Strategy

log = logging.getLogger(__name__)


class Hub(Protocol):
    """What is asked of engine.hub's Catalogue."""

    def cached(self) -> list[RemoteModel]:
        """Return the list of the last refresh, without a network."""
        ...

    def refresh(self) -> list[RemoteModel]:
        """Return the hub's list as it is now; raises EngineError when it cannot be read."""
        ...

    def lookup(self, address: str) -> list[RemoteModel]:
        """Return the models behind a repository or an address; raises EngineError."""
        ...

    def saved(self) -> datetime | None:
        """Return when the cached list was read (UTC), or None when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Machine:
    """How the engine is asked about this computer; functions, so that a test can answer.

    ``detect`` is quick; ``measure`` fills in what takes a second (the memory's bandwidth).
    """

    detect: "Callable[[], Hardware]"
    measure: "Callable[[Hardware], Hardware]"
    choose: "Callable[[ModelShape, Hardware, Strategy | None], Plan]"
    scan: "Callable[[Sequence[Path]], list[LocalModel]]"


def this_machine(cache: Path, *, processor_only: bool = False) -> Machine:
    """Return the computer that the app runs on; ``cache`` is the folder of measurements.

    The window is up before the engine is imported: that happens where it is first asked, and
    ``detect``, which is asked first and in the background, brings what planning needs.
    """

    def detect() -> "Hardware":
        from engine import plan  # noqa: F401 - so that choose() need not on the GUI thread
        from engine.hardware import detect

        return detect(cache, processor_only=processor_only)

    def measure(found: "Hardware") -> "Hardware":
        from engine.bandwidth import measured

        return measured(found, cache)

    def choose(shape: "ModelShape", found: "Hardware", wanted: "Strategy | None") -> "Plan":
        from engine.plan import choose

        return choose(shape, found, wanted)

    def scan(places: Sequence[Path]) -> "list[LocalModel]":
        from engine.hub.library import scan

        return scan(places)

    return Machine(detect, measure, choose, scan)


class ModelLibrary(QObject):
    """Ready and available models with their plans; every signal arrives on the GUI thread."""

    ready_changed = Signal()
    available_changed = Signal()
    hardware_changed = Signal()
    status_changed = Signal()
    """One of scanning, refreshing and offline is new."""
    lookup_done = Signal(str, object)
    """The address and the tuple of ids that it brought."""
    lookup_failed = Signal(str, object)
    """The address and the EngineError."""
    deleted = Signal(str)
    """The path of a file that is gone."""
    delete_failed = Signal(str, object)
    """The path and the EngineError."""

    def __init__(
        self,
        hub: Hub,
        machine: Machine,
        folders: Callable[[], Sequence[Path]],
        tasks: Tasks,
        parent: QObject | None = None,
        built_in: Path | None = None,
    ) -> None:
        """folders: where models are looked for; built_in: the file that came with the app."""
        super().__init__(parent)
        self.built_in = built_in
        self.ready: tuple[ReadyModel, ...] = ()
        self.available: tuple[AvailableModel, ...] = ()
        self.recommended = ""
        self.hardware: Hardware | None = None
        self.strategy: Strategy | None = None
        self._saves_power = False
        self.scanning = False
        self.scanned = False
        """Whether the folders were looked at, be it once."""
        self.refreshing = False
        self.offline: EngineError | None = None
        self.catalogue_time: datetime | None = None
        self._hub, self._machine, self._folders, self._tasks = hub, machine, folders, tasks
        self._local: list[LocalModel] = []
        self._files: list[Path] = []
        self._remote: list[RemoteModel] = []
        self._added: list[RemoteModel] = []
        self._plans: dict[ModelShape, Plan] = {}
        self._scans = self._refreshes = 0

    def start(self) -> None:
        """Show what is known, then look at the disk, the machine and the hub."""
        self.rescan()
        self.look_again()
        hub = self._hub
        self._tasks.run_in_background(
            lambda: (hub.cached(), hub.saved()), self._on_cached, self._on_unknown
        )
        self.refresh()

    # What can be asked for

    def rescan(self) -> None:
        """Look again at the folders and the files that were opened."""
        self.scanning = True
        self._scans += 1
        number, places = self._scans, [*self._folders(), *self._files]
        self.status_changed.emit()
        self._tasks.run_in_background(
            lambda: self._machine.scan(places),
            lambda found: self._on_scanned(number, found),
            self._on_scan_failed,
        )

    def look_again(self) -> None:
        """Detect this computer anew: a card came, memory became free."""
        self._tasks.run_in_background(self._machine.detect, self._on_detected, self._on_unknown)

    def refresh(self) -> None:
        """Read the hub's list again; the cached one stays when that fails."""
        if not self.refreshing:
            self.refresh_anew()

    def refresh_anew(self) -> None:
        """Read the list of another endpoint, or by another way: an answer under way is too old."""
        self.refreshing = True
        self._refreshes += 1
        number = self._refreshes
        self.status_changed.emit()
        self._tasks.run_in_background(
            self._hub.refresh,
            lambda models: self._on_refreshed(number, models),
            lambda error: self._on_refresh_failed(number, error),
        )

    def set_strategy(self, strategy: "Strategy | None") -> None:
        """Plan with this strategy; None lets every model have its best."""
        self.strategy = None if strategy is None or strategy.is_auto else strategy
        self._plans.clear()
        self._publish()

    def set_power_saving(self, on: bool) -> None:
        """Plan with half of the processor's cores, or with all."""
        if on != self._saves_power:
            self._saves_power = on
            self._plans.clear()
            self._publish()

    def open_file(self, path: Path) -> None:
        """List a file that lies in none of the folders, where it is."""
        if path not in self._files:
            self._files.append(path)
        self.rescan()

    def look_up(self, address: str) -> None:
        """Ask the hub for a repository or a file and list what it holds."""
        self._tasks.run_in_background(
            lambda: self._hub.lookup(address),
            lambda found: self._on_found(address, found),
            lambda error: self.lookup_failed.emit(address, _as_engine_error(error)),
        )

    def delete(self, path: Path) -> None:
        """Delete a model that is listed as ready, for good; never the one that came with us."""
        if all(model.local.path != path or model.built_in for model in self.ready):
            return
        from engine.hub.removal import remove_model

        self._tasks.run_in_background(
            lambda: remove_model(path),
            lambda _: self._on_deleted(path),
            lambda error: self.delete_failed.emit(str(path), _as_engine_error(error)),
        )

    @property
    def hardware_in_use(self) -> "Hardware | None":
        """This computer as models find it: with half of its cores where power is saved."""
        found = self.hardware
        return found.saving_power() if found is not None and self._saves_power else found

    def plan_for(self, shape: "ModelShape | None") -> "Plan | None":
        """Return the plan for a model of this shape; None while the machine is unknown."""
        found = self.hardware_in_use
        if shape is None or found is None:
            return None
        if shape not in self._plans:
            self._plans[shape] = self._machine.choose(shape, found, self.strategy)
        return self._plans[shape]

    # What came back

    def _on_scanned(self, number: int, found: "list[LocalModel]") -> None:
        if number != self._scans:  # a newer look is under way
            return
        self.scanning, self.scanned = False, True
        self._local = found
        self._publish()
        self.status_changed.emit()

    def _on_scan_failed(self, error: Exception) -> None:
        self.scanning = False
        self.status_changed.emit()
        self._on_unknown(error)

    def _on_detected(self, hardware: "Hardware") -> None:
        self._set_hardware(hardware)
        if hardware.ram_bandwidth is None:
            self._tasks.run_in_background(
                lambda: self._machine.measure(hardware), self._set_hardware, self._on_unknown
            )

    def _set_hardware(self, hardware: "Hardware") -> None:
        self.hardware = hardware
        self._plans.clear()
        self._publish()
        self.hardware_changed.emit()

    def _on_cached(self, held: tuple[list[RemoteModel], datetime | None]) -> None:
        if self._remote:  # the live list was faster
            return
        self._remote, self.catalogue_time = held
        self._publish()
        self.status_changed.emit()

    def _on_refreshed(self, number: int, models: list[RemoteModel]) -> None:
        if number != self._refreshes:  # another endpoint was chosen meanwhile
            return
        self.refreshing, self.offline = False, None
        self._remote, self.catalogue_time = models, datetime.now(UTC)
        self._publish()
        self.status_changed.emit()

    def _on_refresh_failed(self, number: int, error: Exception) -> None:
        if number != self._refreshes:
            return
        self.refreshing, self.offline = False, _as_engine_error(error)
        self.status_changed.emit()

    def _on_found(self, address: str, models: list[RemoteModel]) -> None:
        known = {download_id(model) for model in self._added}
        self._added += [model for model in models if download_id(model) not in known]
        self._publish()
        self.lookup_done.emit(address, tuple(download_id(model) for model in models))

    def _on_deleted(self, path: Path) -> None:
        self._files = [file for file in self._files if file != path]
        self._local = [model for model in self._local if model.path != path]
        self._publish()
        self.deleted.emit(str(path))
        self.rescan()

    def _on_unknown(self, error: Exception) -> None:
        log.warning("The list of models is incomplete: %s", error, exc_info=error)

    # What is shown

    def _publish(self) -> None:
        ready = tuple(
            ReadyModel(
                model,
                self.plan_for(model.info.shape if model.info else None),
                model.path == self.built_in,
            )
            for model in self._local
        )
        available = tuple(self._available())
        if ready != self.ready:
            self.ready = ready
            self.ready_changed.emit()
        if available != self.available:
            self.available = available
            self.recommended = recommended_id(available)
            self.available_changed.emit()

    def _available(self) -> list[AvailableModel]:
        here = {
            (name, model.info.size_bytes): model.path
            for model in self._local
            if model.info is not None
            # A folder in the hub's cache is named by its commit, the model is not.
            for name in (model.path.name, model.info.name)
        }
        listed: dict[str, AvailableModel] = {}
        for added, models in ((False, self._remote), (True, self._added)):
            for model in models:
                key = download_id(model)
                path = here.get((Path(model.file or model.repo).name, model.size_bytes))
                plan = self.plan_for(model.shape)
                listed.setdefault(key, AvailableModel(key, model, plan, path, added))
        return list(listed.values())


def _as_engine_error(error: Exception) -> EngineError:
    if isinstance(error, EngineError):
        return error
    log.error("Unexpected failure", exc_info=error)
    return EngineError(f"Something unexpected happened: {error}", "The log says more.")
