"""The field to search in: its cross is the theme's, as every other."""

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QToolButton

from app.theme import Theme
from app.widgets.search_field import SearchField


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_cross_has_the_colour_of_other_icons(qtbot, qapp: QApplication, mode: str):
    theme = Theme()
    theme.apply(qapp, mode)
    field = SearchField(theme, "search", "Search")
    qtbot.addWidget(field)
    field.resize(240, 34)
    field.show()
    field.setText("goose")
    cross = field.findChild(QToolButton)
    assert cross is not None

    def shows_it() -> bool:  # it fades in
        image = field.grab(cross.geometry()).toImage()
        wanted = QColor(theme.colors.muted)
        places = ((x, y) for x in range(image.width()) for y in range(image.height()))
        return any(_near(image.pixelColor(x, y), wanted) for x, y in places)

    qtbot.waitUntil(shows_it, timeout=2000)


def _near(one: QColor, other: QColor) -> bool:
    far = (one.red() - other.red(), one.green() - other.green(), one.blue() - other.blue())
    return all(abs(part) < 24 for part in far)
