"""Which starts of a version on trial count: those that could have shown a window, and did not."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QDialog

import app.__main__ as entry
from app.safe_start import StartNote
from engine.folders import Folders
from engine.installation import Installation
from tests.engine.updates.kit import installation_of
from tests.installers.tree_kit import make_root

ROOT = Path(__file__).parents[2]

_FAILS = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMessageBox
import app.__main__ as start
import app.application as application

qt_app = QApplication(["skein"])
def look():
    box = qt_app.activeModalWidget()
    print(box.text(), "|", box.informativeText(), flush=True)
    box.done(0)
QTimer.singleShot(200, look)
def build(argv, **named):
    raise RuntimeError("a library is damaged")
application.build = build
sys.exit(start.main(["skein"]))
"""


_FIRST = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from app.single_instance import SingleInstance

qt_app = QCoreApplication([])
first = SingleInstance(Path(sys.argv[1]))
assert first.acquire() and first.listen()
first.raise_requested.connect(lambda: (print("raised", flush=True), qt_app.quit()))
print("listens", flush=True)
qt_app.exec()
"""


@contextlib.contextmanager
def running_one(folders: Folders) -> Iterator[None]:
    """A first start, in a process of its own, which has to be raised."""
    command = [sys.executable, "-c", _FIRST, str(folders.data)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "listens\n"
        yield
        assert first.communicate(timeout=10)[0] == "raised\n"


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the launcher counts starts, after it began this one."""
    root = make_root(tmp_path / "root")
    here = installation_of(root, "0.1.0")
    monkeypatch.setattr(Installation, "find", lambda: here)
    (root / "trying").write_text("0.1.0 1\n")
    monkeypatch.setenv("SKEIN_COUNTED", "1")
    return root / "trying"


def at_dialog(act: Callable[[QDialog], object]) -> None:
    def look() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, QDialog)
        act(dialog)

    QTimer.singleShot(50, look)


def test_without_a_display_nothing_is_known(trial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert entry.main(["skein"]) == 1
    assert trial.read_text() == "0.1.0 0\n"


def test_a_library_that_the_version_before_may_not_want_counts(
    trial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.errors import EngineError

    monkeypatch.setattr(entry, "display_problem", lambda: EngineError("It lacks libnew.so."))
    assert entry.main(["skein"]) == 1
    assert trial.read_text() == "0.1.0 1\n"


def test_a_folder_that_cannot_be_used_is_no_fault_of_the_version(
    trial: Path, tmp_path: Path, qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("SKEIN_HOME", str(tmp_path / "taken" / "home"))
    at_dialog(lambda box: box.done(0))
    assert entry.main(["skein"]) == 1
    assert trial.read_text() == "0.1.0 0\n"


def test_a_start_that_hands_over_shows_nothing_of_its_version(
    trial: Path, folders: Folders
) -> None:
    with running_one(folders):
        assert entry.main(["skein"]) == 0
    assert trial.read_text() == "0.1.0 0\n"


def test_a_start_that_was_not_counted_takes_nothing_back(
    trial: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that hangs before its window, and a user who clicks again: that is one failure."""
    monkeypatch.delenv("SKEIN_COUNTED")
    with running_one(folders):
        assert entry.main(["skein"]) == 0
    assert trial.read_text() == "0.1.0 1\n"


def test_who_does_not_want_to_start_now_tries_nothing(
    trial: Path, folders: Folders, qapp: QApplication
) -> None:
    StartNote(folders.data).write()
    at_dialog(lambda question: question.close())
    assert entry.main(["skein"]) == 0
    assert trial.read_text() == "0.1.0 0\n"
    assert StartNote(folders.data).found()


def test_chats_that_cannot_be_opened_count(
    trial: Path, folders: Folders, qapp: QApplication
) -> None:
    folders.database.mkdir()
    at_dialog(lambda box: box.done(0))
    assert entry.main(["skein"]) == 1
    assert trial.read_text() == "0.1.0 1\n"


def test_what_nobody_thought_of_is_said_and_reported(folders: Folders) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _FAILS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1, ended.stderr
    assert "Skein could not start: a library is damaged." in ended.stdout
    assert "safe start" in ended.stdout
    report = (folders.logs / "crash.log").read_text("utf-8")
    assert "RuntimeError: a library is damaged" in report
    assert StartNote(folders.data).found()
