"""State files for a loaded model: opened with every check, saved with what identifies them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError, StateMismatch
from engine.snapshot import Snapshot, load_snapshot, save_snapshot
from engine.state import read_metadata

if TYPE_CHECKING:
    from engine.checkpoint import ModelInfo


def open_for(path: Path, info: "ModelInfo") -> Snapshot:
    """Return the state in ``path``, our own or another program's, if it is of these weights.

    Foreign files do not say whose they are: of them only the shape is checked. Raises
    StateMismatch for a state of other weights, DamagedFile, or EngineError when there is none.
    """
    from engine.state_formats import format_of, import_state

    if not path.exists():
        raise EngineError(f"There is no state file {path}.", "Check the name.")
    if format_of(path) == "skein" and read_metadata(path).get("fingerprint") != info.fingerprint:
        raise StateMismatch(
            f"{path.name} was saved with another model than {info.name}.",
            "Load the model that it was saved with, or let this one read the text again.",
        )
    if format_of(path) != "skein":
        return Snapshot(import_state(path, info.shape), None, None)
    snapshot = load_snapshot(path)[0]
    snapshot.state.require_shape(info.shape)
    return snapshot


def save_for(
    path: Path, snapshot: Snapshot, info: "ModelInfo", *, kind: str = "checkpoint"
) -> None:
    """Save a state so that it can be told which weights it belongs to.

    kind: "checkpoint", "persona" or "document". Raises EngineError when it cannot be written.
    """
    metadata = {
        "kind": kind,
        "fingerprint": info.fingerprint,
        "model": info.name,
        "name": path.stem,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        save_snapshot(path, snapshot, metadata)
    except OSError as error:
        raise EngineError(
            f"The state could not be saved as {path}: {error.strerror}.",
            "Choose another folder, or free some space.",
        ) from error
