from types import SimpleNamespace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QWidget

from app.theme import Theme
from app.widgets.toast import Toast


@pytest.fixture
def place(qtbot, theme: Theme) -> SimpleNamespace:
    """A small window with a field and a toast."""
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(400, 300)
    field = QLineEdit(window)
    window.show()
    toast = Toast(theme, window)
    # Without a field in focus Qt gives the focus to the toast, which then stays.
    field.setFocus()
    return SimpleNamespace(window=window, toast=toast)


def test_it_goes_by_itself(qtbot, place):
    place.toast._timer.setInterval(20)
    place.toast.say("Copied")
    assert place.toast.text == "Copied"
    qtbot.waitUntil(place.toast.isHidden)


def test_it_stays_inside_a_narrow_window(place):
    place.toast.say("word " * 60, lambda: None)
    place.window.resize(380, 300)
    assert place.window.rect().contains(place.toast.geometry())


def test_it_stands_in_the_middle_of_the_page_not_of_the_window(qtbot, theme):
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(1000, 600)
    page = QWidget(window)
    page.setGeometry(240, 0, 760, 600)
    window.show()
    toast = Toast(theme, window, over=page)
    toast.say("Copied", lambda: None)
    assert abs(toast.geometry().center().x() - (240 + 380)) <= 1
    page.setGeometry(60, 0, 940, 600)  # the sidebar is folded
    assert abs(toast.geometry().center().x() - (60 + 470)) <= 1


def test_action_runs_once(qtbot, place):
    done = []
    place.toast.say("Deleted", lambda: done.append(1), "Undo")
    button = place.toast.findChild(QWidget, "toast_action")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert done == [1]
    assert place.toast.isHidden()


def test_escape_closes(qtbot, place):
    place.toast.say("Copied")
    qtbot.keyClick(place.toast, Qt.Key.Key_Escape)
    assert place.toast.isHidden()
