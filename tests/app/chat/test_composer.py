"""The composer as a person uses it: keys, input methods, files, Stop."""

import pytest
from PySide6.QtCore import QCoreApplication, QMimeData, Qt, QUrl
from PySide6.QtGui import QInputMethodEvent

from app.chat.composer import Composer


@pytest.fixture
def composer(qtbot, theme):
    made = Composer(theme)
    made.resize(700, 200)
    qtbot.addWidget(made)
    made.show()
    made.take_focus()
    return made


def sent(composer):
    found = []
    composer.send_requested.connect(found.append)
    return found


def test_enter_sends_and_the_text_stays_until_it_was_taken(qtbot, composer):
    found = sent(composer)
    qtbot.keyClicks(composer.field, "hello")
    qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    assert found == ["hello"]
    assert composer.text == "hello"


def test_shift_enter_breaks_the_line(qtbot, composer):
    found = sent(composer)
    qtbot.keyClicks(composer.field, "a")
    qtbot.keyClick(composer.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(composer.field, "b")
    assert composer.text == "a\nb"
    assert found == []


def test_ctrl_enter_sends_when_the_person_wants_it_so(qtbot, composer):
    composer.field.send_with = "ctrl+enter"
    found = sent(composer)
    qtbot.keyClicks(composer.field, "a")
    qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    assert composer.text == "a\n"
    qtbot.keyClick(composer.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert found == ["a\n"]


def test_enter_never_sends_while_an_input_method_composes(qtbot, composer):
    found = sent(composer)
    qtbot.keyClicks(composer.field, "x")
    QCoreApplication.sendEvent(composer.field, QInputMethodEvent("にほん", []))
    assert composer.field.composing
    qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    qtbot.mouseClick(composer.send, Qt.MouseButton.LeftButton)
    assert found == []
    assert composer.text == "x"
    commit = QInputMethodEvent("", [])
    commit.setCommitString("日本")
    QCoreApplication.sendEvent(composer.field, commit)
    assert not composer.field.composing
    qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    assert found == ["x日本"]


def test_nothing_is_sent_when_there_is_nothing_to_send(qtbot, composer):
    found = sent(composer)
    assert not composer.send.isEnabled()
    qtbot.keyClicks(composer.field, "  ")
    qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    assert found == []


def test_send_becomes_stop(qtbot, composer):
    stopped = []
    composer.stop_requested.connect(lambda: stopped.append(True))
    found = sent(composer)
    composer.set_text("next")
    composer.set_busy(True)
    assert composer.stop.isVisible()
    assert not composer.send.isVisible()
    qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    qtbot.mouseClick(composer.stop, Qt.MouseButton.LeftButton)
    assert found == []
    assert stopped == [True]


def test_it_grows_to_a_third_of_the_window_and_then_scrolls(composer):
    composer.set_window_height(600)
    low = composer.field.height()
    composer.set_text("a\nb\nc")
    assert composer.field.height() > low
    composer.set_text("line\n" * 100)
    assert composer.field.height() == 200


def test_a_very_long_text_is_taken_quickly(composer):
    composer.set_text("word " * 40_000)
    assert composer.field.height() <= composer.field.highest


def test_dropped_text_files_are_inserted_with_their_name(composer, tmp_path):
    path = tmp_path / "notes.md"
    path.write_text("one\r\ntwo\r\n", encoding="utf-8")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    assert composer.field.canInsertFromMimeData(data)
    composer.field.insertFromMimeData(data)
    assert composer.text == "notes.md:\none\ntwo\n"


def test_a_file_that_is_no_text_is_refused_with_a_sentence(composer, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"\0\1\2")
    composer.insert_files([path, tmp_path / "missing.txt"])
    assert composer.text == ""
    assert "model.bin is not a text file." in composer.hint.text()
    assert "missing.txt could not be read" in composer.hint.text()


def test_length_is_told_in_tokens_when_somebody_can_count(qtbot, composer):
    composer.count_tokens = len
    composer.set_text("x" * 1234)
    qtbot.waitUntil(lambda: composer.hint.text() == "1,234 tokens")
    composer.set_text("x")
    qtbot.waitUntil(lambda: composer.hint.text() == "")


def test_thinking_modes_are_the_templates(qtbot, composer):
    chosen = []
    composer.think_changed.connect(chosen.append)
    composer.set_think_modes(("off",), "off")
    assert not composer.think.isVisible()
    composer.set_think_modes(("off", "fast", "think"), "fast")
    assert composer.think.isVisible()
    assert composer.think.currentData() == "fast"
    composer.think.setFocus()
    qtbot.keyClick(composer.think, Qt.Key.Key_Down)
    assert chosen == ["think"]


def test_every_control_has_a_name(composer):
    for widget in (composer.field, composer.think, composer.send, composer.stop, composer.attach):
        assert widget.objectName()
        assert widget.accessibleName()


def test_the_placeholder_has_the_size_of_the_text(composer, theme, qapp):
    theme.apply(qapp, "light", 2.0)
    assert composer.field.viewport().font().pixelSize() == theme.px(15)
    assert composer.field.font().pixelSize() == theme.px(15)


def test_all_thinking_modes_are_seen_at_the_lower_edge_of_the_screen(qtbot, composer):
    composer.set_think_modes(("off", "fast", "think", "think_a_lot"), "off")
    screen = composer.screen().availableGeometry()
    composer.move(screen.left() + 20, screen.bottom() - composer.height())
    composer.think.showPopup()
    view = composer.think.view()
    qtbot.waitUntil(view.isVisible)
    for row in range(4):
        place = view.visualRect(view.model().index(row, 0))
        assert view.viewport().rect().contains(place), row
    assert screen.contains(view.window().geometry())
    composer.think.hidePopup()
