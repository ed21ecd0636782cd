"""The engine thread and its facade on the GUI thread.

One plain ``threading.Thread`` lives as long as the app. Jobs go in by a queue; frozen values
come out by signals, which Qt delivers on the GUI thread. Only this file crosses that line.
"""

import logging
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.collector import uncollected
from app.services.engine_jobs import (
    DeletePersona,
    Eject,
    ExportState,
    Free,
    ImportPersona,
    Job,
    JobQueue,
    ListPersonas,
    Load,
    MoveStates,
    PersonaJob,
    SavePersona,
    SavePower,
    Write,
)
from app.services.persona_work import work_on
from app.services.throttle import throttled
from engine.errors import Cancelled, EngineError, NotEnoughMemory
from engine.events import Event, Finished, ReplyStats, Turn
from engine.folders import Folders
from engine.gpu_pack.overlay import pack_failed
from engine.priority import COMPUTING, give_way
from engine.strategy import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.archive import StateArchive
    from engine.checkpoint import ModelInfo
    from engine.hardware import Hardware
    from engine.lora_use import LoraUse
    from engine.model import Model
    from engine.plan import Plan
    from engine.session import Session
    from engine.state_formats import StateFormat
    from engine.store import Store

log = logging.getLogger(__name__)

SWITCH_S = 0.001
"""How long a thread may keep the interpreter while the window wants it; Python's own is 5 ms."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What the window needs to know of the model in use.

    notice: what its backend wants the user to hear, such as why another engine had to serve.
    """

    info: "ModelInfo"
    plan: "Plan"
    backend: str
    template: str
    think_modes: tuple[str, ...]
    notice: str = ""


class EngineService(QObject):
    """Loads models and writes replies on the engine thread; tells the window by signals."""

    started = Signal()  # torch is imported, jobs are done from now on
    start_failed = Signal(str, str)  # message, hint: every job will fail
    model_loading = Signal(object, float)  # path, fraction in [0, 1]
    model_ready = Signal(object)  # LoadedModel
    model_ejected = Signal()
    model_failed = Signal(object, str, str, str)  # path, message, hint, suggested strategy
    reply_event = Signal(int, object)  # reply node, engine.events.Event
    failed = Signal(int, str, str)  # reply node, message, hint
    space_freed = Signal(object)  # bytes
    states_moving = Signal(float)  # fraction in [0, 1]
    states_moved = Signal(str, object)  # the new folder; the originals, which may go now
    disk_failed = Signal(str, str)  # message, hint: states could not be moved or deleted
    personas_listed = Signal(object)  # tuple[engine.personas.Persona, ...]
    persona_saved = Signal(str)  # name
    persona_deleted = Signal(str)  # name
    persona_failed = Signal(str, str)  # message, hint: it could not be saved, deleted or written
    state_exported = Signal(object, str)  # path; a sentence about what is lost, or ""

    def __init__(
        self,
        states: Path,
        cache: Path,
        store: "Store",
        state_budget_bytes: int,
        parent: QObject | None = None,
        *,
        processor_only: bool = False,
    ) -> None:
        """Prepare the thread; ``start`` runs it. states, cache: folders.

        processor_only: no card is looked for, nor used.
        """
        super().__init__(parent)
        self._processor_only = processor_only
        self._states = states
        self._cache = cache
        self._store = store
        self._state_budget_bytes = state_budget_bytes
        self._power_saving = False
        self._jobs = JobQueue()
        self._thread = threading.Thread(target=self._run, name="skein-engine")
        self.loaded_name = ""
        """The model in use, as told to the window last; empty when there is none."""
        self.model_ready.connect(self._on_ready)
        self.model_ejected.connect(self._on_ejected)
        # What follows belongs to the engine thread alone.
        self._model: Model | None = None
        self._session: Session | None = None
        self._archive: StateArchive | None = None
        self._former: Load | None = None  # had to make room for one that loads

    # -- called on the GUI thread

    def start(self) -> None:
        """Start the thread: it imports torch, then waits for jobs."""
        sys.setswitchinterval(SWITCH_S)
        self._thread.start()

    def load(self, path: Path, strategy: Strategy, loras: "Sequence[LoraUse]" = ()) -> None:
        """Load a model: a load or a reply under way is stopped for it, the reply's text is kept.

        loras: applied in their order. Replies that wait are written with the new model.
        """
        # Said here too: the thread may be at importing torch, and a question may be sent already.
        self.model_loading.emit(path, 0.0)
        self._jobs.cancel(Load)
        self._jobs.cancel_current(Write)
        self._jobs.put_before_writing(Load(path, strategy, tuple(loras)))

    def eject(self) -> None:
        """Stop writing and give the model's memory back."""
        self._jobs.cancel(Load, Write)
        self._jobs.put(Eject())

    def write(self, turn: Turn) -> None:
        """Write a reply; its events carry the id of the reply's node."""
        self._jobs.put(Write(turn))

    def stop(self, reply: int) -> None:
        """Stop this reply: at its next token, or at once when it waits; its state is kept."""
        if self._jobs.cancel_reply(reply):
            self._end_unbegun(reply)

    def _end_unbegun(self, reply: int) -> None:
        try:
            if self._store.node(reply).status == "writing":  # not one that was to be gone on with
                self._store.update_node(reply, status="stopped")
        except EngineError as error:
            self.failed.emit(reply, error.message, error.hint)
        else:
            self._tell(reply, Finished("cancelled", ReplyStats()))

    def free_space(self) -> None:
        """Delete states that can be made again; the newest of each chat and pinned ones stay."""
        self._jobs.put(Free(0))

    def set_state_budget(self, budget_bytes: int) -> None:
        """Let states take this much of the disk from now on."""
        self._state_budget_bytes = budget_bytes
        self._jobs.put(Free(budget_bytes))

    def set_power_saving(self, on: bool) -> None:
        """Compute on half of the processor's cores at most, or on all: from the next reply on."""
        self._power_saving = on
        self._jobs.cancel(SavePower)
        self._jobs.put_before_writing(SavePower(on))

    def move_states(self, folder: Path) -> None:
        """Copy and verify all states there, and use them there from then on."""
        self._jobs.put(MoveStates(folder))

    def list_personas(self) -> None:
        """Ask for ``personas_listed``; one answer is enough for all who asked meanwhile."""
        self._jobs.cancel(ListPersonas)
        self._jobs.put_before_writing(ListPersonas())

    def save_persona(self, reply: int, name: str) -> None:
        """Keep the state after this reply as a persona; one of that name is replaced."""
        self._jobs.put_before_writing(SavePersona(reply, name))

    def delete_persona(self, name: str) -> None:
        """Delete a persona for good."""
        self._jobs.put_before_writing(DeletePersona(name))

    def import_persona(self, file: Path, name: str, info: "ModelInfo | None") -> None:
        """Keep a state file of any program as a persona; info: the model that it is for."""
        self._jobs.put_before_writing(ImportPersona(file, name, info))

    def export_state(self, what: str | int, file: Path, format: "StateFormat") -> None:
        """Write a persona (by name) or the state after a reply (by its node) to a file."""
        self._jobs.put_before_writing(ExportState(what, file, format))

    def close(self) -> None:
        """Stop, keep the state, wait for the thread. May be called twice."""
        self._jobs.close()
        if self._thread.is_alive():
            self._thread.join()

    def _on_ready(self, model: LoadedModel) -> None:
        self.loaded_name = model.info.name

    def _on_ejected(self) -> None:
        self.loaded_name = ""

    # -- the engine thread

    def _run(self) -> None:
        give_way(COMPUTING)
        try:
            self._archive_in_use()
        except EngineError as error:  # whoever asks for something is told
            log.error("%s %s", error.message, error.hint)
            self.start_failed.emit(error.message, error.hint)
        else:
            self.started.emit()
        while (job := self._jobs.take()) is not None:
            try:
                self._do(job)
            except Exception as error:
                log.exception("A job of the engine failed unexpectedly")
                self._tell_failure(job, EngineError(f"Unexpected error: {error}", "See the log."))
        self._drop_model()
        if self._archive is not None:
            self._archive.close()

    def _archive_in_use(self) -> "StateArchive":
        """Return the archive, opened where it is not: slow once. Raises EngineError."""
        if self._archive is None:
            try:
                with uncollected():
                    from engine.archive import StateArchive

                self._archive = StateArchive(
                    self._states, self._store, budget_bytes=self._state_budget_bytes
                )
            except Exception as error:
                log.exception("The archive of states was not opened")
                raise EngineError(f"The engine could not start: {error}.", _what_helps()) from error
        return self._archive

    def _do(self, job: Job) -> None:
        try:
            if isinstance(job, Load):
                self._load(job)
            elif isinstance(job, Write):
                self._write(job)
            elif isinstance(job, Free):
                self._free(job)
            elif isinstance(job, SavePower):
                self._save_power(job)
            elif isinstance(job, MoveStates):
                self._move_states(job)
            elif isinstance(job, PersonaJob):
                self._do_for_personas(job)
            else:
                self._former = None
                self._drop_model()
                if self._archive is not None:
                    self._archive.forget_memory()  # eject is asked for to have memory back
                self.model_ejected.emit()
        except EngineError as error:
            self._tell_failure(job, error)

    def _tell_failure(self, job: Job, error: EngineError) -> None:
        log.warning("%s %s", error.message, error.hint)
        if isinstance(job, Load):
            suggestion = error.suggestion if isinstance(error, NotEnoughMemory) else ""
            self.model_failed.emit(job.path, error.message, error.hint, suggestion)
        elif isinstance(job, Write):
            self.failed.emit(job.turn.reply, error.message, error.hint)
        elif isinstance(job, PersonaJob):
            self.persona_failed.emit(error.message, error.hint)
        elif not isinstance(error, Cancelled):
            self.disk_failed.emit(error.message, error.hint)

    def _write(self, job: Write) -> None:
        reply = job.turn.reply
        if self._session is not None:
            self._session.run(job.turn, lambda event: self._tell(reply, event), job.cancel.is_set)
        elif job.cancel.is_set():
            self._store.update_node(reply, status="stopped")
            self._tell(reply, Finished("cancelled", ReplyStats()))
        else:
            error = EngineError("No model is loaded.", "Choose a model above, then try again.")
            self._store.update_node(reply, status="failed", error=f"{error.message} {error.hint}")
            raise error

    def _tell(self, reply: int, event: Event) -> None:
        self.reply_event.emit(reply, event)

    def _free(self, job: Free) -> None:
        archive = self._archive_in_use()
        archive.budget_bytes = self._state_budget_bytes
        self.space_freed.emit(archive.prune(job.budget_bytes))

    def _save_power(self, job: SavePower) -> None:
        if self._model is not None and not job.cancel.is_set():
            self._model.backend.set_power_saving(job.on)

    def _do_for_personas(self, job: PersonaJob) -> None:
        """Do what is asked for; the list is told in any case, as it then is."""
        if isinstance(job, ListPersonas) and job.cancel.is_set():
            return
        archive = self._archive_in_use()
        try:
            work_on(job, self._store, archive, self)
        finally:
            self.personas_listed.emit(tuple(archive.personas()))

    def _move_states(self, job: MoveStates) -> None:
        """Nothing is written meanwhile: this thread is the one that writes."""
        from engine.moving import move_files

        self._archive_in_use().close()
        self._archive = None
        try:
            originals = move_files(
                self._states, job.folder, throttled(self.states_moving.emit), job.cancel.is_set
            )
            self._states = job.folder
        finally:
            self._renew_session()
        self.states_moved.emit(str(job.folder), originals)

    def _renew_session(self) -> None:
        from engine.session import Session

        archive = self._archive_in_use()
        if self._model is not None:
            self._session = Session(self._model, self._store, archive)

    # -- loading, on the engine thread

    def _load(self, job: Load) -> None:
        """Load beside the model in use if both fit; else in its place, and come back on failure."""
        loaded = self._attempt(job)
        if not isinstance(loaded, Exception):
            self._adopt(loaded)
            return
        self._come_back()
        if not isinstance(loaded, Cancelled):
            raise loaded
        self._tell_current()

    def _attempt(self, job: Load) -> "Model | Exception":
        """Return the model, or why there is none: without frames, which hold what was loaded."""
        from engine.model import plan_model, release_cached_memory
        from engine.room import fits_beside, without

        try:
            _stop_if(job.cancel.is_set())
            self._archive_in_use()
            self.model_loading.emit(job.path, 0.0)
            hardware = self._hardware()
            held = self._model.plan.needs if self._model else ()
            info, plan = plan_model(job.path, job.strategy, without(hardware, held), job.loras)
            _stop_if(job.cancel.is_set())
            if held and not fits_beside(hardware, plan.needs):
                self._make_room()
            with uncollected():
                return self._load_planned(job.path, info, plan, job.cancel.is_set)
        except Exception as error:
            if not isinstance(error, EngineError | Cancelled):
                log.exception("%s could not be loaded", job.path.name)
            error = without_frames(error)
            release_cached_memory()
            return error

    def _hardware(self) -> "Hardware":
        from engine.hardware import detect

        found = detect(self._cache, processor_only=self._processor_only)
        return found.saving_power() if self._power_saving else found

    def _load_planned(
        self, path: Path, info: "ModelInfo", plan: "Plan", cancelled: "Callable[[], bool]"
    ) -> "Model":
        from engine.model import load_planned

        return load_planned(
            *(info, plan),
            progress=throttled(lambda fraction: self.model_loading.emit(path, fraction)),
            cancelled=cancelled,
            power_saving=self._power_saving,
        )

    def _make_room(self) -> None:
        if self._model is not None:
            held = self._model
            self._former = Load(held.info.path, held.plan.strategy, held.info.loras)
        self._drop_model()

    def _come_back(self) -> None:
        """Load the model again that had to make room, unless something else is wanted by now."""
        if self._former is None or self._is_outdated():
            return
        from engine.model import plan_model

        job = self._former
        try:
            info, plan = plan_model(job.path, job.strategy, self._hardware(), job.loras)
            self._adopt(self._load_planned(job.path, info, plan, self._is_outdated))
        except Cancelled:
            return
        except Exception:
            log.exception("The former model could not be loaded again")
            self._former = None
            self.model_ejected.emit()

    def _is_outdated(self) -> bool:
        """Whether the model in use will be another one, or none, in a moment."""
        return self._jobs.closed or self._jobs.awaits(Load, Eject)

    def _tell_current(self) -> None:
        """After a load that was given up: say what is loaded now."""
        if self._is_outdated():
            return
        if self._model is None:
            self.model_ejected.emit()
        else:
            self.model_ready.emit(_describe(self._model))

    def _adopt(self, model: "Model") -> None:
        self._drop_model()
        self._former = None
        self._model = model
        self._renew_session()
        self.model_ready.emit(_describe(model))

    def _drop_model(self) -> None:
        if self._model is not None:
            self._model.close()
        self._model = self._session = None


def without_frames(error: Exception) -> Exception:
    """Return an error whose tracebacks, and those of its causes, hold no objects any more."""
    part: BaseException | None = error
    while part is not None:
        part.__traceback__ = None
        part = part.__cause__ or part.__context__
    return error


def _what_helps() -> str:
    """Return what to do when the engine does not come up; a pack outlives an installation."""
    if pack_failed(Folders.standard()):
        return "Repair the GPU pack in Settings > Inference, or start safely, without it."
    return "Start Skein again; if that does not help, install it anew."


def _stop_if(cancelled: bool) -> None:
    if cancelled:
        raise Cancelled


def _describe(model: "Model") -> LoadedModel:
    return LoadedModel(
        model.info,
        model.plan,
        model.backend.name,
        model.template.name,
        model.template.think_modes,
        model.backend.notice,
    )
