"""What the setup for Windows and its uninstaller must not touch, under wine."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installers.windows.kit import Wine, add_version, marks

FOLDER = "Skein eins"
OTHER = "Skein zwei"
KEY = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\Skein"


@pytest.fixture
def root(wine: Wine) -> Iterator[Path]:
    """Return where it will be installed; nothing is there before, and nothing after."""
    yield wine.drive / FOLDER
    for folder in (wine.drive / FOLDER, wine.drive / OTHER, wine.local / "Skein"):
        shutil.rmtree(folder, ignore_errors=True)
    wine.run("reg", "delete", KEY, "/f")


def test_what_a_link_leads_to_stays(wine: Wine, first: Path, root: Path, tmp_path: Path) -> None:
    """Who keeps models on another disk has a junction to it; NSIS' RMDir /r goes through."""
    wine.install(first, FOLDER)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.pth").write_text("mine")
    data = wine.local / "Skein"
    (data / "states" / "deep").mkdir(parents=True)
    (data / "states" / "deep" / "a.safetensors").write_text("a state")
    (data / "chats.sqlite3").write_text("chats")
    (data / "models").symlink_to(elsewhere)
    (data / "states" / "deep" / "linked").symlink_to(elsewhere)
    assert wine.uninstall(FOLDER, "/WITH-DATA") == (0, "")
    assert (elsewhere / "mine.pth").read_text() == "mine"
    assert not (data / "chats.sqlite3").exists()
    assert not (data / "states" / "deep" / "a.safetensors").exists()


def test_folders_that_are_not_skeins_stay(wine: Wine, first: Path, root: Path) -> None:
    """Somebody's own "versions" in a folder that was named to the setup."""
    thesis = root / "versions" / "draft 2" / "thesis.txt"
    thesis.parent.mkdir(parents=True)
    thesis.write_text("years")
    assert wine.install(first, FOLDER) == (0, "")
    (root / "versions" / "0.1.1.partial" / "python").mkdir(parents=True)
    (root / "versions" / "0.0.9.removing" / "python").mkdir(parents=True)
    (root / "versions" / ".link.partial").write_text("")
    assert wine.uninstall(FOLDER) == (0, "")
    assert thesis.read_text() == "years"
    assert [path.name for path in (root / "versions").iterdir()] == ["draft 2"]
    assert {path.name for path in root.iterdir()} == {"versions", "Uninstall.exe"}


def test_one_copy_goes_and_the_other_stays_registered(wine: Wine, first: Path, root: Path) -> None:
    assert wine.install(first, FOLDER) == (0, "")
    assert wine.install(first, OTHER) == (0, "")
    assert wine.uninstall(FOLDER) == (0, "")
    assert not (root / "versions").exists()
    assert wine.run("reg", "query", KEY)[0] == 0
    assert wine.run("reg", "query", r"HKCU\Software\Classes\Skein.Bundle")[0] == 0
    assert (wine.menu / "Skein.lnk").is_file()
    assert wine.uninstall(OTHER) == (0, "")
    assert wine.run("reg", "query", KEY)[0] != 0
    assert wine.run("reg", "query", r"HKCU\Software\Classes\Skein.Bundle")[0] != 0
    assert not (wine.menu / "Skein.lnk").exists()


@pytest.mark.parametrize(
    ("here", "code"),
    [("0.2.0rc1", 0), ("0.2.0b9", 0), ("0.2", 0), ("0.2.1a1", 2), ("0.10.0rc1", 2)],
)
def test_a_candidate_is_older_than_what_came_of_it(
    wine: Wine, second: Path, root: Path, stand_ins: Path, here: str, code: int
) -> None:
    add_version(root, here, stand_ins)
    (root / "current").write_text(f"{here}\n", "utf-8")
    assert wine.install(second, FOLDER)[0] == code


def test_candidates_are_in_order(wine: Wine, candidate: Path, root: Path, stand_ins: Path) -> None:
    """The setup of 0.2.0rc2, over each of these."""
    for here, code in {"0.2.0rc1": 0, "0.2.0b3": 0, "0.2.0rc10": 2, "0.2.0": 2}.items():
        add_version(root, here, stand_ins)
        (root / "current").write_text(f"{here}\n", "utf-8")
        assert (here, wine.install(candidate, FOLDER)[0]) == (here, code)
        shutil.rmtree(root)


def test_a_trial_that_never_began_takes_no_version_away(
    wine: Wine, second: Path, root: Path, stand_ins: Path
) -> None:
    """A launcher that was killed before its last step: 0.1.0 is what starts, not what was tried."""
    for version in ("0.1.0", "0.1.5"):
        add_version(root, version, stand_ins)
    named = {"current": "0.1.0", "trying": "0.1.5 0", "previous": "0.1.0", "next": "0.1.5"}
    for name, text in named.items():
        (root / name).write_text(f"{text}\n", "utf-8")
    assert wine.install(second, FOLDER) == (0, "")
    assert (root / "versions" / "0.1.0" / "manifest.json").is_file()
    assert marks(root)["current"] == "0.1.0"
    assert marks(root)["next"] == "0.2.0"
    assert "trying" not in marks(root)


def test_what_only_just_looks_into_a_launcher_is_waited_for(
    wine: Wine, first: Path, root: Path, holder: Path
) -> None:
    """An antivirus that holds the old launcher for a second."""
    assert wine.install(first, FOLDER) == (0, "")
    with wine.start(holder, f"C:\\{FOLDER}\\skein.com", "2500") as held:
        while not (root / "skein.com.held").exists():
            assert held.poll() is None
        assert wine.install(first, FOLDER) == (0, "")
        held.wait(20)
    assert wine.run(root / "skein.com") == (0, "")
