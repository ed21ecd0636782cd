"""The composed application: starting, ending, and what the settings really do."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

import app.__main__ as entry
from app.application import Application, build
from app.chat.presets import RECOMMENDED, preset_of
from engine.events import Token
from engine.folders import Folders
from engine.sampling import SamplingParams
from engine.settings import load
from engine.store import Store
from engine.strategy import Strategy
from tests.app.models_kit import write_model
from tests.hub_server import HubServer
from tests.tiny import write_tiny_pth

TIMEOUT_MS = 20_000
Start = Callable[..., Application]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_pth(tmp_path_factory.mktemp("models") / "rwkv7-g1d-tiny.pth", width=64)


@pytest.fixture
def wait(qtbot: QtBot) -> Callable[[Callable[[], bool]], None]:
    return lambda what: qtbot.waitUntil(what, timeout=TIMEOUT_MS)


@pytest.fixture
def start(qtbot: QtBot) -> Iterator[Start]:
    opened: list[Application] = []

    def begin(*files: Path) -> Application:
        opened.append(build(["skein", *map(str, files)], built_in=lambda: None))
        opened[-1].window.show()
        qtbot.waitExposed(opened[-1].window)
        return opened[-1]

    yield begin
    for made in opened:
        end(made)
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(("skein-engine", "state-archive"))]


def end(application: Application) -> None:
    """Close as a person does; may be called twice."""
    if not isValid(application.window):
        return
    application.window.close()
    application.close()
    application.window.deleteLater()
    QApplication.processEvents()


def ask(application: Application, text: str, tokens: int = 4) -> None:
    settings = application.chat.settings
    sampling = SamplingParams(seed=3, max_tokens=tokens)
    application.chat.change_settings(type(settings)(sampling=sampling, system=settings.system))
    assert application.chat.send(text)


def notice(application: Application) -> str:
    found = application.window.notice.findChild(QLabel, "notice_message")
    assert isinstance(found, QLabel)
    return found.text() if application.window.notice.isVisible() else ""


def test_closing_before_the_event_loop_ran(start: Start):
    application = start()
    application.close()
    application.close()
    assert not application.engine._thread.is_alive()


def test_what_fails_at_the_end_keeps_nothing_else_from_ending(
    start: Start, model: Path, wait, monkeypatch: pytest.MonkeyPatch
):
    application = start(model)
    wait(lambda: application.loaded is not None)

    close = application.drafts.close

    def broken() -> None:
        close()
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(application.drafts, "close", broken)
    with pytest.raises(RuntimeError, match="of ours"):
        application.close()
    assert not application.engine._thread.is_alive()


@pytest.mark.parametrize("moment", ["loading", "reading", "writing"])
def test_closing_at_any_moment_is_quick(start: Start, model: Path, wait, moment: str):
    application = start(model)
    events: list[object] = []
    application.engine.reply_event.connect(lambda _node, event: events.append(event))
    if moment == "loading":
        wait(lambda: application.engine._thread.is_alive())
    else:
        wait(lambda: application.loaded is not None)
        ask(application, "word " * (20_000 if moment == "reading" else 2), tokens=0)
        kinds = {"reading": object, "writing": Token}
        wait(lambda: any(isinstance(event, kinds[moment]) for event in events))
    began = time.monotonic()
    end(application)
    assert time.monotonic() - began < 5
    with contextlib.closing(Store(application.folders.database)) as store:
        store.recover()
        chats = store.conversations()
        statuses = [node.status for c in chats for node in store.path_to(c.current_node or 0)]
    assert "writing" not in statuses


def test_quitting_while_it_loads_does_not_forget_the_model(start: Start, model: Path, wait):
    first = start(model)
    wait(lambda: first.loaded is not None)
    end(first)
    second = start()
    wait(lambda: second.engine._thread.is_alive())
    end(second)
    QApplication.processEvents()
    third = start()
    assert third.settings.get("last_model") == str(model)


def test_closing_during_a_download_keeps_it_for_the_next_start(
    start: Start, wait, monkeypatch: pytest.MonkeyPatch
):
    with HubServer() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        hub.add("BlinkDL/rwkv7-g1", "rwkv7-g1d-0.1b-20260129-ctx8192.pth", bytes(3_000_000))
        hub.faults.piece_delay_s = 0.05
        first = start()
        wait(lambda: bool(first.library.available))
        first.downloads.start(first.library.available[0].remote)
        wait(lambda: any(entry.received for entry in first.downloads.entries()))
        began = time.monotonic()
        end(first)
        assert time.monotonic() - began < 5
        second = start()
        (entry,) = second.downloads.entries()
        assert (entry.status, entry.received > 0) == ("paused", True)
        end(second)


def test_work_offline_pauses_downloads(start: Start, wait, monkeypatch: pytest.MonkeyPatch):
    with HubServer() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        hub.add("BlinkDL/rwkv7-g1", "rwkv7-g1d-0.1b-20260129-ctx8192.pth", bytes(3_000_000))
        hub.faults.piece_delay_s = 0.05
        application = start()
        wait(lambda: bool(application.library.available))
        application.downloads.start(application.library.available[0].remote)
        wait(lambda: any(entry.received for entry in application.downloads.entries()))
        application.settings_page.folder_chosen.emit("models_folder", "/nowhere")
        assert "while a model is downloaded" in notice(application)
        application.settings.set("offline", True)
        assert [entry.status for entry in application.downloads.entries()] == ["paused"]
        wait(lambda: application.library.offline is not None)
        end(application)


def test_a_later_start_opens_its_file_in_this_window(start: Start, model: Path, wait):
    application = start()
    application.open_files([model])
    wait(lambda: application.loaded is not None)
    wait(lambda: [ready.local.path for ready in application.library.ready] == [model])
    assert application.settings.get("model_folders") == (str(model),)
    readied: list[str] = []
    application.engine.model_ready.connect(lambda m: readied.append(str(m.plan.strategy)))
    application.open_files([model])  # a double click on the model that may be writing just now
    application.engine.load(model, Strategy.parse("cpu fp32"))
    wait(lambda: bool(readied))
    assert readied == ["cpu fp32"]


def test_a_relative_file_is_kept_by_its_whole_path(
    start: Start, model: Path, wait, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(model.parent)
    application = start(Path(model.name))
    wait(lambda: application.loaded is not None)
    assert application.settings.get("model_folders") == (str(model),)
    assert application.settings.get("last_model") == str(model)


def test_a_link_keeps_the_name_that_says_what_it_is(
    start: Start, model: Path, wait, tmp_path: Path
):
    link = tmp_path / "rwkv7-g1d-linked.pth"
    link.symlink_to(model)
    application = start(link)
    wait(lambda: application.loaded is not None)
    assert application.settings.get("last_model") == str(link)


def test_a_missing_cpu_engine_is_told_once(start: Start, model: Path, wait):
    application = start(model)
    wait(lambda: application.loaded is not None and application.library.hardware is not None)
    application.window.notice.dismiss()
    assert application.library.hardware
    assert application.loaded
    application.library.hardware = replace(application.library.hardware, native="")
    on_torch = replace(application.loaded, backend="torch")
    application.settings.set("cpu_engine_missed", False)
    application.engine.model_ready.emit(on_torch)
    assert "engine for processors is missing" in notice(application)
    assert application.settings.get("cpu_engine_missed")
    application.window.notice.dismiss()
    application.engine.model_ready.emit(on_torch)
    assert notice(application) == ""


def test_the_saved_strategy_plans_the_cards_at_the_next_start(start: Start):
    first = start()
    first.settings.set("strategy", "cpu fp32")
    end(first)
    second = start()
    assert str(second.library.strategy) == "cpu fp32"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is Unicode")
def test_a_name_that_is_no_unicode_is_loaded_and_loses_nothing(
    start: Start, model: Path, wait, tmp_path: Path
):
    """What an old archive of Chinese files unpacks to."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/rwkv7-g1d-\xd6\xd0.pth"))
    path.write_bytes(model.read_bytes())
    application = start(path)
    wait(lambda: application.loaded is not None)
    application.settings.set("theme", "dark")
    assert application.settings.flush()
    ask(application, "Hello")
    wait(lambda: not application.chat.busy)
    end(application)
    assert load(application.folders.settings_file).theme == "dark"
    with contextlib.closing(Store(application.folders.database)) as store:
        (chat,) = store.conversations()
        assert [node.status for node in store.path_to(chat.current_node or 0)] == ["done", "done"]
        assert store.checkpoints.all()


def test_a_model_that_may_not_be_looked_at_stops_no_start(start: Start, folders: Folders, wait):
    """A name that is too long raises in ``Path.exists`` as a folder of another user does."""
    bad = "/" + "a" * 300
    kept = write_model(folders.models / "rwkv7-g1d-here.safetensors")
    folders.settings_file.write_text(
        f'last_model = "{bad}"\nmodel_folders = ["{bad}", "~nobody-here/models"]\n'
    )
    application = start()
    wait(lambda: [model.local.path for model in application.library.ready] == [kept])
    assert notice(application) == ""


def test_who_saves_power_reads_what_that_costs(start: Start, model: Path, wait):
    application = start(model)
    page = application.settings_page
    application.window.show_page("settings")
    page.show_section("inference")
    wait(lambda: application.loaded is not None and application.library.hardware is not None)
    found = application.library.hardware
    assert found is not None
    application.library._set_hardware(replace(found, cores=8, ram_bandwidth=30e9))
    speed = page.findChild(QLabel, "strategy_speed")
    assert isinstance(speed, QLabel)
    usual = speed.text()
    application.settings.set("power_saving", True)
    assert speed.isVisible()
    assert speed.text() != usual
    application.settings.set("power_saving", False)
    assert speed.text() == usual


@pytest.mark.parametrize("page", ["settings", "models", "chat"])
def test_a_load_that_fails_is_said_where_the_user_is(
    start: Start, model: Path, wait, tmp_path: Path, page: str
):
    """What "Load again" begins fails when the file is gone by then."""
    path = tmp_path / "rwkv7-g1d-gone.pth"
    path.write_bytes(model.read_bytes())
    application = start(path)
    wait(lambda: application.loaded is not None)
    application.window.show_page(page)
    application.settings.set("strategy", "cpu fp32")
    path.unlink()
    failed: list[str] = []
    application.engine.model_failed.connect(lambda _path, message, *_: failed.append(message))
    button = application.window.toast.findChild(QPushButton, "toast_action")
    assert isinstance(button, QPushButton)
    button.click()
    wait(lambda: bool(failed))
    labels = application.window.findChildren
    wait(lambda: any(one.isVisible() and failed[0] in one.text() for one in labels(QLabel)))
    application.window.show_page("chat")
    assert notice(application) == ""  # the page has it


def test_a_strategy_that_nobody_understands_is_auto(start: Start, folders: Folders):
    folders.settings_file.write_text('strategy = "quantum"\n')
    application = start()
    assert application.library.strategy is None


def test_models_move_with_all_that_hangs_on_them(start: Start, wait, tmp_path: Path):
    application = start()
    source = application.folders.models
    write_model(source / "rwkv7-g1d-small.pth.safetensors")
    goal = tmp_path / "drive"
    application.settings_page.folder_chosen.emit("models_folder", str(goal))
    wait(lambda: application.settings.get("models_folder") == str(goal))
    wait(lambda: not list(source.iterdir()))
    moved = goal / "rwkv7-g1d-small.pth.safetensors"
    wait(lambda: [ready.local.path for ready in application.library.ready] == [moved])
    assert str(goal) in application.folders.settings_file.read_text()


def test_states_move_and_are_used_there(start: Start, model: Path, wait, tmp_path: Path):
    first = start(model)
    wait(lambda: first.loaded is not None)
    ask(first, "Hello there")
    wait(lambda: not first.chat.busy)
    goal = tmp_path / "drive"
    first.settings_page.folder_chosen.emit("states_folder", str(goal))
    wait(lambda: first.settings.get("states_folder") == str(goal))
    wait(lambda: not list(first.folders.states.glob("*.safetensors")))
    end(first)
    second = start()
    wait(lambda: second.loaded is not None)
    ask(second, "And now?")
    wait(lambda: not second.chat.busy)
    stats = second.chat.messages[-1].stats
    assert stats is not None
    assert stats.from_disk


def test_originals_stay_when_the_switch_cannot_be_saved(
    start: Start, wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    application = start()
    kept = write_model(application.folders.models / "rwkv7-g1d-small.safetensors")
    monkeypatch.setattr(application.settings, "flush", lambda: False)
    application.settings_page.folder_chosen.emit("models_folder", str(tmp_path / "drive"))
    wait(lambda: bool(application.settings.get("models_folder")))
    wait(lambda: not application.tasks.busy)
    assert kept.exists()


def test_a_deleted_chat_stops_and_undo_opens_it_again(start: Start, model: Path, wait):
    application = start(model)
    wait(lambda: application.loaded is not None)
    ask(application, "A long story", tokens=0)
    wait(lambda: len(application.chat.messages[-1].text) > 5)
    chat = application.chat.conversation
    assert chat is not None
    application.conversations.delete(chat)
    assert application.chat.conversation is None
    wait(lambda: not application.conversations.busy_ids)
    application.conversations.restore(chat)
    assert application.chat.conversation == chat
    assert application.chat.messages[-1].status == "stopped"


@pytest.mark.parametrize("next_step", ["a question", "another chat"])
def test_the_way_back_from_a_branch_is_offered_only_while_it_is_one(
    start: Start, model: Path, wait, next_step: str
):
    application = start(model)
    wait(lambda: bool(application.engine.loaded_name))
    for text in ("One", "Two"):
        ask(application, text)
        wait(lambda: not application.chat.busy)
    application.chat.branch(1)
    assert application.window.toast.text == "The next message begins a new branch"
    if next_step == "a question":
        ask(application, "Three")
    else:
        application.chat.open(None)
    assert application.window.toast.text == ""


def test_what_was_deleted_earlier_goes_for_good(start: Start, store: Store, wait):
    chat = store.create_conversation("secret")
    store.add_node(chat.id, None, "user", "secret words")
    store.delete(chat.id)
    application = start()
    wait(lambda: application.engine._thread.is_alive())
    wait(lambda: not application.tasks.busy)
    with pytest.raises(Exception, match="chat"):
        store.conversation(chat.id)


def test_a_chat_that_streams_stays_marked_when_another_is_open(start: Start, model: Path, wait):
    application = start(model)
    wait(lambda: application.loaded is not None)
    ask(application, "One", tokens=0)
    first = application.chat.conversation
    wait(lambda: len(application.chat.messages[-1].text) > 5)
    application.window.new_chat_requested.emit()
    assert application.conversations.busy_ids == {first}
    assert not application.chat.busy


def test_a_new_chat_after_a_start_has_the_last_settings(start: Start, model: Path, wait):
    first = start(model)
    wait(lambda: first.loaded is not None)
    first.chat.change_settings(type(first.chat.settings)(system="Be brief"))
    ask(first, "Hello")
    wait(lambda: not first.chat.busy)
    first.window.new_chat_requested.emit()
    end(first)
    second = start()
    assert second.chat.conversation is None
    assert second.chat.settings.system == "Be brief"


def test_untouched_sampling_is_what_the_author_recommends(start: Start, model: Path, wait):
    application = start(model)
    wait(lambda: application.loaded is not None)
    drawer = application.chat_page.drawer
    for mode in application.loaded.think_modes if application.loaded else ():
        drawer.set_think(mode)
        recommended = drawer.recommended()
        assert application.chat.settings.sampling == recommended, mode
        assert preset_of(application.chat.settings.sampling, recommended) == RECOMMENDED


def test_the_token_is_in_no_file(
    start: Start, wait, monkeypatch: pytest.MonkeyPatch, skein_home: Path
):
    kept: list[str] = []
    monkeypatch.setattr(
        "engine.secrets.Secrets.set_hub_token", lambda _self, text: kept.append(text)
    )
    application = start()
    application.settings_page.token_entered.emit("hf_secret_of_mine")
    wait(lambda: bool(kept))
    end(application)
    files = [path for path in skein_home.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"hf_secret_of_mine" in path.read_bytes()]


def test_chats_of_a_newer_version_are_said_in_a_dialog(qapp: QApplication, folders: Folders):
    import sqlite3

    with sqlite3.connect(folders.database) as connection:
        connection.execute("PRAGMA user_version=999")
    connection.close()
    qapp.setStyleSheet("")  # an earlier test's: its pictures are gone
    said: list[str] = []

    def look() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        said.append(box.text())
        box.done(0)

    QTimer.singleShot(200, look)
    assert entry.main(["skein"]) == 1
    assert "newer Skein" in said[0]
