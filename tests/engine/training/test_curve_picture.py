"""The picture of a run: drawn by another program (Qt), it shows the curve where it belongs."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PySide6.QtCore import QByteArray
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

from engine.training.curve import Point
from engine.training.curve_picture import picture

POINTS = [
    Point(step, 1 + step // 30, 64 * step, 8 / (1 + step), 1e-3 * step, 1.0 / 3)
    for step in range(1, 60)
]
SVG = "{http://www.w3.org/2000/svg}"


def painted(svg: str) -> np.ndarray:
    """Return what Qt makes of it: [H, W, 3]."""
    renderer = QSvgRenderer(QByteArray(svg.encode()))
    assert renderer.isValid()
    image = QImage(renderer.defaultSize(), QImage.Format.Format_RGBA8888)
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    data = np.frombuffer(image.constBits(), np.uint8)
    return data.reshape(image.height(), image.width(), 4)[..., :3].copy()


def test_the_picture_shows_a_falling_curve(qapp: QGuiApplication) -> None:
    drawn = painted(picture([*POINTS, Point(60, 2, 0, math.nan, 0, math.nan)], "a <run>"))
    assert drawn.shape == (700, 1200, 3)
    thick = np.abs(drawn.astype(int) - (0x1F, 0x4E, 0x8C)).max(-1) < 6
    rows, columns = np.nonzero(thick[:, :950])  # not the legend
    assert columns.max() - columns.min() > 600
    assert rows[columns == columns.min()].mean() < rows[columns == columns.max()].mean() - 300


def test_a_long_run_is_a_small_file_with_every_extreme() -> None:
    losses = [3.0 + (step % 7) / 10 for step in range(50_000)]
    losses[31_415] = 9.0
    long = [Point(s, 1, 64 * s, loss, 1e-3, 0.1) for s, loss in enumerate(losses)]
    drawn = picture(long)
    assert len(drawn) < 100_000
    lines = [line.get("points") or "" for line in ET.fromstring(drawn).iter(f"{SVG}polyline")]
    tops = [float(pair.split(",")[1]) for pair in lines[0].split()]
    assert min(tops) < 100  # the one step of 9.0 is at the top of the picture


def test_phases_and_words() -> None:
    root = ET.fromstring(picture(POINTS, "a <run> & more"))
    dashed = [line for line in root.iter(f"{SVG}line") if line.get("stroke-dasharray")]
    assert len(dashed) == 1
    words = {text.text for text in root.iter(f"{SVG}text")}
    assert {"a <run> & more", "million tokens", "learning rate"} <= words


@pytest.mark.parametrize("points", [[], POINTS[:1], [POINTS[0]] * 3])
def test_little_to_show(points: list[Point]) -> None:
    assert ET.fromstring(picture(points)).tag == f"{SVG}svg"
