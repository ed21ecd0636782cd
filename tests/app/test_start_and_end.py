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
