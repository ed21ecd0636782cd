import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from PySide6.QtNetwork import QLocalSocket

from app.single_instance import SingleInstance
from engine.folders import Folders


@pytest.fixture
def first(qapp, folders: Folders):
    made = SingleInstance(folders.data)
    assert made.acquire()
    assert made.listen()
    yield made
    made.close()


def test_a_second_start_is_not_the_first(first: SingleInstance, folders: Folders):
    assert not SingleInstance(folders.data).acquire()


def test_a_second_start_hands_its_files_over(qtbot, first: SingleInstance, folders: Folders):
    program = (
        "import sys; from pathlib import Path; from app.single_instance import SingleInstance; "
        "one = SingleInstance(Path(sys.argv[1])); "
        "sys.exit(0 if not one.acquire() and one.ask_to_raise([Path('模型.pth')]) else 1)"
    )
    files: list[list[Path]] = []
    first.files_requested.connect(files.append)
    with qtbot.waitSignals([first.raise_requested, first.files_requested]):
        process = subprocess.Popen([sys.executable, "-c", program, str(folders.data)])
    assert process.wait(10) == 0
    assert files == [[Path.cwd() / "模型.pth"]]


def test_noise_on_the_socket_opens_nothing(qtbot, first: SingleInstance):
    socket = QLocalSocket()
    with (
        qtbot.assertNotEmitted(first.files_requested, wait=100),
        qtbot.waitSignal(first.raise_requested),
    ):
        socket.connectToServer(first.addresses[0])
        socket.write(b"\xff{\n")
        socket.disconnectFromServer()


def test_a_second_start_waits_for_one_that_is_still_starting(qtbot, qapp, folders: Folders):
    first = SingleInstance(folders.data)
    assert first.acquire()
    program = (
        "import sys; from pathlib import Path; from app.single_instance import SingleInstance; "
        "sys.exit(0 if SingleInstance(Path(sys.argv[1])).ask_to_raise() else 1)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(folders.data)])
    qtbot.wait(400)
    with qtbot.waitSignal(first.raise_requested):
        assert first.listen()
    assert process.wait(10) == 0
    first.close()


def test_other_folders_are_other_instances(first: SingleInstance, tmp_path):
    other = SingleInstance(tmp_path)
    assert other.acquire()
    assert not set(other.addresses) & set(first.addresses)
    other.close()


def test_closing_makes_room(first: SingleInstance, folders: Folders):
    first.close()
    second = SingleInstance(folders.data)
    assert second.acquire()
    assert second.listen()
    second.close()


def test_a_killed_process_holds_nothing_up(qapp, folders: Folders):
    program = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from PySide6.QtCore import QCoreApplication
        from app.single_instance import SingleInstance
        app = QCoreApplication([])
        one = SingleInstance(Path(sys.argv[1]))
        assert one.acquire() and one.listen()
        os.kill(os.getpid(), 9)
    """)
    if sys.platform == "win32":
        pytest.skip("no signal 9 there")
    subprocess.run([sys.executable, "-c", program, str(folders.data)], check=False)
    second = SingleInstance(folders.data)
    assert second.acquire()
    assert second.listen()
    second.close()


def test_a_second_process_needs_no_window_to_ask(qtbot, first: SingleInstance, folders: Folders):
    program = (
        "import sys; from pathlib import Path; from app.single_instance import SingleInstance; "
        "one = SingleInstance(Path(sys.argv[1])); "
        "sys.exit(0 if not one.acquire() and one.ask_to_raise() else 1)"
    )
    with qtbot.waitSignal(first.raise_requested):
        process = subprocess.Popen([sys.executable, "-c", program, str(folders.data)])
    assert process.wait(10) == 0


_SECOND = """
import sys
from pathlib import Path
from app.single_instance import SingleInstance
one = SingleInstance(Path(sys.argv[1]))
print("first" if one.acquire() else "heard" if one.ask_to_raise() else "silent", flush=True)
print("first" if one.acquire() else one.silence().message, flush=True)
"""


def second_start(folder: Path, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _SECOND, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )


def test_another_folder_for_temporary_files_is_no_hindrance(qtbot, qapp, tmp_path: Path):
    with tempfile.TemporaryDirectory() as name:  # a short path, as a user's is
        folder = Path(name)
        first = SingleInstance(folder)
        assert first.acquire()
        assert first.listen()
        with qtbot.waitSignal(first.raise_requested):
            process = second_start(folder, TMPDIR=str(tmp_path))
        assert process.communicate(timeout=10)[0].startswith("heard")
        first.close()


def test_a_data_folder_with_a_long_path(qtbot, qapp, tmp_path: Path):
    folder = tmp_path / ("ü" * 60) / "data"
    folder.mkdir(parents=True)
    first = SingleInstance(folder)
    assert first.acquire()
    assert first.listen()
    with qtbot.waitSignal(first.raise_requested):
        process = second_start(folder)
    assert process.communicate(timeout=10)[0].startswith("heard")
    first.close()


def test_a_start_while_the_first_one_ends_takes_its_place(
    qtbot, first: SingleInstance, folders: Folders
):
    """Its window is closed, so nobody would see that a wish was heard."""
    process = second_start(folders.data)
    time.sleep(0.5)  # no event loop here: the wish is sent, and not looked at
    assert process.poll() is None
    first.close()
    assert process.communicate(timeout=10)[0].split() == ["silent", "first"]


def test_one_that_hangs_is_named(qapp, folders: Folders):
    first = SingleInstance(folders.data)
    assert first.acquire()  # and never listens
    said = second_start(folders.data).communicate(timeout=20)[0].splitlines()
    assert said == ["silent", f"Skein runs already (process {os.getpid()}) and does not answer."]
    first.close()


def test_one_on_another_computer_is_named(qapp, folders: Folders):
    lock = folders.data / "skein.lock"
    lock.write_text("1\npython3\nelsewhere\n")
    second = SingleInstance(folders.data)
    assert not second.acquire()
    assert "elsewhere" in second.silence().message
    assert str(lock) in second.silence().hint
