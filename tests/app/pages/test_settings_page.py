from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QSlider,
    QWidget,
)

from app.pages.settings_page import SettingsPage
from engine.checkpoint.shape import ModelShape
from engine.hardware import Gpu, Hardware
from engine.plan import choose

SECTIONS = ("general", "storage", "inference", "privacy", "keys", "about")
MACHINE = Hardware(
    system="Linux 6.8",
    cpu_name="AMD Ryzen 7",
    cores=8,
    threads=16,
    instruction_sets=("avx2", "fma"),
    ram_total=32_000_000_000,
    ram_free=20_000_000_000,
    ram_bandwidth=41e9,
    gpus=(
        Gpu(
            index=0,
            name="RTX 4070",
            kind="cuda",
            vram_total=12_000_000_000,
            vram_free=11_000_000_000,
            driver="566",
            capability=(8, 9),
            bandwidth=504e9,
            usable=False,
            why_not="Install the CUDA build.",
        ),
    ),
    torch_build="2.13.0+cpu",
)


@pytest.fixture
def page(qtbot, theme, settings, folders, no_updates) -> SettingsPage:
    made = SettingsPage(theme, settings, folders, no_updates)
    qtbot.addWidget(made)
    made.resize(700, 600)
    made.show()
    return made


def find(page: SettingsPage, name: str, kind: type = QWidget):
    found = page.findChild(kind, name)
    assert found is not None, name
    return found


def choose_text(qtbot, box: QComboBox, value: object) -> None:
    box.setCurrentIndex(box.findData(value))
    box.activated.emit(box.currentIndex())


def test_theme_and_language_are_set_and_followed(qtbot, page, settings):
    theme_box = find(page, "theme_choice", QComboBox)
    choose_text(qtbot, theme_box, "dark")
    assert settings.get("theme") == "dark"
    settings.set("theme", "light")
    assert theme_box.currentData() == "light"
    choose_text(qtbot, find(page, "language_choice", QComboBox), "ja")
    assert settings.get("language") == "ja"


def test_text_size_follows_in_both_directions(page, settings):
    slider = find(page, "text_size", QSlider)
    slider.setValue(15)
    assert settings.get("text_scale") == 1.5
    settings.set("text_scale", 2.0)
    assert slider.value() == 20
    assert find(page, "text_size_percent").text() == "200 %"


def test_boxes_set_settings(qtbot, page, settings):
    qtbot.mouseClick(find(page, "load_last_model"), Qt.MouseButton.LeftButton)
    assert not settings.get("load_last_model")


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_no_section_is_wider_than_its_place(page, theme, qapp, scale):
    theme.apply(qapp, "dark", scale)
    page.show_hardware(MACHINE)
    for name in SECTIONS:
        page.show_section(name)
        assert page.section == name
        qapp.processEvents()
        section = find(page, f"settings_{name}")
        assert section.widget().width() <= section.viewport().width(), name


def test_every_control_has_a_name(page):
    for name in SECTIONS:
        page.show_section(name)
    for kind in (QAbstractButton, QLineEdit, QComboBox, QSlider):
        for control in page.findChildren(kind):
            own = control.objectName() and not control.objectName().startswith("qt_")
            assert not own or control.accessibleName(), control.objectName()


def test_strategy_is_checked_before_it_is_taken(qtbot, page, settings):
    page.show_section("inference")
    field, problem = find(page, "strategy_override"), find(page, "strategy_problem")
    field.setText("cuda fp99")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert "fp99" in problem.text()
    assert problem.isVisible()
    assert settings.get("strategy") == "auto"
    field.setText("CPU  bf16")
    qtbot.mouseClick(find(page, "apply_strategy"), Qt.MouseButton.LeftButton)
    assert settings.get("strategy") == "cpu bf16"
    assert not problem.isVisible()
    qtbot.mouseClick(find(page, "auto_strategy"), Qt.MouseButton.LeftButton)
    assert settings.get("strategy") == "auto"


def test_a_type_that_this_installation_lacks_is_not_taken(qtbot, page, settings):
    page.show_section("inference")
    page.show_hardware(replace(MACHINE, native=""), None)
    find(page, "strategy_override").setText("cpu q4")
    qtbot.mouseClick(find(page, "apply_strategy"), Qt.MouseButton.LeftButton)
    assert "not built" in find(page, "strategy_problem").text()
    assert settings.get("strategy") == "auto"
    page.show_hardware(replace(MACHINE, native="avx2"), None)
    qtbot.mouseClick(find(page, "apply_strategy"), Qt.MouseButton.LeftButton)
    assert settings.get("strategy") == "cpu q4"


def test_more_threads_than_there_are_are_not_taken(qtbot, page, settings):
    page.show_section("inference")
    page.show_hardware(MACHINE, None)
    field, problem = find(page, "strategy_override"), find(page, "strategy_problem")
    for wrong in ("cpu fp16 @99", "cpu fp16 @0"):
        field.setText(wrong)
        qtbot.keyClick(field, Qt.Key.Key_Return)
        assert f"“{wrong.split()[-1]}” is" in problem.text()
        assert settings.get("strategy") == "auto"
    field.setText(f"cpu fp16 @{MACHINE.threads}")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert settings.get("strategy") == f"cpu fp16 @{MACHINE.threads}"


def test_hardware_and_plan_are_shown_also_when_told_before(page):
    plan = choose(ModelShape.released("1.5b"), MACHINE)
    page.show_hardware(MACHINE, plan, "g1-1.5b")
    page.show_section("inference")
    said = [child.accessibleName() for child in find(page, "hardware_table").findChildren(QWidget)]
    assert "Processor: AMD Ryzen 7" in said
    assert any("Install the CUDA build." in text for text in said)
    assert find(page, "chosen_strategy").text() == f"g1-1.5b: {plan.strategy}"
    assert find(page, "strategy_reason").text() == plan.reason
    page.show_hardware(MACHINE, None)
    assert find(page, "chosen_strategy").text() == "No model is loaded"


def test_storage_is_shown_as_a_bar(page):
    page.show_storage(9_000_000_000, 1_000_000_000, 4_000_000_000)
    page.show_section("storage")
    assert find(page, "state_usage").value() == 250
    assert find(page, "state_usage_text").text() == "1 GB of 4 GB used"
    assert find(page, "models_size").text() == "Models take 9 GB"
    page.show_storage(0, 5, 0)
    assert find(page, "state_usage").value() == 1000


def test_prepared_models_are_shown_and_deleted(qtbot, page):
    page.show_storage(0, 0, 1, 0)
    page.show_section("storage")
    button = find(page, "clear_packed")
    assert not button.isEnabled()
    page.show_storage(0, 0, 1, 2_000_000_000)
    assert find(page, "packed_size").text() == "2 GB"
    with qtbot.waitSignal(page.clear_packed_requested):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_power_is_saved_when_wanted(qtbot, page, settings):
    page.show_section("inference")
    box = find(page, "power_saving")
    assert not settings.get("power_saving")
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton)
    assert settings.get("power_saving")
    settings.set("power_saving", False)
    assert not box.isChecked()


def test_budget_from_the_file_is_a_choice(qtbot, page, settings):
    settings.set("state_budget_bytes", 5_000_000_000)
    page.show_section("storage")
    box = find(page, "state_budget", QComboBox)
    assert box.currentText() == "5 GB"
    choose_text(qtbot, box, 16_000_000_000)
    assert settings.get("state_budget_bytes") == 16_000_000_000


def test_prepared_models_have_a_budget(qtbot, page, settings):
    page.show_section("storage")
    box = find(page, "packed_budget", QComboBox)
    assert box.currentText() == "16 GB"
    choose_text(qtbot, box, 0)
    assert box.currentText() == "None"
    assert settings.get("packed_budget_bytes") == 0


def test_folders_are_added_and_removed(qtbot, page, settings, tmp_path):
    page.show_section("storage")
    storage = find(page, "settings_storage")
    storage.add_folder(str(tmp_path))
    storage.add_folder(str(tmp_path))
    assert settings.get("model_folders") == (str(tmp_path),)
    qtbot.mouseClick(find(page, "remove_folder_0"), Qt.MouseButton.LeftButton)
    assert settings.get("model_folders") == ()


def test_a_file_among_the_folders_is_called_one(page, settings, tmp_path):
    file = tmp_path / "model.pth"
    file.write_bytes(b"")
    settings.set("model_folders", (str(tmp_path), str(file)))
    page.show_section("storage")
    names = [find(page, f"model_folder_{number}").accessibleName() for number in (0, 1)]
    assert names == ["Further folder", "Further file"]
    assert "file" in find(page, "remove_folder_1").toolTip()
    assert any(label.text() == "Further folders and files" for label in page.findChildren(QLabel))


def test_addresses_are_checked(page, settings):
    page.show_section("storage")
    field = find(page, "hub_endpoint")
    field.setText("not an address")
    field.editingFinished.emit()
    assert find(page, "hub_endpoint_problem").isVisible()
    assert settings.get("hub_endpoint") == ""
    field.setText("https://mirror.example")
    field.editingFinished.emit()
    assert settings.get("hub_endpoint") == "https://mirror.example"


def test_the_token_goes_out_and_is_not_kept(qtbot, page, settings):
    page.show_section("storage")
    field = find(page, "hub_token")
    qtbot.keyClicks(field, "hf_secret")
    with qtbot.waitSignal(page.token_entered) as caught:
        qtbot.mouseClick(find(page, "save_token"), Qt.MouseButton.LeftButton)
    assert caught.args == ["hf_secret"]
    assert field.text() == ""
    page.show_token(True, "Saved.")
    assert field.placeholderText() == "A token is saved"


@pytest.mark.parametrize(
    ("section", "button", "signal"),
    [
        ("storage", "free_space", "free_space_requested"),
        ("inference", "look_again", "look_again_requested"),
        ("about", "show_report", "report_requested"),
    ],
)
def test_buttons_only_ask(qtbot, page, section, button, signal):
    page.show_section(section)
    with qtbot.waitSignal(getattr(page, signal)):
        qtbot.mouseClick(find(page, button), Qt.MouseButton.LeftButton)


def test_versions_can_be_copied(qtbot, page):
    page.show_section("about")
    qtbot.mouseClick(find(page, "copy_versions"), Qt.MouseButton.LeftButton)
    assert "Skein 0." in QApplication.clipboard().text()


def test_a_section_that_fits_does_not_scroll(page, qtbot):
    page.resize(930, 780)
    for name in ("general", "privacy", "keys"):
        page.show_section(name)
        qtbot.wait(1)
        assert find(page, f"settings_{name}").verticalScrollBar().maximum() == 0, name
