"""A timer that beats on the GUI thread, and what made it late.

The beat is asked for every 2 ms; a gap is the time between two beats. A watcher thread looks at
the stacks while a beat is late, so that the longest gaps can be told by name.
"""

import sys
import threading
import time
from dataclasses import dataclass
from types import FrameType

from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer

LATE_S = 0.016
BEAT_MS = 2
_LOOK_S = 0.004


@dataclass(frozen=True, slots=True)
class Gaps:
    """The gaps of one part, in milliseconds. blame: the longest, each with what was seen then."""

    name: str
    seconds: float
    gaps_ms: list[float]
    blame: list[tuple[float, list[str]]]

    def line(self) -> str:
        """Return the figures as one line."""
        gaps = sorted(self.gaps_ms) or [0.0]
        late = sum(gap > LATE_S * 1000 for gap in gaps)
        p50, p99 = gaps[len(gaps) // 2], gaps[int(len(gaps) * 0.99)]
        return (
            f"{self.name:44} p50 {p50:5.1f}  p99 {p99:5.1f}  max {gaps[-1]:6.1f} ms"
            f"   over 16 ms: {late:3} of {len(gaps)} in {self.seconds:.1f} s"
        )


class Heartbeat:
    """Measures the gaps of the thread that makes it (the GUI thread), part by part."""

    def __init__(self) -> None:
        self._gui = threading.get_ident()
        self._gaps: list[float] = []
        self._ends: list[float] = []
        self._seen: list[tuple[float, str]] = []
        self._name = ""
        self._begun = self._last = time.perf_counter()
        self._on = False
        self._timer = QTimer(interval=BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def start(self, name: str) -> None:
        """Begin a part."""
        self._gaps, self._ends, self._seen, self._name = [], [], [], name
        self._begun = self._last = time.perf_counter()
        self._on = True
        self._timer.start()

    def stop(self) -> Gaps:
        """End the part and return its gaps, the time since the last beat with them."""
        self._beat()
        self._on = False
        self._timer.stop()
        seconds = time.perf_counter() - self._begun
        return Gaps(self._name, seconds, self._gaps, self._longest())

    def close(self) -> None:
        """End the watcher."""
        self._ended.set()
        self._watcher.join()

    def _beat(self) -> None:
        now = time.perf_counter()
        self._gaps.append((now - self._last) * 1000)
        self._ends.append(now)
        self._last = now

    def _longest(self) -> list[tuple[float, list[str]]]:
        """Return the six longest gaps that were late, with what the watcher saw in each."""
        late = [gap for gap in zip(self._gaps, self._ends, strict=True) if gap[0] > LATE_S * 1000]
        longest = sorted(late, reverse=True)[:6]
        return [
            (
                gap,
                [
                    place
                    for when, place in self._seen
                    if end - gap / 1000 < when < end + 2 * _LOOK_S
                ],
            )
            for gap, end in longest
        ]

    def _watch(self) -> None:
        looked = time.perf_counter()
        while not self._ended.wait(_LOOK_S):
            now = time.perf_counter()
            if self._on and now - self._last > LATE_S:
                self._note(now - looked > LATE_S)
            looked = now

    def _note(self, was_held: bool) -> None:
        """Keep what the GUI thread is at; if this thread was kept waiting, too, what others are.

        This thread also needs the interpreter: when it could not look, somebody else had it (or
        the processor was busy with other programs).
        """
        frames = sys._current_frames()
        place = _place(frames.get(self._gui))
        if was_held:
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            own = {self._gui, threading.get_ident()}
            others = [f"{names.get(i)} in {_place(f)}" for i, f in frames.items() if i not in own]
            busy = [other for other in others if "threading.py" not in other]
            place = f"[no thread could look] {place}; {'; '.join(busy)}"
        self._seen.append((time.perf_counter(), place))


def _place(frame: FrameType | None) -> str:
    """Return the innermost lines, the nearest first, ours among them."""
    places: list[str] = []
    while frame is not None:
        path = frame.f_code.co_filename
        is_ours = any(f"/{part}/" in path for part in ("app", "engine", "tests"))
        if not places or (is_ours and len(places) < 4):
            places.append(f"{'/'.join(path.split('/')[-2:])}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(places)


def spin(seconds: float) -> None:
    """Let the window live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(int(seconds * 1000), loop.quit)
    loop.exec()


def spin_until(done, timeout_s: float = 120.0) -> bool:  # type: ignore[no-untyped-def]
    """Let the window live until ``done()``; tell whether it came to that."""
    loop, end = QEventLoop(), time.monotonic() + timeout_s
    timer = QTimer(interval=20)
    timer.timeout.connect(lambda: loop.quit() if done() or time.monotonic() > end else None)
    timer.start()
    loop.exec()
    timer.stop()
    QCoreApplication.processEvents()
    return bool(done())
