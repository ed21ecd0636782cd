"""Moving a folder's files to another place without ever risking them.

Every file is copied, forced to disk and compared by its SHA-256 before anything is deleted; what
fails leaves all originals where they were.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from engine.errors import Cancelled, EngineError
from engine.files import rename

_PIECE_BYTES = 8 << 20
_MARGIN_BYTES = 200_000_000


def move_files(
    source: Path,
    target: Path,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    stopped: Callable[[], bool] = lambda: False,
) -> list[Path]:
    """Copy and verify all files of a folder; return the originals, for ``remove`` after the switch.

    progress: called with bytes done and bytes in all. A file that is there already with the same
    content is not copied again. Raises EngineError (no room, not writable, another file of that
    name), Cancelled.
    """
    files = sorted(path for path in source.rglob("*") if path.is_file())
    if target.resolve() == source.resolve() or source.resolve() in target.resolve().parents:
        raise EngineError(
            f"{target} lies inside the folder that is to be moved.", "Choose another folder."
        )
    total = sum(path.stat().st_size for path in files)
    done = 0
    try:
        target.mkdir(parents=True, exist_ok=True)
        _require_room(target, total)
        for path in files:
            goal = target / path.relative_to(source)
            goal.parent.mkdir(parents=True, exist_ok=True)
            _copy(path, goal, stopped)
            done += path.stat().st_size
            progress(done, total)
    except OSError as error:
        raise EngineError(
            f"The files could not be copied to {target}: {error.strerror or error}.",
            "Nothing was moved. Choose another folder.",
        ) from error
    return files


def remove(files: list[Path]) -> None:
    """Delete originals that were copied and verified; what cannot be deleted stays."""
    for path in files:
        try:
            path.unlink()
        except OSError:
            continue


def _require_room(target: Path, wanted_bytes: int) -> None:
    free = shutil.disk_usage(target).free
    if wanted_bytes + _MARGIN_BYTES > free:
        raise EngineError(
            f"{target} has {free / 1e9:.1f} GB free, but {wanted_bytes / 1e9:.1f} GB are needed.",
            "Free some space there, or choose another folder.",
        )


def _copy(path: Path, goal: Path, stopped: Callable[[], bool]) -> None:
    if goal.exists():
        if _hash(goal, stopped) == _hash(path, stopped):
            return
        raise EngineError(
            f"{goal} is there already and is another file.", "Rename it, then move again."
        )
    part = goal.with_name(goal.name + ".moving")
    try:
        written = _copy_hashed(path, part, stopped)
        if _hash(part, stopped) != written:
            raise EngineError(
                f"{goal.name} was not written correctly.", "Nothing was moved. Check that disk."
            )
        rename(part, goal)
    finally:
        part.unlink(missing_ok=True)


def _copy_hashed(path: Path, part: Path, stopped: Callable[[], bool]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as read, part.open("wb") as write:
        while piece := read.read(_PIECE_BYTES):
            if stopped():
                raise Cancelled
            digest.update(piece)
            write.write(piece)
        write.flush()
        os.fsync(write.fileno())
    return digest.hexdigest()


def _hash(path: Path, stopped: Callable[[], bool]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            if stopped():
                raise Cancelled
            digest.update(piece)
    return digest.hexdigest()
