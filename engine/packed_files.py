"""Packed weights in files of the cache folder: what a processor's engine packed once is used again.

A file is whole or not there, serves one version of one model only, and can be deleted at any time:
it is made again. It is read as a whole before it is used, so that no damage goes unnoticed, and
then mapped: processes share its pages. Knows files; knows nothing of what the bytes mean.
"""

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from engine.errors import Cancelled
from engine.files import replacing
from engine.packed_format import (
    HEADER_BYTES,
    SUFFIX,
    IsCancelled,
    PackedHeader,
    PackedKey,
    Progress,
    checksum_of,
    header_bytes,
    is_sound,
    parse_header,
    read_header,
)
from engine.packed_source import source_stamp
from kernels.cpu.memory import MappedMemory

MOST_BYTES = 16_000_000_000
"""What all files together may take, where nobody says otherwise."""
LEAST_BYTES = 64_000_000
"""Smaller models are packed again in less time than anybody notices."""

_WRITE_BYTES = 4 << 20
_SYNC_BYTES = 32 << 20  # forced to disk as it comes: no flood at the end, no long wait for a stop
_MARGIN_BYTES = 2_000_000_000  # of the disk, for others
_STALE_SECONDS = 600
_log = logging.getLogger(__name__)


class _Damaged(Exception):
    """A file whose bytes are not what was written."""


class _Held(NamedTuple):
    path: Path
    size_bytes: int
    used: float


class PackedFiles:
    """The files of one folder. Any thread may use it, and several processes at once."""

    def __init__(
        self,
        folder: Path,
        most_bytes: int = MOST_BYTES,
        least_bytes: int = LEAST_BYTES,
        delay_s: float = 2.0,
    ) -> None:
        """most_bytes: of all files together. delay_s: how long whoever packed waits before it
        writes, so that the first answer has the machine.
        """
        self.folder = folder
        self.delay_s = delay_s
        self._most_bytes = most_bytes
        self._least_bytes = least_bytes

    def wants(self, key: PackedKey) -> bool:
        """Tell whether a model of this size is worth a file."""
        return self._least_bytes <= key.packed_bytes <= self._most_bytes - HEADER_BYTES

    def find(self, key: PackedKey) -> Path | None:
        """Return the file of these weights if its header is sound and it is as long as it says."""
        path = self.folder / key.file_name
        header = read_header(path)
        return path if header is not None and header.key == key else None

    def open(
        self,
        key: PackedKey,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> MappedMemory | None:
        """Return the weights of ``key``, every byte checked; None: there are none that are sound.

        A damaged file is gone then. Raises Cancelled.
        """
        path = self.folder / key.file_name
        try:
            with path.open("rb", buffering=0) as file:
                memory = _open_sound(path, file.fileno(), key, progress, cancelled)
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("%s cannot be used: %s", path.name, error)
            return None
        except _Damaged as why:
            _log.warning("%s is not used, it is made again: %s", path.name, why)
            _unlink(path)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # used now: others go first
        return memory

    def write(
        self,
        key: PackedKey,
        sources: Sequence[Path],
        data: memoryview,
        stopped: IsCancelled,
        hurried: IsCancelled = lambda: False,
    ) -> bool:
        """Keep packed bytes; return whether they are there now. Never raises for a full disk.

        sources: the model's files; when they are gone, so may its packed bytes be. stopped: asked
        after every few megabytes. Half of the time is left to others, unless ``hurried``.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make_room(key)
            free = shutil.disk_usage(self.folder).free
            if free < len(data) + _MARGIN_BYTES:
                _log.info("packed weights are not kept: %.1f GB of the disk are free", free / 1e9)
                return False
            names = tuple(str(source.absolute()) for source in sources)
            header = header_bytes(PackedHeader(key, names, checksum_of(data, stopped)))
            with replacing(self.folder / key.file_name) as temporary:
                _write_all(temporary, header, data, stopped, hurried)
        except Cancelled:
            return False
        except OSError as error:
            _log.warning("packed weights could not be kept: %s", error)
            return False
        return True

    def usage(self) -> int:
        """Return the bytes that all files take."""
        return sum(held.size_bytes for held in self._files())

    def clear(self) -> int:
        """Delete all files, those being written excepted; return the bytes freed."""
        return sum(_unlink(held.path) * held.size_bytes for held in self._files())

    def prune(self, coming_bytes: int = 0) -> int:
        """Delete what was not used for longest until all fits; return the bytes freed.

        coming_bytes: for which there is to be room.
        """
        held = sorted(self._files(), key=lambda held: held.used)
        over = sum(one.size_bytes for one in held) + coming_bytes - self._most_bytes
        freed = 0
        for one in held:
            if freed >= over:
                break
            freed += _unlink(one.path) * one.size_bytes
        return freed

    def _make_room(self, coming: PackedKey) -> None:
        """Delete what is of no use any more, then what was not used for longest."""
        self._sweep()
        for held in self._files():
            header = read_header(held.path)
            if header is None or not _is_of_use(header, coming):
                _unlink(held.path)
        self.prune(HEADER_BYTES + coming.packed_bytes)

    def _sweep(self) -> None:
        """Delete what kills left; not what another process may be writing."""
        for path in self.folder.glob(f".*{SUFFIX}.*.part"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()

    def _files(self) -> Iterator[_Held]:
        for path in list(self.folder.glob(f"*{SUFFIX}")) if self.folder.is_dir() else ():
            with contextlib.suppress(OSError):
                told = path.stat()
                yield _Held(path, told.st_size, told.st_mtime)


def _open_sound(
    path: Path,
    handle: int,
    key: PackedKey,
    progress: Progress | None,
    cancelled: IsCancelled | None,
) -> MappedMemory:
    """Check an open file and map it. Raises _Damaged, OSError or Cancelled."""
    header = parse_header(os.read(handle, HEADER_BYTES), os.fstat(handle).st_size)
    if header is None or header.key != key:
        raise _Damaged("its header is damaged or another's, or it was cut short")
    if not is_sound(path, handle, header, progress, cancelled):
        raise _Damaged("its content was changed")
    return MappedMemory(handle, HEADER_BYTES, key.packed_bytes)


def _is_of_use(header: PackedHeader, coming: PackedKey) -> bool:
    """Tell whether this version can use it and the model is still the one it was made of."""
    key = header.key
    if (key.engine, key.release) != (coming.engine, coming.release):
        return False
    try:
        stamp = source_stamp(Path(source) for source in header.sources)
    except (OSError, ValueError):  # ValueError: what is no name of a file
        return False
    return stamp == (key.source_bytes, key.source_time_ns)


def _write_all(
    path: Path, header: bytes, data: memoryview, stopped: IsCancelled, hurried: IsCancelled
) -> None:
    with path.open("xb", buffering=0) as file:
        _write_piece(file.fileno(), memoryview(header))
        for begin in range(0, len(data), _WRITE_BYTES):
            if stopped():
                raise Cancelled
            began = time.perf_counter()
            _write_piece(file.fileno(), data[begin : begin + _WRITE_BYTES])
            if begin % _SYNC_BYTES == 0:
                os.fsync(file.fileno())
            if not hurried():
                time.sleep(min(0.2, time.perf_counter() - began))


def _write_piece(handle: int, piece: memoryview) -> None:
    done = 0
    while done < len(piece):
        done += os.write(handle, piece[done:])


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True
