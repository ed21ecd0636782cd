"""Personas in the real window: chosen, locked, saved from a reply, deleted, missing."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QMenu, QMessageBox
from pytestqt.qtbot import QtBot

from engine.archive import StateArchive
from engine.checkpoint import inspect
from engine.folders import Folders
from engine.snapshot import Snapshot
from engine.state import State
from engine.store import Store
from engine.templates import load_templates
from tests.app.test_whole_way import Driver
from tests.tiny import write_tiny_pth

Start = Callable[..., Driver]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_pth(tmp_path_factory.mktemp("models") / "rwkv7-g1d-tiny.pth", width=64)


@pytest.fixture
def pirate(folders: Folders, model: Path) -> str:
    """Two personas as state tuning makes them: one of this model, one of another."""
    info = inspect(model)
    state = State.zeros(info.shape)
    state.wkv.copy_(2 * torch.randn(state.wkv.shape, generator=torch.Generator().manual_seed(1)))
    store = Store.open(folders.database)
    archive = StateArchive(folders.states, store)
    archive.save_persona("Pirate", Snapshot(state), info.fingerprint)
    archive.save_persona("Stranger", Snapshot(state), "of other weights")
    archive.close()
    store.close()
    return "Pirate"


@pytest.fixture
def start(qtbot: QtBot, model: Path) -> Iterator[Start]:
    opened: list[Driver] = []

    def begin(*, drawer: bool = True) -> Driver:
        drive = Driver(qtbot, model)
        opened.append(drive)
        drive.wait(lambda: drive.app.loaded is not None and drive.app.personas.all is not None)
        drive.app.chat_page.set_drawer_open(drawer)
        sampling = replace(drive.app.chat.settings.sampling, seed=3, max_tokens=12)
        drive.app.chat.change_settings(replace(drive.app.chat.settings, sampling=sampling))
        return drive

    yield begin
    for drive in opened:
        drive.close()


def box(drive: Driver) -> QComboBox:
    found = drive.find("persona")
    assert isinstance(found, QComboBox)
    return found


def offered(drive: Driver) -> list[str]:
    return [box(drive).itemText(i) for i in range(box(drive).count())]


def choose(drive: Driver, name: str) -> None:
    """Choose as by hand."""
    place = box(drive).findData(name)
    assert place >= 0, offered(drive)
    assert box(drive).isEnabled()
    box(drive).setCurrentIndex(place)
    box(drive).activated.emit(place)


def ask(drive: Driver, text: str) -> None:
    """Ask, and wait for the end of the reply."""
    before = len(drive.app.chat.messages)
    drive.type(text)
    drive.wait(lambda: len(drive.app.chat.messages) == before + 2)
    drive.wait_idle()


def save_as(drive: Driver, index: int, name: str) -> None:
    """Save as persona, through the menu of a reply and the prompt."""
    drive.act(index, "more_button")
    menu = drive.app.window.findChild(QMenu, "message_menu")
    assert menu is not None
    action = next(a for a in menu.actions() if a.objectName() == "save_persona_action")
    assert action.isEnabled()
    action.trigger()
    menu.close()
    field = drive.find("persona_name")
    assert isinstance(field, QLineEdit)
    drive.qtbot.keyClicks(field, name)
    drive.qtbot.keyClick(field, Qt.Key.Key_Return)


def test_a_persona_changes_the_reply_and_the_beginning_is_then_fixed(
    start: Start, pirate: str
) -> None:
    drive = start()
    assert offered(drive) == ["None", pirate]
    ask(drive, "Hello")
    plain = drive.texts()[1]
    assert not box(drive).isEnabled()
    drive.click("new_chat_button")
    choose(drive, pirate)
    ask(drive, "Hello")
    as_pirate = drive.app.chat.messages[1]
    assert as_pirate.status == "done"
    assert as_pirate.text[:4] != plain[:4]
    assert (box(drive).currentText(), box(drive).isEnabled()) == (pirate, False)
    assert "has begun" in box(drive).toolTip()
    chat = drive.app.chat.conversation
    assert chat is not None
    assert drive.app.store.conversation(chat).settings["persona"] == pirate
    drive.click("new_chat_button")
    assert (box(drive).currentData(), box(drive).isEnabled()) == ("", True)
    drive.app.chat.open(chat)
    assert box(drive).currentData() == pirate


def test_the_state_of_a_reply_begins_a_new_chat_and_survives_a_restart(start: Start) -> None:
    drive = start()
    assert "Drop a state file" in drive.app.chat_page.drawer.persona.note.text()
    ask(drive, "I am Ada, remember me")
    stats = drive.app.chat.messages[1].stats
    assert stats is not None
    save_as(drive, 1, "Ada's friend")
    drive.wait(lambda: "Ada's friend" in drive.app.window.toast.text)
    drive.wait(lambda: offered(drive) == ["None", "Ada's friend"])
    drive.click("new_chat_button")
    choose(drive, "Ada's friend")
    ask(drive, "Who am I?")
    resumed = drive.app.chat.messages[1].stats
    assert resumed is not None
    assert resumed.resumed_tokens == stats.read_tokens + stats.tokens
    question = load_templates()["world"].turn("Who am I?", "off", first=False)
    assert resumed.read_tokens < len(question.encode())
    drive.close()

    again = start()
    assert box(again).currentText() == "Ada's friend"
    assert not box(again).isEnabled()
    ask(again, "Still?")
    later = again.app.chat.messages[3].stats
    assert later is not None
    assert later.from_disk
    assert later.resumed_tokens > resumed.resumed_tokens
    again.click("new_chat_button")
    assert box(again).currentData() == ""


def test_a_new_chat_after_a_restart_begins_with_none(start: Start, pirate: str) -> None:
    drive = start()
    choose(drive, pirate)
    ask(drive, "Hello")
    drive.click("new_chat_button")
    drive.close()
    again = start()
    assert again.app.chat.conversation is None
    assert again.app.chat.settings.persona == ""
    assert again.app.chat.settings.sampling.max_tokens == 12


def test_a_missing_persona_fails_with_its_sentence_and_can_be_left(
    start: Start, pirate: str, folders: Folders
) -> None:
    drive = start()
    choose(drive, pirate)
    ask(drive, "Hello")
    for path in (folders.states / "personas").iterdir():
        path.unlink()
    drive.app.chat_page.set_drawer_open(False)
    drive.app.chat_page.set_drawer_open(True)  # looks again
    drive.wait(lambda: box(drive).currentText() == f"{pirate} (missing)")
    ask(drive, "Still there?")
    failed = drive.app.chat.messages[3]
    assert failed.status == "failed"
    assert f"There is no persona named {pirate}." in failed.error
    choose(drive, "")
    drive.act(3, "regenerate_button")
    drive.wait_idle()
    assert drive.app.chat.messages[3].status == "done"
    assert not box(drive).isEnabled()


def test_a_persona_is_deleted_when_it_is_confirmed(start: Start, pirate: str) -> None:
    drive = start()
    choose(drive, pirate)
    drive.click("delete_persona_button")
    dialog = drive.app.window.findChild(QMessageBox, "delete_persona_dialog")
    assert dialog is not None
    assert pirate in dialog.text()
    assert dialog.defaultButton().objectName() == "keep_persona"
    button = dialog.findChild(QAbstractButton, "confirm_delete_persona")
    assert button is not None
    button.click()
    drive.wait(lambda: offered(drive) == ["None"])
    assert drive.app.chat.settings.persona == ""
    assert drive.app.window.toast.text == f"Deleted the persona {pirate}"


def test_a_reply_whose_state_is_gone_says_what_to_do(start: Start) -> None:
    drive = start(drawer=False)
    ask(drive, "Hello")
    reply = drive.app.chat.messages[1].node
    drive.wait(lambda: bool(drive.app.store.checkpoints.of_node(reply)))
    for row in drive.app.store.checkpoints.of_node(reply):
        drive.app.store.checkpoints.remove(row.id)
    save_as(drive, 1, "Nobody")
    drive.wait(lambda: "no longer kept" in drive.app.window.toast.text)
    assert "Regenerate" in drive.app.window.toast.text
    assert drive.app.personas.all == ()


def test_a_reply_being_written_cannot_be_saved(start: Start) -> None:
    drive = start(drawer=False)
    sampling = replace(drive.app.chat.settings.sampling, max_tokens=0)
    drive.app.chat.change_settings(replace(drive.app.chat.settings, sampling=sampling))
    drive.type("A long story")
    drive.wait(lambda: len(drive.texts()) == 2 and len(drive.texts()[1]) > 10)
    drive.act(1, "more_button")
    menu = drive.app.window.findChild(QMenu, "message_menu")
    assert menu is not None
    action = next(a for a in menu.actions() if a.objectName() == "save_persona_action")
    assert not action.isEnabled()
    menu.close()
    drive.click("stop_button")
    drive.wait_idle()
    save_as(drive, 1, "Half a story")
    drive.wait(lambda: drive.app.personas.named("Half a story") is not None)
