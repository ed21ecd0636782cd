"""One file's bytes come in: over as many connections as it takes, then compared with its SHA-256.

Knows a partial file and somebody who opens a stream from a byte on; not whose server that is.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from engine.hub import disk
from engine.hub.connection import Opened
from engine.hub.failures import Passing
from engine.hub.meter import Meter
from engine.hub.partial import PartFile
from engine.hub.pump import Stopped, pump

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT_S = 20.0
_HASH_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told of the progress, and who may stop it."""

    meter: Meter
    stop: threading.Event


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file comes from: ``open_at(start)`` yields Opened, then its bytes from there on.

    name: the file's, for people. pauses_s: how long to wait after the first, second, ... failure
    in a row that may pass by itself; after the last one ``receive`` gives up.
    """

    name: str
    open_at: Callable[[int], Iterator[Opened | bytes]]
    pauses_s: Sequence[float] = PAUSES_S


def receive(source: Source, part: PartFile, size_bytes: int, watch: Watch) -> None:
    """Fetch what is missing of ``size_bytes``; phase "downloading".

    Raises DownloadFailed, Stopped and OSError; what came in stays.
    """
    failures = 0
    while part.received < size_bytes:
        before = part.received
        try:
            _receive_once(source, part, size_bytes, watch)
        except Passing as error:
            failures = 1 if part.received > before else failures + 1
            pause_after(error, failures, source.pauses_s, watch.stop)


def _receive_once(source: Source, part: PartFile, size_bytes: int, watch: Watch) -> None:
    start = part.received
    with closing(pump(lambda: source.open_at(start), watch.stop)) as stream:
        opened = next(stream)
        if not isinstance(opened, Opened) or opened.start not in (0, start):
            raise Passing("The server sent another part than was asked for.", disk.KEPT, "server")
        # A server that knows no ranges begins again at 0, and so must the file.
        with part.path.open("r+b" if opened.start else "wb") as file:
            position = file.seek(opened.start)
            watch.meter.show("downloading", position, size_bytes)
            for piece in stream:
                if isinstance(piece, bytes):
                    position += file.write(piece[: size_bytes - position])
                    file.flush()  # what came in is kept, and counted, whatever comes next
                    watch.meter.show("downloading", position, size_bytes)
                if position >= size_bytes:  # more than was promised is no part of it
                    break
    if part.received < size_bytes:
        raise Passing(f"The connection was cut while {source.name} came in.", disk.KEPT)


def pause_after(
    error: Passing, failures: int, pauses_s: Sequence[float], stop: threading.Event
) -> None:
    """Wait before the next try; raise the error when there shall be none, Stopped on a stop."""
    asked_s = error.wait_s or 0.0
    if failures > len(pauses_s) or asked_s > _LONGEST_WAIT_S:
        raise error
    if stop.wait(max(asked_s, pauses_s[failures - 1])):
        raise Stopped


def sha256_of(path: Path, watch: Watch) -> str:
    """Return the SHA-256 of what lies on the disk, reporting the phase "verifying"."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb", buffering=0) as file:
        while data := file.read(_HASH_BYTES):
            if watch.stop.is_set():
                raise Stopped
            digest.update(data)
            done += len(data)
            watch.meter.show("verifying", done, total)
    return digest.hexdigest()
