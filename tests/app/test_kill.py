"""kill -9 of the whole: what a new start finds is whole, a second of text is lost at most.

The parts have their own tests (store, archive, settings, download); here they work together.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, Qt
from PySide6.QtWidgets import QApplication, QPlainTextEdit
from pytestqt.qtbot import QtBot

from app.application import Application, build
from app.models.message import ChatSettings
from engine.folders import Folders
from engine.hardware import detect
from engine.hub.partial import PartFile
from engine.model import Model, load_model
from engine.sampling import SamplingParams
from engine.settings import load
from engine.strategy import Strategy
from tests.app.kill_kit import Desk, downloads
from tests.app.models_kit import DATA, REPO, SMALL
from tests.hub_server import HubServer
from tests.tiny import write_tiny_pth

ROOT = Path(__file__).parents[2]
TIMEOUT_MS = 20_000


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_pth(tmp_path_factory.mktemp("models") / "rwkv7-g1d-tiny.pth", width=64)


@pytest.fixture(scope="module")
def model(model_file: Path) -> Model:
    return load_model(model_file, Strategy.parse("cpu fp32"), detect(None))


@contextmanager
def child(program: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """Run a program in a process that is dead, in the hardest way, at the end of the block."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    line = process.stdout.readline()
    assert line, "the child ended too early"
    return line


def no_half_files(folders: Folders) -> None:
    """Nothing that was half written may be left after a start and its cleaning up."""
    assert not list(folders.states.glob("*.part"))
    assert not list(folders.states.glob(".*.part"))


_APP = """
import json, sys, time
from app.application import build
from app.models.message import ChatSettings
from engine.sampling import SamplingParams
app = build(["skein", sys.argv[1]])
app.window.show()
app.settings.set("text_scale", 1.25)
app.chat.change_settings(ChatSettings(sampling=SamplingParams(top_p=0.9, seed=3)))
def tell(index):
    if index == 1:
        print(json.dumps([time.time(), app.chat.messages[1].text]), flush=True)
app.chat.message_changed.connect(tell)
app.engine.model_ready.connect(lambda model: app.chat.send("Tell me a story"))
app.qt_app.exec()
"""


@pytest.fixture
def start(qtbot: QtBot) -> Iterator[list[Application]]:
    opened: list[Application] = []
    yield opened
    for app in opened:
        app.window.close()
        app.close()
        app.window.deleteLater()
        QApplication.processEvents()


def begin(start: list[Application], qtbot: QtBot, *files: Path) -> Application:
    start.append(build(["skein", *map(str, files)], built_in=lambda: None))
    app = start[-1]
    app.window.show()
    qtbot.waitExposed(app.window)
    return app


def test_the_app_killed_while_a_reply_streams(
    start: list[Application], qtbot: QtBot, model_file: Path, folders: Folders
) -> None:
    with child(_APP, model_file) as process:
        shown = [json.loads(said(process))]
        while shown[-1][0] < shown[0][0] + 1.3:
            shown.append(json.loads(said(process)))
    killed = time.time()

    app = begin(start, qtbot)
    question, reply = app.chat.messages
    assert question.text == "Tell me a story"
    assert reply.status == "stopped"
    a_second_ago = [text for when, text in shown if when <= killed - 1.0]
    assert a_second_ago
    assert reply.text.startswith(a_second_ago[-1])
    assert load(folders.settings_file).text_scale == 1.25

    qtbot.waitUntil(lambda: app.loaded is not None, timeout=TIMEOUT_MS)
    app.chat.change_settings(ChatSettings(sampling=SamplingParams(top_p=0.9, seed=3, max_tokens=5)))
    assert app.chat.continue_reply(1)
    qtbot.waitUntil(lambda: not app.chat.busy, timeout=TIMEOUT_MS)
    whole = app.chat.messages[1]
    assert whole.status == "done"
    assert whole.text.startswith(reply.text)
    assert len(whole.text) > len(reply.text)
    app.close()
    no_half_files(folders)


_SESSION = """
import sys
from pathlib import Path
import engine.session
from engine.events import Token, Turn
from engine.hardware import detect
from engine.model import load_model
from engine.strategy import Strategy
from tests.app.kill_kit import PARAMS, Desk
engine.session.SAVE_STATE_SECONDS = engine.session.SAVE_TEXT_SECONDS = 0.0  # always in the middle
engine.session.SAVE_STATE_BYTES_PER_S = 1e12
model = load_model(Path(sys.argv[1]), Strategy.parse("cpu fp32"), detect(None))
desk = Desk(Path(sys.argv[2]), model)
reply = desk.question("Count to a hundred")
print(reply, flush=True)
def emit(event):
    if isinstance(event, Token):
        print(event.id, flush=True)
desk.session.run(Turn(reply, PARAMS), emit, lambda: False)
"""


def test_a_session_killed_while_it_writes_states_goes_on_bit_for_bit(
    model_file: Path, model: Model, tmp_path: Path, skein_home: Path
) -> None:
    with child(_SESSION, model_file, skein_home) as process:
        reply = int(said(process))
        tokens = [int(said(process)) for _ in range(9)]

    desk = Desk(skein_home, model)
    assert desk.store.notice == ""
    desk.store.recover()
    half = desk.store.node(reply)
    assert half.status == "stopped"
    assert half.tokens
    common = min(len(half.tokens), len(tokens))  # it may hold less than was drawn: half a character
    assert list(half.tokens[:common]) == tokens[:common]
    desk.run(reply, 40 - len(half.tokens))
    whole = desk.store.node(reply)
    desk.archive.flush()
    no_half_files(desk.folders)
    desk.close()

    never = Desk(tmp_path / "never-killed", model)
    other = never.question("Count to a hundred")
    never.run(other, 40)
    assert whole.tokens == never.store.node(other).tokens
    assert whole.text == never.store.node(other).text
    never.close()


_DOWNLOAD = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from tests.app.kill_kit import downloads
from engine.hub.remote_model import describe
qt_app = QCoreApplication([])
service = downloads(Path(sys.argv[1]), sys.argv[2])
service.start(describe(sys.argv[3], sys.argv[4], size_bytes=int(sys.argv[5])))
qt_app.exec()
"""


def test_downloads_killed_in_the_middle_are_listed_and_go_on(
    qtbot: QtBot, folders: Folders, skein_home: Path
) -> None:
    with HubServer() as server:
        data = DATA * 6
        server.add(REPO, SMALL, data)
        server.faults.stall_after = 3_000_000
        part = PartFile(folders.models / SMALL)
        with child(_DOWNLOAD, skein_home, server.endpoint, REPO, SMALL, len(data)):
            qtbot.waitUntil(lambda: part.received > 2_500_000, timeout=TIMEOUT_MS)
        assert not (folders.models / SMALL).exists()
        server.reset()
        service = downloads(skein_home, server.endpoint)
        (entry,) = service.entries()
        assert entry.status == "paused"
        with qtbot.waitSignal(service.finished):
            service.resume(entry.id)
        service.close()
        assert (folders.models / SMALL).read_bytes() == data
        assert any(r.headers.get("range") for r in server.asked("GET", "storage"))
    assert os.listdir(folders.models) == [SMALL]


# -- any text

LONG = ("=" * 63 + "\n") * 3_124 + "What do these lines mean?" + "=" * 39
"""200,000 characters in few tokens: how long reading takes is for a benchmark to tell."""
TEXTS = {
    "lone surrogates": "before \ud83d after \udc00",
    "right to left": "שלום עולם، مرحبا بالعالم",
    "emoji": "🦢👩‍👩‍👧‍👦 🇨🇳" * 20,
    "controls": "a\0b\x1b[31m\u202e\ufeff",
    "200,000 characters": LONG,
}


def test_it_is_as_long_as_it_says() -> None:
    assert len(LONG) == 200_000


def test_anything_can_be_put_into_the_composer_and_sent(
    start: list[Application], qtbot: QtBot, model_file: Path
) -> None:
    app = begin(start, qtbot, model_file)
    qtbot.waitUntil(lambda: app.loaded is not None, timeout=TIMEOUT_MS)
    app.chat.change_settings(ChatSettings(sampling=SamplingParams(top_p=0.9, seed=3, max_tokens=2)))
    field = app.window.findChild(QPlainTextEdit, "composer")
    assert isinstance(field, QPlainTextEdit)
    for text in ("", "  \n "):
        app.chat_page.composer.set_text(text)
        qtbot.keyClick(field, Qt.Key.Key_Return)
        assert app.chat.messages == []
    for count, text in enumerate(TEXTS.values(), start=1):
        pasted = QMimeData()
        pasted.setText(text)
        field.insertFromMimeData(pasted)
        qtbot.keyClick(field, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda n=2 * count: len(app.chat.messages) == n, timeout=TIMEOUT_MS)
        qtbot.waitUntil(lambda: not app.chat.busy, timeout=TIMEOUT_MS)
        assert app.chat.messages[-1].status == "done"
        assert app.chat_page.composer.text == ""
    assert app.chat.messages[-2].text == LONG
