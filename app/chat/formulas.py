"""Draws LaTeX as vectors inside a text document: ziamath makes SVG, a text object paints it.

Laid out once per formula in the background, at a fixed size, and scaled when drawn; knows the
document only through the character that stands for a formula.
"""

import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QByteArray, QObject, QRect, QRectF, QSizeF
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QPainter,
    QPyTextObject,
    QTextCharFormat,
    QTextDocument,
    QTextFormat,
)
from PySide6.QtSvg import QSvgRenderer

from app.chat.formula_source import Formula
from app.chat.workshop import Workshop

OBJECT_TYPE = QTextFormat.ObjectTypes.UserObject.value + 7
TEX = QTextFormat.Property.UserProperty.value + 20
DISPLAY = QTextFormat.Property.UserProperty.value + 21
COLOR = QTextFormat.Property.UserProperty.value + 22
SIZE = QTextFormat.Property.UserProperty.value + 23

_UNIT = 24.0  # pixels per em while laying out
_INK = "#010203"  # replaced by the colour of the text
_CACHED = 400


@dataclass(frozen=True, slots=True)
class Drawing:
    """A formula laid out: SVG text, width, height and depth below the baseline, in ems.

    An empty svg means that the TeX could not be read.
    """

    svg: str
    width: float = 0.0
    height: float = 0.0
    depth: float = 0.0


def draw(formula: Formula) -> Drawing:
    """Lay a formula out. Slow (5 to 20 ms); safe on any one thread."""
    ziamath = _ziamath()
    try:
        latex = ziamath.Latex(formula.tex, size=_UNIT, color=_INK, inline=not formula.display)
        svg = latex.svg()
        width, height = latex.getsize()
        offset = latex.getyofst()
    except Exception:  # ziamath and its parser raise whatever they meet
        return Drawing("")
    if width <= 0 or height <= 0:
        return Drawing("")
    margin = 2.0  # ziamath adds one pixel on each side of the drawing
    depth = max(0.0, -offset + margin / 2)
    return Drawing(svg, (width + margin) / _UNIT, (height + margin) / _UNIT, depth / _UNIT)


def _ziamath() -> Any:  # noqa: ANN401 - a module without types
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its use of importlib.resources
        import ziamath
        from ziamath.config import config
    config.svg2 = False  # QtSvg knows no symbols: glyphs must be paths
    return ziamath


class FormulaShelf(QObject):
    """The formulas laid out so far, and their renderers by colour."""

    def __init__(self, workshop: Workshop, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workshop = workshop
        self._drawings: OrderedDict[Formula, Drawing] = OrderedDict()
        self._waiting: dict[Formula, list[Callable[[], None]]] = {}
        self._renderers: OrderedDict[tuple[Formula, str], QSvgRenderer] = OrderedDict()

    def drawing(self, formula: Formula) -> Drawing | None:
        """Return the layout, or None while there is none."""
        if formula in self._drawings:
            self._drawings.move_to_end(formula)
        return self._drawings.get(formula)

    def request(self, formula: Formula, ready: Callable[[], None]) -> None:
        """Lay the formula out in the background, then call ``ready``."""
        if formula in self._drawings:
            ready()
            return
        waiting = self._waiting.setdefault(formula, [])
        waiting.append(ready)
        if len(waiting) == 1:
            self._workshop.submit(lambda: draw(formula), lambda made: self._keep(formula, made))

    def renderer(self, formula: Formula, color: str) -> QSvgRenderer | None:
        """Return what paints the formula in ``color`` ("#rrggbb")."""
        key = (formula, color)
        if key not in self._renderers:
            made = self._drawings.get(formula)
            if made is None or not made.svg:
                return None
            svg = made.svg.replace(_INK, color)
            self._renderers[key] = QSvgRenderer(QByteArray(svg.encode()))
            if len(self._renderers) > _CACHED:
                self._renderers.popitem(last=False)
        return self._renderers[key]

    def _keep(self, formula: Formula, drawing: Drawing) -> None:
        self._drawings[formula] = drawing
        if len(self._drawings) > 4 * _CACHED:
            self._drawings.popitem(last=False)
        for ready in self._waiting.pop(formula, []):
            ready()


class FormulaObject(QPyTextObject):
    """Measures and paints the formulas of one document."""

    def __init__(self, shelf: FormulaShelf, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shelf = shelf

    def intrinsicSize(self, document: QTextDocument, position: int, format_: QTextFormat) -> QSizeF:
        drawing = self._shelf.drawing(formula_of(format_))
        if drawing is None or not drawing.svg:
            return QSizeF(1, 1)
        size = float(format_.property(SIZE))
        rise, depth = self._extent(drawing, format_, size)
        scale = self._scale(document, drawing.width * size)
        return QSizeF(drawing.width * size * scale, (rise + depth) * scale)

    def drawObject(
        self,
        painter: QPainter,
        rect: QRectF | QRect,
        document: QTextDocument,
        position: int,
        format_: QTextFormat,
    ) -> None:
        formula = formula_of(format_)
        rect = QRectF(rect)
        drawing = self._shelf.drawing(formula)
        renderer = self._shelf.renderer(formula, str(format_.property(COLOR)))
        if drawing is None or renderer is None:
            return
        size = float(format_.property(SIZE))
        scale = self._scale(document, drawing.width * size)
        rise, _ = self._extent(drawing, format_, size)
        top = rect.top() + (rise - (drawing.height - drawing.depth) * size) * scale
        ink = QSizeF(drawing.width * size * scale, drawing.height * size * scale)
        renderer.render(painter, QRectF(rect.left(), top, ink.width(), ink.height()))

    @staticmethod
    def _extent(drawing: Drawing, format_: QTextFormat, size: float) -> tuple[float, float]:
        """Return pixels above and below the baseline.

        Qt places such an object ``descent`` of its font below the baseline, so the font was
        chosen with enough of it; what is not needed is left empty.
        """
        descent = QFontMetrics(format_.toCharFormat().font()).descent()
        return (drawing.height - drawing.depth) * size, float(descent)

    @staticmethod
    def _scale(document: QTextDocument, width: float) -> float:
        room = document.textWidth() - 8
        return min(1.0, room / width) if room > 40 else 1.0


def formula_of(format_: QTextFormat) -> Formula:
    """Return the formula that a character with this format stands for."""
    return Formula(str(format_.property(TEX)), bool(format_.property(DISPLAY)))


def formula_format(formula: Formula, drawing: Drawing, font: QFont, color: str) -> QTextCharFormat:
    """Return the format of the character that stands for a formula in text of ``font``."""
    size = _pixel_size(font) * (1.1 if formula.display else 1.04)
    made = QTextCharFormat()
    made.setObjectType(OBJECT_TYPE)
    made.setProperty(TEX, formula.tex)
    made.setProperty(DISPLAY, formula.display)
    made.setProperty(COLOR, QColor(color).name())
    made.setProperty(SIZE, size)
    made.setFont(_font_with_descent(font, drawing.depth * size))
    made.setVerticalAlignment(QTextCharFormat.VerticalAlignment.AlignBaseline)
    return made


def _pixel_size(font: QFont) -> float:
    return float(font.pixelSize()) if font.pixelSize() > 0 else font.pointSizeF() * 4 / 3


def _font_with_descent(font: QFont, depth: float) -> QFont:
    """Return ``font`` at the size whose descent is at least ``depth`` pixels."""
    made = QFont(font)
    made.setPixelSize(max(4, round(_pixel_size(font) / 4)))
    while QFontMetrics(made).descent() < depth and made.pixelSize() < 400:
        made.setPixelSize(made.pixelSize() + max(1, made.pixelSize() // 12))
    return made
