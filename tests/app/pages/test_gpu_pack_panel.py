"""The GPU pack's panel: the real widgets over the real service and engine, a local index."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QMessageBox, QProgressBar, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.pages.sections.gpu_pack import GpuPackPanel, guessed_minutes, why_none
from app.services.gpu_packs import GpuPackService
from app.services.tasks import Tasks
from app.settings import SettingsStore
from app.theme import Theme
from engine.folders import Folders
from engine.gpu_pack.choice import choose_pack
from engine.gpu_pack.install import PackInstall
from engine.gpu_pack.table import PackRow
from tests.engine.machines import CU130, card, machine
from tests.pack_kit import SELF_TEST, IndexServer, tiny_index, tiny_row

TIMEOUT_MS = 15_000
NAME = "NVIDIA GeForce RTX 4070"
HERE = machine(16, 11, card(12, 11.2, NAME))
_UNUSABLE = card(12, 11.2, NAME, why_not="The driver is too old.")
OLD_DRIVER = machine(16, 11, replace(_UNUSABLE, driver="470.12"), build=CU130)
OLDER_DRIVER = machine(16, 11, replace(_UNUSABLE, driver="535.10"), build=CU130)


class Desk:
    """The panel and all that it stands on."""

    def __init__(self, qtbot: QtBot, theme: Theme, folders: Folders, rows: list[PackRow]) -> None:
        folders.create()
        self.qtbot, self.folders = qtbot, folders
        self.address = ""
        self.self_test: tuple[str, ...] = SELF_TEST
        self.settings, self.tasks = SettingsStore(folders.settings_file), Tasks()
        self.service = GpuPackService(
            folders, self.settings, self.tasks, rows=rows, make_install=self._install
        )
        self.panel = GpuPackPanel(theme, self.settings, self.service)
        self.outer = QWidget()
        self.panel.setParent(self.outer)
        self.outer.resize(700, 500)
        qtbot.addWidget(self.outer)
        self.outer.show()

    def _install(self, row: PackRow, folders: Folders, _settings: object) -> PackInstall:
        own = {"margin_bytes": 0, "pauses_s": (0.0,), "self_test": self.self_test}
        return PackInstall(row, folders.packs, self.address, **own)

    def look(self, hardware=HERE) -> None:
        with self.qtbot.waitSignal(self.service.changed, timeout=TIMEOUT_MS):
            self.service.look(hardware)

    def wait(self, what: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(what, timeout=TIMEOUT_MS)

    def text(self, name: str) -> str:
        found = self.panel.findChild(QLabel, name)
        assert found is not None, name
        return found.text() if not found.isHidden() else ""

    def button(self, name: str) -> QPushButton:
        found = self.panel.findChild(QPushButton, f"pack_{name}")
        assert found is not None, name
        return found

    def click(self, name: str) -> None:
        assert not self.button(name).isHidden(), name
        self.qtbot.mouseClick(self.button(name), Qt.MouseButton.LeftButton)

    def shown(self) -> list[str]:
        names = ("get", "again", "pause", "cancel", "repair", "remove")
        return [name for name in names if not self.button(name).isHidden()]

    def close(self) -> None:
        self.service.close()
        self.tasks.close()
        self.settings.flush()


@pytest.fixture
def index() -> Iterator[tuple[IndexServer, PackRow]]:
    with tiny_index() as made:
        yield made


@pytest.fixture
def desk(
    qtbot: QtBot, theme: Theme, folders: Folders, index: tuple[IndexServer, PackRow]
) -> Iterator[Desk]:
    made = Desk(qtbot, theme, folders, [index[1]])
    made.address = index[0].address
    yield made
    made.close()


def test_from_the_offer_to_a_pack_and_back(desk: Desk, index, qtbot: QtBot) -> None:
    assert desk.panel.isHidden()  # nothing is known yet
    desk.look()
    assert desk.text("pack_headline") == f"{NAME} could do the work"
    assert "to download: about 1 min" in desk.text("pack_note")
    assert desk.shown() == ["get"]

    index[0].faults.piece_delay_s = 0.05
    desk.click("get")
    assert desk.shown() == ["pause", "cancel"]
    desk.wait(lambda: " of 50" in desk.text("pack_numbers"))  # ... of 503 kB, or so
    desk.click("pause")
    desk.wait(lambda: desk.shown() == ["get", "cancel"])
    assert "of the GPU pack are here" in desk.text("pack_headline")
    assert desk.button("get").text() == "Go on"
    bar = desk.panel.findChild(QProgressBar, "pack_progress")
    assert bar is not None
    assert 0 < bar.value() < bar.maximum()

    index[0].faults.piece_delay_s = 0.0
    desk.click("get")
    desk.wait(lambda: "again" in desk.shown())
    assert desk.text("pack_headline") == "The GPU pack is ready"
    with qtbot.waitSignal(desk.panel.restart_requested):
        desk.click("again")

    desk.click("remove")
    box = desk.panel.findChild(QMessageBox, "remove_pack_dialog")
    assert box is not None
    confirm = box.findChild(QPushButton, "confirm_remove_pack")
    assert confirm is not None
    confirm.click()
    desk.wait(lambda: desk.shown() == ["get"])


def test_a_failure_stands_where_it_happened(desk: Desk) -> None:
    desk.self_test = ("false",)
    desk.look()
    desk.click("get")
    desk.wait(lambda: "crashed" in desk.text("problem_message"))
    assert "Try again" in desk.text("problem_hint")
    assert "to download" not in desk.text("pack_note"), "all of it is here"
    assert desk.shown() == ["get", "cancel"]
    assert desk.button("get").text() == "Try again"
    desk.self_test = SELF_TEST
    desk.click("get")
    desk.wait(lambda: "again" in desk.shown())
    assert desk.text("problem_message") == ""


def test_a_full_disk_is_said_before(desk: Desk) -> None:
    desk.look()
    assert desk.service.facts is not None
    desk.service.facts = replace(desk.service.facts, free_bytes=1000)
    desk.service.changed.emit()
    assert not desk.button("get").isEnabled()
    assert "Free some space" in desk.text("pack_note")


@pytest.mark.parametrize(
    ("hardware", "seen"),
    [
        (machine(16, 11), False),  # no card
        (machine(16, 11, card(12, 11), build=CU130), False),  # all is well without a pack
        (machine(16, 11, card(12, 11, capability=(5, 2))), True),  # too old
    ],
)
def test_it_is_there_when_it_is_of_use(desk: Desk, hardware, seen: bool) -> None:
    desk.look(hardware)
    assert desk.panel.isHidden() != seen
    assert desk.shown() == []


def test_why_there_is_none() -> None:
    old_driver = machine(16, 11, replace(card(12, 11), driver="470.12"))
    choice = choose_pack(old_driver, [tiny_row()])
    assert "driver 470.12 is too old" in why_none(choice)
    assert "too old for PyTorch" in why_none(
        choose_pack(machine(16, 11, card(12, 11, capability=(5, 2))), [tiny_row()])
    )
    assert "does not list its files yet" in why_none(choose_pack(HERE, [tiny_row()]))


@pytest.mark.parametrize(
    ("hardware", "why", "buttons"),
    [
        (machine(16, 11, build=CU130), "no NVIDIA card", ["repair", "remove"]),
        (OLD_DRIVER, "driver 470.12 is too old", ["repair", "remove"]),
        (OLDER_DRIVER, "The driver is too old.", ["get", "remove"]),
    ],
)
def test_a_card_that_went_away_later(
    desk: Desk, index, monkeypatch: pytest.MonkeyPatch, hardware, why: str, buttons: list[str]
) -> None:
    """The pack was laid over at this start, and there is nothing for it to run on."""
    desk.look()
    desk.click("get")
    desk.wait(lambda: "again" in desk.shown())
    assert desk.service.facts is not None
    assert desk.service.facts.active is not None
    monkeypatch.setattr("sys.path", [str(desk.service.facts.active.folder), *sys.path])
    other = replace(index[1], name="cu128", driver_from=525, wheels=index[1].wheels[:1])
    desk.service._rows = (index[1], other)
    desk.look(hardware)
    assert desk.text("pack_headline") == "The GPU pack is not used"
    assert why in desk.text("pack_text")
    assert desk.shown() == buttons
    desk.look(machine(16, 11, card(12, 11), build=CU130))
    assert desk.text("pack_headline") == "The GPU pack is in use"


def test_the_address_is_checked(desk: Desk) -> None:
    field = desk.panel.findChild(QLineEdit, "pack_index")
    assert field is not None
    field.setText("mirror")
    field.editingFinished.emit()
    assert desk.text("pack_index_problem")
    assert desk.settings.get("pack_index") == ""
    field.setText("https://mirror.example/simple")
    field.editingFinished.emit()
    assert desk.text("pack_index_problem") == ""
    assert desk.settings.get("pack_index") == "https://mirror.example/simple"


def test_the_guess() -> None:
    assert guessed_minutes(2_840_000_000, 7_000_000_000) == 5
    assert guessed_minutes(0, 0) == 1
