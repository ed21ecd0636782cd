"""The Models pane through its real widgets, a real local hub and real small files."""

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QTabBar,
    QToolButton,
    QWidget,
)
from safetensors.numpy import save_file

from app.pages.models_page import ModelsPage
from app.pages.models_words import catalogue_age, machine_text
from tests.app.models_kit import DATA, LAPTOP, LARGE, OLD, REPO, SMALL, write_model

KEY = f"{REPO}/{SMALL}"


@pytest.fixture
def page(qtbot, theme, library, downloads):
    # In a plain parent, as in the window: offscreen, a window of its own that changes its
    # smallest size makes Qt warn.
    host = QWidget()
    qtbot.addWidget(host)
    made = ModelsPage(theme, library, downloads, host)
    host.resize(900, 600)
    made.resize(900, 600)
    host.show()
    host.activateWindow()
    yield made
    host.close()  # and keep it until here: qtbot holds it weakly


@pytest.fixture
def start(qtbot, page, library, tasks):
    def go(tab="available"):
        with qtbot.waitSignal(tasks.idle):
            library.start()
        page.show_tab(tab)

    return go


def find(page, kind, name, model_id="") -> Any:
    found = [
        widget
        for widget in page.findChildren(kind, name)
        if widget.isVisible() and (not model_id or widget.property("model_id") == model_id)
    ]
    return found[0] if found else None


def click(qtbot, page, name, model_id="", kind=QAbstractButton):
    button = find(page, kind, name, model_id)
    assert button is not None, f"no {name} of {model_id}"
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def texts(page, name):
    return [w.text() for w in page.findChildren(QLabel, name) if w.isVisible()]


def test_download_to_load(qtbot, page, start, tasks, downloads, folders):
    start()
    assert texts(page, "model_name") == ["RWKV-7 G1 0.1B"]
    assert len(texts(page, "recommended_badge")) == 1
    assert texts(page, "plan_badge") == ["Fits"]
    assert "tokens/s" in texts(page, "plan_speed")[0]
    assert "191M parameters" in texts(page, "model_facts")[0]
    with qtbot.waitSignal(downloads.finished):
        click(qtbot, page, "download_button", KEY)
    qtbot.waitUntil(lambda: not tasks.busy)
    assert (folders.models / SMALL).exists()
    assert find(page, QProgressBar, "download_progress") is None


def test_pause_resume_cancel_by_keyboard(qtbot, page, start, downloads, server):
    server.faults.stall_after = 400_000
    server.faults.piece_delay_s = 0.03
    start()
    button = find(page, QPushButton, "download_button", KEY)
    button.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(button, Qt.Key.Key_Space)
    pause = find(page, QToolButton, "pause_button", KEY)
    assert pause.hasFocus()
    bar = find(page, QProgressBar, "download_progress", KEY)
    qtbot.waitUntil(lambda: bar.value() > 0)
    assert "%" in texts(page, "download_numbers")[0]
    qtbot.keyClick(pause, Qt.Key.Key_Space)
    resume = find(page, QToolButton, "resume_button", KEY)
    assert resume.hasFocus()
    assert texts(page, "download_numbers")[0].startswith("Paused")
    with qtbot.waitSignal(downloads.removed):
        click(qtbot, page, "cancel_button", KEY)
    assert find(page, QPushButton, "download_button", KEY) is not None


def test_a_failure_stands_on_its_card(qtbot, page, start, downloads, server, folders):
    start()
    server.faults.status = 503
    with qtbot.waitSignal(downloads.failed):
        click(qtbot, page, "download_button", KEY)
    assert "error 503" in texts(page, "problem_message")[0]
    assert texts(page, "problem_hint")[0]
    server.reset()
    with qtbot.waitSignal(downloads.finished):
        click(qtbot, page, "retry_button", KEY)
    assert (folders.models / SMALL).read_bytes() == DATA


def test_free_space_leads_to_what_can_be_deleted(qtbot, page, start, downloads, monkeypatch):
    start()
    monkeypatch.setattr("engine.hub.disk.free_bytes", lambda folder: 1000)
    with qtbot.waitSignal(downloads.failed):
        click(qtbot, page, "download_button", KEY)
    click(qtbot, page, "free_space_button", KEY)
    assert page.findChild(QTabBar, "models_tabs").currentIndex() == 0


def test_load_eject_and_errors(qtbot, page, start, folders):
    path = write_model(folders.models / "rwkv7-tiny.safetensors")
    start("ready")
    with qtbot.waitSignal(page.load_requested) as asked:
        click(qtbot, page, "load_button", str(path))
    assert asked.args == [path]
    page.set_loading(path, 0.42)
    assert find(page, QProgressBar, "load_progress").value() == 420
    assert not find(page, QPushButton, "load_button", str(path)).isEnabled()
    page.set_loaded(path)
    assert texts(page, "loaded_badge") == ["Loaded"]
    with qtbot.waitSignal(page.eject_requested):
        click(qtbot, page, "eject_button", str(path))
    page.set_loaded(None)
    page.show_load_error(path, "It does not fit.", "Choose another strategy.", "cpu bf16")
    assert texts(page, "problem_message") == ["It does not fit."]
    with qtbot.waitSignal(page.load_with_requested) as other:
        click(qtbot, page, "load_with_button", str(path))
    assert other.args == [path, "cpu bf16"]
    with qtbot.waitSignal(page.load_requested):
        click(qtbot, page, "retry_button", str(path))


@pytest.mark.qt_log_ignore("propagateSizeHints")
def test_delete_asks_first(qtbot, page, start, library, folders):
    path = write_model(folders.models / "rwkv7-tiny.safetensors")
    start("ready")
    click(qtbot, page, "delete_button", str(path))
    box = page.findChild(QMessageBox, "delete_dialog")
    assert str(path) in box.informativeText()
    assert "kB" in box.informativeText() or "MB" in box.informativeText()
    assert box.defaultButton().objectName() == "cancel_delete_button"
    box.defaultButton().click()
    assert path.exists()
    click(qtbot, page, "delete_button", str(path))
    with qtbot.waitSignal(library.deleted):
        page.findChildren(QPushButton, "confirm_delete_button")[-1].click()
    assert not path.exists()
    assert texts(page, "model_name") == []


def test_a_damaged_file_says_so_and_cannot_be_loaded(page, start, folders):
    (folders.models / "broken.pth").write_bytes(b"no")
    start("ready")
    assert "broken.pth" in texts(page, "problem_message")[0]
    assert find(page, QPushButton, "load_button") is None
    assert find(page, QToolButton, "delete_button") is not None


def test_search_and_filters(qtbot, page, start, server):
    server.add(REPO, LARGE, DATA)
    start()
    assert len(texts(page, "model_name")) == 2
    click(qtbot, page, "filter_fits")
    assert texts(page, "model_name") == ["RWKV-7 G1 0.1B"]
    qtbot.keyClicks(page.findChild(QLineEdit, "models_search"), "13.3")
    assert texts(page, "model_name") == []
    click(qtbot, page, "empty_action")
    assert len(texts(page, "model_name")) == 2


def menu_words(page, name="variant_menu"):
    (shown,) = [menu for menu in page.findChildren(QMenu, name) if menu.isVisible()]
    return shown, [action.text() for action in shown.actions()]


def test_one_card_and_its_files_to_choose_from(qtbot, page, start, server):
    q8, q4 = "rwkv7-g1d-0.1b-Q8_0.gguf", "rwkv7-g1d-0.1b-Q4_K_M.gguf"
    for name in (OLD, q8, q4):
        server.add(REPO, name, DATA)
    start()
    assert texts(page, "model_name") == ["RWKV-7 G1 0.1B"]
    chooser = find(page, QToolButton, "variant_button")
    assert "(1 of 4)" in chooser.text()
    assert "rounded" in texts(page, "variant_reason")[0]
    click(qtbot, page, "variant_button")
    shown, words = menu_words(page)
    assert words[0] == "release g1d · 29 Jan 2026"
    assert [word.split(" · ")[0] for word in words[1:4]] == [
        "16-bit .pth",
        "Q8_0 GGUF",
        "Q4_K_M GGUF",
    ]
    assert words[4] == "release g1c · 1 Nov 2025"
    shown.actions()[3].trigger()
    shown.close()
    key = f"{REPO}/{q4}"
    assert find(page, QToolButton, "variant_button", key).hasFocus()
    assert texts(page, "variant_reason") == [""]
    assert find(page, QPushButton, "download_button", key) is not None
    assert find(page, QPushButton, "download_button", KEY) is None


def test_another_file_that_comes_in_keeps_its_row(qtbot, page, start, server, downloads, tasks):
    server.add(REPO, OLD, DATA)
    server.faults.piece_delay_s = 0.01
    start()
    downloads.start(page._library.available[1].remote)
    assert find(page, QWidget, "file_row").property("model_id") == f"{REPO}/{OLD}"
    with qtbot.waitSignal(downloads.finished):
        pass
    qtbot.waitUntil(lambda: not tasks.busy)


def test_a_folder_is_downloaded_as_one_model(qtbot, page, start, server, downloads, folders):
    repo = "fla-hub/rwkv7-0.4B-g1"
    files = {"config.json": b"{}", "model.safetensors": DATA}
    for name, data in files.items():
        server.add(repo, name, data)
    start()
    page.look_up(repo)
    qtbot.waitUntil(lambda: "RWKV-7 G1 0.4B" in texts(page, "model_name"))
    assert any("Hugging Face folder" in facts for facts in texts(page, "model_facts"))
    with qtbot.waitSignal(downloads.finished) as done:
        click(qtbot, page, "download_button", repo)
    assert done.args[1] == folders.models / "rwkv7-0.4B-g1"
    assert {f.name: f.read_bytes() for f in done.args[1].iterdir()} == files


def test_add_from_address(qtbot, page, start, library, server):
    server.add("ann/rwkv7-novel", "rwkv7-g1-novel-0.4b.pth", DATA)
    start()
    click(qtbot, page, "add_button")
    field = find(page, QLineEdit, "address_field")
    assert field.hasFocus()
    qtbot.keyClicks(field, "ann/nothing")
    with qtbot.waitSignal(library.lookup_failed):
        qtbot.keyClick(field, Qt.Key.Key_Return)
    assert "ann/nothing" in texts(page, "lookup_answer")[0]
    field.clear()
    qtbot.keyClicks(field, "ann/rwkv7-novel")
    with qtbot.waitSignal(library.lookup_done):
        qtbot.keyClick(field, Qt.Key.Key_Return)
    assert "RWKV-7 G1 Novel 0.4B" in texts(page, "model_name")
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert find(page, QLineEdit, "address_field") is None


def test_an_opened_file_is_listed(qtbot, page, start, library, tmp_path):
    path = write_model(tmp_path / "我的模型.safetensors")
    start()
    with qtbot.waitSignals([library.ready_changed, page.file_opened]):
        page.open_files([path])
    assert texts(page, "model_name") == ["我的模型"]
    assert find(page, QPushButton, "load_button", str(path)).hasFocus()


def test_cards_say_bits_format_and_generation(page, start, folders):
    write_model(folders.models / "rwkv7-tiny.safetensors")
    start("ready")
    assert "fp32 .safetensors" in texts(page, "model_facts")[0]
    assert texts(page, "generation_badge") == []


def test_loras_stand_on_their_model(qtbot, page, start, folders):
    path = write_model(folders.models / "rwkv7-tiny.safetensors")
    start("ready")
    assert texts(page, "model_loras") == []
    page.ready.set_loras({path.name: "/a/style.pth:0.8\n/a/tone.pth:1"})
    assert texts(page, "model_loras") == ["With style × 0.8, tone × 1"]
    with qtbot.waitSignal(page.loras_requested) as asked:
        click(qtbot, page, "loras_button", str(path))
    assert asked.args[0] == path


def test_a_lora_in_the_folder_is_offered(qtbot, page, start, folders):
    path = folders.models / "style.safetensors"
    pair = {"blocks.0.att.key.lora_A": (4, 64), "blocks.0.att.key.lora_B": (64, 4)}
    save_file({name: np.zeros(size, np.float32) for name, size in pair.items()}, path)
    start("ready")
    assert "is a LoRA" in texts(page, "model_facts")[0]
    assert texts(page, "problem_message") == []
    with qtbot.waitSignal(page.files_given) as given:
        click(qtbot, page, "use_button", str(path))
    assert given.args == [[path]]


def test_offline_says_how_old_the_list_is(qtbot, page, start, library, tasks, server):
    start()
    server.close()
    with qtbot.waitSignal(tasks.idle):
        click(qtbot, page, "refresh_button")
    assert texts(page, "notice_message")[0]
    assert "as it was on" in texts(page, "notice_hint")[0]
    assert texts(page, "model_name") == ["RWKV-7 G1 0.1B"]


def test_empty_places_say_what_to_do_next(qtbot, page, start, server):
    server.close()
    start("ready")
    assert find(page, QWidget, "empty_state").title.text() == "No models on this computer yet"
    click(qtbot, page, "empty_action")
    assert find(page, QWidget, "empty_state").title.text() == "The list of models is empty"


def test_the_first_start_shows_what_can_be_had(qtbot, page, library, tasks):
    with qtbot.waitSignal(tasks.idle):
        library.start()
    assert page.findChild(QTabBar, "models_tabs").currentIndex() == 1
    page.show_tab("ready")
    with qtbot.waitSignal(tasks.idle):
        page.refresh()
    assert page.findChild(QTabBar, "models_tabs").currentIndex() == 0


def test_every_control_has_a_name_and_can_be_reached(page, start, folders):
    write_model(folders.models / "rwkv7-tiny.safetensors")
    start()
    for tab in ("available", "ready"):
        page.show_tab(tab)
        for button in page.findChildren(QAbstractButton):
            if not button.isVisible() or not button.objectName():
                continue
            assert button.accessibleName(), button.objectName()
            assert button.focusPolicy() & Qt.FocusPolicy.TabFocus, button.objectName()
    assert "0.1B" in page.findChildren(QPushButton, "download_button")[0].accessibleName()


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_it_fits_beside_the_sidebar(qtbot, qapp, page, start, theme, folders, scale):
    write_model(folders.models / f"rwkv7-{'long-' * 30}name.safetensors")
    start()
    theme.apply(qapp, "dark", scale)
    page.resize(660, 600)
    for tab in ("available", "ready"):
        page.show_tab(tab)
        qtbot.wait(10)
        area = page.findChild(QScrollArea, "model_list")
        assert page.width() == 660
        assert area.widget().width() <= area.viewport().width()


def test_words():
    assert machine_text(LAPTOP) == "AMD Ryzen 7 7840U · 16 GB of memory, 9 GB free"
    assert machine_text(None) == "Looking at this computer…"
    assert catalogue_age(None) == ""
