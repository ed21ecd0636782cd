"""The running version's files are exchanged or removed under it, as a package manager does."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.replaced import ReplacedWatch
from app.restart import Restart
from app.window import MainWindow
from engine.installation import Installation
from tests.installers.tree_kit import add_version, make_root

SETTLE_MS = 20


@dataclass
class Running:
    """A window over an installed copy, 0.1.0, as it runs."""

    qtbot: QtBot
    here: Installation
    window: MainWindow
    restart: Restart
    closed: list[str]

    def told(self) -> str:
        found = self.window.notice.findChild(QLabel, "notice_message")
        assert isinstance(found, QLabel)
        return found.text() if self.window.notice.isVisible() else ""

    def wait_for(self, words: str) -> None:
        self.qtbot.waitUntil(lambda: words in self.told(), timeout=5000)


@pytest.fixture
def running(
    qtbot: QtBot, theme, settings, store, conversations, tmp_path: Path
) -> Iterator[Running]:
    here = Installation(make_root(tmp_path / "ünï 中 skein", channel="deb"), "0.1.0", "deb")
    window = MainWindow(theme, settings, conversations, {"chat": QWidget()}, store.conversations)
    qtbot.addWidget(window)
    closed: list[str] = []
    restart = Restart(lambda: closed.append("window"), here)
    ReplacedWatch(window, here, restart, settle_ms=SETTLE_MS)
    window.show()
    qtbot.waitExposed(window)
    yield Running(qtbot, here, window, restart, closed)
    window.close()
    settings.flush()


def switch(here: Installation, version: str) -> None:
    """Write ``current`` as dpkg does: beside, and renamed."""
    new = here.root / "current.dpkg-new"
    new.write_text(f"{version}\n")
    os.replace(new, here.root / "current")


def test_an_update_by_a_package_manager_is_told_and_leads_to_the_new_version(
    running: Running,
) -> None:
    add_version(running.here.root, "0.2.0")
    switch(running.here, "0.2.0")
    shutil.rmtree(running.here.tree)
    running.wait_for("updated while it was running")
    buttons = running.window.notice.findChildren(QPushButton)
    next(button for button in buttons if button.text() == "Start again now").click()
    assert running.closed == ["window"]
    assert running.restart.command == [str(running.here.root / "skein")]
    assert running.told() == ""


def test_another_build_of_the_same_version_counts(running: Running) -> None:
    manifest = running.here.tree / "manifest.json"
    new = manifest.with_name("manifest.json.dpkg-new")
    new.write_bytes(manifest.read_bytes() + b"\n")
    os.replace(new, manifest)
    running.wait_for("updated while it was running")


def test_the_same_package_again_is_nothing_to_tell_and_the_next_one_is(running: Running) -> None:
    manifest = running.here.tree / "manifest.json"
    new = manifest.with_name("manifest.json.dpkg-new")
    shutil.copy2(manifest, new)
    os.replace(new, manifest)
    running.qtbot.wait(5 * SETTLE_MS)
    assert running.told() == ""
    add_version(running.here.root, "0.2.0")
    switch(running.here, "0.2.0")
    manifest.unlink()
    running.wait_for("updated while it was running")


def test_a_removal_is_told_when_it_is_one(running: Running) -> None:
    """The manifest may go long before ``current``: an update looks the same until then."""
    (running.here.tree / "manifest.json").unlink()
    running.qtbot.wait(5 * SETTLE_MS)
    assert running.told() == ""
    (running.here.root / "current").unlink()
    running.wait_for("removed while it was running")


def test_a_copy_that_was_not_installed_is_not_watched(qtbot: QtBot, running: Running) -> None:
    ReplacedWatch(running.window, None, running.restart, settle_ms=SETTLE_MS)
    assert running.told() == ""
