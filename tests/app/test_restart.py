"""Starting again: the command, and a real process that becomes its successor."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.restart import Restart, skein_command
from engine.folders import Folders
from engine.installation import Installation
from tests.installers.tree_kit import make_root

ROOT = Path(__file__).parents[2]

_AGAIN = """
import sys
from PySide6.QtCore import QTimer
import app.__main__ as start
import app.application as application

build = application.build
def build_and_restart(argv, **named):
    made = build(argv, built_in=lambda: None, **named)
    print("safe" if made.safe else "usual", flush=True)
    made.settings.set("text_scale", 1.5)
    end = made.window.close if made.safe else lambda: made.restart.ask("--safe")
    QTimer.singleShot(200, end)
    return made
application.build = build_and_restart
sys.exit(start.main(sys.argv))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no exec: the new one is a child there")
def test_one_run_becomes_the_next_and_all_is_saved(folders: Folders) -> None:
    ended = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", _AGAIN],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout.split()) == (0, ["usual", "safe"]), ended.stderr
    assert "text_scale = 1.5" in folders.settings_file.read_text()


def test_an_installed_one_is_started_by_its_launcher(tmp_path: Path) -> None:
    root = tmp_path / "Skein.app" / "Contents" / "Resources" / "skein"
    root.mkdir(parents=True)
    bundled = tmp_path / "Skein.app" / "Contents" / "MacOS" / "Skein"
    bundled.parent.mkdir()
    bundled.write_text("#!/bin/sh\n")
    installation = Installation(root, "0.1.0", "dmg")
    assert skein_command(installation) == [str(bundled)]
    (root / "skein").write_text("#!/bin/sh\n")
    assert skein_command(installation) == [str(root / "skein")]


def test_from_the_sources_the_same_python_runs_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "-X", "utf8", "-m", "app", "a.pth"])
    monkeypatch.setattr(sys, "argv", ["/somewhere/app/__main__.py", "a.pth"])
    assert skein_command() == [sys.executable, "-X", "utf8", "-m", "app"]


def test_asking_closes_and_remembers() -> None:
    closed: list[bool] = []
    restart = Restart(lambda: closed.append(True))
    assert restart.command is None
    restart.ask("--safe")
    assert closed
    assert restart.command is not None
    assert restart.command[-1] == "--safe"


def test_it_starts_again_although_its_files_were_taken_away(tmp_path: Path) -> None:
    """As an update of the .deb does; what is asked for later must not be looked for then."""
    root = make_root(tmp_path / "skein", channel="deb")
    restart = Restart(lambda: None, Installation(root, "0.1.0", "deb"))
    shutil.rmtree(root / "versions")
    restart.ask("--safe")
    assert restart.command == [str(root / "skein"), "--safe"]
