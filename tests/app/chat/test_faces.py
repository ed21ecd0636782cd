"""The faces that Chinese and Japanese are drawn with: upright text is never a bold face."""

import pytest
from PySide6.QtGui import QTextLayout


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("text", ["状态大小固定", "俳句を三つ", "words 状态"])
def test_plain_text_has_plain_faces(qapp, theme, mode, text):
    theme.apply(qapp, mode)
    for font in (theme.font(15), theme.mono_font()):
        layout = QTextLayout(text, font)
        layout.beginLayout()
        layout.createLine()
        layout.endLayout()
        for run in layout.glyphRuns():
            assert run.rawFont().weight() <= 400, run.rawFont().familyName()
