"""How Skein looks: colours, type, spacing, icons, and one stylesheet made of them.

A widget asks the Theme for colours and icons and listens to ``changed``; it never writes a
colour down. Knows no page and no setting: the mode and the scale are told to it.

Marks for the stylesheet (resources/style.qss), set with ``setProperty``:
``kind`` = "primary" | "quiet" | "danger" on QPushButton, "flat" | "nav" on QToolButton;
``role`` = "title" | "heading" | "muted" | "faint" | "caption" | "danger" | "warning" |
"success" | "badge" | "mono" on QLabel;
``surface`` = "window" | "surface" | "raised" | "sunken" | "card" on QFrame and QWidget.
"""

import re
import weakref
from pathlib import Path

from PySide6.QtCore import QLocale, QObject, QSize, Qt, QTemporaryDir, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QFontInfo,
    QGuiApplication,
    QIcon,
    QPalette,
    QPixmap,
)
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget
from shiboken6 import isValid

from app.colors import DARK, LIGHT, Colors, contrast, mix

__all__ = ["DARK", "LIGHT", "Colors", "Theme", "contrast", "mix"]

RESOURCES = Path(__file__).resolve().parent.parent / "resources"
BASE_TEXT_PX = 14
SMALLEST_SCALE, LARGEST_SCALE = 0.8, 2.0
_LATIN_FAMILIES = (
    "Segoe UI Variable Text",
    "Segoe UI",
    "Inter",
    "Cantarell",
    "Ubuntu",
    "Noto Sans",
)
_MONO_FAMILIES = (
    "SF Mono",
    "Cascadia Mono",
    "JetBrains Mono",
    "Menlo",
    "Consolas",
    "Noto Sans Mono",
    "DejaVu Sans Mono",
)
_CHINESE_FAMILIES = ("PingFang SC", "Microsoft YaHei UI", "Noto Sans CJK SC", "Source Han Sans SC")
_JAPANESE_FAMILIES = ("Hiragino Sans", "Yu Gothic UI", "Noto Sans CJK JP", "Source Han Sans JP")
_GENERIC = {"sans serif", "sans", "sans-serif", "dejavu sans"}


class Theme(QObject):
    """The look of the whole application; ``changed`` says that colours or sizes are new."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.colors = LIGHT
        self.mode = "system"
        self.scale = 1.0
        self._app: QApplication | None = None
        self._folder = QTemporaryDir()
        self._icons: dict[tuple[str, str | None], QIcon] = {}
        self._buttons: weakref.WeakKeyDictionary[QAbstractButton, tuple[str, str | None]] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def is_dark(self) -> bool:
        """Whether the dark palette is in use."""
        return self.colors is DARK

    # ---- applying -------------------------------------------------------------------------

    def apply(self, qt_app: QApplication, mode: str = "system", scale: float = 1.0) -> None:
        """Dress ``qt_app``. ``mode``: "system" | "light" | "dark"; ``scale``: 0.8 to 2."""
        if self._app is None:
            self._app = qt_app
            qt_app.setStyle("Fusion")
            QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_system_scheme)
        self.mode = mode
        self.scale = min(max(scale, SMALLEST_SCALE), LARGEST_SCALE)
        self.colors = self._wanted_colors()
        self._icons.clear()
        qt_app.setPalette(palette(self.colors))
        qt_app.setFont(self.font())
        qt_app.setStyleSheet(self.stylesheet())
        self._refresh_buttons()
        self.changed.emit()

    def stylesheet(self) -> str:
        """Return the stylesheet of the whole application for the colours and scale in use."""
        text = (RESOURCES / "style.qss").read_text(encoding="utf-8")
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        values = self.colors.as_dict() | {"mono": f'"{self.mono_font().family()}"'}
        text = re.sub(r"\bicon\((\w+), (\w+)\)", self._icon_url, text)
        text = re.sub(r"\$(\w+)", lambda match: values[match[1]], text)
        return re.sub(r"(\d+)sp\b", lambda match: f"{self.px(int(match[1]))}px", text)

    def _icon_url(self, match: re.Match[str]) -> str:
        return f'url("{self._icon_file(match[1], getattr(self.colors, match[2])).as_posix()}")'

    def _wanted_colors(self) -> Colors:
        if self.mode == "system":
            dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        else:
            dark = self.mode == "dark"
        return DARK if dark else LIGHT

    def _on_system_scheme(self) -> None:
        if self._app is not None and self._wanted_colors() is not self.colors:
            self.apply(self._app, self.mode, self.scale)

    # ---- type and spacing -----------------------------------------------------------------

    def px(self, pixels: float) -> int:
        """Return a length at 100 % text size scaled to the text size in use."""
        return round(pixels * self.scale)

    def font(self, pixels: float = BASE_TEXT_PX, weight: int = 400) -> QFont:
        """Return the text font; ``pixels`` at 100 % text size."""
        return self._sized(_text_families(), pixels, weight)

    def mono_font(self, pixels: float = 13) -> QFont:
        """Return the font of code; ``pixels`` at 100 % text size."""
        font = self._sized([*_mono_families(), *_east_asian_families()], pixels, 400)
        font.setStyleHint(QFont.StyleHint.Monospace)
        font.setFixedPitch(True)
        return font

    def _sized(self, families: list[str], pixels: float, weight: int) -> QFont:
        font = QFont(families)
        font.setPixelSize(max(self.px(pixels), 8))
        font.setWeight(QFont.Weight(weight))
        return font

    # ---- icons ----------------------------------------------------------------------------

    def icon(self, name: str, color: str | None = None) -> QIcon:
        """Return resources/icons/NAME.svg in ``color``: "#rrggbb" or the name of a colour.

        Without a colour: muted, the text's colour when hovered, accent when checked.
        Raises FileNotFoundError when there is no such icon.
        """
        if (name, color) not in self._icons:
            self._icons[name, color] = self._made_icon(name, color)
        return self._icons[name, color]

    def _made_icon(self, name: str, color: str | None) -> QIcon:
        colors = self.colors
        icon = QIcon(str(self._icon_file(name, self._color(color or "muted"))))
        size = QSize(24, 24)
        off, on = QIcon.State.Off, QIcon.State.On
        faint = str(self._icon_file(name, mix(colors.faint, colors.surface, 0.4)))
        for state in (off, on):
            icon.addFile(faint, size, QIcon.Mode.Disabled, state)
        if color is None:
            text = str(self._icon_file(name, colors.text))
            accent = str(self._icon_file(name, colors.accent))
            icon.addFile(text, size, QIcon.Mode.Active, off)
            icon.addFile(text, size, QIcon.Mode.Selected, off)
            for mode in (QIcon.Mode.Normal, QIcon.Mode.Active, QIcon.Mode.Selected):
                icon.addFile(accent, size, mode, on)
        return icon

    def set_icon(self, button: QAbstractButton, name: str, color: str | None = None) -> None:
        """Give ``button`` an icon that follows the theme for as long as the button lives."""
        self._buttons[button] = (name, color)
        self._dress(button, name, color)

    def pixmap(self, name: str, pixels: int, color: str, widget: QWidget | None = None) -> QPixmap:
        """Return the icon as a pixmap, ``pixels`` at 100 % text size, sharp on ``widget``."""
        side = self.px(pixels)
        ratio = widget.devicePixelRatioF() if widget else 1.0
        icon = QIcon(str(self._icon_file(name, self._color(color))))
        return icon.pixmap(QSize(side, side), ratio)

    def app_icon(self) -> QIcon:
        """Return the icon of the application, in its own colours."""
        return QIcon(str(RESOURCES / "icons" / "skein.svg"))

    def _color(self, name: str) -> str:
        return name if name.startswith("#") else getattr(self.colors, name)

    def _icon_file(self, name: str, color: str) -> Path:
        """Write the icon in ``color`` beside the others, once: Qt draws SVGs from files."""
        path = Path(self._folder.path()) / f"{name}_{color[1:]}.svg"
        if not path.exists():
            text = (RESOURCES / "icons" / f"{name}.svg").read_text(encoding="utf-8")
            # Systems tidy their temporary folders; the window may be open for weeks.
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("currentColor", color), encoding="utf-8")
        return path

    def _dress(self, button: QAbstractButton, name: str, color: str | None) -> None:
        button.setIcon(self.icon(name, color))
        button.setIconSize(QSize(self.px(20), self.px(20)))

    def _refresh_buttons(self) -> None:
        for button, (name, color) in list(self._buttons.items()):
            if isValid(button):
                self._dress(button, name, color)


def palette(colors: Colors) -> QPalette:
    """Return the palette for what the stylesheet does not reach."""
    made = QPalette()
    role = QPalette.ColorRole
    pairs = (
        (role.Window, colors.surface),
        (role.WindowText, colors.text),
        (role.Base, colors.raised),
        (role.AlternateBase, colors.sunken),
        (role.Text, colors.text),
        (role.Button, colors.raised),
        (role.ButtonText, colors.text),
        (role.BrightText, colors.danger),
        (role.ToolTipBase, colors.raised),
        (role.ToolTipText, colors.text),
        (role.PlaceholderText, colors.faint),
        (role.Highlight, colors.selection),
        (role.HighlightedText, colors.text),
        (role.Accent, colors.accent),
        (role.Link, colors.accent),
        (role.LinkVisited, colors.accent),
        (role.Light, colors.raised),
        (role.Midlight, colors.hover),
        (role.Mid, colors.border),
        (role.Dark, colors.control),
        (role.Shadow, colors.border),
    )
    for which, color in pairs:
        made.setColor(which, QColor(color))
    dimmed = QColor(mix(colors.faint, colors.surface, 0.4))
    for which in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, which, dimmed)
    return made


def _text_families() -> list[str]:
    system = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    own = system.families()
    if QFontInfo(system).family().lower() in _GENERIC or own[0].lower() in _GENERIC:
        own = [*_installed(_LATIN_FAMILIES), *own]
    return [*own, *_east_asian_families()]


def _mono_families() -> list[str]:
    fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).families()
    return [*_installed(_MONO_FAMILIES), *fixed]


def _east_asian_families() -> list[str]:
    """Chinese forms first, unless the user reads Japanese: the same code points differ."""
    chinese, japanese = _installed(_CHINESE_FAMILIES), _installed(_JAPANESE_FAMILIES)
    if QLocale().language() == QLocale.Language.Japanese:
        return [*japanese, *chinese]
    return [*chinese, *japanese]


def _installed(families: tuple[str, ...]) -> list[str]:
    return [family for family in families if QFontDatabase.hasFamily(family)]
