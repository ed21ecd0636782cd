"""Bytes of one file from a server that keeps to nothing."""

import threading
from collections.abc import Iterator
from pathlib import Path

from engine.hub.connection import Opened
from engine.hub.meter import Meter
from engine.hub.partial import PartFile
from engine.hub.receiver import Source, Watch, receive


def test_a_server_that_never_ends_is_left(tmp_path: Path) -> None:
    sent: list[int] = []

    def open_at(start: int) -> Iterator[Opened | bytes]:
        yield Opened(start, None)
        for number in range(5000):
            sent.append(number)
            yield b"x" * 1000

    part = PartFile(tmp_path / "file")
    watch = Watch(Meter(lambda _report: None), threading.Event())
    receive(Source("file", open_at, ()), part, 2500, watch)
    assert part.received == 2500
    assert len(sent) < 100, "only what was on its way"
