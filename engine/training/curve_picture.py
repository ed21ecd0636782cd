"""A run's losses and learning rates over tokens, as an SVG. Knows points, and nothing of files.

Written by hand: a library that draws would be a tenth of the installed program.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape

from engine.training.curve import Point, smooth

WIDTH, HEIGHT = 1200, 700
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 1110, 50, 635
_COLUMNS = 1000
_EACH, _SMOOTHED, _RATE, _PHASE = "#9db8d9", "#1f4e8c", "#c77d2e", "#888888"

_HEAD = (
    f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
    f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="14" fill="#333333">\n'
    f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n'
)


@dataclass(frozen=True, slots=True)
class _Axis:
    """From numbers to pixels, in a straight line, and where the ticks are."""

    first: float
    last: float
    pixels: tuple[float, float]

    def __call__(self, value: float) -> float:
        share = (value - self.first) / (self.last - self.first)
        return self.pixels[0] + share * (self.pixels[1] - self.pixels[0])

    def ticks(self) -> list[float]:
        """Return about six round numbers."""
        rough = (self.last - self.first) / 6
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
        start = math.ceil(self.first / step - 1e-9)
        end = math.floor(self.last / step + 1e-9)
        return [step * number for number in range(start, end + 1)]


def picture(points: Sequence[Point], title: str = "") -> str:
    """Return an SVG of 1200 x 700 pixels.

    Steps without a finite loss are left out; the thick line is the mean of a hundredth of the run,
    dashed lines are where phases begin.
    """
    points = [point for point in points if math.isfinite(point.loss)]
    parts = [_HEAD, _text(WIDTH / 2, 30, title, size=18)]
    if points:
        parts += _drawn(points)
    return "".join([*parts, "</svg>\n"])


def _drawn(points: Sequence[Point]) -> list[str]:
    tokens = [point.tokens / 1e6 for point in points]
    losses = [point.loss for point in points]
    x = _axis(tokens, (_LEFT, _RIGHT))
    y = _axis(losses, (_BOTTOM, _TOP))
    rate = _axis([0.0, *(point.learning_rate for point in points)], (_BOTTOM, _TOP))
    columns = _columns([x(value) for value in tokens])
    smoothed = smooth(losses)
    return [
        *_grid(x, y, rate),
        *(_phase(x(b.tokens / 1e6)) for a, b in pairwise(points) if a.phase != b.phase),
        _line(_extremes(columns, [y(value) for value in losses]), _EACH, 0.8),
        _line(_ends(columns, [rate(point.learning_rate) for point in points]), _RATE, 1),
        _line(_ends(columns, [y(value) for value in smoothed]), _SMOOTHED, 2.5),
        *_legend(),
    ]


def _axis(values: Iterable[float], pixels: tuple[float, float]) -> _Axis:
    """Return an axis over all values with some air; values that are all the same get some, too."""
    found = list(values)
    first, last = min(found), max(found)
    if last - first <= 1e-12 * max(abs(first), abs(last), 1e-300):
        last = first + (abs(first) or 1.0)
    return _Axis(first, last + 0.03 * (last - first), pixels)


def _columns(xs: Sequence[float]) -> list[tuple[float, range]]:
    """Return (x, the points there): thousands of steps are no more than a picture has columns."""
    per_column = max(math.ceil(len(xs) / _COLUMNS), 1)
    starts = range(0, len(xs), per_column)
    return [(xs[at], range(at, min(at + per_column, len(xs)))) for at in starts]


def _extremes(
    columns: Sequence[tuple[float, range]], ys: Sequence[float]
) -> list[tuple[float, float]]:
    line = []
    for x, inside in columns:
        values = [ys[at] for at in inside]
        line += [(x, min(values)), (x, max(values))] if len(values) > 1 else [(x, values[0])]
    return line


def _ends(columns: Sequence[tuple[float, range]], ys: Sequence[float]) -> list[tuple[float, float]]:
    return [(x, ys[inside[-1]]) for x, inside in columns]


def _grid(x: _Axis, y: _Axis, rate: _Axis) -> list[str]:
    parts = []
    for value in x.ticks():
        parts += [
            _straight(x(value), _TOP, x(value), _BOTTOM),
            _text(x(value), 655, _number(value)),
        ]
    for value in y.ticks():
        parts += [
            _straight(_LEFT, y(value), _RIGHT, y(value)),
            _text(_LEFT - 8, y(value) + 5, _number(value), anchor="end"),
        ]
    for value in rate.ticks():
        words = _text(_RIGHT + 8, rate(value) + 5, _number(value), anchor="start", colour=_RATE)
        parts.append(words)
    middle = (_TOP + _BOTTOM) / 2
    return [
        *parts,
        _text((_LEFT + _RIGHT) / 2, 685, "million tokens"),
        _text(22, middle, "loss (nats per token)", turned=True),
        _text(WIDTH - 12, middle, "learning rate", colour=_RATE, turned=True),
    ]


def _legend() -> list[str]:
    parts = []
    for at, (name, colour, width) in enumerate(
        (("each step", _EACH, 0.8), ("smoothed", _SMOOTHED, 2.5), ("learning rate", _RATE, 1))
    ):
        height = _TOP + 20 + 22 * at
        parts.append(_line([(_RIGHT - 150, height), (_RIGHT - 115, height)], colour, width))
        parts.append(_text(_RIGHT - 105, height + 5, name, anchor="start"))
    return parts


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def _line(line: Iterable[tuple[float, float]], colour: str, width: float) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>\n'


def _straight(x1: float, y1: float, x2: float, y2: float, more: str = 'stroke="#e3e3e3"') -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {more}/>\n'


def _phase(x: float) -> str:
    return _straight(x, _TOP, x, _BOTTOM, f'stroke="{_PHASE}" stroke-dasharray="6 4"')


def _text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "middle",
    colour: str = "",
    size: int = 0,
    turned: bool = False,
) -> str:
    more = f' fill="{colour}"' * bool(colour) + f' font-size="{size}"' * bool(size)
    more += f' transform="rotate(-90 {x:.0f} {y:.0f})"' * turned
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}{more}>{escape(words)}</text>\n"
