"""The sh launcher: starts, switches, goes back, and says what is wrong. Real files, real sh."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.installers.tree_kit import LAUNCHER, SITE, add_version, make_root


def start(launcher: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a launcher with nothing of a desktop around it."""
    plain = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environ}
    return subprocess.run(
        [str(launcher), *arguments], capture_output=True, text=True, env=plain, check=False
    )


def marks(root: Path) -> dict[str, str]:
    """Return the one-line files of a ROOT that switching is about."""
    names = ("current", "next", "previous", "trying", "failed")
    return {n: (root / n).read_text("utf-8").strip() for n in names if (root / n).exists()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "ünï 中 dir")


def test_it_hands_over_its_arguments_as_they_are(root: Path) -> None:
    answer = start(root / "skein", "a b", "中'\"$", "")
    assert (answer.stdout, answer.stderr) == ("0.1.0|a b|中'\"$|\n", "")


def test_it_is_found_through_links(root: Path, tmp_path: Path) -> None:
    (root / "link").symlink_to("skein")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "skein").symlink_to(root / "link")
    assert start(tmp_path / "bin" / "skein").stdout == "0.1.0\n"
    by_name = start(Path("skein"), PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert by_name.stdout == "0.1.0\n"


def test_a_next_version_is_switched_to_and_the_old_one_kept(root: Path) -> None:
    add_version(root, "0.2.0")
    (root / "next").write_text("0.2.0\n", "utf-8")
    assert start(root / "skein").stdout == "0.2.0\n"
    assert marks(root) == {"current": "0.2.0", "previous": "0.1.0", "trying": "0.2.0 1"}


def test_after_two_bad_starts_the_third_goes_back(root: Path) -> None:
    add_version(root, "0.2.0", {f"{SITE}/app/__main__.py": "raise SystemExit(3)"})
    (root / "next").write_text("0.2.0\n", "utf-8")
    assert [start(root / "skein").returncode for _ in range(2)] == [3, 3]
    assert marks(root)["trying"] == "0.2.0 2"
    assert start(root / "skein").stdout == "0.1.0\n"
    assert marks(root) == {"current": "0.1.0", "failed": "0.2.0"}
    assert start(root / "skein").stdout == "0.1.0\n"


def test_a_start_is_told_whether_it_was_counted(tmp_path: Path) -> None:
    """It inherits what an earlier one was told: "Start again now" runs the launcher from Skein."""
    code = "import os; print(os.environ.get('SKEIN_COUNTED'))"
    root = make_root(tmp_path / "r", files={f"{SITE}/app/__main__.py": code})
    assert start(root / "skein", SKEIN_COUNTED="1").stdout == "None\n"
    (root / "trying").write_text("0.1.0 0\n", "utf-8")
    assert start(root / "skein").stdout == "1\n"


def test_a_version_that_said_it_is_well_is_never_left(root: Path) -> None:
    add_version(root, "0.2.0")
    (root / "next").write_text("0.2.0\n", "utf-8")
    start(root / "skein")
    (root / "trying").unlink()  # what Installation.started_well does
    assert [start(root / "skein").stdout for _ in range(4)] == ["0.2.0\n"] * 4
    assert marks(root) == {"current": "0.2.0", "previous": "0.1.0"}


def test_a_kill_between_two_steps_of_a_switch_loses_nothing(root: Path) -> None:
    """All was written but `next` is still there: the version to go back to stays the old one."""
    add_version(root, "0.2.0")
    for name, text in {"next": "0.2.0", "previous": "0.1.0", "current": "0.2.0"}.items():
        (root / name).write_text(text + "\n", "utf-8")
    assert start(root / "skein").stdout == "0.2.0\n"
    assert marks(root) == {"current": "0.2.0", "previous": "0.1.0"}


@pytest.mark.parametrize("named", ["0.9.0", "../evil", ".hidden", "/tmp", "0.2.0"])
def test_an_incomplete_next_version_is_forgotten(root: Path, named: str) -> None:
    (add_version(root, "0.2.0") / "manifest.json").unlink()
    add_version(root, "0.3.0").rename(root / "evil")
    (root / "next").write_text(named + "\n", "utf-8")
    assert start(root / "skein").stdout == "0.1.0\n"
    assert marks(root) == {"current": "0.1.0"}


@pytest.mark.parametrize("damage", ["no file of it", "no python", "a power cut"])
def test_from_a_version_that_is_gone_it_goes_back(root: Path, damage: str) -> None:
    """A virus scanner took a file of it, or the disk forgot what was written last."""
    tree = add_version(root, "0.2.0")
    (root / "previous").write_text("0.1.0\n", "utf-8")
    (root / "current").write_text("" if damage == "a power cut" else "0.2.0\n", "utf-8")
    if damage == "no file of it":
        shutil.rmtree(tree)
    elif damage == "no python":
        (tree / "python" / "bin" / "python3").unlink()
    assert start(root / "skein").stdout == "0.1.0\n"
    failed = "" if damage == "a power cut" else "0.2.0"
    assert marks(root) == {"current": "0.1.0", "failed": failed}


def test_a_switch_is_on_the_disk_before_it_counts(root: Path, tmp_path: Path) -> None:
    add_version(root, "0.2.0")
    (root / "next").write_text("0.2.0\n", "utf-8")
    program = tmp_path / "programs" / "sync"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncat "$1" >>"{tmp_path}/synced"\n', "utf-8")
    program.chmod(0o755)
    start(root / "skein", PATH=f"{program.parent}:{os.environ['PATH']}")
    synced = (tmp_path / "synced").read_text("utf-8").split("\n")
    assert synced == ["0.1.0", "0.2.0 0", "0.2.0", "0.2.0 1", ""]
    assert start(root / "skein", PATH="/nothing:/bin").stdout == "0.2.0\n"


def test_without_a_version_to_go_back_to_it_goes_on_trying(root: Path) -> None:
    (root / "trying").write_text("0.1.0 7\n", "utf-8")
    assert start(root / "skein").stdout == "0.1.0\n"
    assert marks(root) == {"current": "0.1.0", "trying": "0.1.0 8"}


def test_a_start_beside_a_skein_that_runs_is_not_counted(root: Path) -> None:
    """Quick clicks while the new version's first window takes its time say nothing about it."""
    running = root / "versions" / "0.1.0" / "python" / "bin" / "python3"
    shutil.copy("/bin/sleep", running)
    add_version(root, "0.2.0")
    (root / "next").write_text("0.2.0\n", "utf-8")
    with subprocess.Popen([running, "60"]) as skein:
        assert [start(root / "skein").stdout for _ in range(4)] == ["0.2.0\n"] * 4
        assert marks(root) == {"current": "0.2.0", "previous": "0.1.0", "trying": "0.2.0 0"}
        skein.kill()
    start(root / "skein")
    assert marks(root)["trying"] == "0.2.0 1"


@pytest.mark.parametrize("count", ["x", "", "99999999999999999999", "-1"])
def test_a_damaged_count_goes_back(root: Path, count: str) -> None:
    add_version(root, "0.2.0")
    written = {"current": "0.2.0", "previous": "0.1.0", "trying": f"0.2.0 {count}"}
    for name, text in written.items():
        (root / name).write_text(text + "\n", "utf-8")
    assert start(root / "skein").stdout == "0.1.0\n"


@pytest.mark.parametrize(
    ("language", "word"),
    [("C", "Install"), ("zh_CN.UTF-8", "重新安装"), ("ja_JP", "再インストール")],
)
def test_a_version_that_is_gone_is_one_sentence(root: Path, language: str, word: str) -> None:
    (root / "current").write_text("0.5.0\n", "utf-8")
    answer = start(root / "skein", LC_ALL=language)
    assert answer.returncode == 1
    assert word in answer.stderr
    assert "0.5.0" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_a_desktop_gets_a_box(root: Path, tmp_path: Path) -> None:
    (root / "current").unlink()
    box = tmp_path / "programs" / "zenity"
    box.parent.mkdir()
    box.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{tmp_path}/said"\n', "utf-8")
    box.chmod(0o755)
    answer = start(root / "skein", PATH=f"{box.parent}:{os.environ['PATH']}", DISPLAY=":1")
    assert answer.returncode == 1
    assert "Skein is incomplete" in (tmp_path / "said").read_text("utf-8")


def test_macos_keeps_its_root_in_resources(root: Path, tmp_path: Path) -> None:
    contents = tmp_path / "Skein.app" / "Contents"
    (contents / "Resources").mkdir(parents=True)
    (contents / "MacOS").mkdir()
    root.rename(contents / "Resources" / "skein")
    (contents / "MacOS" / "Skein").write_bytes(LAUNCHER.read_bytes())
    (contents / "MacOS" / "Skein").chmod(0o755)
    assert start(contents / "MacOS" / "Skein").stdout == "0.1.0\n"


def test_what_another_qt_was_told_does_not_reach_ours(tmp_path: Path) -> None:
    code = "import os; print(sorted(n for n in os.environ if n.startswith('QT_')))"
    root = make_root(tmp_path / "r", files={f"{SITE}/app/__main__.py": code})
    answer = start(root / "skein", QT_PLUGIN_PATH="/usr/lib/qt5", QT_QPA_PLATFORM="offscreen")
    assert answer.stdout == "['QT_QPA_PLATFORM']\n"
