"""Why no window can be opened, said before Qt would abort: the real loader, real connections."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.display_check import _INSTALL, _qt_folder, display_problem, say_without_qt
from engine.errors import EngineError


@pytest.fixture
def qt(tmp_path: Path) -> Path:
    """A folder as Qt's, whose plug-ins are libraries that load everywhere: this Python's own."""
    import math

    real = _qt_folder()
    assert real is not None
    plugins = tmp_path / "Qt" / "plugins" / "platforms"
    plugins.mkdir(parents=True)
    (tmp_path / "Qt" / "lib").symlink_to(real / "lib")
    library = getattr(math, "__file__", None) or shutil.which("true") or ""
    for name in ("libqxcb.so", "libqwayland.so"):
        shutil.copy(library, plugins / name)
    return tmp_path / "Qt"


def programs(folder: Path, *names: str) -> str:
    """Make a folder of programs that write what they are given into a file; return its path."""
    folder.mkdir()
    for name in names:
        (folder / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{folder}/said"\n')
        (folder / name).chmod(0o755)
    return str(folder)


def test_without_a_display_that_is_said(qt: Path) -> None:
    problem = display_problem({}, qt)
    assert problem is not None
    assert problem.message == "There is no display to open a window on."
    assert "skein --help" in problem.hint


@pytest.mark.parametrize("wanted", ["offscreen", "vnc:size=800x600", "xcb;offscreen"])
def test_what_needs_no_display_is_not_asked(qt: Path, wanted: str) -> None:
    assert display_problem({"QT_QPA_PLATFORM": wanted}, qt) is None


def test_a_display_that_does_not_answer(qt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":7654")
    problem = display_problem({"DISPLAY": ":7654", "LANG": "zh_CN.UTF-8"}, qt)
    assert problem is not None
    assert "“:7654”没有响应" in problem.message


def test_a_missing_library_is_named(qt: Path) -> None:
    """A copy of a real library that wants one which is nowhere."""
    real = _qt_folder()
    assert real is not None
    plugin = qt / "plugins" / "platforms" / "libqxcb.so"
    text = (real / "plugins" / "platforms" / "libqoffscreen.so").read_bytes()
    assert b"libQt6Gui.so.6" in text
    plugin.write_bytes(text.replace(b"libQt6Gui.so.6", b"libQt6Gui.so.9"))
    problem = display_problem({"DISPLAY": ":0"}, qt)
    assert problem is not None
    assert "this Linux lacks libQt6Gui.so.9" in problem.message
    assert "start Skein again" in problem.hint


@pytest.mark.parametrize(
    ("manager", "package"),
    [
        ("apt-get", "libxcb-cursor0"),
        ("dnf", "xcb-util-cursor"),
        ("pacman", "xcb-util-cursor"),
        ("zypper", "libxcb-cursor0"),
    ],
)
def test_the_command_that_installs_it_is_this_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manager: str, package: str
) -> None:
    from app.display_check import _install_words

    monkeypatch.setenv("PATH", programs(tmp_path / "bin", manager))
    words = _install_words(["libxcb-cursor.so.0", "libunknown.so.1"], {})
    assert f"“{_INSTALL[manager]} {package}”" in words
    assert "package that has it" in _install_words(["libunknown.so.1"], {})


def test_a_desktop_gets_a_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", "kdialog", "xmessage"), prepend=":")
    monkeypatch.setenv("DISPLAY", ":0")
    say_without_qt(EngineError("No window.", "Do this."))
    said = (tmp_path / "bin" / "said").read_text()
    assert said == "--title\nSkein\n--error\nNo window.\nDo this.\n"
    assert capfd.readouterr().err == "No window.\nDo this.\n"


def test_the_program_ends_with_a_sentence_instead_of_a_signal(tmp_path: Path) -> None:
    environ = {n: v for n, v in os.environ.items() if n not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environ |= {"QT_QPA_PLATFORM": "xcb", "SKEIN_HOME": str(tmp_path / "home"), "LC_ALL": "C"}
    answer = subprocess.run(
        [sys.executable, "-m", "app"],
        capture_output=True,
        text=True,
        env=environ,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert answer.returncode == 1
    assert "There is no display" in answer.stderr
    assert len(answer.stderr.splitlines()) == 2
    assert not (tmp_path / "home").exists()
