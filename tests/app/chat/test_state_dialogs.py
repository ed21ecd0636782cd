"""Where a state is written to: under the ending of its format, over nothing by accident."""

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from app.chat.state_dialogs import ask_where_to_write, target_of


def test_an_ending_that_was_typed_says_the_format(tmp_path: Path) -> None:
    assert target_of(tmp_path / "a.st", "pth", ".pth") == (tmp_path / "a.st", "web-rwkv")
    assert target_of(tmp_path / "G1 0.4B", "pth", ".pth") == (tmp_path / "G1 0.4B.pth", "pth")


def test_an_ending_that_we_add_replaces_nothing(tmp_path: Path) -> None:
    for name in ("G1 0.4B.pth", "G1 0.4B 2.pth"):
        (tmp_path / name).write_text("a model, perhaps")
    assert target_of(tmp_path / "G1 0.4B", "pth", ".pth")[0].name == "G1 0.4B 3.pth"


def test_the_dialog_knows_the_ending(qtbot, tmp_path: Path) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    ask_where_to_write(window, "Me", lambda _path, _format: None)
    dialog = window.findChild(QFileDialog, "export_state_dialog")
    assert dialog is not None
    assert dialog.defaultSuffix() == "safetensors"
    dialog.filterSelected.emit(dialog.nameFilters()[1])
    assert dialog.defaultSuffix() == "pth"
    dialog.close()
