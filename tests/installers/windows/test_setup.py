"""The setup for Windows, under wine: installs, upgrades, refuses with a sentence, uninstalls."""

import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from installers.builder.failure import BuildFailed
from installers.windows.nsis import look_at, make_setup
from tests.installers.windows.kit import Wine, add_version, make_root, marks, told

FOLDER = "Prögramme und 中文 dir\\Skein"
UNINSTALL_KEY = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\Skein"


@pytest.fixture
def root(wine: Wine) -> Iterator[Path]:
    """Return where it will be installed; nothing is there before, and nothing after."""
    yield wine.drive / FOLDER.replace("\\", "/")
    shutil.rmtree(wine.drive / FOLDER.split("\\")[0], ignore_errors=True)
    shutil.rmtree(wine.local / "Skein", ignore_errors=True)


def registered(wine: Wine) -> bool:
    return wine.run("reg", "query", UNINSTALL_KEY)[0] == 0


def test_it_installs_starts_and_goes_without_the_users_data(
    wine: Wine, first: Path, root: Path
) -> None:
    assert wine.install(first, FOLDER, "/DESKTOP") == (0, "")
    assert {path.name for path in root.iterdir()} == {
        *("versions", "current", "channel", "Skein.exe", "skein.com", "Uninstall.exe")
    }
    assert marks(root) == {"current": "0.1.0"}
    assert (root / "channel").read_bytes() == b"nsis\n"
    assert (root / "versions/0.1.0/python/ünï 中 文.txt").read_text("utf-8") == "0.1.0"
    assert (wine.menu / "Skein.lnk").is_file()
    assert registered(wine)
    assert wine.run(root / "Skein.exe", "x.skein") == (0, "")
    assert told(root)[-1] == "x.skein"
    data = wine.local / "Skein"
    for name in ("models/big.pth", "states/a.safetensors", "chats.sqlite3", "settings.toml"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("mine")
    (root / "somebody's.txt").write_text("else's")
    assert wine.uninstall(FOLDER) == (0, "")
    assert {path.name for path in root.iterdir()} == {"somebody's.txt", "Uninstall.exe"}
    assert not (wine.menu / "Skein.lnk").exists()
    assert not registered(wine)
    assert len([path for path in data.rglob("*") if path.is_file()]) == 4


def test_asked_to_it_takes_the_users_data(wine: Wine, first: Path, root: Path) -> None:
    wine.install(first, FOLDER)
    (wine.local / "Skein" / "states").mkdir(parents=True)
    (wine.local / "Skein" / "chats.sqlite3").write_text("mine")
    (wine.local / "Skein" / "Cache").mkdir()
    assert wine.uninstall(FOLDER, "/WITH-DATA") == (0, "")
    assert not (wine.local / "Skein").exists()


def test_an_upgrade_is_switched_to_and_can_be_returned_from(
    wine: Wine, first: Path, second: Path, root: Path
) -> None:
    wine.install(first, FOLDER)
    assert wine.install(second, FOLDER) == (0, "")
    assert marks(root) == {"current": "0.1.0", "next": "0.2.0"}
    (root / "versions/0.2.0/python/code.txt").write_text("7")
    assert [wine.run(root / "skein.com")[0] for _ in range(3)] == [7, 7, 0]
    assert marks(root) == {"current": "0.1.0", "failed": "0.2.0"}
    # Once more, over the version that failed: it is replaced and tried again.
    assert wine.install(second, FOLDER) == (0, "")
    assert not (root / "versions/0.2.0/python/code.txt").exists()
    assert wine.run(root / "skein.com") == (0, "")
    assert marks(root) == {"current": "0.2.0", "previous": "0.1.0", "trying": "0.2.0 1"}
    code, sentence = wine.install(first, FOLDER)
    assert code == 2
    assert sentence.startswith("A newer Skein (0.2.0) is installed here.")
    assert wine.install(first, FOLDER, "/DOWNGRADE") == (0, "")
    assert marks(root) == {"current": "0.2.0", "previous": "0.1.0", "next": "0.1.0"}


def test_an_unproven_version_is_not_what_one_returns_to(
    wine: Wine, second: Path, root: Path, stand_ins: Path
) -> None:
    for version in ("0.1.0", "0.1.5"):
        add_version(root, version, stand_ins)
    for name, text in {"current": "0.1.5", "trying": "0.1.5 1", "previous": "0.1.0"}.items():
        (root / name).write_text(f"{text}\n", "utf-8")
    (root / "versions/0.1.7.partial/python").mkdir(parents=True)
    assert wine.install(second, FOLDER) == (0, "")
    assert marks(root) == {"current": "0.1.0", "next": "0.2.0"}
    assert {path.name for path in (root / "versions").iterdir()} == {"0.1.0", "0.2.0"}


def test_a_running_skein_is_neither_replaced_nor_removed(
    wine: Wine, first: Path, root: Path
) -> None:
    wine.install(first, FOLDER)
    waiting = root / "versions/0.1.0/python/wait.txt"
    waiting.touch()
    (waiting.parent / "mutex.txt").write_text("Local\\SkeinSetup")
    with wine.start(root / "skein.com") as running:
        while not (root / "told.txt").exists():
            assert running.poll() is None
        refused = [wine.install(first, FOLDER), wine.uninstall(FOLDER)]
        waiting.unlink()
        running.wait(20)
    sentence = "Another setup of Skein is running already. Finish or close that one first.\n"
    assert refused == [(2, sentence)] * 2
    waiting.touch()
    (waiting.parent / "mutex.txt").unlink()
    (root / "told.txt").unlink()
    with wine.start(root / "Skein.exe") as running:
        while not (root / "told.txt").exists():
            assert running.poll() is None
        refused = [wine.install(first, FOLDER), wine.uninstall(FOLDER)]
        waiting.unlink()
        running.wait(20)
    sentence = "Skein is running. Close it and try again; it saves everything when it is closed.\n"
    assert refused == [(2, sentence)] * 2
    assert wine.run(root / "skein.com") == (0, "")


def test_a_disk_that_fills_up_leaves_what_was_there(
    wine: Wine, first: Path, second: Path, root: Path
) -> None:
    wine.install(first, FOLDER)

    def no_file_above_20_kb() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    code, _ = wine.install(second, FOLDER, preexec_fn=no_file_above_20_kb)
    assert code == 2
    assert marks(root) == {"current": "0.1.0"}
    assert [path.name for path in (root / "versions").iterdir()] == ["0.1.0"]
    assert wine.run(root / "skein.com") == (0, "")


def test_too_little_space_is_said_before_anything_is_written(
    wine: Wine, work: Path, root: Path
) -> None:
    greedy = work / "greedy.exe"
    make_setup(look_at(work / "root"), greedy, work, need_mb=2_000_000_000, fast=True)
    code, sentence = wine.install(greedy, FOLDER)
    assert code == 2
    assert "MB free, and Skein needs 2000000000 MB" in sentence
    assert not root.exists()


def test_folders_and_systems_that_will_not_do_are_said(wine: Wine, first: Path, root: Path) -> None:
    code, sentence = wine.install(first, "Z:\\proc\\Skein")
    assert (code, "Nothing can be written to Z:\\proc\\Skein" in sentence) == (2, True)
    code, sentence = wine.install(first, "a" * 240)
    assert (code, "is too long a path" in sentence) == (2, True)
    code, sentence = wine.install(
        first, f"users\\{wine.local.parents[1].name}\\AppData\\Local\\Skein"
    )
    assert (code, "where Skein keeps your chats" in sentence) == (2, True)
    old = shutil.copy(first, first.with_name("old.exe"))
    code, sentence = wine.install(Path(old), FOLDER)
    assert (code, sentence.startswith("Skein needs Windows 10 or newer")) == (2, True)


def test_what_is_no_tree_for_windows_is_refused(tmp_path: Path, stand_ins: Path) -> None:
    with pytest.raises(BuildFailed, match="is no tree"):
        look_at(tmp_path)
    root = make_root(tmp_path, "0.1.0", stand_ins)
    (root / "versions/0.1.0" / ("long" * 50)).touch()
    with pytest.raises(BuildFailed, match="200 characters"):
        look_at(root)
    (root / "versions/0.1.0/python/pythonw.exe").unlink()
    with pytest.raises(BuildFailed, match=r"pythonw\.exe is missing"):
        look_at(root)
