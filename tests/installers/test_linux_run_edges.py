"""The .run where a home is a link, a disk nearly full, a user impatient, another one killed."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.installers.linux_kit import environment, pack_two, run_changed, run_installer


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return pack_two(tmp_path_factory.mktemp("packed"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "ünï 中 home"
    folder.mkdir()
    return folder


def root_of(home: Path) -> Path:
    return home / ".local" / "opt" / "skein"


def a_process_that_is_gone() -> int:
    with subprocess.Popen(["true"]) as process:
        return process.pid


# ---- what a kill leaves ------------------------------------------------------------------------


def test_what_a_kill_left_makes_room_before_room_is_looked_for(
    packed: dict[str, Path], home: Path, tmp_path: Path
) -> None:
    versions = root_of(home) / "versions"
    left = versions / f".partial-0.1.0-{a_process_that_is_gone()}"
    left.mkdir(parents=True)
    (left / "much").write_bytes(b"x")
    df = tmp_path / "first" / "df"
    df.parent.mkdir()
    df.write_text(
        f'#!/bin/sh\nfree=9999999; [ ! -d "{left}" ] || free=1000\n'
        'echo; echo "/dev/disk 9999999 1 $free 50% /"\n'
    )
    df.chmod(0o755)
    answer = run_installer(packed["0.1.0"], home, PATH=f"{df.parent}:{os.environ['PATH']}")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert not left.exists()


def test_what_another_installer_unpacks_just_now_stays(packed: dict[str, Path], home: Path) -> None:
    theirs = root_of(home) / "versions" / f".partial-0.1.0-{os.getpid()}"
    theirs.mkdir(parents=True)
    assert run_installer(packed["0.1.0"], home).returncode == 0
    assert theirs.is_dir()


@pytest.mark.parametrize("name", [".installer-{0}", ".partial-installer-{0}-old", ".skein.{0}"])
def test_no_piece_of_a_killed_switch_stays(packed: dict[str, Path], home: Path, name: str) -> None:
    root = root_of(home)
    run_installer(packed["0.1.0"], home)
    piece = root / name.format(a_process_that_is_gone())
    piece.mkdir()
    assert run_installer(packed["0.2.0"], home).returncode == 0
    assert not piece.exists()


@pytest.mark.parametrize("name", [".ruby-{0}", ".notes.{0}", ".skein-{0}"])
def test_somebody_else_s_hidden_files_beside_it_stay(
    packed: dict[str, Path], home: Path, name: str
) -> None:
    """--folder may name a folder that holds more; a number at an end need not be a process."""
    theirs = root_of(home) / name.format(a_process_that_is_gone())
    theirs.mkdir(parents=True)
    assert run_installer(packed["0.1.0"], home).returncode == 0
    assert theirs.is_dir()


def test_a_switch_that_fails_takes_its_version_away_again(
    packed: dict[str, Path], home: Path
) -> None:
    root = root_of(home)
    (root / "skein").mkdir(parents=True)  # not a file, so the launcher cannot be put there
    answer = run_installer(packed["0.1.0"], home)
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
    assert "nothing was installed" in answer.stderr
    assert not (root / "versions" / "0.1.0").exists()


# ---- who is interrupted, and when --------------------------------------------------------------


def test_an_interrupt_after_the_switch_comes_too_late(packed: dict[str, Path], home: Path) -> None:
    """It would say "nothing was changed", and leave no menu entry."""
    code = (
        "real = arrival._prune\n"
        "def late(places):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    real(places)\n"
        "arrival._prune = late"
    )
    answer = run_changed(packed["0.1.0"], home, code)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert (home / ".local" / "share" / "applications" / "skein.desktop").exists()


def test_an_interrupt_in_the_middle_of_a_removal_comes_too_late(
    packed: dict[str, Path], home: Path
) -> None:
    run_installer(packed["0.1.0"], home)
    root = root_of(home)
    code = (
        "import os, signal, sys\n"
        f"sys.path.insert(0, {str(root / 'installer')!r})\n"
        "from install import cli, removal\n"
        "real = removal.shutil.rmtree\n"
        "def rmtree(*a, **k):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    real(*a, **k)\n"
        "removal.shutil.rmtree = rmtree\n"
        f"sys.exit(cli.main(['uninstall', '--folder', {str(root)!r}]))"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-B", "-c", code],
        capture_output=True,
        text=True,
        env=environment(home),
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert not root.exists()


def test_the_end_of_input_is_no_yes(packed: dict[str, Path], home: Path) -> None:
    run_installer(packed["0.1.0"], home)
    data = home / ".local" / "share" / "Skein"
    data.mkdir()
    ours, theirs = pty.openpty()
    os.write(ours, b"\x04")  # Ctrl+D
    answer = subprocess.run(
        ["sh", root_of(home) / "uninstall", "--with-data"],
        stdin=theirs,
        capture_output=True,
        text=True,
        env=environment(home),
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert (answer.returncode, answer.stderr.splitlines()) == (1, ["Nothing was removed."])
    assert data.exists()


def test_a_program_that_is_started_meanwhile_is_not_replaced(
    packed: dict[str, Path], home: Path
) -> None:
    run_installer(packed["0.1.0"], home)
    own = root_of(home) / "versions" / "0.1.0" / "python" / "bin" / "sleep"
    code = (
        "import shutil, subprocess\n"
        "real = arrival._complete\n"
        "def complete(*arguments):\n"
        "    real(*arguments)\n"
        f"    shutil.copy(shutil.which('sleep'), {str(own)!r})\n"
        f"    child = subprocess.Popen([{str(own)!r}, '5'])\n"
        "arrival._complete = complete"
    )
    answer = run_changed(packed["0.1.0"], home, code)
    assert answer.returncode == 1
    assert "is running. Close it" in answer.stderr
    assert own.exists()


# ---- where it goes, and out again --------------------------------------------------------------


@pytest.mark.parametrize("folder", ["", "x/../apps/skein"])
def test_a_home_that_is_a_link_is_cleared_as_well(
    packed: dict[str, Path], home: Path, tmp_path: Path, folder: str
) -> None:
    link = tmp_path / "link"
    link.symlink_to(home)
    (home / "x").mkdir()
    said = ("--folder", str(link / folder)) if folder else ()
    assert run_installer(packed["0.1.0"], link, *said).returncode == 0
    root = link / folder if folder else root_of(link)
    assert run_installer(root / "uninstall", link).returncode == 0
    left = [p.name for p in home.rglob("*") if p.name.startswith("skein")]
    assert left == []


def test_without_a_home_nothing_is_unpacked(packed: dict[str, Path], tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    answer = subprocess.run(
        ["sh", packed["0.1.0"], "--folder", tmp_path / "skein"],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
    )
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
    assert "HOME" in answer.stderr
    assert not (tmp_path / "skein").exists()


@pytest.mark.parametrize("name", ["SUDO_USER", "DOAS_USER", "PKEXEC_UID"])
def test_sudo_that_gives_root_s_home_is_not_wanted_either(
    packed: dict[str, Path], home: Path, tmp_path: Path, name: str
) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "id").write_text("#!/bin/sh\necho 0\n")
    (first / "id").chmod(0o755)
    path = f"{first}:{os.environ['PATH']}"
    answer = run_installer(packed["0.1.0"], home, PATH=path, **{name: "1000"})
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
    assert "without sudo" in answer.stderr
    assert not root_of(home).exists()


def test_a_command_that_leads_elsewhere_stays(packed: dict[str, Path], home: Path) -> None:
    own = home / "skein-from-git"
    own.write_text("#!/bin/sh\n")
    link = home / ".local" / "bin" / "skein"
    link.parent.mkdir(parents=True)
    link.symlink_to(own)
    answer = run_installer(packed["0.1.0"], home)
    assert f"{link} was not made by this installer" in answer.stdout
    assert link.readlink() == own


def test_what_an_update_wrote_goes_too(packed: dict[str, Path], home: Path) -> None:
    """A rolled back version is remembered in a file; a kill may leave half-written ones."""
    run_installer(packed["0.1.0"], home)
    root = root_of(home)
    for name in ("rolled_back", ".current.4711", ".trying.12", ".skein-ab12cd"):
        (root / name).write_text("0.2.0\n")
    answer = run_installer(root / "uninstall", home)
    assert "not Skein's" not in answer.stdout
    assert not root.exists()


@pytest.mark.parametrize(
    ("language", "word"), [("C", "by hand"), ("zh_CN.UTF-8", "手动"), ("ja_JP.UTF-8", "手動")]
)
def test_a_removal_that_was_killed_says_what_to_do(
    packed: dict[str, Path], home: Path, language: str, word: str
) -> None:
    run_installer(packed["0.1.0"], home)
    root = root_of(home)
    (root / "current").unlink()
    answer = run_installer(root / "uninstall", home, LC_ALL=language)
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
    assert word in answer.stderr
