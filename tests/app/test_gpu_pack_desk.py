"""The GPU pack in the composed application: offered once, fetched, told, removed at a new start."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from app.application import Application, build
from app.services.library import Machine, this_machine
from engine.folders import Folders
from engine.gpu_pack.install import PackInstall
from engine.gpu_pack.table import PackRow
from tests.engine.machines import CU130, card, machine
from tests.pack_kit import SELF_TEST, IndexServer, tiny_index

TIMEOUT_MS = 15_000
HERE = machine(16, 11, card(12, 11.2, "NVIDIA GeForce RTX 4070"))


@pytest.fixture
def index() -> Iterator[tuple[IndexServer, PackRow]]:
    with tiny_index() as made:
        yield made


@pytest.fixture
def start(
    qtbot: QtBot,
    folders: Folders,
    index: tuple[IndexServer, PackRow],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Application]]:
    opened: list[Application] = []
    folders.create()
    # Neither the question about updates nor the news stand before what is looked at here.
    folders.settings_file.write_text('check_updates = "no"\n')

    def computer(cache: Path, *, processor_only: bool = False) -> Machine:
        found = replace(HERE, gpus=()) if processor_only else HERE
        return replace(this_machine(cache), detect=lambda: found, measure=lambda known: known)

    monkeypatch.setattr("app.application.this_machine", computer)

    def install(row: PackRow, folders: Folders, _settings: object) -> PackInstall:
        address = index[0].address
        return PackInstall(row, folders.packs, address, margin_bytes=0, self_test=SELF_TEST)

    def begin(safe: bool = False) -> Application:
        made = build(["skein"], built_in=lambda: None, safe=safe)
        opened.append(made)
        made.packs._rows, made.packs._make_install = (index[1],), install
        made.window.show()
        qtbot.waitUntil(lambda: made.packs.facts is not None, timeout=TIMEOUT_MS)
        return made

    yield begin
    for made in opened:
        made.window.close()
        made.close()
        made.window.deleteLater()
        QApplication.processEvents()


def notice(application: Application) -> str:
    found = application.window.notice.findChild(QLabel, "notice_message")
    assert found is not None
    return found.text() if application.window.notice.isVisible() else ""


def press(application: Application, number: int) -> None:
    found = application.window.notice.findChild(QPushButton, f"notice_action_{number}")
    assert found is not None
    found.click()


def test_offered_once_fetched_and_told(start, qtbot: QtBot) -> None:
    application = start()
    assert notice(application) == "NVIDIA GeForce RTX 4070 could do the work"
    press(application, 1)
    assert application.window.page == "settings"
    assert application.settings_page.section == "inference"
    assert application.settings.get("gpu_pack_offered")
    get = application.settings_page.findChild(QPushButton, "pack_get")
    assert get is not None
    get.click()
    again = application.settings_page.findChild(QPushButton, "pack_again")
    assert again is not None
    qtbot.waitUntil(again.isVisible, timeout=TIMEOUT_MS)
    assert notice(application) == ""  # the panel says it
    again.click()
    assert application.restart.command is not None
    assert not application.window.isVisible()


def test_who_gets_it_is_not_offered_it_any_more(start, index) -> None:
    application = start()
    index[0].faults.piece_delay_s = 0.05
    assert notice(application)
    application.packs.start()
    assert notice(application) == ""


def test_not_now_means_never_again(start) -> None:
    application = start()
    press(application, 2)
    assert notice(application) == ""
    application.window.close()
    again = start()
    assert notice(again) == ""
    again.gpu_pack.show()
    get = again.settings_page.findChild(QPushButton, "pack_get")
    assert get is not None
    assert get.isVisible()


def test_a_safe_start_offers_nothing_and_still_removes(start, qtbot: QtBot) -> None:
    application = start()
    application.packs.start()
    qtbot.waitUntil(lambda: notice(application) == "The GPU pack is ready", timeout=TIMEOUT_MS)
    application.window.close()
    safe = start(safe=True)
    assert notice(safe) == "Skein was started safely."
    safe.gpu_pack.show()
    remove = safe.settings_page.findChild(QPushButton, "pack_remove")
    assert remove is not None

    def confirm() -> None:
        box = QApplication.activeModalWidget()
        assert box is not None
        button = box.findChild(QPushButton, "confirm_remove_pack")
        assert button is not None
        button.click()

    QTimer.singleShot(50, confirm)
    remove.click()
    qtbot.waitUntil(lambda: safe.packs.facts.active is None, timeout=TIMEOUT_MS)
    assert not list(safe.folders.packs.glob("*/pack.json"))


def test_a_card_that_went_away_is_said_once(
    start, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = start()
    application.packs.start()
    qtbot.waitUntil(lambda: notice(application) == "The GPU pack is ready", timeout=TIMEOUT_MS)
    assert application.packs.facts is not None
    assert application.packs.facts.active is not None
    monkeypatch.setattr("sys.path", [str(application.packs.facts.active.folder), *sys.path])
    application.window.close()
    monkeypatch.setattr(sys.modules[__name__], "HERE", machine(16, 11, build=CU130))
    again = start()
    assert notice(again) == "The GPU pack is not used"
    press(again, 1)
    assert notice(again) == ""
    again.packs.look()
    qtbot.waitUntil(lambda: not again.tasks.busy, timeout=TIMEOUT_MS)
    assert notice(again) == ""


def test_a_pack_that_does_not_load_is_named(start, qtbot: QtBot, folders: Folders) -> None:
    """In a process of its own: this one has its PyTorch already."""
    application = start()
    application.packs.start()
    qtbot.waitUntil(lambda: notice(application) == "The GPU pack is ready", timeout=TIMEOUT_MS)
    assert application.packs.facts is not None
    assert application.packs.facts.active is not None
    folder = application.packs.facts.active.folder
    (folder / "torch" / "__init__.py").write_text("raise OSError('libcublas.so.13: not there')")
    code = (
        "from engine.folders import Folders; from engine.gpu_pack.overlay import use_pack\n"
        "assert use_pack(Folders.standard()) == ''\n"
        "from app.application import build; application = build(['skein'])\n"
        "def told(*words): print(*words); application.qt_app.quit()\n"
        "application.engine.start_failed.connect(told)\n"
        "application.qt_app.exec(); application.close()"
    )
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "libcublas.so.13: not there" in answer.stdout
    assert "Repair the GPU pack" in answer.stdout
    assert "Unexpected error" not in answer.stderr
