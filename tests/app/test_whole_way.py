"""The whole way through the real window: load, ask, stop, edit, branch, quit, go on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from app.application import Application, build
from engine.sampling import SamplingParams
from tests.hub_server import HubServer
from tests.tiny import write_tiny_pth

TIMEOUT_MS = 20_000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_pth(tmp_path_factory.mktemp("models") / "rwkv7-g1d-tiny.pth", width=64)


class Driver:
    """One start of the app, driven as a person does: by its controls."""

    def __init__(self, qtbot: QtBot, *files: Path) -> None:
        self.qtbot = qtbot
        self._closed = False
        self.app: Application = build(["skein", *map(str, files)], built_in=lambda: None)
        self.app.window.show()
        qtbot.waitExposed(self.app.window)

    def find(self, name: str) -> QWidget:
        found = [w for w in self.app.window.findChildren(QWidget, name) if w.isVisible()]
        assert found, f"no visible {name}"
        return found[-1]

    def click(self, name: str) -> None:
        button = self.find(name)
        assert isinstance(button, QAbstractButton)
        assert button.isEnabled(), name
        button.click()

    def shows(self, name: str) -> bool:
        found = self.app.window.findChildren(QWidget, name)
        return any(widget.isVisible() for widget in found)

    def text_of(self, name: str) -> str:
        widget = self.find(name)
        assert isinstance(widget, QAbstractButton)
        return widget.text()

    def act(self, index: int, name: str) -> None:
        """Click an action of one message."""
        button = self.app.chat_page.transcript.view(index).findChild(QAbstractButton, name)
        assert isinstance(button, QAbstractButton), name
        assert button.isEnabled(), name
        button.click()

    def wait(self, what: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(what, timeout=TIMEOUT_MS)

    def wait_loaded(self) -> None:
        self.wait(lambda: self.app.loaded is not None)

    def limit(self, tokens: int, seed: int = 3) -> None:
        sampling = SamplingParams(top_p=0.9, seed=seed, max_tokens=tokens)
        settings = self.app.chat.settings
        self.app.chat.change_settings(
            type(settings)(settings.system, settings.template, settings.think, sampling)
        )

    def type(self, text: str, key: Qt.Key = Qt.Key.Key_Return) -> None:
        composer = self.find("composer")
        composer.setFocus()
        self.qtbot.keyClicks(composer, text)
        self.qtbot.keyClick(composer, key)

    def wait_idle(self) -> None:
        self.wait(lambda: not self.app.chat.busy)

    def texts(self) -> list[str]:
        return [message.text for message in self.app.chat.messages]

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.app.window.close()
        self.app.close()
        self.app.window.deleteLater()
        QApplication.processEvents()


@pytest.fixture
def start(qtbot: QtBot) -> Iterator[Callable[..., Driver]]:
    opened: list[Driver] = []

    def begin(*files: Path) -> Driver:
        opened.append(Driver(qtbot, *files))
        return opened[-1]

    yield begin
    for driver in opened:
        driver.close()


def test_the_whole_way(
    start: Callable[..., Driver], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HubServer() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        hub.add("BlinkDL/rwkv7-g1", "rwkv7-g1d-0.1b-20260129-ctx8192.pth", model.read_bytes())
        drive = start()
        drive.click("nav_models")
        drive.wait(lambda: bool(drive.app.library.available))
        drive.wait(lambda: drive.shows("download_button"))
        drive.click("download_button")
        drive.wait_loaded()
    drive.click("nav_chat")
    assert "0.1B" in drive.text_of("model_button")

    drive.limit(24)
    drive.type("Hello there")
    drive.wait(lambda: len(drive.texts()) == 2)
    drive.wait_idle()
    first = drive.app.chat.messages[1]
    assert first.status == "done"
    assert first.text
    assert first.stats is not None
    assert first.stats.tokens == 24

    drive.limit(0)
    drive.type("Tell me a long story")
    drive.wait(lambda: len(drive.texts()) == 4 and len(drive.texts()[3]) > 10)
    drive.click("stop_button")
    drive.wait_idle()
    stopped = drive.app.chat.messages[3]
    assert stopped.status == "stopped"
    assert stopped.text

    drive.limit(12)
    drive.act(2, "edit_button")
    drive.wait(lambda: drive.shows("edit_field"))
    editor = drive.find("edit_field")
    assert isinstance(editor, QPlainTextEdit)
    editor.selectAll()
    drive.qtbot.keyClicks(editor, "Tell me a short story")
    drive.click("edit_send_button")
    drive.wait_idle()
    question = drive.app.chat.messages[2]
    assert (question.text, question.version, question.versions) == ("Tell me a short story", 2, 2)

    drive.act(3, "regenerate_button")
    drive.wait_idle()
    answer = drive.app.chat.messages[3]
    assert (answer.version, answer.versions) == (2, 2)
    drive.act(2, "previous_version_button")
    assert drive.app.chat.messages[3].node == stopped.node
    drive.act(2, "next_version_button")
    assert drive.app.chat.messages[3].node == answer.node

    drive.act(1, "branch_button")
    assert len(drive.app.chat.messages) == 2
    drive.type("Another way")
    drive.wait(lambda: len(drive.texts()) == 4)
    drive.wait_idle()
    assert drive.app.chat.messages[2].versions == 3
    before = drive.texts()
    drive.close()

    again = start()
    again.wait_loaded()
    assert again.texts() == before
    again.limit(8)
    again.type("And now?")
    again.wait(lambda: len(again.texts()) == 6)
    again.wait_idle()
    stats = again.app.chat.messages[5].stats
    assert stats is not None
    assert stats.from_disk
    assert stats.resumed_tokens > 40
    assert stats.read_tokens < 20


def test_a_model_is_chosen_loaded_and_ejected_by_its_card(
    start: Callable[..., Driver], model: Path, skein_home: Path
) -> None:
    folder = skein_home / "data" / "models"
    folder.mkdir(parents=True)
    (folder / model.name).write_bytes(model.read_bytes())
    drive = start()
    drive.click("nav_models")
    drive.wait(lambda: drive.shows("load_button"))
    drive.click("load_button")
    drive.wait_loaded()
    drive.wait(lambda: drive.shows("eject_button"))
    drive.click("eject_button")
    drive.wait(lambda: drive.app.loaded is None)
    assert drive.app.engine.loaded_name == ""


def test_quitting_while_it_writes_goes_on_with_the_next_token(
    start: Callable[..., Driver], model: Path
) -> None:
    drive = start(model)
    drive.wait_loaded()
    drive.limit(0)
    drive.type("Count to a thousand")
    drive.wait(lambda: len(drive.texts()) == 2 and len(drive.texts()[1]) > 20)
    drive.close()

    again = start()
    again.wait_loaded()
    half = again.app.chat.messages[1]
    assert half.status == "stopped"
    assert half.text
    again.limit(6)
    assert again.app.chat.continue_reply(1)
    again.wait_idle()
    whole = again.app.chat.messages[1]
    assert whole.text.startswith(half.text)
    assert whole.stats is not None
    assert whole.stats.read_tokens == 0
    assert whole.stats.from_disk


def test_a_broken_file_leaves_the_model_in_use(
    start: Callable[..., Driver], model: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "rwkv7-broken.pth"
    broken.write_bytes(model.read_bytes()[:20_000])
    drive = start(model)
    drive.wait_loaded()
    loaded = drive.app.loaded
    failures: list[str] = []
    drive.app.engine.model_failed.connect(lambda _path, message, *_: failures.append(message))
    drive.app.load(broken)
    drive.wait(lambda: bool(failures))
    assert "rwkv7-broken.pth" in failures[0]
    assert drive.app.loaded is loaded
    drive.limit(4)
    drive.type("Still there?")
    drive.wait(lambda: len(drive.app.chat.messages) == 2)
    drive.wait_idle()
    assert drive.app.chat.messages[1].status == "done"


def test_without_a_model_nothing_typed_is_lost(start: Callable[..., Driver]) -> None:
    drive = start()
    drive.type("Hello")
    assert drive.app.chat.messages == []
    assert drive.app.chat_page.composer.text == "Hello"
    drive.close()
    assert start().app.chat_page.composer.text == "Hello"


def test_every_control_has_a_name(start: Callable[..., Driver], model: Path) -> None:
    drive = start(model)
    drive.wait_loaded()
    drive.limit(4)
    drive.type("Hello")
    drive.wait_idle()
    roles = [
        *("composer", "send_button", "think_mode", "transcript", "model_button"),
        *("new_chat_button", "chat_list", "chat_search", "parameters_drawer", "model_list"),
        *("nav_chat", "nav_models", "nav_settings"),
    ]
    for role in roles:
        widget = drive.app.window.findChild(QWidget, role)
        assert widget is not None, role
        assert widget.accessibleName() or isinstance(widget, QAbstractButton), role
    nameless: list[str] = []
    for page in ("chat", "models", "settings"):
        drive.app.window.show_page(page)
        QApplication.processEvents()
        for button in drive.app.window.findChildren(QAbstractButton):
            if not button.isVisible() or button.objectName().startswith("qt_"):
                continue
            if not button.objectName() or not (button.accessibleName() or button.text()):
                nameless.append(f"{page}: {type(button).__name__} {button.text()!r}")
    assert nameless == []
