"""How a message's document looks: block and character formats made of the theme.

Formats only; knows no text and does not change documents. Measures are pixels at 100 % text
size, scaled by the theme.
"""

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QTextBlockFormat,
    QTextCharFormat,
    QTextFormat,
    QTextFrameFormat,
    QTextLength,
    QTextTableFormat,
)

from app.theme import Theme

KIND = QTextFormat.Property.UserProperty.value + 1
"""Block property: "code", "rule" or "spacer"; absent for text."""

CODE_ID = QTextFormat.Property.UserProperty.value + 2
"""Block property: number of the code block that a line belongs to."""

QUOTE = QTextFormat.Property.UserProperty.value + 3
"""Block property: depth of quotation, 1 or more."""

_HEADING_SIZES = (22, 19, 17, 16, 15, 15)
_MINIMUM = QTextBlockFormat.LineHeightTypes.MinimumHeight.value
_FIXED = QTextBlockFormat.LineHeightTypes.FixedHeight.value


class DocumentStyle:
    """Formats for one theme state; ``quiet`` is the smaller, muted style of thoughts."""

    def __init__(self, theme: Theme, *, quiet: bool = False) -> None:
        colors = theme.colors
        self.theme = theme
        self.quiet = quiet
        self.dark = theme.is_dark
        self.text_color = colors.muted if quiet else colors.text
        self.base_size = 14 if quiet else 15
        self.font = theme.font(self.base_size)
        self.mono = theme.mono_font(13)
        self.label_font = theme.font(12, 500)
        self.inline_mono = theme.mono_font(13.5 if not quiet else 13)
        self.line_height = theme.px(self.base_size * 1.6)
        self.indent_width = theme.px(26)
        self.code_pad = theme.px(14)
        self.code_header = theme.px(34)
        self._chars: dict[tuple[object, ...], QTextCharFormat] = {}

    # ---- blocks ---------------------------------------------------------------------------

    def paragraph(self, *, below: float = 12) -> QTextBlockFormat:
        """Text that flows; ``below``: the space after it."""
        made = QTextBlockFormat()
        made.setLineHeight(self.line_height, _MINIMUM)
        made.setBottomMargin(self.theme.px(below))
        return made

    def heading(self, level: int) -> QTextBlockFormat:
        """A heading of level 1 to 6."""
        made = QTextBlockFormat()
        made.setHeadingLevel(level)
        made.setLineHeight(self.theme.px(self._heading_size(level) * 1.4), _MINIMUM)
        made.setTopMargin(self.theme.px(20 if level <= 2 else 16))
        made.setBottomMargin(self.theme.px(8))
        return made

    def list_item(self) -> QTextBlockFormat:
        """One item; the list's own format indents it."""
        return self.paragraph(below=5)

    def quote(self, level: int) -> QTextBlockFormat:
        """A quoted paragraph; the bar is painted beside it."""
        made = self.paragraph(below=8)
        made.setProperty(QUOTE, level)
        made.setLeftMargin(self.theme.px(18) * level)
        return made

    def code_line(self, number: int, *, first: bool, indent: int = 0) -> QTextBlockFormat:
        """A line of code block ``number``; the first leaves room for the painted header."""
        made = QTextBlockFormat()
        made.setProperty(KIND, "code")
        made.setProperty(CODE_ID, number)
        made.setLineHeight(self.theme.px(20), _MINIMUM)
        made.setLeftMargin(self.code_pad + indent * self.indent_width)
        made.setRightMargin(self.code_pad)
        if first:
            made.setTopMargin(self.theme.px(6) + self.code_header)
        return made

    def close_code(self, last_line: QTextBlockFormat) -> QTextBlockFormat:
        """Return the format of a last line of code: room for the painted lower edge."""
        made = QTextBlockFormat(last_line)
        made.setBottomMargin(self.code_pad + self.theme.px(14))
        return made

    @property
    def rule_height(self) -> int:
        """Pixels of the block of a thematic break, without its margins."""
        return self.theme.px(8)

    def rule(self) -> QTextBlockFormat:
        """A thematic break; the line is painted."""
        made = QTextBlockFormat()
        made.setProperty(KIND, "rule")
        made.setLineHeight(self.rule_height, _FIXED)
        made.setTopMargin(self.theme.px(16))
        made.setBottomMargin(self.theme.px(16))
        return made

    def spacer(self) -> QTextBlockFormat:
        """The empty block that Qt wants around tables."""
        made = QTextBlockFormat()
        made.setProperty(KIND, "spacer")
        made.setLineHeight(1, _FIXED)
        return made

    def formula(self) -> QTextBlockFormat:
        """A formula on a line of its own."""
        made = QTextBlockFormat()
        made.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        made.setTopMargin(self.theme.px(6))
        made.setBottomMargin(self.theme.px(16))
        return made

    def cell(self, alignment: Qt.AlignmentFlag) -> QTextBlockFormat:
        """A paragraph in a table."""
        made = QTextBlockFormat()
        made.setAlignment(alignment)
        made.setLineHeight(self.theme.px(self.base_size * 1.4), _MINIMUM)
        return made

    def table(self, above: float) -> QTextTableFormat:
        """Hairlines all round, generous cells; ``above``: pixels left free over it."""
        made = QTextTableFormat()
        made.setBorder(1)
        made.setBorderCollapse(True)
        made.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
        made.setBorderBrush(QBrush(QColor(self.theme.colors.border)))
        made.setCellPadding(self.theme.px(7))
        made.setCellSpacing(0)
        made.setTopMargin(above)
        made.setBottomMargin(self.theme.px(16))
        made.setHeaderRowCount(1)
        made.setWidth(QTextLength())
        return made

    # ---- characters -----------------------------------------------------------------------

    def text(
        self,
        *,
        bold: bool = False,
        italic: bool = False,
        struck: bool = False,
        code: bool = False,
        heading: int = 0,
        href: str = "",
    ) -> QTextCharFormat:
        """Return the format of a run of text."""
        key = (bold, italic, struck, code, heading, href)
        if key not in self._chars or href:
            self._chars[key] = self._make(bold, italic, struck, code, heading, href)
        return self._chars[key]

    def code(self) -> QTextCharFormat:
        """Characters inside a code block."""
        made = QTextCharFormat()
        made.setFont(self.mono)
        made.setForeground(QColor(self.theme.colors.text if not self.quiet else self.text_color))
        return made

    def tiny(self) -> QTextCharFormat:
        """Characters that must not make a line high."""
        made = QTextCharFormat()
        font = QFont(self.font)
        font.setPixelSize(1)
        made.setFont(font)
        return made

    def _make(
        self, bold: bool, italic: bool, struck: bool, code: bool, heading: int, href: str
    ) -> QTextCharFormat:
        made = QTextCharFormat()
        font = QFont(self.inline_mono if code else self.font)
        if heading:
            font.setPixelSize(self.theme.px(self._heading_size(heading)))
        if bold or heading:
            font.setWeight(QFont.Weight.DemiBold)
        font.setItalic(italic)
        font.setStrikeOut(struck)
        made.setFont(font)
        made.setForeground(QColor(self.text_color))
        if code:
            made.setBackground(QColor(self.theme.colors.sunken))
        if href:
            made.setAnchor(True)
            made.setAnchorHref(href)
            made.setForeground(QColor(self.theme.colors.accent))
            made.setFontUnderline(True)
        return made

    def _heading_size(self, level: int) -> int:
        size = _HEADING_SIZES[min(max(level, 1), 6) - 1]
        return min(size, 16) if self.quiet else size


class StyleShelf:
    """The styles of the theme state in use, made once for all messages."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._key: tuple[object, ...] = ()
        self._styles: dict[bool, DocumentStyle] = {}

    def style(self, *, quiet: bool = False) -> DocumentStyle:
        """Return the style in the theme's colours and sizes of now."""
        key = (self._theme.colors, self._theme.scale)
        if key != self._key:
            self._key = key
            self._styles = {}
        if quiet not in self._styles:
            self._styles[quiet] = DocumentStyle(self._theme, quiet=quiet)
        return self._styles[quiet]
