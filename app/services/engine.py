"""The engine thread and its facade on the GUI thread.

One plain ``threading.Thread`` lives as long as the app. Jobs go in by a queue; frozen values
come out by signals, which Qt delivers on the GUI thread. Only this file crosses that line.
"""

import logging
import queue
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.collector import uncollected
from engine.errors import Cancelled, EngineError, NotEnoughMemory
from engine.events import Event, Turn
from engine.strategy import Strategy

if TYPE_CHECKING:
    from engine.archive import StateArchive
    from engine.checkpoint import ModelInfo
    from engine.hardware import Hardware
    from engine.model import Model
    from engine.plan import Plan
    from engine.session import Session
    from engine.store import Store

log = logging.getLogger(__name__)

SWITCH_S = 0.001
"""How long a thread may keep the interpreter while the window wants it; Python's own is 5 ms."""

PROGRESS_S = 0.05
"""How often the window hears how far a load is."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What the window needs to know of the model in use."""

    info: "ModelInfo"
    plan: "Plan"
    backend: str
    template: str
    think_modes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Load:
    path: Path
    strategy: Strategy
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class _Eject:
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class _Write:
    turn: Turn
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class _Free:
    """Delete states: down to the budget, or all that may go (budget 0)."""

    budget_bytes: int
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class _MoveStates:
    folder: Path
    cancel: threading.Event = field(default_factory=threading.Event)


_Job = _Load | _Eject | _Write | _Free | _MoveStates


class EngineService(QObject):
    """Loads models and writes replies on the engine thread; tells the window by signals."""

    model_loading = Signal(object, float)  # path, fraction in [0, 1]
    model_ready = Signal(object)  # LoadedModel
    model_ejected = Signal()
    model_failed = Signal(object, str, str, str)  # path, message, hint, suggested strategy
    reply_event = Signal(int, object)  # reply node, engine.events.Event
    failed = Signal(int, str, str)  # reply node, message, hint
    space_freed = Signal(object)  # bytes
    states_moved = Signal(str)  # the new folder
    move_failed = Signal(str, str)  # message, hint

    def __init__(
        self,
        states: Path,
        cache: Path,
        store: "Store",
        state_budget_bytes: int,
        parent: QObject | None = None,
    ) -> None:
        """Prepare the thread; ``start`` runs it. states, cache: folders."""
        super().__init__(parent)
        self._states = states
        self._cache = cache
        self._store = store
        self._state_budget_bytes = state_budget_bytes
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._current: _Job | None = None
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="skein-engine")
        self.loaded_name = ""
        """The model in use, as told to the window last; empty when there is none."""
        self.model_ready.connect(self._on_ready)
        self.model_ejected.connect(self._on_ejected)
        # What follows belongs to the engine thread alone.
        self._model: Model | None = None
        self._session: Session | None = None
        self._archive: StateArchive | None = None

    # -- called on the GUI thread

    def start(self) -> None:
        """Start the thread: it imports torch, then waits for jobs."""
        sys.setswitchinterval(SWITCH_S)
        self._thread.start()

    def load(self, path: Path, strategy: Strategy) -> None:
        """Load a model; a load that is still under way is given up for it."""
        self._cancel_current(_Load)
        self._jobs.put(_Load(path, strategy))

    def cancel_load(self) -> None:
        """Give up the load that is under way, if any."""
        self._cancel_current(_Load)

    def eject(self) -> None:
        """Stop writing and give the model's memory back."""
        self._cancel_current(_Load, _Write)
        self._jobs.put(_Eject())

    def write(self, turn: Turn) -> None:
        """Write a reply; its events carry the id of the reply's node."""
        self._jobs.put(_Write(turn))

    def stop(self, reply: int) -> None:
        """Stop this reply, whether it is being written or waits; its state is kept."""
        with self._lock:
            for job in (self._current, *self._jobs.queue):
                if isinstance(job, _Write) and job.turn.reply == reply:
                    job.cancel.set()

    def free_space(self) -> None:
        """Delete states that can be made again; the newest of each chat and pinned ones stay."""
        self._jobs.put(_Free(0))

    def set_state_budget(self, budget_bytes: int) -> None:
        """Let states take this much of the disk from now on."""
        self._state_budget_bytes = budget_bytes
        self._jobs.put(_Free(budget_bytes))

    def move_states(self, folder: Path) -> None:
        """Copy and verify all states there, switch, then delete the originals."""
        self._jobs.put(_MoveStates(folder))

    def close(self) -> None:
        """Stop, keep the state, wait for the thread. May be called twice."""
        self._closing = True
        self._cancel_current(_Load, _Write)
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _on_ready(self, model: LoadedModel) -> None:
        self.loaded_name = model.info.name

    def _on_ejected(self) -> None:
        self.loaded_name = ""

    def _cancel_current(self, *kinds: type[_Job]) -> None:
        """Cancel the job under way and those that wait, if they are of these kinds."""
        with self._lock:
            waiting = [job for job in list(self._jobs.queue) if job is not None]
            for job in (self._current, *waiting):
                if isinstance(job, kinds):
                    job.cancel.set()

    # -- the engine thread

    def _run(self) -> None:
        self._prepare()
        while (job := self._next()) is not None:
            try:
                self._do(job)
            except Exception as error:
                log.exception("A job of the engine failed unexpectedly")
                self._tell_failure(job, EngineError(f"Unexpected error: {error}", "See the log."))
        self._drop_model()
        if self._archive is not None:
            self._archive.close()

    def _prepare(self) -> None:
        """Do what is slow once, after the window is up."""
        with uncollected():
            from engine.archive import StateArchive

        self._archive = StateArchive(
            self._states, self._store, budget_bytes=self._state_budget_bytes
        )

    def _next(self) -> _Job | None:
        job = self._jobs.get()
        with self._lock:
            self._current = job
        return None if self._closing else job

    def _do(self, job: _Job) -> None:
        try:
            if isinstance(job, _Load):
                self._load(job)
            elif isinstance(job, _Write):
                self._write(job)
            elif isinstance(job, _Free):
                self._free(job)
            elif isinstance(job, _MoveStates):
                self._move_states(job)
            else:
                self._drop_model()
                self.model_ejected.emit()
        except EngineError as error:
            self._tell_failure(job, error)

    def _tell_failure(self, job: _Job, error: EngineError) -> None:
        log.warning("%s %s", error.message, error.hint)
        if isinstance(job, _Load):
            suggestion = error.suggestion if isinstance(error, NotEnoughMemory) else ""
            self.model_failed.emit(job.path, error.message, error.hint, suggestion)
        elif isinstance(job, _Write):
            self.failed.emit(job.turn.reply, error.message, error.hint)
        elif isinstance(job, _MoveStates):
            self.move_failed.emit(error.message, error.hint)

    def _write(self, job: _Write) -> None:
        if self._session is None:
            raise EngineError("No model is loaded.", "Choose a model above, then try again.")

        def emit(event: Event) -> None:
            self.reply_event.emit(job.turn.reply, event)

        self._session.run(job.turn, emit, job.cancel.is_set)

    def _free(self, job: _Free) -> None:
        assert self._archive is not None, "made in _prepare"
        self._archive.budget_bytes = self._state_budget_bytes
        self.space_freed.emit(self._archive.prune(job.budget_bytes))

    def _move_states(self, job: _MoveStates) -> None:
        """Nothing is written meanwhile: this thread is the one that writes."""
        from engine.moving import move_files, remove

        assert self._archive is not None, "made in _prepare"
        self._archive.close()
        try:
            originals = move_files(self._states, job.folder, stopped=job.cancel.is_set)
            self._states = job.folder
        finally:
            self._prepare()
            self._renew_session()
        remove(originals)
        self.states_moved.emit(str(job.folder))

    def _renew_session(self) -> None:
        from engine.session import Session

        assert self._archive is not None, "made in _prepare"
        if self._model is not None:
            self._session = Session(self._model, self._store, self._archive)

    # -- loading, on the engine thread

    def _load(self, job: _Load) -> None:
        """Load beside the model in use if both fit; else in its place, and come back on failure."""
        from engine.hardware import detect
        from engine.model import load_planned, plan_model

        self.model_loading.emit(job.path, 0.0)
        hardware = detect(self._cache)
        freed = self._model.backend.resident_bytes if self._model else 0
        info, plan = plan_model(job.path, job.strategy, _with_free(hardware, freed))
        before = self._model.info.path if self._model else None
        before_strategy = self._model.plan.strategy if self._model else None
        if freed and not _fits_beside(plan, hardware):
            self._drop_model()
        try:
            with uncollected():
                loaded = load_planned(
                    info, plan, progress=self._progress(job), cancelled=job.cancel.is_set
                )
        except EngineError as error:
            self._come_back(before, before_strategy)
            if isinstance(error, Cancelled):
                self._tell_current(job)
                return
            raise
        self._adopt(loaded)

    def _progress(self, job: _Load):  # noqa: ANN202 - a Progress
        told = 0.0

        def tell(done: int, total: int) -> None:
            # Thousands of tensors in a second: the window has better things to do.
            nonlocal told
            if time.monotonic() - told >= PROGRESS_S:
                told = time.monotonic()
                self.model_loading.emit(job.path, done / max(total, 1))

        return tell

    def _come_back(self, path: Path | None, strategy: Strategy | None) -> None:
        """Load the model again that had to make room for one that then failed."""
        if self._model is not None or path is None or strategy is None:
            return
        from engine.hardware import detect
        from engine.model import load_planned, plan_model

        try:
            info, plan = plan_model(path, strategy, detect(self._cache))
            self._adopt(load_planned(info, plan))
        except EngineError:
            log.exception("The former model could not be loaded again")
            self.model_ejected.emit()

    def _tell_current(self, job: _Load) -> None:
        """After a load that was given up: say what is loaded now."""
        if self._model is None:
            self.model_ejected.emit()
        else:
            self.model_ready.emit(_describe(self._model))

    def _adopt(self, model: "Model") -> None:
        self._drop_model()
        self._model = model
        self._renew_session()
        self.model_ready.emit(_describe(model))

    def _drop_model(self) -> None:
        if self._model is not None:
            self._model.close()
        self._model = self._session = None


def _describe(model: "Model") -> LoadedModel:
    return LoadedModel(
        model.info,
        model.plan,
        model.backend.name,
        model.template.name,
        model.template.think_modes,
    )


def _with_free(hardware: "Hardware", more_bytes: int) -> "Hardware":
    """Return the machine as it will be once the model in use is gone."""
    gpus = tuple(
        replace(gpu, vram_free=min(gpu.vram_total, gpu.vram_free + more_bytes))
        for gpu in hardware.gpus
    )
    free = min(hardware.ram_total, hardware.ram_free + more_bytes)
    return replace(hardware, ram_free=free, gpus=gpus)


def _fits_beside(plan: "Plan", hardware: "Hardware") -> bool:
    """Whether the new model fits in what is free now, with the old one still there."""
    vram = sum(gpu.vram_free for gpu in hardware.gpus)
    for need in plan.needs:
        free = hardware.ram_free if need.device == "cpu" else vram
        if need.total_bytes > 0.8 * free:
            return False
    return True
