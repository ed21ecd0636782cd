"""The column that scrolls: only when it must, and always in the same place."""

import pytest
from PySide6.QtWidgets import QFrame

from app.widgets.parts import label
from app.widgets.scroll_column import ScrollColumn

SENTENCE = "A sentence that is long enough to be broken into lines, were it not for the width. "


@pytest.fixture
def made(qtbot) -> ScrollColumn:
    column = ScrollColumn("it", (24, 8, 24, 24))
    qtbot.addWidget(column)
    column.resize(1000, 500)
    column.show()
    return column


def test_what_is_in_sight_as_a_whole_does_not_scroll(made: ScrollColumn, qtbot):
    for _ in range(8):
        made.body.addWidget(label(SENTENCE * 2, wrap=True))
    made.body.addStretch(1)
    qtbot.wait(1)
    assert made.verticalScrollBar().maximum() == 0


def test_what_needs_more_can_be_reached_to_its_end(made: ScrollColumn, qtbot):
    sentences = [label(SENTENCE * 3, wrap=True) for _ in range(30)]
    for sentence in sentences:
        made.body.addWidget(sentence)
    qtbot.wait(1)
    bar = made.verticalScrollBar()
    assert bar.maximum() > 0
    assert all(one.height() >= one.heightForWidth(one.width()) for one in sentences)
    end = sentences[-1].geometry().bottom() + 24
    assert bar.maximum() >= end - made.viewport().height()


def test_the_scroll_bar_takes_no_width_from_what_stands_there(made: ScrollColumn, qtbot):
    frame = QFrame()
    made.body.addWidget(frame)
    qtbot.wait(1)
    before = frame.width()
    assert before == 1000 - 48
    frame.setMinimumHeight(2000)
    qtbot.waitUntil(lambda: made.verticalScrollBar().isVisible())
    assert frame.width() == before
