"""Packed weights in files of the cache folder: what a processor's engine packed once is read back.

A file is a page of header and the bytes as they lie in memory. It is whole or not there, serves
one version of one model file only, and can be deleted at any time: it is made again. Knows files;
knows nothing of what the bytes mean.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import struct
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.errors import Cancelled
from engine.files import replacing
from engine.priority import IDLE, give_way

MOST_BYTES = 16_000_000_000
"""What all files together may take."""
LEAST_BYTES = 64_000_000
"""Smaller models are packed again in less time than anybody notices."""

_MAGIC = b"SKEINPK1"
_HEAD = struct.Struct("<8sI32s")  # magic, length of the JSON after it, its SHA-256
_HEADER_BYTES = 4096
_SUFFIX = ".packed"
_READ_BYTES = 16 << 20  # what one thread reads at once
_READERS = 4
_WRITE_BYTES = 4 << 20
_SYNC_BYTES = 32 << 20  # forced to disk as it comes: no flood at the end, no long wait for a stop
_SAMPLE_BYTES = 4096
_SOURCE_SAMPLES = 500
_MARGIN_BYTES = 2_000_000_000  # of the disk, for others
_STALE_SECONDS = 600
_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
IsCancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class PackedKey:
    """Which packed weights: equal keys, equal bytes.

    fingerprint: of the weights, LoRAs and all. source_bytes, source_time_ns: size and time of the
    model file. source_digest: of samples of it, since a copied time and the signs of weights, which
    are all that a fingerprint sees, may be those of another version. layout: the library's version.
    release: Skein's. packed_bytes: how many they are.
    """

    fingerprint: str
    source_bytes: int
    source_time_ns: int
    source_digest: str
    weights: str
    layout: int
    release: str
    packed_bytes: int

    @property
    def file_name(self) -> str:
        """A name that no other key has."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32] + _SUFFIX


class PackedFiles:
    """The files of one folder. Any thread may use it, and several processes at once."""

    def __init__(
        self,
        folder: Path,
        most_bytes: int = MOST_BYTES,
        least_bytes: int = LEAST_BYTES,
        delay_s: float = 2.0,
    ) -> None:
        """delay_s: how long a ``PackedWriter`` waits, so that the first answer has the machine."""
        self.folder = folder
        self.delay_s = delay_s
        self._most_bytes = most_bytes
        self._least_bytes = least_bytes

    def wants(self, key: PackedKey) -> bool:
        """Tell whether a model of this size is worth a file."""
        return self._least_bytes <= key.packed_bytes <= self._most_bytes

    def find(self, key: PackedKey) -> Path | None:
        """Return the file of these weights if its header is sound and it is as long as it says."""
        path = self.folder / key.file_name
        header = read_header(path)
        if header is None:
            if path.exists():
                _discard(path, "its header is damaged, or it was cut short")
            return None
        return path if header["key"] == asdict(key) else None

    def read(
        self,
        path: Path,
        target: memoryview,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> bool:
        """Read what ``find`` found; False: it is damaged after all, and gone now.

        Several threads read: zeroing memory and copying take longer than a good disk.
        Raises Cancelled.
        """
        header = read_header(path)
        try:
            if header is None or not _read_all(path, target, progress, cancelled):
                raise ValueError("it was cut short")
            if _checksum_of(target, _readers()) != header["checksum"]:
                raise ValueError("its content was changed")
        except (OSError, ValueError) as error:
            _discard(path, error)
            return False
        with contextlib.suppress(OSError):
            os.utime(path)  # used now: others go first
        return True

    def write(self, key: PackedKey, source: Path, data: memoryview, stopped: IsCancelled) -> bool:
        """Keep packed bytes; return whether they are there now. Never raises for a full disk.

        source: the model file; when it is gone, so may its packed bytes be. stopped: asked after
        every few megabytes. Half of the time is left to others.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make_room(key)
            free = shutil.disk_usage(self.folder).free
            if free < len(data) + _MARGIN_BYTES:
                _log.info("packed weights are not kept: %.1f GB of the disk are free", free / 1e9)
                return False
            with replacing(self.folder / key.file_name) as temporary:
                _write_all(temporary, _header(key, source, data), data, stopped)
        except Cancelled:
            return False
        except OSError as error:
            _log.warning("packed weights could not be kept: %s", error)
            return False
        return True

    def usage(self) -> int:
        """Return the bytes that all files take."""
        return sum(size for _, size, _ in self._files())

    def clear(self) -> int:
        """Delete all files, those being written excepted; return the bytes freed."""
        return sum(_unlink(path) * size for path, size, _ in self._files())

    def _make_room(self, coming: PackedKey) -> None:
        """Delete what is of no use any more, then what was not used for longest."""
        self._sweep()
        for path, _, _ in self._files():
            header = read_header(path)
            if header is None or not _is_of_use(header, coming):
                _unlink(path)
        files = sorted(self._files(), key=lambda file: file[2])
        left = sum(size for _, size, _ in files) + coming.packed_bytes
        for path, size, _ in files:
            if left <= self._most_bytes:
                break
            left -= _unlink(path) * size

    def _sweep(self) -> None:
        """Delete what kills left; not what another process may be writing."""
        for path in self.folder.glob(f".*{_SUFFIX}.*.part"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()

    def _files(self) -> Iterator[tuple[Path, int, float]]:
        """Yield (path, bytes, time of the last use)."""
        for path in list(self.folder.glob(f"*{_SUFFIX}")) if self.folder.is_dir() else ():
            with contextlib.suppress(OSError):
                told = path.stat()
                yield path, told.st_size, told.st_mtime


class PackedWriter:
    """Writes one model's packed bytes while it is in use: late, slowly, and until told to stop."""

    def __init__(
        self,
        files: PackedFiles,
        key: PackedKey,
        source: Path,
        data: memoryview,
        owner: object,
    ) -> None:
        """Start the thread. data: what ``owner`` keeps in memory."""
        stop = threading.Event()
        self._thread = threading.Thread(
            target=_write_later,
            args=(files, key, source, data, owner, stop),
            name="skein-packed",
            daemon=True,
        )
        self._thread.start()
        # Also at the end of the program, which else would leave half a file.
        self._stop = weakref.finalize(self, _end, stop, self._thread)

    def stop(self) -> None:
        """Give it up and wait until the bytes are not read any more."""
        self._stop()

    def wait(self) -> None:
        """Wait until all is written."""
        self._thread.join()


def _write_later(
    files: PackedFiles,
    key: PackedKey,
    source: Path,
    data: memoryview,
    owner: object,
    stop: threading.Event,
) -> None:
    """What the thread does; it holds ``owner``, so that nobody gives the memory back meanwhile."""
    give_way(IDLE)
    try:
        if not stop.wait(files.delay_s):
            files.write(key, source, data, stop.is_set)
    except Exception:  # a cache is never worth a crash
        _log.exception("packed weights could not be kept")
    finally:
        data.release()
        del owner


def _end(stop: threading.Event, thread: threading.Thread) -> None:
    stop.set()
    if thread is not threading.current_thread():
        thread.join()


def source_stamp(path: Path) -> tuple[int, int]:
    """Return (bytes, latest time in ns) of a model, all its files together. Raises OSError."""
    told = [file.stat() for file in _source_files(path)]
    return sum(one.st_size for one in told), max((one.st_mtime_ns for one in told), default=0)


def source_digest(path: Path) -> str:
    """Return the SHA-256 of some 500 pages from all over each file of a model. Raises OSError."""
    total = hashlib.sha256()
    for file in _source_files(path):
        _add_samples(total, file)
    return total.hexdigest()


def _source_files(path: Path) -> list[Path]:
    """Return the files that a model's weights lie in: a model may be a folder."""
    return sorted(path.glob("*.safetensors")) if path.is_dir() else [path]


def _add_samples(total: "hashlib._Hash", path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        for begin in range(0, size, max(_SAMPLE_BYTES, size // _SOURCE_SAMPLES)):
            file.seek(begin)
            total.update(file.read(_SAMPLE_BYTES))


def read_header(path: Path) -> dict[str, Any] | None:
    """Return what the header says, if it is sound and the file has the length that it tells."""
    try:
        with path.open("rb") as file:
            page = file.read(_HEADER_BYTES)
            size = os.fstat(file.fileno()).st_size
        magic, length, digest = _HEAD.unpack_from(page)
        text = page[_HEAD.size : _HEAD.size + length]
        if magic != _MAGIC or hashlib.sha256(text).digest() != digest:
            return None
        header = json.loads(text)
        whole = size == _HEADER_BYTES + header["key"]["packed_bytes"]
        known = isinstance(header["checksum"], str) and isinstance(header["source"], str)
        return header if whole and known else None
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None


def _header(key: PackedKey, source: Path, data: memoryview) -> bytes:
    said = {"key": asdict(key), "source": str(source.absolute()), "checksum": _checksum_of(data)}
    text = json.dumps(said).encode()
    head = _HEAD.pack(_MAGIC, len(text), hashlib.sha256(text).digest()) + text
    if len(head) > _HEADER_BYTES:
        raise OSError(f"the path of {source.name} is too long for a header")
    return head.ljust(_HEADER_BYTES, b"\0")


def _is_of_use(header: dict[str, Any], coming: PackedKey) -> bool:
    """Tell whether this version can read it and the model file is still the one it was made of."""
    made_by = header["key"].get("layout"), header["key"].get("release")
    if made_by != (coming.layout, coming.release):
        return False
    try:
        stamp = source_stamp(Path(header["source"]))
    except OSError:
        return False
    return stamp == (header["key"].get("source_bytes"), header["key"].get("source_time_ns"))


def _checksum_of(data: memoryview, threads: int = 1) -> str:
    """Return the SHA-256 of the CRCs of all pieces: of everything, at 2 GB/s a thread."""
    with ThreadPoolExecutor(threads) as workers:
        begins = range(0, len(data), _READ_BYTES)
        sums = workers.map(lambda begin: zlib.crc32(data[begin : begin + _READ_BYTES]), begins)
        return hashlib.sha256(repr(list(sums)).encode()).hexdigest()


def _readers() -> int:
    return min(_READERS, os.cpu_count() or 1)


def _read_all(
    path: Path, target: memoryview, progress: Progress | None, cancelled: IsCancelled | None
) -> bool:
    """Fill ``target`` with what follows the header. False: there is less."""

    def read(begin: int) -> bool:
        with target[begin : begin + _READ_BYTES] as part, path.open("rb", buffering=0) as file:
            file.seek(_HEADER_BYTES + begin)
            done = 0
            while done < len(part):
                count = file.readinto(part[done:])
                if not count:
                    return False
                done += count
            return True

    begins = range(0, len(target), _READ_BYTES)
    with ThreadPoolExecutor(_readers()) as readers:
        coming = [readers.submit(read, begin) for begin in begins]
        try:
            for begin, piece in zip(begins, coming, strict=True):
                if not piece.result():
                    return False
                if cancelled is not None and cancelled():
                    raise Cancelled
                if progress:
                    progress(min(begin + _READ_BYTES, len(target)), len(target))
        finally:
            for piece in coming:
                piece.cancel()
    return True


def _write_all(path: Path, header: bytes, data: memoryview, stopped: IsCancelled) -> None:
    with path.open("xb", buffering=0) as file:
        _write_piece(file.fileno(), memoryview(header))
        for begin in range(0, len(data), _WRITE_BYTES):
            if stopped():
                raise Cancelled
            began = time.perf_counter()
            _write_piece(file.fileno(), data[begin : begin + _WRITE_BYTES])
            if begin % _SYNC_BYTES == 0:
                os.fsync(file.fileno())
            time.sleep(min(0.2, time.perf_counter() - began))


def _write_piece(handle: int, piece: memoryview) -> None:
    done = 0
    while done < len(piece):
        done += os.write(handle, piece[done:])


def _discard(path: Path, why: object) -> None:
    _log.warning("%s is not used, it is made again: %s", path.name, why)
    _unlink(path)


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True
