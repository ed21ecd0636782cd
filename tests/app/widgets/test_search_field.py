"""The field to search in: its cross is the theme's, as every other."""

from collections import Counter

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QToolButton

from app.theme import Theme
from app.widgets.search_field import SearchField


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_cross_is_two_lines_in_the_colour_of_other_icons(qtbot, qapp: QApplication, mode: str):
    theme = Theme()
    theme.apply(qapp, mode)
    field = SearchField(theme, "search", "Search")
    qtbot.addWidget(field)
    field.resize(240, 34)
    field.show()
    field.setText("goose")
    cross = field.findChild(QToolButton)
    assert cross is not None

    def looks_right() -> bool:  # it fades in
        image = field.grab(cross.geometry()).toImage()
        places = [(x, y) for x in range(image.width()) for y in range(image.height())]
        seen = Counter(image.pixelColor(x, y).name() for x, y in places)
        ground, count = seen.most_common(1)[0]
        lines = 1 - count / len(places)  # Qt's own is a disc
        return ground == theme.colors.raised and lines < 0.25 and _holds(seen, theme.colors.muted)

    qtbot.waitUntil(looks_right, timeout=2000)


def _holds(seen: Counter[str], wanted: str) -> bool:
    ink = QColor(wanted)
    parts = (QColor.red, QColor.green, QColor.blue)
    return any(all(abs(p(QColor(name)) - p(ink)) < 24 for p in parts) for name in seen)
