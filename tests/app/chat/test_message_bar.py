"""The line under a message: its figures are never cut."""

import pytest
from PySide6.QtWidgets import QBoxLayout, QWidget

from app.chat.message_bar import MessageBar
from app.models.message import Message

STATS = "43 tokens/s · 212 tokens · 4.9 s · read 23 at 575/s · resumed from state"


@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize("width", range(260, 1100, 60))
def test_the_figures_are_whole_at_every_width(qtbot, qapp, theme, width, scale):
    theme.apply(qapp, "light", scale)
    parent = QWidget()
    qtbot.addWidget(parent)
    bar = MessageBar(theme, "assistant", parent)
    bar.show_message(Message(1, "assistant", "x"), busy=False, last=True, stats=STATS)
    # Asked before anything is shown, as the transcript does: nothing is polished yet.
    bar.fit(width)
    bar.resize(width, bar.heightForWidth(width) if bar.hasHeightForWidth() else 40)
    parent.resize(width, 300)
    parent.show()
    stats = bar.stats
    needed = stats.fontMetrics().horizontalAdvance(STATS)
    layout = bar.layout()
    assert isinstance(layout, QBoxLayout)
    below = layout.direction() == QBoxLayout.Direction.TopToBottom
    assert below == stats.wordWrap()
    assert below or stats.contentsRect().width() >= needed
    assert not below or stats.height() >= stats.heightForWidth(stats.width())
    assert stats.accessibleName() == stats.toolTip() == STATS


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_the_versions_stand_at_the_edge_of_the_text(qtbot, theme, role):
    bar = MessageBar(theme, role)
    qtbot.addWidget(bar)
    bar.show_message(Message(1, role, "x", version=2, versions=2), busy=False, last=False, stats="")
    bar.resize(700, 40)
    bar.show()
    at_right = bar.previous.x() > bar.buttons["more"].x()
    assert at_right == (role == "user")
    if role == "user":
        assert bar.next.geometry().right() >= bar.width() - 12
        assert bar.focus_chain()[-1] is bar.next
    else:
        assert bar.previous.x() <= 8
