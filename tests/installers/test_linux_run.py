"""The .run: installs, updates, removes; and what it says when it cannot. Real sh, real archives."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from installers.linux.install.menu import exec_words
from installers.linux.self_extracting import build_run
from tests.installers.linux_kit import (
    PYTHON,
    environment,
    make_tree,
    pack_two,
    run_changed,
    run_installer,
)

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return pack_two(tmp_path_factory.mktemp("packed"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "ünï 中 home"


def everything(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")} if folder.exists() else set()


def files_of(folder: Path) -> set[str]:
    """Return the files below a folder but the lock's: what an installer that failed may not add."""
    return {n for n in everything(folder) if (folder / n).is_file() and ".installer.lock" not in n}


def start(root: Path) -> str:
    return subprocess.run([root / "skein", "a b"], capture_output=True, text=True).stdout


def program(folder: Path, name: str, text: str) -> str:
    """Put a program before all others; return the PATH for that."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_it_installs_for_one_user_and_starts(packed: dict[str, Path], home: Path) -> None:
    answer = run_installer(packed["0.1.0"], home)
    root = home / ".local" / "opt" / "skein"
    assert (answer.returncode, answer.stderr) == (0, "")
    assert str(root / "uninstall") in answer.stdout
    assert start(root) == "0.1.0|a b\n"
    assert (home / ".local" / "bin" / "skein").resolve() == root / "skein"
    assert (root / "channel").read_text() == "run\n"
    assert not [name for name in everything(root) if "partial" in name]


def test_the_menu_starts_it_whatever_its_folder_is_called(
    packed: dict[str, Path], home: Path, tmp_path: Path
) -> None:
    root = tmp_path / 'a "b" $c 100% `d` \\e 中'
    assert run_installer(packed["0.1.0"], home, "--folder", root).returncode == 0
    entry = home / ".local" / "share" / "applications" / "skein.desktop"
    said = subprocess.run(
        ["desktop-file-validate", entry], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stdout) == (0, "")
    text = entry.read_text("utf-8")
    for arguments in ("%F", "--safe"):
        assert f"Exec={exec_words(root / 'skein')} {arguments}\n" in text
    assert start(root) == "0.1.0|a b\n"


def test_an_update_keeps_the_version_before(packed: dict[str, Path], home: Path) -> None:
    root = home / ".local" / "opt" / "skein"
    run_installer(packed["0.1.0"], home)
    answer = run_installer(packed["0.2.0"], home)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert (root / "previous").read_text() == "0.1.0\n"
    assert start(root) == "0.2.0|a b\n"
    assert {p.name for p in (root / "versions").iterdir()} == {"0.1.0", "0.2.0"}


def test_an_older_one_over_a_newer_one_wants_a_word(packed: dict[str, Path], home: Path) -> None:
    root = home / ".local" / "opt" / "skein"
    run_installer(packed["0.2.0"], home)
    before = everything(home)
    answer = run_installer(packed["0.1.0"], home)
    assert answer.returncode == 1
    assert "older 0.1.0" in answer.stderr
    assert "--downgrade" in answer.stderr
    assert everything(home) == before
    assert run_installer(packed["0.1.0"], home, "--downgrade").returncode == 0
    assert start(root) == "0.1.0|a b\n"


def test_the_same_version_again_mends_it(packed: dict[str, Path], home: Path) -> None:
    root = home / ".local" / "opt" / "skein"
    run_installer(packed["0.1.0"], home)
    (root / "versions" / "0.1.0" / "licences" / "big").unlink()
    assert run_installer(packed["0.1.0"], home).returncode == 0
    assert (root / "versions" / "0.1.0" / "licences" / "big").exists()
    assert not (root / "previous").exists()


def test_removing_it_leaves_what_the_user_made(packed: dict[str, Path], home: Path) -> None:
    run_installer(packed["0.1.0"], home)
    data = home / ".local" / "share" / "Skein"
    (data / "models").mkdir(parents=True)
    (data / "models" / "m.pth").write_bytes(b"x" * 2_500_000)
    (data / "chats.sqlite3").write_bytes(b"chats")
    answer = run_installer(packed["0.1.0"], home, "--uninstall")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert f"{data}  2.5 MB (models 2.5 MB, chats 5 bytes)" in answer.stdout
    left = {p for p in home.rglob("*") if p.is_file() and not p.name.endswith("cache")}
    ours = {p for p in left if "mime" not in p.parts}
    assert ours == {data / "models" / "m.pth", data / "chats.sqlite3"}
    assert not (home / ".local" / "opt" / "skein").exists()
    assert not (home / ".local" / "bin" / "skein").is_symlink()


def test_data_goes_only_when_it_is_asked_for_and_agreed(
    packed: dict[str, Path], home: Path
) -> None:
    run_installer(packed["0.1.0"], home)
    data = home / ".local" / "share" / "Skein"
    data.mkdir()
    (data / "chats.sqlite3").write_bytes(b"chats")
    script = home / ".local" / "opt" / "skein" / "uninstall"
    answer = run_installer(script, home, "--with-data")  # nobody is there to say yes
    assert answer.returncode == 1
    assert str(data) in answer.stdout
    assert (data / "chats.sqlite3").exists()
    assert script.exists()
    assert run_installer(script, home, "--with-data", "--yes").returncode == 0
    assert not data.exists()


def test_data_elsewhere_is_ours_only_where_chats_are(packed: dict[str, Path], home: Path) -> None:
    run_installer(packed["0.1.0"], home)
    script = home / ".local" / "opt" / "skein" / "uninstall"
    (home / "data").mkdir()
    (home / "data" / "taxes.txt").write_text("mine")
    answer = run_installer(script, home, "--with-data", "--yes", SKEIN_HOME=str(home))
    assert answer.returncode == 0
    assert (home / "data" / "taxes.txt").read_text() == "mine"


def test_an_update_removes_the_version_before_the_last(packed: dict[str, Path], home: Path) -> None:
    run_installer(packed["0.1.0"], home)
    versions = home / ".local" / "opt" / "skein" / "versions"
    for name in ("0.0.9", "0.3.0.partial"):
        (versions / name).mkdir()
    run_installer(packed["0.2.0"], home)
    assert {p.name for p in versions.iterdir()} == {"0.1.0", "0.2.0", "0.3.0.partial"}


def test_files_that_are_not_ours_stay(packed: dict[str, Path], home: Path) -> None:
    own = home / ".local" / "bin" / "skein"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    answer = run_installer(packed["0.1.0"], home)
    assert f"{own} was not made by this installer" in answer.stdout
    (home / ".local" / "opt" / "skein" / "notes.txt").write_text("mine")
    answer = run_installer(packed["0.1.0"], home, "--uninstall")
    assert "holds files that are not Skein's" in answer.stdout
    assert own.read_text() == "mine"
    assert everything(home / ".local" / "opt") == {"skein", "skein/notes.txt"}


def test_two_folders_at_once(packed: dict[str, Path], home: Path, tmp_path: Path) -> None:
    """The menu leads to the one that came last; removing the other one leaves it alone."""
    for version in ("0.1.0", "0.2.0"):
        run_installer(packed[version], home, "--folder", tmp_path / version)
    run_installer(tmp_path / "0.1.0" / "uninstall", home)
    entry = home / ".local" / "share" / "applications" / "skein.desktop"
    assert str(tmp_path / "0.2.0") in entry.read_text("utf-8")
    assert (home / ".local" / "bin" / "skein").resolve() == tmp_path / "0.2.0" / "skein"
    assert start(tmp_path / "0.2.0") == "0.2.0|a b\n"


# ---- what it refuses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "script", "sentence"),
    [
        ("getconf", "echo glibc 2.17", "too old: its C library is glibc 2.17"),
        ("getconf", "exit 1", "does not have the GNU C library"),
        ("uname", 'test "$1" = -m && echo armv7l || echo Linux', "for Linux on x86_64"),
        (
            "df",
            "echo; echo '/dev/my disk      262144     9999      1000      98% /x y'",
            "1 MB free, and Skein needs 3",
        ),
    ],
)
def test_a_system_that_will_not_do_is_told_before_anything_is_written(
    packed: dict[str, Path], home: Path, tmp_path: Path, name: str, script: str, sentence: str
) -> None:
    path = program(tmp_path / "first", name, script)
    answer = run_installer(packed["0.1.0"], home, PATH=path)
    assert answer.returncode == 1
    assert sentence in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert everything(home) == set()


@pytest.mark.parametrize(("language", "word"), [("zh_CN.UTF-8", "太旧"), ("ja_JP.UTF-8", "古すぎ")])
def test_it_speaks_the_users_language(
    packed: dict[str, Path], home: Path, tmp_path: Path, language: str, word: str
) -> None:
    path = program(tmp_path / "first", "getconf", "echo glibc 2.17")
    assert word in run_installer(packed["0.1.0"], home, PATH=path, LC_ALL=language).stderr


def test_sudo_is_not_wanted(packed: dict[str, Path], home: Path, tmp_path: Path) -> None:
    """Files of root's in somebody's home could not be removed by whom it belongs to."""
    home.mkdir()
    if os.getuid() == 0:
        os.chown(home, 65534, 65534)
        theirs = home
    else:
        theirs = Path("/")
    path = program(tmp_path / "first", "id", "echo 0")
    answer = run_installer(packed["0.1.0"], home, PATH=path, HOME=str(theirs))
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
    assert "without sudo" in answer.stderr
    assert everything(home) == set()


def test_a_folder_that_cannot_be_written(packed: dict[str, Path], home: Path) -> None:
    answer = run_installer(packed["0.1.0"], home, "--folder", "/proc/skein")
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
    assert "Nothing can be written to /proc/skein" in answer.stderr
    assert everything(home) == set()


@pytest.mark.parametrize("installed", [False, True])
def test_half_a_download_and_a_damaged_one(
    packed: dict[str, Path], home: Path, tmp_path: Path, installed: bool
) -> None:
    if installed:
        run_installer(packed["0.1.0"], home)
    before = files_of(home)
    whole = packed["0.2.0"].read_bytes()
    file = tmp_path / "damaged.run"
    for content in (whole[:-1000], whole[:-90_000] + b"x" + whole[-89_999:]):
        file.write_bytes(content)
        answer = run_installer(file, home)
        assert answer.returncode == 1
        assert "damaged" in answer.stderr
        assert "nothing was installed" in answer.stderr
        assert files_of(home) == before


@pytest.mark.parametrize("installed", [False, True])
def test_a_disk_that_is_full_in_the_middle(
    packed: dict[str, Path], home: Path, installed: bool
) -> None:
    """A limit on a file's size stands for the disk: the same failed write, in the same place."""
    if installed:
        run_installer(packed["0.1.0"], home)
    before = files_of(home)
    home.mkdir(exist_ok=True)
    answer = subprocess.run(
        ["sh", "-c", 'ulimit -f 200; exec sh "$0"', packed["0.2.0"]],
        capture_output=True,
        text=True,
        env=environment(home),
        check=False,
    )
    assert answer.returncode == 1
    assert "no more room" in answer.stderr
    assert files_of(home) == before
    assert (home / ".local" / "opt" / "skein").exists() == installed


_KILLED = """
real = arrival._written
def written(member, content, folder):
    if member.name == "licences/big":
        os.kill(os.getpid(), SIGNAL)
    return real(member, content, folder)
arrival._written = written
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_interrupt_leaves_the_old_version_and_the_next_try_succeeds(
    packed: dict[str, Path], home: Path, number: signal.Signals
) -> None:
    run_installer(packed["0.1.0"], home)
    root = home / ".local" / "opt" / "skein"
    before = everything(home)
    code = _KILLED.replace("SIGNAL", str(int(number)))
    killed = run_changed(packed["0.2.0"], home, code).returncode
    assert killed == (-number if number == signal.SIGKILL else 130)
    assert start(root) == "0.1.0|a b\n"
    left = everything(home) - before
    assert left if number == signal.SIGKILL else not left
    assert run_installer(packed["0.2.0"], home).returncode == 0
    assert start(root) == "0.2.0|a b\n"
    assert not [name for name in everything(root) if "partial" in name]


def test_two_installers_at_once(packed: dict[str, Path], home: Path) -> None:
    run_installer(packed["0.1.0"], home)
    with (home / ".local" / "opt" / "skein" / ".installer.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        answer = run_installer(packed["0.2.0"], home)
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
    assert "Another installer works in" in answer.stderr


def test_a_running_program_is_not_replaced_nor_removed(packed: dict[str, Path], home: Path) -> None:
    run_installer(packed["0.1.0"], home)
    root = home / ".local" / "opt" / "skein"
    own = root / "versions" / "0.1.0" / "python" / "bin" / "sleep"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", own)
    process = subprocess.Popen([own, "60"])
    try:
        for arguments in ((), ("--uninstall",)):
            answer = run_installer(packed["0.1.0"], home, *arguments)
            assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
            assert "is running. Close it" in answer.stderr
        assert run_installer(packed["0.2.0"], home).returncode == 0  # beside it is no harm
    finally:
        process.kill()
        process.wait()
    assert start(root) == "0.2.0|a b\n"


@pytest.mark.parametrize("arguments", [["--what"], ["--folder"]])
def test_what_it_does_not_know(packed: dict[str, Path], home: Path, arguments: list[str]) -> None:
    answer = run_installer(packed["0.1.0"], home, *arguments)
    assert answer.returncode == 2
    assert "--with-data" in answer.stderr
    assert everything(home) == set()


def test_there_is_nothing_to_remove(packed: dict[str, Path], home: Path) -> None:
    answer = run_installer(packed["0.1.0"], home, "--uninstall")
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
    assert "There is no Skein in" in answer.stderr


def test_the_same_tree_makes_the_same_file(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    made = [build_run(tree, tmp_path / name, preset="0", python=PYTHON) for name in ("a", "b")]
    assert made[0].read_bytes() == made[1].read_bytes()


def test_the_command_makes_one(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    (tree.folder / "manifest.json").unlink()
    script = PROJECT / "installers" / "linux" / "self_extracting.py"
    answer = subprocess.run(
        [sys.executable, "-I", script, "--tree", tree.root, "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert "has no manifest.json" in answer.stderr
