"""The chat page without a mouse: where Tab goes, that it can be seen, what the keys do."""

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.chat.page import ChatPage
from app.models.message import Message
from engine.templates import load_templates
from tests.app.ready_rows import ready_list, ready_row
from tests.app.scripted_chat import ScriptedChat

REPLY = "<think>\nSome thought.\n</think>\nA [link](https://a.b) and\n\n```py\nx = 1\n```"
NAMES = {"message_text", "thought", "copy_code_button", "thinking_button"}


@pytest.fixture
def chat(qapp):
    failed = Message(4, "assistant", "No", "failed", error="It failed.", hint="Again.", model="m")
    question = Message(1, "user", "Go", versions=2, version=1)
    return ScriptedChat(
        [question, Message(2, "assistant", REPLY, model="m"), Message(3, "user", "On"), failed]
    )


@pytest.fixture
def page(qtbot, theme, chat, request):
    theme.apply(QApplication.instance(), getattr(request, "param", "light"))
    made = ChatPage(theme, chat, ready_list(ready_row()), load_templates())
    made.resize(900, 900)
    qtbot.addWidget(made, before_close_func=lambda page: page.close())
    made.show()
    qtbot.waitExposed(made)
    made.composer.set_think_modes(("off", "think"), "off")
    made.composer.set_text("text")
    thinking = made.transcript.built[1].thinking
    assert thinking is not None
    thinking.button.click()
    qtbot.waitUntil(lambda: made.idle)
    qtbot.wait(30)
    return made


def focused() -> QWidget:
    """Return what has the keyboard."""
    focus = QApplication.focusWidget()
    assert focus is not None
    return focus


def walk(page: ChatPage) -> list[QWidget]:
    """Return what Tab visits, from the composer until it is there again."""
    page.take_focus()
    found: list[QWidget] = []
    for _ in range(80):
        focus = focused()
        if found and focus is page.composer.field:
            return found
        if not found or found[-1] is not focus:  # links have their turns inside a text
            found.append(focus)
        QTest.keyClick(focus, Qt.Key.Key_Tab)
    raise AssertionError("Tab never came back")


def test_tab_goes_from_the_composer_down_the_messages(page):
    names = [widget.objectName() for widget in walk(page)]
    assert names[:4] == ["composer", "send_button", "think_mode", "attach_button"]
    first, reply = names.index("message_text"), names.index("thinking_button")
    assert names[4] == "message_text"
    assert names[first + 1 : reply] == [
        *("copy_button", "edit_button", "branch_button", "delete_button", "more_button"),
        "next_version_button",
    ]
    assert names[reply : reply + 8] == [
        *("thinking_button", "thought", "message_text", "copy_code_button"),
        *("copy_button", "regenerate_button", "branch_button", "delete_button"),
    ]
    assert "retry_button" in names
    assert "continue_button" in names
    assert names.index("model_button") > names.index("continue_button")


@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_the_focus_can_be_seen_on_everything(page):
    for widget in walk(page):
        widget.setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        place = QRect(widget.mapTo(page, QPoint(0, 0)), widget.size()).adjusted(-20, -14, 20, 14)
        with_focus = page.grab(place).toImage()
        other = page.model_button if widget is not page.model_button else page.drawer_button
        other.setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        without = page.grab(place).toImage()
        assert differing(with_focus, without) >= 40, widget.objectName()


def differing(one, other) -> int:
    """Count the pixels that differ clearly."""
    count = 0
    for y in range(one.height()):
        for x in range(one.width()):
            if one.pixel(x, y) != other.pixel(x, y):
                a, b = one.pixelColor(x, y), other.pixelColor(x, y)
                count += abs(a.lightness() - b.lightness()) > 30
                if count >= 40:
                    return count
    return count


def test_escape_stops_wherever_the_keyboard_is(page, chat):
    chat._busy = True
    for widget in walk(page):
        chat.calls.clear()
        widget.setFocus(Qt.FocusReason.TabFocusReason)
        QTest.keyClick(widget, Qt.Key.Key_Escape)
        assert chat.calls == [("stop",)], widget.objectName()


def test_what_disables_itself_gives_the_keyboard_to_the_composer(page, chat):
    button = page.transcript.built[3].bar.buttons["regenerate"]
    button.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(button, Qt.Key.Key_Space)
    assert chat.calls[-1] == ("regenerate", 3)
    assert page.composer.field.hasFocus()


def test_a_message_that_goes_gives_the_keyboard_to_the_composer(page, chat):
    page.transcript.built[2].browser.setFocus(Qt.FocusReason.TabFocusReason)
    del chat.messages[2:]
    chat.messages_truncated.emit(2)
    assert page.composer.field.hasFocus()


def test_the_menu_key_opens_the_actions_of_a_message(page, qtbot):
    browser = page.transcript.built[1].browser
    browser.setFocus(Qt.FocusReason.TabFocusReason)
    more = page.transcript.built[1].bar.buttons["more"]
    QTest.keyClick(more, Qt.Key.Key_Space)
    menu = QApplication.activePopupWidget()
    assert menu is not None
    assert menu.objectName() == "message_menu"
    QTest.keyClick(menu, Qt.Key.Key_Escape)


def test_editing_is_in_the_order_of_tab(page, qtbot):
    page.edit_last()
    view = page.transcript.built[2]
    assert view.editor.field.hasFocus()
    QApplication.processEvents()
    names = []
    for _ in range(2):
        QTest.keyClick(focused(), Qt.Key.Key_Tab)
        names.append(focused().objectName())
    assert sorted(names) == ["edit_cancel_button", "edit_send_button"]
