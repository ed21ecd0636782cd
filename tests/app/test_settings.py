from app.settings import SettingsStore
from engine.settings import load


def test_a_change_is_told_and_saved_a_moment_later(qtbot, settings, folders):
    with qtbot.waitSignal(settings.changed) as caught:
        settings.set("theme", "dark")
    assert caught.args == ["theme"]
    qtbot.waitUntil(lambda: load(folders.settings_file).theme == "dark")


def test_the_same_value_is_no_change(qtbot, settings):
    with qtbot.assertNotEmitted(settings.changed):
        settings.set("theme", "system")


def test_flush_saves_at_once(settings, folders):
    settings.set("model_folders", ("/a", "/b"))
    settings.flush()
    assert SettingsStore(folders.settings_file).get("model_folders") == ("/a", "/b")


def test_a_full_disk_is_told(qtbot, settings, folders):
    folders.settings_file.mkdir()
    settings.set("theme", "dark")
    with qtbot.waitSignal(settings.failed) as caught:
        settings.flush()
    assert caught.args[0].endswith(".")
