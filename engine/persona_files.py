"""Personas as files: a state of another program becomes one, and one becomes a file for others.

Knows the archive and state files; knows no model but by its ``ModelInfo``.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DamagedFile, EngineError, StateMismatch
from engine.personas import Persona
from engine.reply_persona import reply_state
from engine.snapshot import Snapshot
from engine.state import read_metadata
from engine.state_formats import StateFormat, export_state, import_state

if TYPE_CHECKING:
    from engine.archive import StateArchive
    from engine.checkpoint import ModelInfo
    from engine.store import Store


def import_persona(
    archive: "StateArchive", file: Path, name: str = "", info: "ModelInfo | None" = None
) -> Persona:
    """Keep a state file of any program as a persona; an older one of that name is replaced.

    name: "" takes the file's. info: the model that it is for; without it any model of its size
    may use it, unless the file says which weights it was made with.
    Raises StateMismatch when it is not for that model, EngineError when there is no such file or
    it cannot be kept, and what ``import_state`` raises.
    """
    if not file.is_file():
        raise EngineError(f"There is no file {file}.", "Check its name and folder.")
    state = import_state(file, info.shape if info else None)
    fingerprint = _fingerprint(file, info.fingerprint if info else "")
    return archive.save_persona(name or file.stem, Snapshot(state), fingerprint)


def export_persona(archive: "StateArchive", name: str, out: Path, format: StateFormat) -> str:
    """Write a persona to a file; return a sentence about what is lost, or "".

    Raises EngineError when there is none of that name or the file cannot be written.
    """
    persona = archive.persona(name)
    words = {**persona.notes, "fingerprint": persona.fingerprint, "name": name}
    return _export(out, archive.load_persona(name), format, words)


def export_reply(
    store: "Store", archive: "StateArchive", reply: int, out: Path, format: StateFormat
) -> str:
    """Write the state after a reply to a file; return a sentence about what is lost, or "".

    Raises EngineError when no state is kept for it or the file cannot be written.
    """
    snapshot, fingerprint = reply_state(store, archive, reply)
    words = {"fingerprint": fingerprint, "name": out.stem, "model": store.node(reply).model}
    return _export(out, Snapshot(snapshot.state), format, words)


def _export(out: Path, snapshot: Snapshot, format: StateFormat, words: dict[str, str]) -> str:
    try:
        return export_state(out, snapshot.state, format, words)
    except OSError as error:
        raise EngineError(
            f"{out.name} could not be written: {error.strerror or error}.",
            "Free some space, or choose another folder.",
        ) from error


def _fingerprint(file: Path, model: str) -> str:
    """Return the weights that a state belongs to: the model's, or what the file itself says.

    Raises StateMismatch when they disagree.
    """
    try:
        own = read_metadata(file).get("fingerprint", "")
    except DamagedFile:  # a .pth has no metadata
        own = ""
    if own and model and own != model:
        raise StateMismatch(
            f"{file.name} was made with other weights than this model's.",
            "Choose the model that it was made with.",
        )
    return model or own
