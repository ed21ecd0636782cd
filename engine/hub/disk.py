"""The disk that downloads go to: how much is free, and what is said when it is full or closed."""

import errno
import shutil
from pathlib import Path

from engine.errors import DownloadFailed

MARGIN_BYTES = 256 * 2**20
"""What stays free: a system whose disk is full to the last byte does not work well."""

KEPT = "What was received is kept; the download can go on from there."
_FULL_HINT = "Free some space, or choose another folder for models in Settings."


def free_bytes(folder: Path) -> int:
    """Return what is free where ``folder`` lies."""
    return shutil.disk_usage(folder).free


def require_space(
    name: str,
    folder: Path,
    missing: int,
    free: int,
    margin_bytes: int,
    hint: str = _FULL_HINT,
) -> None:
    """Raise DownloadFailed (kind "full") unless ``missing`` bytes and the margin fit."""
    if free < missing + margin_bytes:
        raise DownloadFailed(
            f"The disk is too full for {name}: {size_words(missing)} are still to come, "
            f"and only {size_words(free)} are free in {folder}.",
            hint,
            kind="full",
        )


def size_words(size_bytes: int) -> str:
    """Return bytes as people read them: 3.1 GB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{max(0, size_bytes) / 1e3:.0f} kB"


def failure(
    error: OSError,
    name: str,
    folder: Path,
    full_hint: str = _FULL_HINT,
    closed_hint: str = "Choose a folder that can be written in Settings.",
) -> DownloadFailed:
    """Return what a failed write means to a person; the hints say what else can be done."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return DownloadFailed(
            f"The disk is full: {name} could not be written to {folder}.",
            f"{full_hint} {KEPT}",
            kind="full",
        )
    if error.errno == errno.EFBIG:
        return DownloadFailed(
            f"The file system of {folder} cannot hold a file as large as {name}.",
            "FAT32 ends at 4 GB: choose a folder on another drive in Settings.",
            kind="full",
        )
    return DownloadFailed(
        f"{name} could not be written to {folder}: {error.strerror or error}.",
        closed_hint,
        kind="disk",
    )
