"""How fast and how long still: a growing count of bytes as reports. Knows clocks only."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

_REPORT_S = 0.1
_WINDOW_S = 5.0

Phase = Literal[
    "starting", "looking", "downloading", "verifying", "unpacking", "testing", "switching"
]


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far it is: bytes here, bytes in all (0 unknown), speed of the last seconds.

    While verifying, ``received`` counts the bytes that were read again. ``remaining_s`` is None
    as long as nobody can tell.
    """

    received: int
    total: int
    bytes_per_s: float
    remaining_s: float | None
    phase: Phase


class Meter:
    """Reports at most ten times a second, and always when the phase changes or the end is there."""

    def __init__(self, report: Callable[[DownloadProgress], None]) -> None:
        self._report = report
        self._seen: deque[tuple[float, int]] = deque()
        self._phase: Phase = "starting"

    def show(self, phase: Phase, received: int, total: int) -> None:
        """Note the count; report it when a report is due."""
        now = time.monotonic()
        if phase != self._phase or (self._seen and received < self._seen[-1][1]):
            self._seen.clear()
        if self._seen and received < total and now - self._seen[-1][0] < _REPORT_S:
            return
        self._phase = phase
        self._seen.append((now, received))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()
        speed = self._speed()
        remaining_s = (total - received) / speed if speed and total else None
        self._report(DownloadProgress(received, total, speed, remaining_s, phase))

    def _speed(self) -> float:
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - began) if now > began else 0.0


def on_top(
    meter: Meter, before: int, total: int, size_bytes: int
) -> Callable[[DownloadProgress], None]:
    """Return what counts one file's progress on top of the files before it, of ``total`` bytes."""

    def show(part: DownloadProgress) -> None:
        if part.phase == "verifying":
            meter.show("verifying", before + size_bytes, total)
        else:
            meter.show("downloading", before + part.received, total)

    return show
