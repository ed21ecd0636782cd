"""Which version of a model packed weights were made of: sizes, times and samples of its files.

Knows files; knows nothing of what is in them.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

_SAMPLE_BYTES = 4096
_SAMPLES = 500


def source_stamp(files: Iterable[Path]) -> tuple[int, int]:
    """Return (bytes, latest time in ns) of a model's files together. Raises OSError."""
    told = [file.stat() for file in files]
    return sum(one.st_size for one in told), max((one.st_mtime_ns for one in told), default=0)


def source_digest(files: Iterable[Path]) -> str:
    """Return the SHA-256 of some 500 pages from all over each file of a model. Raises OSError."""
    total = hashlib.sha256()
    for file in files:
        _add_samples(total, file)
    return total.hexdigest()


def _add_samples(total: "hashlib._Hash", path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        for begin in range(0, size, max(_SAMPLE_BYTES, size // _SAMPLES)):
            file.seek(begin)
            total.update(file.read(_SAMPLE_BYTES))
