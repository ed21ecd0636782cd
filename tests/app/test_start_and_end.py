"""The process as the system sees it: how it starts where it cannot, and ends when it is told to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.folders import Folders
from engine.store import Store
from tests.tiny import write_tiny_pth

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.skipif(os.name == "nt", reason="Windows ends programs in another way")
def test_a_polite_end_keeps_the_reply_that_is_being_written(
    folders: Folders, tmp_path: Path
) -> None:
    model = write_tiny_pth(tmp_path / "rwkv7-g1d-tiny.pth", width=64)
    code = f"""
import sys
from PySide6.QtCore import QTimer
import app.__main__ as start
import app.application as application

build = application.build
def build_and_ask(argv, **named):
    made = build(argv, **named)
    made.engine.model_ready.connect(lambda _: made.chat.send("Count to a million"))
    made.chat.message_changed.connect(lambda i: print("text", flush=True))
    return made
application.build = build_and_ask
sys.exit(start.main(["skein", {str(model)!r}]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(5):
        assert process.stdout.readline() == "text\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    process.stdout.close()
    store = Store.open(folders.database)
    nodes = store.path_to(2)
    kept = store.checkpoints.all()
    store.close()
    assert nodes[1].status == "stopped"
    assert nodes[1].text
    assert any(row.node == 2 and row.position == len(nodes[1].tokens) for row in kept)


_OPENS = """
import sys
import app.__main__ as start
import app.application as application

build = application.build
def build_and_look(argv, **named):
    made = build(argv, built_in=lambda: None, **named)
    def tell(message, hint):
        print(message, flush=True)
        made.window.close()
    made.arrivals.refused.connect(tell)
    made.arrivals.folder_given.connect(lambda found: tell(f"{found.models} models", ""))
    return made
application.build = build_and_look
sys.exit(start.main(["skein", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("what", ["gone.pth", "folder", "other/../folder"])
def test_a_path_that_is_no_file_is_said_in_the_window_and_is_no_command(
    folders: Folders, tmp_path: Path, what: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "other").mkdir()
    write_tiny_pth(tmp_path / "folder" / "rwkv7-g1d-tiny.pth", width=64)
    answer = subprocess.run(
        [sys.executable, "-c", _OPENS, str(tmp_path) + "/" + what],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = "There is no file" if what == "gone.pth" else "1 models"
    assert answer.stdout.startswith(said), answer.stderr
    assert answer.returncode == 0


def test_a_word_is_a_command_whatever_lies_here(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    for words in (["bench", "--help"], ["--help"]):
        answer = subprocess.run(
            [sys.executable, "-m", "app", *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert answer.returncode == 0, answer.stderr
        assert "Usage" in answer.stdout


def test_a_folder_that_cannot_be_used_is_said_in_a_dialog(tmp_path: Path) -> None:
    """A file stands where the folder should be: that fails for an administrator, too."""
    (tmp_path / "taken").write_text("")
    code = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMessageBox
qt_app = QApplication(["skein"])
def look():
    box = qt_app.activeModalWidget()
    print(box.text(), "|", box.informativeText(), flush=True)
    box.done(0)
QTimer.singleShot(200, look)
import app.__main__ as start
sys.exit(start.main(["skein"]))
"""
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"SKEIN_HOME": str(tmp_path / "taken" / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert answer.returncode == 1
    assert "Skein cannot write to" in answer.stdout
    assert "SKEIN_HOME" in answer.stdout
    assert "Traceback" not in answer.stderr
