"""What the engine thread does for personas: saved, taken in, written out, deleted. Knows no Qt."""

from typing import TYPE_CHECKING

from app.services.engine_jobs import (
    DeletePersona,
    ExportState,
    ImportPersona,
    PersonaJob,
    SavePersona,
)

if TYPE_CHECKING:
    from app.services.engine import EngineService
    from engine.archive import StateArchive
    from engine.store import Store


def work_on(
    job: PersonaJob, store: "Store", archive: "StateArchive", told: "EngineService"
) -> None:
    """Do what one job asks for and say so by the signals of ``told``. Raises EngineError."""
    from engine.persona_files import import_persona
    from engine.reply_persona import save_reply_as_persona

    if isinstance(job, SavePersona):
        saved = save_reply_as_persona(store, archive, job.reply, job.name)
        told.persona_saved.emit(saved.name)
    elif isinstance(job, ImportPersona):
        saved = import_persona(archive, job.file, job.name, job.info)
        told.persona_saved.emit(saved.name)
    elif isinstance(job, DeletePersona):
        archive.delete_persona(job.name)
        told.persona_deleted.emit(job.name)
    elif isinstance(job, ExportState):
        told.state_exported.emit(job.file, _export(job, store, archive))


def _export(job: ExportState, store: "Store", archive: "StateArchive") -> str:
    """Write a state to a file; return what is lost in that format."""
    from engine.persona_files import export_persona, export_reply

    if isinstance(job.what, str):
        return export_persona(archive, job.what, job.file, job.format)
    return export_reply(store, archive, job.what, job.file, job.format)
