"""Widgets that die in a cycle die on the GUI thread, whoever makes objects meanwhile."""

import gc
import threading

from PySide6.QtCore import QThread
from PySide6.QtWidgets import QWidget

from app.collector import uncollected
from app.gui_collector import GuiCollector

ENOUGH = 100_000


class Knot(QWidget):
    """Refers to itself, as a dialog with a lambda does, and remembers where it ended."""

    def __init__(self, ended: list[bool]) -> None:
        super().__init__()
        self.myself = self
        gui = QThread.currentThread()
        self.destroyed.connect(lambda: ended.append(QThread.currentThread() is gui))


def make_objects_elsewhere() -> list[list[int]]:
    """Give Python's own collector every reason to look, on a thread that is not the GUI's."""
    made: list[list[int]] = []
    worker = threading.Thread(target=lambda: made.extend([] for _ in range(ENOUGH)))
    worker.start()
    worker.join()
    return made


def test_cycles_end_on_the_gui_thread(qtbot) -> None:
    gc.collect()
    gc.enable()
    collector = GuiCollector(every_ms=5)
    try:
        ended: list[bool] = []
        Knot(ended)
        made = make_objects_elsewhere()
        assert ended == []
        qtbot.waitUntil(lambda: ended == [True])
        assert len(made) == ENOUGH
    finally:
        collector.close()
    assert gc.isenabled()


def test_nothing_is_collected_while_much_is_loaded(qtbot) -> None:
    collector = GuiCollector(every_ms=100_000)
    ended: list[bool] = []
    try:
        with uncollected():
            Knot(ended)
            made = make_objects_elsewhere()
            collector.collect()
            assert ended == []
            assert len(made) == ENOUGH
    finally:
        collector.close()
        gc.unfreeze()
