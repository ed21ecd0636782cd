"""The chat page: sending, choosing a model, the empty state, the drawer, drafts."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import QPushButton

from app.chat.page import ChatPage
from app.models.message import Message
from engine.plan import Plan
from engine.strategy import Strategy
from engine.templates import load_templates
from tests.app.ready_rows import ready_list, ready_row
from tests.app.scripted_chat import ScriptedChat

NAME = "rwkv7-g1d-1.5b-20260212-ctx8192"


def loaded(template: str = "world", path: Path = Path(f"/models/{NAME}.pth")) -> Any:
    plan = Plan(Strategy.parse("cpu bf16"), "fits", (), 1.0, 1.0, "")
    info = SimpleNamespace(name=path.stem, path=path, architecture="rwkv7", loras=())
    return SimpleNamespace(info=info, plan=plan, backend="torch", template=template)


@pytest.fixture
def chat(qapp):
    return ScriptedChat()


@pytest.fixture
def rows():
    return ready_list(
        ready_row("rwkv7-g1d-0.1b-20260129-ctx8192.pth", speed=120, size_bytes=382_000_000),
        ready_row(),
        ready_row("rwkv7-g1d-7.2b-20260131-ctx8192.pth", verdict="too_large"),
        ready_row("bad.pth", problem="bad.pth is truncated."),
    )


@pytest.fixture
def page(qtbot, theme, chat, rows):
    made = ChatPage(theme, chat, rows, load_templates())
    made.resize(940, 700)
    qtbot.addWidget(made, before_close_func=lambda page: page.close())
    made.show()
    qtbot.waitExposed(made)
    return made


def collected(signal) -> list:
    found = []
    signal.connect(lambda *values: found.append(values))
    return found


def test_the_keyboard_is_in_the_composer(page):
    assert page.composer.field.hasFocus()


def test_sending_clears_the_composer_only_when_it_was_taken(qtbot, page, chat):
    chat.accepts = False
    page.composer.set_text("hello")
    qtbot.keyClick(page.composer.field, Qt.Key.Key_Return)
    assert page.composer.text == "hello"
    assert page.picker.isVisible()
    page.picker.hide()
    chat.accepts = True
    qtbot.keyClick(page.composer.field, Qt.Key.Key_Return)
    assert page.composer.text == ""
    assert page.transcript.isVisible()
    assert page.composer.stop.isVisible()
    qtbot.keyClick(page.composer.field, Qt.Key.Key_Escape)
    assert chat.calls[-1] == ("stop",)


def test_an_empty_chat_recommends_the_best_ready_model(qtbot, page):
    asked = collected(page.load_requested)
    assert page.welcome.isVisible()
    assert "RWKV-7" in page.welcome._title.text()
    qtbot.mouseClick(page.welcome.action, Qt.MouseButton.LeftButton)
    assert asked == [(Path("/models/rwkv7-g1d-1.5b-20260212-ctx8192.pth"),)]


def test_without_ready_models_the_recommended_download_is_offered(qtbot, theme, chat):
    page = ChatPage(theme, chat, ready_list(), load_templates())
    qtbot.addWidget(page, before_close_func=lambda page: page.close())
    page.show()
    assert not page.welcome.action.isVisible()
    page.set_recommendation("repo/file", "RWKV-7 G1 1.5B", "3.06 GB", "It fits.")
    taken, models = collected(page.suggestion_taken), collected(page.models_requested)
    qtbot.mouseClick(page.welcome.action, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(page.welcome.others, Qt.MouseButton.LeftButton)
    assert taken == [("repo/file",)]
    assert len(models) == 1
    page.show_loaded(loaded())
    assert not page.welcome.card.isVisible()


def test_beside_the_built_in_model_a_larger_one_stays_in_sight(qtbot, theme, chat):
    own = ready_row("gosling.safetensors", size_bytes=15_800_000, built_in=True)
    page = ChatPage(theme, chat, ready_list(own), load_templates(), built_in=own.path)
    qtbot.addWidget(page, before_close_func=lambda page: page.close())
    page.show()
    welcome = page.welcome
    assert (welcome.action.text(), welcome._title.text()) == ("Load", "Gosling, the built-in model")
    page.show_loading(own.path, 0.5)
    assert page.model_button.text() == "Gosling  ·  loading 50 %"
    assert welcome.examples.isVisible()
    assert not any(button.isEnabled() for button in welcome.example_buttons)
    page.show_loaded(loaded("gosling", own.path))
    assert all(button.isEnabled() for button in welcome.example_buttons)
    assert not welcome.card.isVisible()
    page.set_recommendation("repo/file", "RWKV-7 G1 1.5B", "3.06 GB", "It fits.")
    assert (welcome.card.isVisible(), welcome.action.text()) == (True, "Download")
    page.set_recommendation("repo/file", "RWKV-7 G1 1.5B", "3.06 GB", "It fits.", on_its_way=True)
    assert welcome.action.text() == "See the download"
    page.show_loaded(loaded())
    assert not welcome.card.isVisible()
    assert not welcome.examples.isVisible()


def test_an_example_is_sent_and_a_beginning_is_not(qtbot, page, chat):
    page.welcome.example_taken.emit("My name is ")
    assert page.composer.text == "My name is "
    page.welcome.example_taken.emit("What is 27 + 48?")
    assert ("send", "What is 27 + 48?") in chat.calls
    assert page.composer.text == "My name is "


def test_a_long_example_does_not_push_the_words_above_it_out_of_a_narrow_page(qtbot, page):
    page.welcome.show_state(ready=True, suggestion=None, built_in=True)
    longest = max(button.sizeHint().width() for button in page.welcome.example_buttons)
    assert page.welcome.minimumSizeHint().width() < longest


def test_the_model_button_says_what_happens(page):
    page.show_loading(Path(f"/m/{NAME}.pth"), 0.456)
    assert "loading 45 %" in page.model_button.text()
    page.show_loaded(loaded())
    assert page.model_button.text().endswith("bf16 · CPU")
    page.show_ejected()
    assert page.model_button.text() == "Choose a model"
    assert page.model_button.accessibleName() == "Model: Choose a model"


def test_the_picker_loads_by_keyboard(qtbot, page):
    asked = collected(page.load_requested)
    page.choose_model()
    assert page.picker.list.hasFocus()
    qtbot.keyClick(page.picker.list, Qt.Key.Key_Down)
    qtbot.keyClick(page.picker.list, Qt.Key.Key_Return)
    assert asked == [(Path("/models/rwkv7-g1d-1.5b-20260212-ctx8192.pth"),)]
    assert not page.picker.isVisible()


def test_the_picker_refuses_broken_files_and_ejects_the_loaded_one(qtbot, theme, chat):
    rows = ready_list(ready_row(status="loaded"), ready_row("bad.pth", problem="It is broken."))
    page = ChatPage(theme, chat, rows, load_templates())
    qtbot.addWidget(page, before_close_func=lambda page: page.close())
    page.show()
    asked, ejected = collected(page.load_requested), collected(page.eject_requested)
    page.choose_model()
    qtbot.keyClick(page.picker.list, Qt.Key.Key_Down)
    qtbot.keyClick(page.picker.list, Qt.Key.Key_Return)
    assert asked == []
    qtbot.mouseClick(page.picker.eject, Qt.MouseButton.LeftButton)
    assert len(ejected) == 1
    assert not page.picker.isVisible()


def test_a_failed_load_says_why_and_offers_what_works(qtbot, page):
    asked = collected(page.load_with_requested)
    page.show_failed(Path("/m/x.pth"), "It needs 14 GB.", "Choose another.", "cpu bf16")
    assert page.notice.isVisible()
    button = next(b for b in page.notice.findChildren(QPushButton) if "cpu bf16" in b.text())
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert asked == [(Path("/m/x.pth"), "cpu bf16")]
    page.show_loaded(loaded())
    assert not page.notice.isVisible()


def test_the_drawer_folds_and_remembers(qtbot, page):
    told = collected(page.drawer_toggled)
    assert not page.drawer.isVisible()
    qtbot.mouseClick(page.drawer_button, Qt.MouseButton.LeftButton)
    assert page.drawer.isVisible()
    assert page.drawer.geometry().right() == page.rect().right()
    qtbot.waitUntil(lambda: page.composer.geometry().right() < page.drawer.x())
    page.toggle_drawer()
    assert not page.drawer.isVisible()
    assert told == [(True,), (False,)]


def test_a_narrow_page_lets_the_drawer_cover_the_chat(qtbot, page):
    page.resize(500, 600)
    page.set_drawer_open(True)
    assert page.composer.width() > 400
    qtbot.keyClick(page.composer.field, Qt.Key.Key_Escape)
    assert not page.drawer.isVisible()


def test_thinking_is_chosen_below_the_composer_and_in_the_drawer(qtbot, page, chat):
    page.show_loaded(loaded())
    page.composer.think.setCurrentIndex(page.composer.think.findData("think"))
    page.composer.think.activated.emit(page.composer.think.currentIndex())
    assert chat.settings.think == "think"
    assert page.drawer.think.currentData() == "think"
    page.drawer.set_think("off")
    assert page.composer.think.currentData() == "off"


def test_parameters_reach_the_chat_before_the_next_message(qtbot, page, chat):
    page.drawer.system.setPlainText("Be kind.")
    page.composer.set_text("hi")
    qtbot.keyClick(page.composer.field, Qt.Key.Key_Return)
    assert [call[0] for call in chat.calls][-2:] == ["settings", "send"]
    assert chat.settings.system == "Be kind."


def test_every_chat_keeps_its_draft(page, chat):
    chat.conversation_opened.emit(1)
    page.composer.set_text("for one")
    chat.conversation_opened.emit(2)
    assert page.composer.text == ""
    page.composer.set_text("for two")
    chat.conversation_opened.emit(1)
    assert page.composer.text == "for one"


def test_drafts_can_be_kept_elsewhere(page, chat):
    page.composer.set_text("for a new chat")
    chat.conversation_opened.emit(1)
    page.composer.set_text("for one")
    chat.conversation_opened.emit(2)
    page.composer.set_text("for two")
    kept = page.drafts()
    assert kept == {0: "for a new chat", 1: "for one", 2: "for two"}
    page.composer.clear()
    page.set_drafts({})
    assert page.drafts() == {}
    page.set_drafts(kept)
    assert page.composer.text == "for two"
    chat.conversation_opened.emit(None)
    assert page.composer.text == "for a new chat"
    assert page.drafts() == kept


def test_drafts_from_elsewhere_replace_nothing_that_is_being_written(page, chat):
    page.composer.set_text("words")
    page.set_drafts({0: "older words"})
    assert page.composer.text == "words"


def test_what_was_sent_is_not_the_draft_of_the_next_new_chat(qtbot, page, chat):
    def send(text: str) -> bool:
        # As ChatModel does: the chat gets its id before its first message, and before it is busy.
        chat.conversation = 7
        chat.conversation_opened.emit(7)
        return type(chat).send(chat, text)

    chat.send = send
    page.composer.set_text("first question")
    qtbot.keyClick(page.composer.field, Qt.Key.Key_Return)
    assert page.composer.text == ""
    chat.conversation_opened.emit(None)
    assert page.composer.text == ""


def test_a_new_chat_that_could_not_be_sent_keeps_its_text(qtbot, page, chat):
    def send(text: str) -> bool:
        chat.conversation_opened.emit(7)
        return False

    chat.send = send
    page.composer.set_text("first question")
    qtbot.keyClick(page.composer.field, Qt.Key.Key_Return)
    assert page.composer.text == "first question"
    chat.conversation_opened.emit(None)
    assert page.composer.text == ""
    chat.conversation_opened.emit(7)
    assert page.composer.text == "first question"


def test_edit_and_regenerate_the_last_from_outside(qtbot, page, chat):
    chat.reset([Message(1, "user", "one"), Message(2, "assistant", "two")])
    page.edit_last()
    assert page.transcript.built[0].editor is not None
    page.transcript.built[0].cancel_edit()
    page.regenerate_last()
    assert chat.calls[-1] == ("regenerate", 1)


def in_view(page, widget) -> bool:
    viewport = page.transcript.viewport()
    place = QRect(widget.mapTo(viewport, QPoint(0, 0)), widget.size())
    return viewport.rect().contains(place)


def test_the_editor_of_the_last_question_comes_into_view(qtbot, page, chat):
    long = "many words " * 900
    chat.reset([Message(i + 1, ("user", "assistant")[i % 2], long) for i in range(4)])
    qtbot.waitUntil(lambda: page.idle)
    page.edit_last()
    view = page.transcript.built[2]
    assert view.editor.field.hasFocus()
    assert in_view(page, view.editor)
    qtbot.wait(40)
    assert in_view(page, view.editor)
    view.cancel_edit()
    page.transcript.scroll_to(2)
    bar = page.transcript.verticalScrollBar()
    bar.setValue(bar.value() + 300)  # its beginning is above the view, the rest is seen
    page.edit_last()
    assert in_view(page, view.editor)


def test_a_question_is_edited_by_the_keyboard_alone(qtbot, page, chat):
    def edit(index: int, text: str) -> None:
        chat.truncate(index)
        chat.send(text)

    chat.edit = edit
    long = "many words " * 900
    texts = ("one", long, "two", long)
    chat.reset([Message(i + 1, ("user", "assistant")[i % 2], t) for i, t in enumerate(texts)])
    qtbot.waitUntil(lambda: page.idle)
    qtbot.wait(30)
    page.edit_last()
    qtbot.keyClicks(page.transcript.built[2].editor.field, " more")
    qtbot.keyClick(page.transcript.built[2].editor.field, Qt.Key.Key_Return)
    assert [m.text for m in chat.messages[2:]] == ["two more", ""]
    assert page.composer.field.hasFocus()
    qtbot.wait(30)


def test_another_chat_is_opened_while_a_question_is_edited(qtbot, page, chat):
    long = "many words " * 900
    texts = ("one", long, "two", long)
    chat.reset([Message(i + 1, ("user", "assistant")[i % 2], t) for i, t in enumerate(texts)])
    page.edit_last()
    chat.reset([Message(1, "user", "hello")])
    assert list(page.transcript.built) == [0]
    chat.reset([])
    assert page.transcript.built == {}


def test_a_resize_between_a_change_and_its_signal_waits_for_the_signal(qtbot, page, chat):
    chat.reset([Message(i + 1, ("user", "assistant")[i % 2], "words") for i in range(6)])
    del chat.messages[2:]
    page.transcript.resize(500, 300)
    page.transcript.verticalScrollBar().setValue(1)
    chat.messages_truncated.emit(2)
    assert set(page.transcript.built) == {0, 1}


def test_stop_does_nothing_without_a_reply(page, chat):
    page.stop()
    assert chat.calls == []


def test_copying_is_said(qtbot, page, chat):
    said = collected(page.said)
    chat.reset([Message(1, "assistant", "words")])
    qtbot.waitUntil(lambda: page.transcript.built[0].renderer.complete)
    page.transcript.built[0]._on_asked("copy")
    assert said == [("Copied",)]


def test_large_text(qtbot, page, theme, qapp, chat):
    chat.reset([Message(1, "user", "one"), Message(2, "assistant", "two")])
    page.resize(660, 600)
    theme.apply(qapp, "dark", 2.0)
    page.set_drawer_open(True)
    page.set_drawer_open(False)
    assert page.composer.geometry().bottom() <= page.rect().bottom()
    assert page.minimumSizeHint().width() <= 660
