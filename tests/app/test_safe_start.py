"""Starts that end too early, and the next one: real processes, the real dialog and window."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel, QPlainTextEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.application import Application, build
from app.safe_dialog import SafeStartDialog, ask_how
from app.safe_start import StartNote, StartWatch
from app.theme import Theme
from engine.folders import Folders
from engine.gpu_pack.packs import Packs, write_pack
from engine.settings import Settings, load, safe
from tests.pack_kit import tiny_row
from tests.tiny import write_tiny_pth

ROOT = Path(__file__).parents[2]
TIMEOUT_MS = 20_000

_DIES = """
import sys
import app.__main__ as start

sys.exit(start.main(["skein"]))
"""

_TERMINATED = """
import os, signal, sys
import app.__main__ as start
import app.application as application

def end(argv, safe):
    os.kill(os.getpid(), signal.SIGTERM)
    sys.exit("it went on")
application.build = end
sys.exit(start.main(["skein"]))
"""

_ASKED = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QPushButton
import app.__main__ as start
import app.application as application
import app.safe_start

app.safe_start.SETTLE_MS = 100
qt_app = QApplication(["skein"])
def answer():
    dialog = qt_app.activeModalWidget()
    report = dialog.findChild(QPlainTextEdit).toPlainText()
    print("asked", dialog.objectName(), "Segmentation" in report, flush=True)
    dialog.findChild(QPushButton, sys.argv[1]).click()
QTimer.singleShot(300, answer)

build = application.build
def build_and_look(argv, **named):
    made = build(argv, built_in=lambda: None, **named)
    print("safe" if made.safe else "usual", made.settings.get("strategy"), argv[1:], flush=True)
    def look():
        if not (made.folders.data / "starting").exists():
            timer.stop()
            print("through", flush=True)
            made.window.close()
    timer = QTimer(made.window, interval=20)
    timer.timeout.connect(look)
    timer.start()
    return made
application.build = build_and_look
sys.exit(start.main(["skein", *sys.argv[2:]]))
"""


def run(program: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def lay_pack(folders: Folders, torch: str) -> None:
    """Lay an active GPU pack whose torch is this program."""
    row = tiny_row(torch=version("torch").partition("+")[0])
    module = folders.packs / row.folder / "torch"
    module.mkdir(parents=True)
    (module / "__init__.py").write_text(torch)
    (module / "version.py").write_text(f"__version__ = '{row.torch}+cu130'\n")
    write_pack(module.parent, row, 1000)
    Packs(folders.packs).switch(row.folder)


@pytest.fixture
def start(qtbot: QtBot) -> Iterator[Callable[..., Application]]:
    opened: list[Application] = []

    def begin(*arguments: object, safe: bool = True) -> Application:
        opened.append(build(["skein", *map(str, arguments)], built_in=lambda: None, safe=safe))
        opened[-1].window.show()
        qtbot.waitExposed(opened[-1].window)
        return opened[-1]

    yield begin
    for made in opened:
        made.window.close()
        made.close()
        made.window.deleteLater()
        QApplication.processEvents()


def find(widget: QWidget, kind: type, name: str):
    found = widget.findChild(kind, name)
    assert found is not None, name
    return found


# ---- from process to process --------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows ends programs in another way")
def test_a_pack_that_ends_the_start_is_left_out_by_a_safe_one_which_writes_nothing(
    folders: Folders, tmp_path: Path
) -> None:
    folders.create()
    lay_pack(folders, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)\n")
    folders.settings_file.write_text('strategy = "cpu fp32"\ntheme = "dark"\n')
    before = folders.settings_file.read_bytes()
    assert run(_DIES).returncode == -signal.SIGSEGV
    assert StartNote(folders.data).found()
    model = write_tiny_pth(tmp_path / "rwkv7-g1d-tiny.pth", width=64)
    answer = run(_ASKED, "safe_yes", model)
    asked = ["asked safe_start True", "safe auto []", "through"]
    assert answer.stdout.splitlines() == asked, answer.stderr
    assert answer.returncode == 0, answer.stderr
    assert folders.settings_file.read_bytes() == before
    assert not StartNote(folders.data).found()


@pytest.mark.skipif(os.name == "nt", reason="Windows ends programs in another way")
def test_an_end_that_was_asked_for_is_no_crash(folders: Folders) -> None:
    ended = run(_TERMINATED)
    assert ended.returncode == 128 + signal.SIGTERM, ended.stderr
    assert folders.logs.is_dir()
    assert not StartNote(folders.data).found()


def test_as_usual_means_as_usual(folders: Folders) -> None:
    folders.create()
    folders.settings_file.write_text('strategy = "cpu fp32"\n')
    StartNote(folders.data).write("rwkv7-g1d")
    answer = run(_ASKED, "safe_no")
    asked = ["asked safe_start False", "usual cpu fp32 []", "through"]
    assert answer.stdout.splitlines() == asked, answer.stderr
    assert "cpu fp32" in folders.settings_file.read_text()


# ---- the question -------------------------------------------------------------------------------


def test_the_question_names_the_model_and_shows_the_report(theme: Theme, qtbot: QtBot) -> None:
    dialog = SafeStartDialog(theme, "rwkv7-g1d-0.4b", "Segmentation fault")
    qtbot.addWidget(dialog)
    dialog.show()
    words = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "while it loaded rwkv7-g1d-0.4b" in words
    text = find(dialog, QPlainTextEdit, "safe_report_text")
    assert not text.isVisible()
    button = find(dialog, QPushButton, "safe_report")
    button.click()
    assert text.isVisible()
    assert text.toPlainText() == "Segmentation fault"
    find(dialog, QPushButton, "safe_copy").click()
    assert QApplication.clipboard().text() == "Segmentation fault"
    button.click()
    assert not text.isVisible()


def test_the_question_is_as_high_as_its_words(theme: Theme, qtbot: QtBot) -> None:
    dialog = SafeStartDialog(theme, "", "report")
    qtbot.addWidget(dialog)
    dialog.show()
    button = find(dialog, QPushButton, "safe_report")
    heights = []
    for _ in range(3):
        QApplication.processEvents()
        layout = dialog.layout()
        assert layout is not None
        assert dialog.height() == layout.heightForWidth(dialog.width())
        heights.append(dialog.height())
        button.click()
    assert heights[0] == heights[2] < heights[1] - 200


def test_without_a_report_there_is_none_to_show(theme: Theme, qtbot: QtBot) -> None:
    dialog = SafeStartDialog(theme, "", "")
    qtbot.addWidget(dialog)
    assert not find(dialog, QPushButton, "safe_report").isEnabled()


def test_closing_the_question_starts_nothing(qapp: QApplication) -> None:
    def close() -> None:
        dialog = qapp.activeModalWidget()
        assert dialog is not None
        dialog.close()

    QTimer.singleShot(50, close)
    assert ask_how(qapp, Settings(language="en"), "", "") == "quit"
    assert qapp.quitOnLastWindowClosed()


# ---- the note -----------------------------------------------------------------------------------


def test_a_disk_that_takes_no_note_costs_nothing(tmp_path: Path) -> None:
    note = StartNote(tmp_path / "missing")
    note.write("model")
    note.remove()
    assert not note.found()
    assert note.model() == ""


def test_the_note_says_which_model_is_loading_and_goes_when_all_stands(
    qtbot: QtBot, tmp_path: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_tiny_pth(tmp_path / "rwkv7-g1d-tiny.pth", width=64)
    note = StartNote(folders.data)
    folders.create()
    note.write()
    monkeypatch.setattr("app.safe_start.SETTLE_MS", 200)
    application = build(["skein", str(model)], built_in=lambda: None)
    try:
        StartWatch(note, application.window, application.engine)
        application.window.show()
        qtbot.waitUntil(lambda: note.model() == model.stem, timeout=TIMEOUT_MS)
        qtbot.waitUntil(lambda: application.loaded is not None, timeout=TIMEOUT_MS)
        assert note.found()
        qtbot.waitUntil(lambda: not note.found(), timeout=TIMEOUT_MS)
    finally:
        application.window.close()
        application.close()
        application.window.deleteLater()


# ---- a safe start -------------------------------------------------------------------------------


def test_a_safe_start_loads_nothing_and_forgets_its_settings(
    start: Callable[..., Application], folders: Folders, tmp_path: Path, qtbot: QtBot
) -> None:
    model = write_tiny_pth(tmp_path / "rwkv7-g1d-tiny.pth", width=64)
    folders.create()
    folders.settings_file.write_text(
        f'last_model = "{model}"\ntext_scale = 2.0\nstates_folder = "{tmp_path / "states"}"\n'
    )
    before = folders.settings_file.read_bytes()
    application = start()
    message = find(application.window.notice, QLabel, "notice_message")
    assert message.text() == "Skein was started safely."
    qtbot.waitUntil(lambda: application.library.hardware is not None, timeout=TIMEOUT_MS)
    assert application.library.hardware is not None
    assert application.library.hardware.gpus == ()
    assert not application.engine.loaded_name
    assert application.settings.get("text_scale") == 1.0
    # Otherwise the states that lie there would count as lost.
    assert application.settings.get("states_folder") == str(tmp_path / "states")
    application.settings.set("theme", "dark")
    application.window.close()
    assert folders.settings_file.read_bytes() == before


@pytest.mark.parametrize("setting", ["states_folder", "models_folder"])
def test_no_folder_moves_that_the_next_start_would_not_find(
    start: Callable[..., Application], tmp_path: Path, setting: str
) -> None:
    application = start()
    application.settings_page.folder_chosen.emit(setting, str(tmp_path / "moved"))
    message = find(application.window.notice, QLabel, "notice_message")
    assert message.text() == "In a safe start no folder can be moved."
    assert application.settings.get(setting) == ""
    assert not (tmp_path / "moved").exists()


def test_default_settings_can_be_kept(start: Callable[..., Application], folders: Folders) -> None:
    folders.create()
    folders.settings_file.write_text('strategy = "cpu fp32"\nsend_with = "ctrl+enter"\n')
    application = start()
    find(application.window.notice, QPushButton, "notice_action_2").click()
    found = load(folders.settings_file)
    assert (found.strategy, found.send_with) == ("auto", "ctrl+enter")


def test_start_as_usual_ends_this_run(start: Callable[..., Application]) -> None:
    application = start()
    find(application.window.notice, QPushButton, "notice_action_1").click()
    assert application.restart.command is not None
    assert "--safe" not in application.restart.command
    assert not application.window.isVisible()


def test_an_engine_that_does_not_come_up_offers_a_safe_start(
    start: Callable[..., Application], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("c10.dll: the procedure was not found")

    monkeypatch.setattr("engine.archive.StateArchive", broken)
    application = start(safe=False)
    note = StartNote(application.folders.data)
    note.write()
    StartWatch(note, application.window, application.engine)
    banner = application.window.notice
    qtbot.waitUntil(lambda: banner.isVisible(), timeout=TIMEOUT_MS)
    message = find(banner, QLabel, "notice_message")
    qtbot.waitUntil(lambda: "c10.dll" in message.text(), timeout=TIMEOUT_MS)
    assert note.found()
    find(banner, QPushButton, "notice_action_1").click()
    assert application.restart.command is not None
    assert application.restart.command[-1] == "--safe"


def test_what_a_safe_start_takes_back() -> None:
    used = Settings(strategy="cuda fp16", loras={"a": "b"}, offline=True, state_budget_bytes=8)
    kept = safe(used)
    assert (kept.strategy, dict(kept.loras)) == ("auto", {})
    assert (kept.offline, kept.state_budget_bytes) == (True, 8)
