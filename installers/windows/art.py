"""The pictures of the setup for Windows, from the application's icon: `art.py FOLDER`.

Writes skein.ico, side.bmp (beside the first and the last page) and header.bmp (above the others).
Needs Qt, so it runs with the Python of a tree or of an environment; knows no installer.
"""

import os
import struct
import sys
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QGuiApplication,
    QImage,
    QImageWriter,
    QLinearGradient,
    QPainter,
)
from PySide6.QtSvg import QSvgRenderer

ICON = Path(__file__).parents[2] / "resources" / "icons" / "skein.svg"
SIZES = (16, 20, 24, 32, 40, 48, 64, 256)
SIDE, HEADER = (328, 628), (300, 114)
"""Twice what a screen of 96 dots an inch shows: makensis' pages scale pictures down well."""

_DUSK = ((0.0, "#1b2b4b"), (0.62, "#1d6c78"), (1.0, "#4fa3a0"))


def draw_icon(size: int) -> QImage:
    """Return the icon, size x size, on nothing."""
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(str(ICON)).render(painter, QRectF(0, 0, size, size))
    painter.end()
    return image


def draw_side() -> QImage:
    """Return the picture beside a page: the icon's own sky, and the icon."""
    image = QImage(*SIDE, QImage.Format.Format_RGB32)
    sky = QLinearGradient(0, 0, 0, SIDE[1])
    for at, colour in _DUSK:
        sky.setColorAt(at, QColor(colour))
    painter = QPainter(image)
    painter.fillRect(image.rect(), sky)
    painter.drawImage((SIDE[0] - 176) // 2, 200, draw_icon(176))
    painter.end()
    return image


def draw_header() -> QImage:
    """Return the picture above a page: the icon at the right of white."""
    image = QImage(*HEADER, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    painter.drawImage(HEADER[0] - 104, 9, draw_icon(96))
    painter.end()
    return image


def icon_file(images: list[QImage]) -> bytes:
    """Return an .ico: small sizes as bitmaps, which all that reads icons can, 256 as PNG."""
    parts = [_png(image) if image.width() == 256 else _bitmap(image) for image in images]
    offset = 6 + 16 * len(parts)
    entries = b""
    for image, part in zip(images, parts, strict=True):
        side = image.width() % 256
        entries += struct.pack("<BBBBHHII", side, side, 0, 0, 1, 32, len(part), offset)
        offset += len(part)
    return struct.pack("<HHH", 0, 1, len(parts)) + entries + b"".join(parts)


def _bitmap(image: QImage) -> bytes:
    """Return BGRA rows from the bottom up, and an empty mask, as an icon holds them."""
    size = image.width()
    head = struct.pack("<IiiHHIIiiII", 40, size, 2 * size, 1, 32, 0, 0, 0, 0, 0, 0)
    pixels, line = bytes(image.constBits()), image.bytesPerLine()
    rows = (pixels[y * line : y * line + 4 * size] for y in reversed(range(size)))
    mask = bytes((size + 31) // 32 * 4 * size)
    return head + b"".join(rows) + mask


def _png(image: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"PNG")).write(image)
    return bytes(buffer.data().data())


def main(folder: Path) -> None:
    """Write the three files."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QGuiApplication([])
    (folder / "skein.ico").write_bytes(icon_file([draw_icon(size) for size in SIZES]))
    for name, image in (("side.bmp", draw_side()), ("header.bmp", draw_header())):
        whole = image.convertToFormat(QImage.Format.Format_RGB888)
        if not whole.save(str(folder / name)):
            raise OSError(f"{folder / name} could not be written")
    del application


if __name__ == "__main__":
    main(Path(sys.argv[1]))
