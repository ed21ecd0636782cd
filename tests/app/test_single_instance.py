import subprocess
import sys
import textwrap
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


def test_a_second_start_raises_the_first(qtbot, first: SingleInstance, folders: Folders):
    second = SingleInstance(folders.data)
    assert not second.acquire()
    with qtbot.waitSignal(first.raise_requested):
        assert second.ask_to_raise()


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
        socket.connectToServer(first.name)
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
    assert other.name != first.name
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
