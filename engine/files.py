"""Files that are whole or not there: written under another name, forced to disk, renamed."""

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8) if os.name == "nt" else ()
"""Elsewhere nobody who reads a file keeps it from being renamed."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write so that a kill or a power cut at any moment leaves the old file or the new one.

    A kill can leave a temporary ``.NAME.*.part`` beside it, which is never read.
    Raises OSError when the disk is full or read-only; nothing half-written stays then.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield another name beside ``path``; what is written there takes its place when all went well.

    For writers that want a file and not bytes; as ``write_atomically`` otherwise. Whatever is
    raised inside leaves the old file, and nothing half-written.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def rename(source: Path, target: Path) -> None:
    """Give a file or a folder the name ``target``, in the place of a file that has it.

    On Windows nothing is renamed while anybody reads it, be it a virus scanner that looks into what
    was only just written: that one is waited for, 1.5 s at most. Raises OSError.
    """
    for pause_s in _PAUSES_S:
        with contextlib.suppress(PermissionError):
            os.replace(source, target)
            return
        time.sleep(pause_s)
    os.replace(source, target)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can (not on Windows)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
