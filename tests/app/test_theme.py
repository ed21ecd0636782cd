import re

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QComboBox, QToolButton, QWidget

from app.theme import DARK, LIGHT, RESOURCES, Colors, Theme, contrast, mix

ICONS = sorted(path.stem for path in (RESOURCES / "icons").glob("*.svg"))
GROUNDS = ("window", "surface", "sunken", "raised", "code_background", "hover", "selection")


def test_contrast_of_known_pairs():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert mix("#000000", "#ffffff", 0.5) == "#808080"


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", GROUNDS)
def test_text_can_be_read_on_every_ground(colors: Colors, ground: str):
    back = getattr(colors, ground)
    for name in ("text", "muted"):
        assert contrast(getattr(colors, name), back) >= 4.5, name


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["window", "surface", "raised", "code_background"])
def test_quiet_and_coloured_text_can_be_read(colors: Colors, ground: str):
    for name in ("faint", "accent", "accent_hover", "danger", "warning", "success"):
        assert contrast(getattr(colors, name), getattr(colors, ground)) >= 4.5, name


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_controls_can_be_seen(colors: Colors):
    for ground in ("window", "surface", "raised"):
        assert contrast(colors.control, getattr(colors, ground)) >= 3
    assert contrast(colors.on_accent, colors.accent) >= 4.5
    assert contrast(colors.on_accent, colors.accent_hover) >= 4.5
    assert contrast(colors.accent, colors.selection) >= 3


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("scale", [0.8, 1.0, 2.0])
def test_stylesheet_has_no_placeholder_left(theme: Theme, qapp: QApplication, mode, scale):
    theme.apply(qapp, mode, scale)
    sheet = theme.stylesheet()
    assert theme.is_dark == (mode == "dark")
    assert not re.search(r"\$\w|\dsp\b|\bicon\(", sheet)
    assert qapp.font().pixelSize() == round(14 * scale)


def test_scale_is_kept_within_limits(theme: Theme, qapp: QApplication):
    theme.apply(qapp, "light", 9)
    assert theme.scale == 2.0


def test_changed_is_emitted_and_buttons_get_new_icons(qtbot, theme: Theme, qapp: QApplication):
    button = QToolButton()
    qtbot.addWidget(button)
    theme.set_icon(button, "trash")
    before = button.icon().cacheKey()
    with qtbot.waitSignal(theme.changed):
        theme.apply(qapp, "dark")
    assert button.icon().cacheKey() != before


def test_system_mode_follows_the_system(theme: Theme, qapp: QApplication):
    hints = QGuiApplication.styleHints()
    theme.apply(qapp, "system")
    try:
        hints.setColorScheme(Qt.ColorScheme.Dark)
        # Offscreen there is none to set: then the theme has to agree with that.
        assert theme.is_dark == (hints.colorScheme() == Qt.ColorScheme.Dark)
        hints.colorSchemeChanged.emit(Qt.ColorScheme.Light)
        assert theme.is_dark == (hints.colorScheme() == Qt.ColorScheme.Dark)
    finally:
        hints.unsetColorScheme()


@pytest.mark.parametrize("name", ICONS)
def test_icons_draw_something(theme: Theme, name: str):
    pixmap = theme.pixmap(name, 24, "text")
    image = pixmap.toImage().convertToFormat(QImage.Format.Format_Alpha8)
    assert any(bytes(image.constBits()))
    source = (RESOURCES / "icons" / f"{name}.svg").read_text()
    if name != "skein":
        assert 'viewBox="0 0 24 24"' in source
        assert 'stroke-width="1.75"' in source


def test_a_list_of_choices_shows_each_whole_below_its_box(theme: Theme, qapp: QApplication, qtbot):
    theme.apply(qapp, "light")
    window = QWidget()
    qtbot.addWidget(window)
    box = QComboBox(window)
    box.addItems(["As the system", "Light", "Dark"])
    box.setCurrentIndex(2)
    window.resize(300, 200)
    window.show()
    qtbot.waitExposed(window)
    box.showPopup()
    view = box.view()
    shown = [view.visualRect(view.model().index(row, 0)) for row in range(3)]
    assert all(view.viewport().rect().contains(one) for one in shown)
    assert view.window().y() >= window.y() + box.height()
    box.hidePopup()


def test_missing_icon_is_named(theme: Theme):
    with pytest.raises(FileNotFoundError):
        theme.icon("no_such_icon")


def test_fonts_know_east_asian_letters(theme: Theme):
    assert theme.font().families()
    assert theme.mono_font(13).pixelSize() == 13
