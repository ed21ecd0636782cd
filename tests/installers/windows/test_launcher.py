"""The launchers for Windows, under wine: they start, switch, go back and say what is wrong."""

import shutil
from pathlib import Path

import pytest

from tests.installers.windows.kit import Wine, add_version, make_root, marks, told


@pytest.fixture
def root(tmp_path: Path, stand_ins: Path, work: Path) -> Path:
    root = make_root(tmp_path / "ünï 中 dir", "0.1.0", stand_ins)
    for name in ("Skein.exe", "skein.com"):
        shutil.copy(work / name, root / name)
    return root


def test_they_hand_over_arguments_as_they_are(root: Path, wine: Wine) -> None:
    awkward = ("bench", "a b", '中"x\\', "", "-m")
    assert wine.run(root / "skein.com", *awkward) == (0, "")
    program, folder, *arguments = told(root)
    assert program == "python.exe"
    assert folder.endswith("\\ünï 中 dir\\versions\\0.1.0\\python")
    assert arguments == ["-I", "-X", "utf8", "-m", "app", *awkward]
    assert wine.run(root / "Skein.exe", "Z:\\中 x.pth") == (0, "")
    program, _, *arguments = told(root)
    assert program == "pythonw.exe"
    assert arguments == ["-I", "-X", "utf8", "-m", "app", "Z:\\中 x.pth"]


def test_a_bad_update_is_left_at_the_third_start(root: Path, wine: Wine, stand_ins: Path) -> None:
    tree = add_version(root, "0.2.0", stand_ins)
    (tree / "python" / "code.txt").write_text("7")
    (root / "next").write_text("0.2.0\n", "utf-8")
    assert wine.run(root / "skein.com") == (7, "")
    assert told(root)[2] == "counted"
    assert marks(root) == {"current": "0.2.0", "previous": "0.1.0", "trying": "0.2.0 1"}
    assert wine.run(root / "skein.com") == (7, "")
    assert marks(root)["trying"] == "0.2.0 2"
    assert wine.run(root / "skein.com") == (0, "")
    assert told(root)[1].endswith("0.1.0\\python")
    assert marks(root) == {"current": "0.1.0", "failed": "0.2.0"}
    assert not list(root.glob(".*")), "no file of a write is left"


def test_from_a_version_that_lost_a_file_it_goes_back(
    root: Path, wine: Wine, stand_ins: Path
) -> None:
    """A virus scanner took it."""
    (add_version(root, "0.2.0", stand_ins) / "python" / "python.exe").unlink()
    (root / "current").write_text("0.2.0\n", "utf-8")
    (root / "previous").write_text("0.1.0\n", "utf-8")
    assert wine.run(root / "skein.com") == (0, "")
    assert told(root)[1].endswith("0.1.0\\python")
    assert marks(root) == {"current": "0.1.0", "failed": "0.2.0"}


def test_a_start_beside_a_running_skein_neither_switches_nor_counts(
    root: Path, wine: Wine, stand_ins: Path
) -> None:
    for version in ("0.0.9", "0.2.0"):
        add_version(root, version, stand_ins)
    waiting = root / "versions" / "0.1.0" / "python" / "wait.txt"
    waiting.touch()
    with wine.start(root / "skein.com") as first:
        while not (root / "told.txt").exists():
            assert first.poll() is None
        (root / "told.txt").unlink()
        named = {"current": "0.1.0", "next": "0.2.0", "previous": "0.0.9", "trying": "0.1.0 2"}
        for name, text in named.items():
            (root / name).write_text(f"{text}\n", "utf-8")
        with wine.start(root / "skein.com") as second:  # an update is waited for, three seconds
            while not (root / "told.txt").exists() and second.poll() is None:
                pass
            then = marks(root)
            waiting.unlink()
            second.wait(20)
        first.wait(20)
    assert then == named
    assert told(root)[1].endswith("0.1.0\\python")
    assert wine.run(root / "skein.com") == (0, "")
    assert marks(root)["current"] == "0.2.0", "alone, it switches"


def test_a_start_that_an_update_waits_for_switches(root: Path, wine: Wine, stand_ins: Path) -> None:
    """ "Start again now": the old Skein still ends when the launcher is called."""
    add_version(root, "0.2.0", stand_ins)
    waiting = root / "versions" / "0.1.0" / "python" / "wait.txt"
    waiting.touch()
    with wine.start(root / "skein.com") as old:
        while not (root / "told.txt").exists():
            assert old.poll() is None
        (root / "next").write_text("0.2.0\n", "utf-8")
        with wine.start(root / "Skein.exe") as new:
            waiting.unlink()
            old.wait(20)
            new.wait(20)
    assert told(root)[1].endswith("0.2.0\\python")
    assert marks(root) == {"current": "0.2.0", "previous": "0.1.0", "trying": "0.2.0 1"}


def test_a_kill_between_two_steps_of_a_switch_loses_nothing(
    root: Path, wine: Wine, stand_ins: Path
) -> None:
    add_version(root, "0.2.0", stand_ins)
    for name, text in {"next": "0.2.0", "previous": "0.1.0", "current": "0.2.0"}.items():
        (root / name).write_text(text + "\n", "utf-8")
    assert wine.run(root / "skein.com") == (0, "")
    assert marks(root) == {"current": "0.2.0", "previous": "0.1.0"}


@pytest.mark.parametrize("named", ["0.9.0", "..\\evil", "../evil", ".hidden", "C:", "0.2.0"])
def test_an_incomplete_next_version_is_forgotten(
    root: Path, wine: Wine, stand_ins: Path, named: str
) -> None:
    (add_version(root, "0.2.0", stand_ins) / "manifest.json").unlink()
    add_version(root, "0.3.0", stand_ins).rename(root / "evil")
    (root / "next").write_text(named + "\n", "utf-8")
    assert wine.run(root / "skein.com") == (0, "")
    assert told(root)[1].endswith("0.1.0\\python")
    assert marks(root) == {"current": "0.1.0"}


@pytest.mark.parametrize("count", [" x", "", " 99999999999999999999", " -1"])
def test_a_damaged_count_goes_back(root: Path, wine: Wine, stand_ins: Path, count: str) -> None:
    add_version(root, "0.2.0", stand_ins)
    for name, text in {"current": "0.2.0", "previous": "0.1.0", "trying": "0.2.0" + count}.items():
        (root / name).write_text(text + "\r\n", "utf-8")
    assert wine.run(root / "skein.com") == (0, "")
    assert marks(root) == {"current": "0.1.0", "failed": "0.2.0"}


def test_what_cannot_be_started_is_one_sentence(root: Path, wine: Wine) -> None:
    python = root / "versions" / "0.1.0" / "python" / "python.exe"
    python.write_bytes(b"MZ and nothing else")
    code, sentence = wine.run(root / "skein.com")
    assert code == 1
    assert "0.1.0\\python\\python.exe" in sentence
    assert "%1" not in sentence
    python.unlink()
    code, sentence = wine.run(root / "skein.com")
    assert code == 1
    assert "version '0.1.0' is not in" in sentence
    assert sentence.endswith("Install Skein again; chats and models are kept.\n")
