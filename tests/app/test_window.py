import threading

import pytest
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QWidget

from app.crash import CrashLog
from app.shortcuts import COMMANDS
from app.window import MainWindow


@pytest.fixture
def active(qtbot, shell):
    shell.window.activateWindow()
    shell.composer.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is shell.composer)
    return shell


def press(qtbot, widget: QWidget, key: Qt.Key, modifier=Qt.KeyboardModifier.ControlModifier):
    qtbot.keyClick(widget, key, modifier)


@pytest.mark.parametrize(
    ("key", "page"),
    [(Qt.Key.Key_2, "models"), (Qt.Key.Key_3, "settings"), (Qt.Key.Key_Comma, "settings")],
)
def test_keys_change_pages(qtbot, active, key, page):
    press(qtbot, active.composer, key)
    assert active.window.page == page
    assert active.find(f"nav_{page}").isChecked()
    assert not active.find("nav_chat").isChecked()


@pytest.mark.parametrize("page", ["chat", "models", "settings"])
def test_buttons_change_pages(qtbot, shell, page):
    for _twice in range(2):
        qtbot.mouseClick(shell.find(f"nav_{page}"), Qt.MouseButton.LeftButton)
        assert shell.window.page == page
        assert shell.find(f"nav_{page}").isChecked()


def test_new_chat_by_button_and_key(qtbot, active):
    active.window.show_page("models")
    with qtbot.waitSignal(active.window.new_chat_requested):
        qtbot.mouseClick(active.find("new_chat_button"), Qt.MouseButton.LeftButton)
    assert active.window.page == "chat"
    with qtbot.waitSignal(active.window.new_chat_requested):
        press(qtbot, active.composer, Qt.Key.Key_N)


@pytest.mark.parametrize("field", ["composer", "line"])
def test_palette_opens_out_of_any_field(qtbot, active, field):
    widget = getattr(active, field)
    widget.setFocus()
    press(qtbot, widget, Qt.Key.Key_K)
    assert active.find("command_palette").isVisible()


@pytest.mark.parametrize(
    ("key", "command"),
    [
        (Qt.Key.Key_L, "choose_model"),
        (Qt.Key.Key_R, "regenerate"),
        (Qt.Key.Key_Up, "edit_last"),
    ],
)
def test_foreign_commands_are_passed_on(qtbot, active, key, command):
    with qtbot.waitSignal(active.window.command) as caught:
        press(qtbot, active.composer, key)
    assert caught.args == [command]


def test_escape_stops_when_nobody_else_wants_it(qtbot, active):
    with qtbot.waitSignal(active.window.command) as caught:
        qtbot.keyClick(active.composer, Qt.Key.Key_Escape)
    assert caught.args == ["stop"]


def test_zoom_by_keys_is_a_setting(qtbot, active, settings):
    press(qtbot, active.composer, Qt.Key.Key_Plus)
    assert settings.get("text_scale") == 1.1
    press(qtbot, active.composer, Qt.Key.Key_Minus)
    press(qtbot, active.composer, Qt.Key.Key_Minus)
    assert settings.get("text_scale") == 0.9
    press(qtbot, active.composer, Qt.Key.Key_0)
    assert settings.get("text_scale") == 1.0
    for _many in range(30):
        active.window.zoom(1)
    assert settings.get("text_scale") == 2.0


def test_sidebar_folds_to_a_rail_and_is_remembered(qtbot, active, settings):
    wide = active.window.sidebar.width()
    press(qtbot, active.composer, Qt.Key.Key_B)
    assert not settings.get("sidebar_open")
    assert active.window.sidebar.width() < wide / 2
    assert active.find("nav_settings").isVisible()
    assert not active.find("chat_search").isVisible()
    qtbot.mouseClick(active.find("sidebar_toggle"), Qt.MouseButton.LeftButton)
    assert active.find("chat_search").isVisible()
    assert settings.get("sidebar_open")


def test_f1_lists_every_key_that_works(qtbot, active):
    qtbot.keyClick(active.composer, Qt.Key.Key_F1)
    overlay = active.find("keys_overlay")
    assert overlay.isVisible()
    said = {child.accessibleName() for child in overlay.findChildren(QWidget)}
    for command in COMMANDS:
        if command.keys:
            assert f"{command.text}: {command.key_text}" in said
    qtbot.keyClick(overlay, Qt.Key.Key_Escape)
    assert not overlay.isVisible()
    assert QApplication.focusWidget() is active.composer


def test_tab_stays_inside_an_overlay(qtbot, active):
    active.window.shortcuts.run("keys")
    overlay = active.find("keys_overlay")
    for _many in range(4):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        assert overlay.isAncestorOf(QApplication.focusWidget())


def test_geometry_comes_back(qtbot, shell, settings, theme, conversations, store):
    shell.window.resize(1000, 650)
    shell.window.close()
    again = MainWindow(theme, settings, conversations, {"chat": QWidget()}, store.conversations)
    qtbot.addWidget(again)
    # Qt keeps a restored window on the screen, which offscreen is a small one.
    assert settings.get("window_geometry")
    assert (again.width(), again.height()) != (1180, 780)


def test_damaged_geometry_is_ignored(qtbot, settings, theme, conversations, store):
    settings.set("window_geometry", "¡no geometry!")
    window = MainWindow(theme, settings, conversations, {"chat": QWidget()}, store.conversations)
    qtbot.addWidget(window)
    assert window.width() >= 640


def test_every_control_has_a_name(shell):
    shell.window.shortcuts.run("search")
    shell.window.shortcuts.run("keys")
    shell.window.show_report("x")
    for kind in (QAbstractButton, QLineEdit):
        for control in shell.window.findChildren(kind):
            if control.objectName().startswith("qt_") or not control.objectName():
                continue  # Qt's own, inside scroll bars and fields
            assert control.accessibleName(), control.objectName()


def test_works_at_900_by_600_and_double_size(shell, theme, qapp):
    theme.apply(qapp, "dark", 2.0)
    shell.window.resize(900, 600)
    qapp.processEvents()
    assert shell.window.size().width() == 900
    for name in ("nav_chat", "nav_models", "nav_settings", "new_chat_button", "chat_search"):
        widget = shell.find(name)
        corner = widget.mapTo(shell.window, widget.rect().bottomRight())
        assert shell.window.rect().contains(corner), name
    assert shell.window.sidebar.width() <= 900 * 0.4


def test_commands_and_chats_from_the_palette(qtbot, active, store, conversations):
    made = store.create_conversation("Why geese fly in a V")
    press(qtbot, active.composer, Qt.Key.Key_K)
    palette, search = active.find("command_palette"), active.find("palette_search")
    qtbot.keyClicks(search, "geese")
    with qtbot.waitSignal(active.window.chat_chosen) as caught:
        qtbot.keyClick(search, Qt.Key.Key_Return)
    assert caught.args == [made.id]
    assert not palette.isVisible()
    press(qtbot, active.composer, Qt.Key.Key_K)
    qtbot.keyClicks(search, "show settings")
    qtbot.keyClick(search, Qt.Key.Key_Return)
    assert active.window.page == "settings"


def test_palette_keys_walk_around(qtbot, active, qtmodeltester):
    active.window.shortcuts.run("search")
    palette = active.window.findChild(QWidget, "command_palette")
    qtmodeltester.check(palette.model)
    rows = palette.model.rowCount()
    qtbot.keyClick(palette.search, Qt.Key.Key_Up)
    assert palette.list.currentIndex().row() == rows - 1
    qtbot.keyClick(palette.search, Qt.Key.Key_Down)
    assert palette.list.currentIndex().row() == 0
    qtbot.keyClicks(palette.search, "qqqqq")
    qtbot.waitUntil(lambda: palette.model.rowCount() == 0)
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert palette.isVisible()
    assert not palette.grab().isNull()
    qtbot.keyClick(palette.search, Qt.Key.Key_Escape)
    assert not palette.isVisible()


def test_click_beside_a_panel_closes_it(qtbot, active):
    active.window.shortcuts.run("search")
    palette = active.find("command_palette")
    qtbot.mouseClick(palette, Qt.MouseButton.LeftButton, pos=palette.rect().bottomLeft())
    assert not palette.isVisible()


def test_store_failures_become_a_notice(shell, store, conversations):
    store.close()
    conversations.refresh()
    notice = shell.find("notice")
    assert notice.isVisible()
    assert notice.accessibleName()


def test_notice_actions_run_and_are_replaced(qtbot, shell):
    done = []
    shell.window.show_notice("One.", "Hint.", actions=(("Go", lambda: done.append(1)),))
    qtbot.mouseClick(shell.find("notice_action_1"), Qt.MouseButton.LeftButton)
    assert done == [1]
    shell.window.show_notice("Two.", tone="danger")
    assert not shell.find("notice_hint").isVisible()
    qtbot.mouseClick(shell.find("notice_close"), Qt.MouseButton.LeftButton)
    assert not shell.find("notice").isVisible()


def test_crash_of_the_last_run_is_offered(qtbot, shell, folders):
    (folders.logs / "crash.log").write_text("it died")
    shell.window.watch_crashes(CrashLog(folders.logs))
    qtbot.mouseClick(shell.find("notice_action_1"), Qt.MouseButton.LeftButton)
    assert shell.find("crash_report").isVisible()
    assert shell.find("crash_text").toPlainText() == "it died"
    qtbot.mouseClick(shell.find("crash_copy"), Qt.MouseButton.LeftButton)
    assert QApplication.clipboard().text() == "it died"


def test_failure_on_another_thread_becomes_a_notice(qtbot, shell, folders):
    crash = CrashLog(folders.logs)
    shell.window.watch_crashes(crash)
    worker = threading.Thread(target=lambda: crash.write("Unexpected error", "details"))
    worker.start()
    worker.join()
    qtbot.waitUntil(shell.find("notice").isVisible)


class Source(QObject):
    told = Signal(int)


def test_twenty_thousand_emits(qapp):
    """PySide6 6.12.0 aborts Python 3.11 after some 500: the reason for the version limit."""
    source, heard = Source(), []
    source.told.connect(heard.append)
    for number in range(20_000):
        source.told.emit(number)
    assert len(heard) == 20_000
