"""The file of packed weights: a header of fixed length, then the bytes as they lie in memory.

The header says what they are of and what their checksum is. Knows bytes; nothing of folders, of
which files are worth keeping, or of what the bytes mean.
"""

import hashlib
import json
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.errors import Cancelled

HEADER_BYTES = 16384
"""Where the weights begin: a multiple of every alignment that the library asks for."""
SUFFIX = ".packed"

_MAGIC = b"SKEINPK2"
_HEAD = struct.Struct("<8sI32s")  # magic, length of the JSON after it, its SHA-256
_PIECE_BYTES = 16 << 20  # of which one checksum is made, by one thread
_READ_BYTES = 512 << 10  # stays in a core's own cache until it is summed
_MOST_READERS = 4

Progress = Callable[[int, int], None]
IsCancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class PackedKey:
    """Which packed weights: equal keys, equal bytes.

    fingerprint: of the weights, LoRAs and all. source_bytes, source_time_ns: size and time of the
    model's files. source_digest: of samples of them, since a copied time and the signs of weights,
    which are all that a fingerprint sees, may be those of another version. engine: the SHA-256 of
    the library that packed them, so that no change of a layout is ever forgotten. release: Skein's.
    packed_bytes: how many they are.
    """

    fingerprint: str
    source_bytes: int
    source_time_ns: int
    source_digest: str
    weights: str
    engine: str
    release: str
    packed_bytes: int

    @property
    def file_name(self) -> str:
        """A name that no other key has."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32] + SUFFIX


@dataclass(frozen=True, slots=True)
class PackedHeader:
    """What a file says of itself. sources: the model's files; checksum: as ``checksum_of``."""

    key: PackedKey
    sources: tuple[str, ...]
    checksum: str


def header_bytes(header: PackedHeader) -> bytes:
    """Return the pages that a file begins with. Raises OSError when the paths are too long."""
    text = json.dumps(asdict(header)).encode()
    head = _HEAD.pack(_MAGIC, len(text), hashlib.sha256(text).digest()) + text
    if len(head) > HEADER_BYTES:
        raise OSError("the paths of the model are too long for a header")
    return head.ljust(HEADER_BYTES, b"\0")


def read_header(path: Path) -> PackedHeader | None:
    """Return what the header says, if it is sound and the file has the length that it tells."""
    try:
        with path.open("rb", buffering=0) as file:
            return parse_header(file.read(HEADER_BYTES), os.fstat(file.fileno()).st_size)
    except OSError:
        return None


def parse_header(page: bytes, file_bytes: int) -> PackedHeader | None:
    """Return what a file's first page says; None if it is not sound or the length is another."""
    try:
        magic, length, digest = _HEAD.unpack_from(page)
        text = page[_HEAD.size : _HEAD.size + length]
        if magic != _MAGIC or hashlib.sha256(text).digest() != digest:
            return None
        header = _header_of(json.loads(text))
    except (ValueError, KeyError, TypeError, RecursionError, struct.error):
        return None
    return header if file_bytes == HEADER_BYTES + header.key.packed_bytes else None


def _header_of(said: dict[str, Any]) -> PackedHeader:
    """Raises KeyError or TypeError for what is no header."""
    key, sources, checksum = PackedKey(**said["key"]), said["sources"], said["checksum"]
    texts = [*sources, checksum, key.engine, key.release]
    numbers = key.packed_bytes, key.source_bytes, key.source_time_ns
    if not all(type(one) is str for one in texts) or not all(type(one) is int for one in numbers):
        raise TypeError
    return PackedHeader(key, tuple(sources), checksum)


def checksum_of(data: memoryview, stopped: IsCancelled | None = None) -> str:
    """Return the SHA-256 of the CRCs of all pieces. Raises Cancelled when asked to stop."""
    sums = []
    for begin in range(0, len(data), _PIECE_BYTES):
        if stopped is not None and stopped():
            raise Cancelled
        sums.append(zlib.crc32(data[begin : begin + _PIECE_BYTES]))
    return _joined(sums)


def is_sound(
    path: Path,
    handle: int,
    header: PackedHeader,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> bool:
    """Read an open file as a whole and tell whether its bytes are those that were written.

    Plain reads by several threads: a disk that fails is an OSError then, where a mapping would end
    the program; what is read is in the system's memory afterwards, ready to be mapped. path: the
    same file, for systems that cannot read one at two places. Raises OSError or Cancelled.
    """
    total = header.key.packed_bytes
    reader = _Reader(path, handle, HEADER_BYTES + total)
    begins = range(HEADER_BYTES, HEADER_BYTES + total, _PIECE_BYTES)
    sums: list[int] = []
    with ThreadPoolExecutor(min(_MOST_READERS, os.cpu_count() or 1)) as threads:
        coming = [threads.submit(reader.crc, begin) for begin in begins]
        try:
            for piece in coming:
                sums.append(piece.result())
                if cancelled is not None and cancelled():
                    raise Cancelled
                if progress:
                    progress(min(len(sums) * _PIECE_BYTES, total), total)
        finally:
            reader.stop.set()
            for piece in coming:
                piece.cancel()
    return _joined(sums) == header.checksum


def _joined(sums: list[int]) -> str:
    return hashlib.sha256(repr(sums).encode()).hexdigest()


class _Reader:
    """Sums pieces of one file on any thread."""

    def __init__(self, path: Path, handle: int, end: int) -> None:
        self._path, self._handle, self._end = path, handle, end
        self._rooms = threading.local()
        self.stop = threading.Event()

    def crc(self, begin: int) -> int:
        """Return the CRC of the piece at ``begin``; of what was read so far when told to stop."""
        found = 0
        for part in self._parts(begin, min(begin + _PIECE_BYTES, self._end)):
            found = zlib.crc32(part, found)
        return found

    def _parts(self, begin: int, end: int) -> Iterator[memoryview]:
        if hasattr(os, "preadv"):
            yield from self._read(lambda room, at: os.preadv(self._handle, [room], at), begin, end)
            return
        with self._path.open("rb", buffering=0) as file:
            file.seek(begin)
            yield from self._read(lambda room, _at: file.readinto(room) or 0, begin, end)

    def _read(
        self, read: Callable[[memoryview, int], int], begin: int, end: int
    ) -> Iterator[memoryview]:
        room = self._room()
        while begin < end and not self.stop.is_set():
            count = read(room[: min(len(room), end - begin)], begin)
            if not count:
                raise OSError("it became shorter while it was read")
            yield room[:count]
            begin += count

    def _room(self) -> memoryview:
        if not hasattr(self._rooms, "room"):
            self._rooms.room = memoryview(bytearray(_READ_BYTES))
        return self._rooms.room
