"""The two palettes of Skein and the arithmetic of contrast. Knows no widget.

Light is a slightly warm paper, dark a deep blue grey; one accent, the teal of dusk.
``contrast`` is the ratio of WCAG 2.2 (relative luminance of sRGB), 1 to 21.
"""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Colors:
    """Every colour that a widget may use, as "#rrggbb".

    window: behind everything, the sidebar; surface: the pane; sunken: wells, tracks;
    raised: cards, fields, menus; border: hairlines that only decorate; control: outlines that
    say "this can be used" (3:1); text, muted, faint: three strengths of text (all 4.5:1).
    """

    window: str
    surface: str
    sunken: str
    raised: str
    border: str
    control: str
    text: str
    muted: str
    faint: str
    accent: str
    accent_hover: str
    on_accent: str
    selection: str
    hover: str
    pressed: str
    danger: str
    warning: str
    success: str
    code_background: str

    def as_dict(self) -> dict[str, str]:
        """Return the colours by name."""
        return asdict(self)


LIGHT = Colors(
    window="#f5f3ef",
    surface="#fcfbf9",
    sunken="#ece9e4",
    raised="#ffffff",
    border="#e3dfd8",
    control="#8b8883",
    text="#1d232c",
    muted="#565d68",
    faint="#666b74",
    accent="#1d6c78",
    accent_hover="#175862",
    on_accent="#ffffff",
    selection="#d5e7e8",
    hover="#ebe8e2",
    pressed="#e1ddd6",
    danger="#a8322b",
    warning="#835500",
    success="#2a6b3d",
    code_background="#f4f1ec",
)

DARK = Colors(
    window="#13171e",
    surface="#181d25",
    sunken="#0f1319",
    raised="#1f252f",
    border="#2b323e",
    control="#707b8c",
    text="#e5e8ed",
    muted="#abb3bf",
    faint="#929baa",
    accent="#6cc0c4",
    accent_hover="#8bd1d4",
    on_accent="#0b1a1d",
    selection="#224046",
    hover="#232a35",
    pressed="#2c3440",
    danger="#f08d84",
    warning="#deb265",
    success="#7fc898",
    code_background="#12161c",
)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio (1 to 21) of two "#rrggbb" colours."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def mix(one: str, other: str, share: float) -> str:
    """Return ``one`` with ``share`` (0 to 1) of ``other`` in it."""
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _luminance(color: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
