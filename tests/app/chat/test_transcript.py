"""The transcript with real widgets and a scripted chat."""

import itertools
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication, QTextCursor
from PySide6.QtWidgets import QTextBrowser, QToolButton, QWidget

from app.chat import transcript as module
from app.chat.document_style import StyleShelf
from app.chat.formulas import FormulaShelf
from app.chat.highlight import Highlighter
from app.chat.message_view import ViewTools
from app.chat.text_input import TextInput
from app.chat.thinking import ThinkingClock
from app.chat.transcript import Transcript
from app.models.message import Message
from engine.events import ReplyStats
from engine.templates import load_templates
from tests.app.scripted_chat import ScriptedChat

STATS = ReplyStats(tokens=312, seconds=13.4, read_tokens=1204, read_seconds=4, resumed_tokens=9)


def conversation(count: int, text: str = "Some words.\n\n- a\n- b") -> list[Message]:
    roles = ("user", "assistant")
    return [Message(i + 1, roles[i % 2], f"{i}: {text}", model="tiny") for i in range(count)]


@pytest.fixture
def chat(qapp):
    return ScriptedChat()


@pytest.fixture
def clock():
    return ThinkingClock(lambda: clock_time[0])


clock_time = [0.0]


@pytest.fixture
def transcript(qtbot, theme, workshop, chat, clock):
    clock_time[0] = 0.0
    tools = ViewTools(
        theme,
        StyleShelf(theme),
        FormulaShelf(workshop),
        Highlighter(workshop),
        load_templates()["world"].split_thinking,
        clock,
        lambda name: name.title(),
    )
    made = Transcript(tools, chat)
    made.resize(800, 600)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def settled(qtbot, transcript):
    """Wait until nothing is left to build or write."""
    views = transcript.built.values
    qtbot.waitUntil(
        lambda: (
            not transcript._pump.isActive()
            and not transcript._placer.isActive()
            and transcript._next_near() is None
            and all(view.renderer.complete for view in views() if view.message.role != "user")
        )
    )


def button(view: QWidget, name: str) -> QToolButton:
    found = view.findChild(QToolButton, name)
    assert found is not None, name
    return found


def at_end(transcript) -> bool:
    bar = transcript.verticalScrollBar()
    return bar.value() == bar.maximum()


def test_a_long_chat_builds_only_what_is_near_the_view(qtbot, transcript, chat):
    chat.reset(conversation(1000))
    assert len(transcript.built) < 40
    settled(qtbot, transcript)
    assert len(transcript.built) < 60
    assert at_end(transcript)
    assert 999 in transcript.built


def test_scrolling_through_gives_far_messages_up(qtbot, transcript, chat):
    chat.reset(conversation(300))
    for _ in range(12):
        transcript.verticalScrollBar().setValue(transcript.verticalScrollBar().value() - 2000)
    settled(qtbot, transcript)
    assert 299 not in transcript.built
    assert len(transcript.built) < 60
    transcript.verticalScrollBar().setValue(0)
    settled(qtbot, transcript)
    assert 0 in transcript.built


def test_what_is_on_screen_stays_while_heights_above_become_known(qtbot, transcript, chat):
    chat.reset(conversation(200, "many words " * 80))
    settled(qtbot, transcript)
    transcript.scroll_to(100)
    place = transcript.built[100].mapTo(transcript, QPoint(0, 0)).y()
    settled(qtbot, transcript)
    assert abs(transcript.built[100].mapTo(transcript, QPoint(0, 0)).y() - place) <= 1


def test_messages_stand_one_below_the_other(qtbot, transcript, chat):
    chat.reset(conversation(12, "```py\nx = 1\n```\n\n| a |\n|---|\n| b |"))
    settled(qtbot, transcript)
    built = transcript.built
    for index in sorted(built)[1:]:
        before = built[index - 1]
        assert built[index].y() >= before.y() + before.height()


def test_it_goes_along_at_the_end_only(qtbot, transcript, chat):
    chat.reset(conversation(40))
    settled(qtbot, transcript)
    chat.start_reply()
    for number in range(30):
        chat.write(f"Line {number}\n\n")
    settled(qtbot, transcript)
    assert at_end(transcript)
    transcript.verticalScrollBar().setValue(200)
    settled(qtbot, transcript)
    value = transcript.verticalScrollBar().value()
    chat.write("more\n\n" * 20)
    settled(qtbot, transcript)
    assert transcript.verticalScrollBar().value() == value
    jump = button(transcript, "jump_button")
    assert jump.isVisible()
    qtbot.mouseClick(jump, Qt.MouseButton.LeftButton)
    assert at_end(transcript)
    assert not jump.isVisible()


def test_sending_goes_to_the_end(qtbot, transcript, chat):
    chat.reset(conversation(40))
    settled(qtbot, transcript)
    transcript.verticalScrollBar().setValue(0)
    chat.send("next")
    settled(qtbot, transcript)
    assert at_end(transcript)


def test_a_reply_streams_into_the_document(qtbot, transcript, chat):
    chat.send("question")
    view = transcript.built[1]
    assert view.header.text() == "Rwkv7-G1D-1.5B"
    for part in ("# Ti", "tle\n\nSome **bo", "ld** words\n\n```py\nx", " = 1\n```\n"):
        chat.write(part)
        settled(qtbot, transcript)
    chat.finish(stats=STATS)
    settled(qtbot, transcript)
    assert view.plain_text == "Title\n\nSome bold words\n\nx = 1"
    assert transcript.built[1] is view


def test_a_selection_in_the_tail_holds_the_stream_until_it_is_gone(qtbot, transcript, chat):
    chat.send("question")
    chat.write("One two")
    settled(qtbot, transcript)
    browser = transcript.built[1].browser
    cursor = browser.textCursor()
    cursor.select(QTextCursor.SelectionType.Document)
    browser.setTextCursor(cursor)
    chat.write(" three\n\nfour *five*")
    qtbot.wait(45)
    assert browser.selection == "One two"
    cursor.clearSelection()
    browser.setTextCursor(cursor)
    qtbot.waitUntil(lambda: "four five" in browser.toPlainText())


def test_questions_show_as_plain_text(qtbot, transcript, chat):
    chat.reset([Message(1, "user", "# no *markdown* <b>here</b>\n- at all")])
    assert transcript.built[0].browser.toPlainText() == "# no *markdown* <b>here</b>\n- at all"


def test_a_very_long_question_is_folded(qtbot, transcript, chat):
    chat.reset([Message(1, "user", "word " * 40_000)])
    view = transcript.built[0]
    assert len(view.browser.toPlainText()) < 7000
    assert view.show_all.isVisible()
    assert view.plain_text == "word " * 40_000
    qtbot.mouseClick(view.show_all, Qt.MouseButton.LeftButton)
    assert len(view.browser.toPlainText()) == 200_000


def test_thinking_is_folded_and_timed(qtbot, transcript, chat):
    chat.send("why")
    chat.write(" <think>Because")
    settled(qtbot, transcript)
    view = transcript.built[1]
    assert view.thinking.isVisible()
    assert not view.browser.isVisible()
    clock_time[0] = 12.2
    qtbot.waitUntil(lambda: view.thinking.button.text() == "Thinking… 12 s")
    chat.write(" **it is**.</think>\nAnswer")
    settled(qtbot, transcript)
    assert view.thinking.button.text() == "Thought for 12 s"
    assert view.browser.toPlainText() == "Answer"
    assert view.thinking.browser is None
    view.thinking.button.click()
    settled(qtbot, transcript)
    thought = view.findChild(QTextBrowser, "thought")
    assert thought.toPlainText() == "Because it is."
    assert view.plain_text == "Answer"


def test_thinking_time_of_an_old_reply_is_estimated(transcript, chat):
    text = " <think>" + "x" * 92 + "</think>" + "y" * 92
    chat.reset([Message(1, "assistant", text, stats=ReplyStats(tokens=9, seconds=20.0))])
    assert transcript.built[0].thinking.button.text() == "Thought for 11 s"


def test_footer_says_what_the_reply_cost(transcript, chat):
    chat.reset([Message(1, "assistant", "Hi", stats=STATS)])
    words = "23 tokens/s · 312 tokens · 13 s · read 1,204 at 301/s · resumed from state"
    assert transcript.built[0].bar.stats.text() == words


def test_no_reply_takes_no_time_at_all(transcript, chat):
    stats = ReplyStats(tokens=11, seconds=0.007)
    chat.reset([Message(1, "assistant", "Hi", stats=stats)])
    assert " · <0.1 s" in transcript.built[0].bar.stats.text()


def test_the_column_stays_where_it_is_when_the_scroll_bar_comes(qtbot, transcript, chat):
    transcript.resize(1000, 600)
    chat.reset([Message(1, "user", "Short")])
    settled(qtbot, transcript)
    before = transcript.built[0].x()
    chat.add(Message(2, "assistant", "line\n\n" * 60))
    settled(qtbot, transcript)
    assert transcript.verticalScrollBar().isVisible()
    assert transcript.built[1].x() == before


def test_reading_is_shown_while_there_is_no_word(qtbot, transcript, chat):
    chat.send("long")
    chat.reading.emit(300, 1200)
    view = transcript.built[1]
    assert view.waiting.text() == "Reading 300 of 1,200 tokens…"
    chat.reading.emit(0, 0)
    chat.write("A")
    settled(qtbot, transcript)
    assert not view.waiting.isVisible()


def test_a_reply_behind_that_of_another_chat_says_so(qtbot, transcript, chat):
    chat.send("Now?")
    view = transcript.built[1]
    chat.change(1, waits=True)
    settled(qtbot, transcript)
    assert view.waiting.text() == "Another chat is being answered first…"
    chat.change(1, waits=False)
    settled(qtbot, transcript)
    assert view.waiting.text() == "Starting…"


def test_reading_is_over_with_the_first_word_of_a_thought(qtbot, transcript, chat):
    chat.send("long")
    chat.write(" <think")
    chat.reading.emit(8, 10)  # the last step is not told
    view = transcript.built[1]
    settled(qtbot, transcript)
    assert view.waiting.text() == "Reading 8 of 10 tokens…"
    chat.write(">\nWell")
    settled(qtbot, transcript)
    assert not view.waiting.isVisible()
    chat.write(", so.</think>\nYes")
    settled(qtbot, transcript)
    assert not view.waiting.isVisible()


def test_reading_before_a_reply_goes_on_is_shown_under_it(qtbot, transcript, chat):
    chat.reset([Message(1, "user", "Go"), Message(2, "assistant", "One", status="writing")])
    settled(qtbot, transcript)
    chat.reading.emit(8, 10)
    view = transcript.built[1]
    assert view.waiting.isVisible()
    chat.write(" two")
    settled(qtbot, transcript)
    assert not view.waiting.isVisible()


def test_an_error_stands_under_its_message_with_retry(qtbot, transcript, chat):
    chat.send("go")
    chat.write("Part")
    chat.finish(status="failed", error="It ran out of memory.", hint="Choose a smaller model.")
    settled(qtbot, transcript)
    view = transcript.built[1]
    assert view.error.isVisible()
    assert view.error.message.text() == "It ran out of memory."
    assert view.error.hint.text() == "Choose a smaller model."
    assert view.height() == view._wanted_height(view.width())
    qtbot.mouseClick(view.error.button, Qt.MouseButton.LeftButton)
    assert chat.calls[-1] == ("regenerate", 1)


@pytest.mark.parametrize(
    ("index", "name", "call"),
    [
        (1, "regenerate_button", ("regenerate", 1)),
        (3, "continue_button", ("continue", 3)),
        (1, "branch_button", ("branch", 1)),
        (0, "branch_button", ("branch", 0)),
        (2, "delete_button", ("delete", 2)),
    ],
)
def test_actions_ask_the_chat(qtbot, transcript, chat, index, name, call):
    chat.reset(conversation(4))
    settled(qtbot, transcript)
    qtbot.mouseClick(button(transcript.built[index], name), Qt.MouseButton.LeftButton)
    assert chat.calls == [call]


def test_a_question_without_an_answer_can_be_answered(qtbot, transcript, chat):
    chat.reset(conversation(3))
    settled(qtbot, transcript)
    answered, last = transcript.built[0], transcript.built[2]
    assert button(answered, "regenerate_button").isHidden()
    assert button(last, "regenerate_button").accessibleName() == "Answer"
    qtbot.mouseClick(button(last, "regenerate_button"), Qt.MouseButton.LeftButton)
    assert chat.calls == [("regenerate", 2)]


def test_copy_gives_text_and_markdown(qtbot, transcript, chat):
    chat.reset([Message(1, "assistant", " <think>no</think>**Hi** $x$")])
    settled(qtbot, transcript)
    view = transcript.built[0]
    qtbot.mouseClick(button(view, "copy_button"), Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "Hi $x$"
    view._on_asked("copy_markdown")
    assert QGuiApplication.clipboard().text() == "**Hi** $x$"


def test_menu_offers_the_same_actions(qtbot, transcript, chat):
    chat.reset(conversation(3))
    settled(qtbot, transcript)
    view = transcript.built[1]
    qtbot.mouseClick(button(view, "more_button"), Qt.MouseButton.LeftButton)
    menu = view.findChild(QWidget, "message_menu")
    words = [action.text() for action in menu.actions() if action.text()]
    named = ["Copy", "Copy as Markdown", "Regenerate", "Branch from here", "Delete"]
    assert words == [*named, "Save as persona…", "Export state…"]
    menu.close()


def test_versions_switch_and_the_message_stays_in_place(qtbot, transcript, chat):
    messages = conversation(30)
    messages[7] = Message(99, "assistant", "second", version=2, versions=3)
    chat.reset(messages)
    transcript.scroll_to(7)
    view = transcript.built[7]
    assert view.bar._count.text() == "2 / 3"
    chat.show_version = lambda index, version: (
        chat.calls.append((index, version)),
        chat.reset(messages),
    )
    before = view.mapTo(transcript, QPoint(0, 0)).y()
    qtbot.mouseClick(button(view, "next_version_button"), Qt.MouseButton.LeftButton)
    assert chat.calls == [(7, 3)]
    assert transcript.built[7].mapTo(transcript, QPoint(0, 0)).y() == before
    qtbot.mouseClick(
        button(transcript.built[7], "previous_version_button"), Qt.MouseButton.LeftButton
    )
    assert chat.calls[-1] == (7, 1)


def test_a_question_is_edited_in_place(qtbot, transcript, chat):
    chat.reset(conversation(3))
    settled(qtbot, transcript)
    transcript.edit_last()
    view = transcript.built[2]
    assert view.editor.field.toPlainText() == chat.messages[2].text
    assert view.editor.field.hasFocus()
    qtbot.keyClick(view.editor.field, Qt.Key.Key_Escape)
    assert view.editor is None
    assert chat.calls == []
    qtbot.mouseClick(button(view, "edit_button"), Qt.MouseButton.LeftButton)
    field = view.findChild(TextInput, "edit_field")
    field.setPlainText("other words")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert chat.calls == [("edit", 2, "other words")]


def test_a_question_is_edited_in_the_letters_it_is_read_in(qtbot, qapp, theme, transcript, chat):
    chat.reset([Message(1, "user", "one")])
    settled(qtbot, transcript)
    view = transcript.built[0]
    view.start_edit()
    read = view.browser.document().firstBlock().begin().fragment().charFormat().font()
    assert view.editor.field.font().pixelSize() == read.pixelSize()
    theme.apply(qapp, "light", 1.5)
    assert view.editor.field.font().pixelSize() == theme.font(15).pixelSize()


def test_a_question_that_is_edited_goes_away_with_the_keyboard_in_it(qtbot, transcript, chat):
    long = "many words " * 900
    texts = ("one", long, "two", long)
    chat.reset([Message(i + 1, ("user", "assistant")[i % 2], t) for i, t in enumerate(texts)])
    settled(qtbot, transcript)
    moved = []
    # As the composer does, which takes the keyboard: the page gets another size.
    bar = transcript.verticalScrollBar()
    transcript.focus_freed.connect(lambda: (moved.append(1), bar.setValue(bar.value() - 50)))
    transcript.edit_last()
    assert transcript.built[2].editor.field.hasFocus()
    chat.truncate(2)
    assert 2 not in transcript.built
    transcript.view(0).start_edit()
    chat.reset([Message(9, "user", "hello")])
    assert set(transcript.built) == {0}
    assert moved


def test_nothing_can_be_changed_while_a_reply_is_written(qtbot, transcript, chat):
    chat.reset(conversation(2))
    chat.send("more")
    settled(qtbot, transcript)
    assert button(transcript.built[1], "copy_button").isEnabled()
    assert not button(transcript.built[1], "regenerate_button").isEnabled()
    transcript.edit_last()
    assert transcript.built[2].editor is None
    chat.finish()
    settled(qtbot, transcript)
    assert button(transcript.built[1], "regenerate_button").isEnabled()


def test_truncated_messages_go(qtbot, transcript, chat):
    chat.reset(conversation(6))
    settled(qtbot, transcript)
    chat.truncate(2)
    assert set(transcript.built) == {0, 1}
    assert button(transcript.built[1], "continue_button").isVisible()


def test_links_show_their_address_and_only_safe_ones_open(qtbot, transcript, chat, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    chat.reset([Message(1, "assistant", "[a](https://a.example/x)")])
    settled(qtbot, transcript)
    browser = transcript.built[0].browser
    browser.highlighted.emit(QUrl("https://a.example/x"))
    assert transcript._address.isVisible()
    assert transcript._address.text() == "https://a.example/x"
    browser.highlighted.emit(QUrl())
    assert not transcript._address.isVisible()
    browser.anchorClicked.emit(QUrl("https://a.example/x"))
    browser.anchorClicked.emit(QUrl("file:///etc/passwd"))
    browser.anchorClicked.emit(QUrl("javascript:alert(1)"))
    assert opened == ["https://a.example/x"]


def test_code_is_copied_by_its_button(qtbot, transcript, chat):
    chat.reset([Message(1, "assistant", "```py\nx = 1\n```\n\n```\ny\n\nz\n```")])
    settled(qtbot, transcript)
    first, second = transcript.built[0].browser.code_buttons()
    assert first.accessibleName() == "Copy code (py)"
    assert second.y() > first.y()
    qtbot.mouseClick(second, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "y\n\nz"


def test_tab_goes_down_the_messages_and_shows_where_it_is(qtbot, transcript, chat):
    chat.reset(conversation(4))
    settled(qtbot, transcript)
    transcript.built[0].browser.setFocus(Qt.FocusReason.TabFocusReason)
    assert transcript.built[0].browser.ringed
    visited = []
    for _ in range(40):
        focus = transcript.focusWidget()
        for index, view in transcript.built.items():
            if view.isAncestorOf(focus) and (not visited or visited[-1] != index):
                visited.append(index)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    assert visited[:4] == [0, 1, 2, 3]


def test_keys_scroll_from_inside_a_message(qtbot, transcript, chat):
    chat.reset(conversation(40))
    settled(qtbot, transcript)
    browser = transcript.built[39].browser
    browser.setFocus()
    qtbot.keyClick(browser, Qt.Key.Key_Home)
    settled(qtbot, transcript)
    assert transcript.verticalScrollBar().value() == 0
    transcript.built[0].browser.setFocus()
    qtbot.keyClick(transcript.built[0].browser, Qt.Key.Key_PageDown)
    settled(qtbot, transcript)
    assert transcript.verticalScrollBar().value() > 300
    qtbot.keyClick(transcript.built[0].browser, Qt.Key.Key_End)
    settled(qtbot, transcript)
    assert at_end(transcript)


def test_a_new_theme_and_size_write_everything_again(qtbot, transcript, chat, theme, qapp):
    chat.reset(conversation(3, "a **b**\n\n```py\nx\n```"))
    settled(qtbot, transcript)
    low = transcript.built[1].height()
    theme.apply(qapp, "dark", 1.6)
    settled(qtbot, transcript)
    view = transcript.built[1]
    assert not transcript._restyler.isActive()
    assert view.height() > low
    block = view.browser.document().begin()
    assert block.begin().fragment().charFormat().foreground().color().name() == theme.colors.text


def test_many_steps_in_size_write_the_text_once_and_never_empty_it(
    qtbot, transcript, chat, theme, qapp
):
    chat.reset(conversation(4, "many *words* " * 400))
    settled(qtbot, transcript)
    view = transcript.built[3]
    cleared = []
    clear = view.browser.writer.clear
    view.browser.writer.clear = lambda: (cleared.append(1), clear())
    for step in range(1, 6):
        theme.apply(qapp, "light", 1 + step / 10)
        qapp.processEvents()
        assert len(view.browser.toPlainText()) > 4000
    assert cleared == []
    qtbot.waitUntil(lambda: len(cleared) > 0)
    assert len(view.browser.toPlainText()) > 4000
    assert view.renderer.complete
    font = view.browser.document().begin().begin().fragment().charFormat().font()
    assert font.pixelSize() == transcript._tools.styles.style().font.pixelSize()
    qtbot.wait(30)
    assert cleared == [1]


def test_narrow_and_wide(qtbot, transcript, chat):
    chat.reset(conversation(10, "many words " * 60))
    settled(qtbot, transcript)
    transcript.resize(400, 600)
    settled(qtbot, transcript)
    view = transcript.built[9]
    assert view.width() < 400
    assert view.height() == view._wanted_height(view.width())
    transcript.resize(1600, 900)
    settled(qtbot, transcript)
    assert transcript.built[9].width() <= 776


def test_every_control_of_a_message_has_a_name(qtbot, transcript, chat):
    chat.reset(conversation(3))
    settled(qtbot, transcript)
    for view in transcript.built.values():
        assert view.accessibleName()
        assert view.browser.accessibleName()
        for found in view.findChildren(QToolButton):
            assert found.accessibleName(), found.objectName()
            assert found.objectName()


def test_nothing_is_loaded(transcript, chat):
    chat.reset([Message(1, "assistant", "![x](https://a.example/x.png)")])
    browser = transcript.built[0].browser
    assert browser.loadResource(2, QUrl("https://a.example/x.png")) is None
    assert browser.toPlainText() == "x"


def test_the_end_of_a_reply_is_announced_once(transcript, chat):
    said = []
    transcript.announced.connect(said.append)
    chat.reset(conversation(2))
    chat.send("Go")
    chat.write("Some words")
    assert said == []
    chat.finish()
    chat.message_changed.emit(3)
    assert said == ["Reply finished"]


def test_a_failure_is_announced_in_its_own_words(transcript, chat):
    said = []
    transcript.announced.connect(said.append)
    chat.send("Go")
    chat.messages[-1] = replace(chat.messages[-1], status="failed", error="It failed.")
    chat.message_changed.emit(1)
    assert said == ["It failed."]


def test_opening_a_chat_announces_nothing(transcript, chat):
    said = []
    transcript.announced.connect(said.append)
    chat.send("Go")
    chat.reset(conversation(4))
    chat.message_changed.emit(1)
    assert said == []


def test_no_more_than_one_message_is_built_at_a_time_when_there_is_no_time(
    qtbot, transcript, chat, monkeypatch
):
    chat.reset(conversation(200))
    qtbot.wait(1)
    ticks = itertools.count()
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(ticks)))
    built: list[int] = []
    build = transcript._build
    monkeypatch.setattr(transcript, "_build", lambda index: (built.append(index), build(index)))
    transcript.verticalScrollBar().setValue(0)
    assert len(built) <= 1
    transcript._on_pump()
    assert len(built) <= 2
    monkeypatch.undo()
    qtbot.waitUntil(lambda: all(i in transcript.built for i in transcript._in_view(0)))
    assert 0 in transcript.built
