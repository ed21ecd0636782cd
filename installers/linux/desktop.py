"""What a Linux desktop reads: menu entry, icons, file types, AppStream's description.

Filled in from the files beside this one. The same for the .deb, the .run and the AppDir.
"""

import datetime
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ICON = HERE.parents[1] / "resources" / "icons" / "skein.svg"
APP_ID = "io.github.skein_desktop.Skein"
SIZES = (16, 24, 32, 48, 64, 128, 256, 512)

_DRAW = """
import sys
from PySide6.QtGui import QGuiApplication, QIcon
app = QGuiApplication([])
icon = QIcon(sys.argv[1])
for size, path in zip(sys.argv[2::2], sys.argv[3::2]):
    picture = icon.pixmap(int(size), int(size))
    if picture.width() != int(size) or not picture.save(path):
        sys.exit(f"no icon of {size} pixels")
"""


def write_desktop_files(share: Path, version: str, python: Path, day: datetime.date) -> None:
    """Write all of it below ``share`` (usr/share, ~/.local/share).

    python: one that has PySide6, which draws the icons. Raises subprocess.CalledProcessError.
    """
    _copy("skein.desktop", share / "applications" / "skein.desktop")
    _copy("skein-mime.xml", share / "mime" / "packages" / "skein.xml")
    text = (HERE / "skein.metainfo.xml").read_text("utf-8")
    metainfo = share / "metainfo" / f"{APP_ID}.metainfo.xml"
    metainfo.parent.mkdir(parents=True)
    metainfo.write_text(text.replace("@VERSION@", version).replace("@DATE@", str(day)), "utf-8")
    icons = share / "icons" / "hicolor"
    scalable = icons / "scalable" / "apps" / "skein.svg"
    scalable.parent.mkdir(parents=True)
    scalable.write_bytes(ICON.read_bytes())
    draw_icons(python, {size: icons / f"{size}x{size}" / "apps" / "skein.png" for size in SIZES})


def _copy(name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes((HERE / name).read_bytes())


def draw_icons(python: Path, icons: dict[int, Path]) -> None:
    """Draw the program's icon in several sizes. Raises subprocess.CalledProcessError."""
    arguments = []
    for size, path in icons.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        arguments += [str(size), str(path)]
    environ = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run(
        [str(python), "-I", "-c", _DRAW, str(ICON), *arguments],
        check=True,
        env=environ,
        capture_output=True,
    )
