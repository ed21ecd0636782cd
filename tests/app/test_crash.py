import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app.crash import MOST_REPORTS, CrashLog
from engine.folders import Folders


@pytest.fixture
def crash(folders: Folders, monkeypatch: pytest.MonkeyPatch):
    # pytest has a faulthandler of its own, which ours would take away.
    monkeypatch.setattr("app.crash.faulthandler.enable", lambda file: None)
    monkeypatch.setattr("app.crash.faulthandler.disable", lambda: None)
    before = sys.excepthook, threading.excepthook
    made = CrashLog(folders.logs)
    made.install()
    yield made
    made.close()
    sys.excepthook, threading.excepthook = before


def fail(kind: type[BaseException]) -> None:
    try:
        raise kind("it broke")
    except kind as error:
        sys.excepthook(kind, error, error.__traceback__)


def test_exception_is_written_and_shown_next_time(crash: CrashLog, folders: Folders):
    seen = []
    crash.on_report = seen.append
    fail(ValueError)
    assert "ValueError: it broke" in seen[0]
    crash.close()
    again = CrashLog(folders.logs)
    assert "ValueError: it broke" in again.previous
    assert "it broke" in again.last()
    assert CrashLog(folders.logs).previous == ""


def test_a_good_run_leaves_nothing(crash: CrashLog, folders: Folders):
    assert crash.previous == ""
    crash.close()
    assert list(folders.logs.iterdir()) == []
    assert crash.last() == ""


def test_thread_exceptions_are_caught_too(crash: CrashLog):
    def work() -> None:
        raise RuntimeError("in the back")

    worker = threading.Thread(target=work, name="back")
    worker.start()
    worker.join()
    assert "thread back" in crash.last()
    assert "RuntimeError: in the back" in crash.last()


def test_a_flood_is_cut(crash: CrashLog):
    seen = []
    crash.on_report = seen.append
    for _many in range(MOST_REPORTS * 2):
        fail(ValueError)
    assert len(seen) == MOST_REPORTS


def test_a_folder_that_takes_no_file_is_no_crash(tmp_path):
    made = CrashLog(tmp_path / "missing")
    before = sys.excepthook, threading.excepthook
    made.install()
    made.close()
    sys.excepthook, threading.excepthook = before


def test_a_report_that_somebody_holds_open_does_not_spoil_the_end(
    crash: CrashLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(*_: object, **__: object) -> None:
        raise PermissionError(13, "another process reads it")

    monkeypatch.setattr(Path, "unlink", held)
    crash.close()
    assert sys.excepthook is sys.__excepthook__


def test_death_in_native_code_is_in_the_report(tmp_path):
    program = (
        "import sys, faulthandler; from pathlib import Path; from app.crash import CrashLog; "
        "CrashLog(Path(sys.argv[1])).install(); faulthandler._sigsegv()"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert ended.returncode != 0
    assert "Segmentation fault" in CrashLog(tmp_path).previous or sys.platform == "win32"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's always full device")
def test_a_full_disk_does_not_hide_the_failure(crash: CrashLog) -> None:
    told: list[str] = []
    crash.on_report = told.append
    assert crash._file is not None
    crash._file.close()
    crash._file = Path("/dev/full").open("w")  # noqa: SIM115 - the log closes it
    crash.write("Unexpected error", "details")
    crash.close()
    assert "details" in told[0]
