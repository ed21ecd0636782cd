"""Who runs with a pack holds a file of it open, so that no other process deletes it meanwhile.

Standard library only; a hold ends with its process, however that ends. Linux: a shared lock; on
Windows an open file cannot be deleted at all, so whoever deletes begins with this file.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


def hold(file: Path) -> int:
    """Open a file and return its handle; as long as that is open, ``unheld`` says False.

    Raises OSError when it is not there, or is just being deleted.
    """
    handle = os.open(file, os.O_RDONLY)
    if fcntl and not _locked(handle, fcntl.LOCK_SH):
        os.close(handle)
        raise BlockingIOError(f"{file} is being deleted")
    return handle


@contextmanager
def unheld(file: Path) -> Iterator[bool]:
    """Yield whether no process holds the file; none can begin to until the block is left.

    On Windows True: deleting the file says it. Raises OSError.
    """
    if fcntl is None or not file.is_file():
        yield True
        return
    handle = os.open(file, os.O_RDWR)
    try:
        yield _locked(handle, fcntl.LOCK_EX)
    finally:
        os.close(handle)


def _locked(handle: int, kind: int) -> bool:
    """Say whether the lock was had, or the file system knows none."""
    assert fcntl
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
