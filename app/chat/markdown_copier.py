"""Copies what Qt made of a piece of Markdown into a message's document, in our own formats.

Inserting Qt's fragment would lose the first block's formats. Reads Qt's blocks and asks a
DocumentWriter to write; parses nothing itself.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextFormat,
    QTextList,
    QTextListFormat,
    QTextTable,
)

from app.chat.document_style import QUOTE
from app.chat.formula_source import Formula, parts
from app.chat.links import safe_link
from app.chat.markdown import BREAK

if TYPE_CHECKING:
    from app.chat.document import DocumentWriter

LINE = "\u2028"
"""A line break inside a block."""

_BREAKS = re.compile(f"[ ]*(?:{BREAK}|{LINE})[ ]*")
_Property = QTextFormat.Property


class MarkdownCopier:
    """Copies the blocks of one parsed piece; remembers which lists it has begun."""

    def __init__(self, writer: "DocumentWriter", formulas: list[Formula]) -> None:
        self._writer = writer
        self._style = writer.style
        self._formulas = formulas
        self._lists: dict[int, QTextList] = {}

    def block(self, source: QTextBlock) -> None:
        """Copy a paragraph, heading, list item, quote or rule."""
        format_ = source.blockFormat()
        if format_.hasProperty(_Property.BlockTrailingHorizontalRulerWidth.value):
            self._writer.begin_block(self._style.rule())
            return
        list_ = source.textList()
        if not source.text() and list_ is None:
            return  # Qt's own padding around tables and lists
        heading = format_.headingLevel()
        runs = _broken(list(_runs(source)))
        split = list_ is None and self._only_formula(runs)
        own = self._style.formula() if split else self._format(source, list_)
        cursor = self._writer.begin_block(own)
        if list_ is not None:
            self._join_list(cursor, list_)
        for text, chars in runs:
            self._run(cursor, text, chars, heading, own, apart=list_ is None and not split)

    def _format(self, source: QTextBlock, list_: QTextList | None) -> QTextBlockFormat:
        format_ = source.blockFormat()
        if format_.headingLevel():
            return self._style.heading(format_.headingLevel())
        quote = format_.property(_Property.BlockQuoteLevel.value)
        if list_ is not None:
            made = self._style.list_item()
            made.setMarker(format_.marker())
            if quote:
                made.setProperty(QUOTE, quote)
        elif quote:
            made = self._style.quote(int(quote))
        else:
            made = self._style.paragraph()
        if list_ is None and format_.indent():
            made.setIndent(format_.indent())
            made.setBottomMargin(self._style.list_item().bottomMargin())
        return made

    def _join_list(self, cursor: QTextCursor, source: QTextList) -> None:
        known = self._lists.get(source.objectIndex())
        if known is not None:
            known.add(cursor.block())
            return
        made = QTextListFormat()
        made.setStyle(source.format().style())
        made.setIndent(source.format().indent())
        made.setStart(source.format().start())
        made.setNumberSuffix(source.format().numberSuffix())
        self._lists[source.objectIndex()] = cursor.createList(made)

    def code(self, source: QTextBlock) -> QTextBlock:
        """Copy the lines of one code block; return the block after it."""
        first = source.blockFormat()
        lines = []
        block = source
        while block.isValid() and _same_code(first, block.blockFormat()):
            lines.append(block.text().removesuffix(f" {BREAK}"))
            block = block.next()
        language = str(first.property(_Property.BlockCodeLanguage.value) or "").lower()
        while lines and not lines[-1]:
            lines.pop()
        self._writer.write_code("\n".join(lines), language, first.indent())
        return block

    def table(self, source: QTextTable) -> None:
        """Copy a table."""
        made = self._writer.begin_table(source.rows(), source.columns())
        for row in range(source.rows()):
            for column in range(source.columns()):
                block = source.cellAt(row, column).firstCursorPosition().block()
                cursor = made.cellAt(row, column).firstCursorPosition()
                align = block.blockFormat().alignment() & Qt.AlignmentFlag.AlignHorizontal_Mask
                own = self._style.cell(align)
                cursor.setBlockFormat(own)
                for text, chars in _broken(list(_runs(block))):
                    self._run(cursor, text, chars, 0, own, apart=False)

    # ---- runs -----------------------------------------------------------------------------

    def _only_formula(self, runs: list[tuple[str, QTextCharFormat]]) -> bool:
        found = [part for text, _ in runs for part in parts(text.strip(), self._formulas)]
        return len(found) == 1 and isinstance(found[0], Formula) and found[0].display

    def _run(
        self,
        cursor: QTextCursor,
        text: str,
        chars: QTextCharFormat,
        heading: int,
        block: QTextBlockFormat,
        *,
        apart: bool,
    ) -> None:
        """Copy one run; a display formula in the middle of a paragraph gets a line (``apart``)."""
        if chars.isImageFormat():
            self._image(cursor, chars, heading)
            return
        format_ = self._char_format(chars, heading)
        for part in parts(text, self._formulas):
            if isinstance(part, str):
                words = part.lstrip(f" \t{LINE}") if cursor.atBlockStart() else part
                cursor.insertText(words, format_)
            elif apart and part.display:
                if cursor.block().text().endswith(LINE):
                    cursor.deletePreviousChar()
                if not cursor.atBlockStart():
                    cursor.insertBlock(self._style.formula(), self._style.text())
                else:
                    cursor.setBlockFormat(self._style.formula())
                self._writer.insert_formula(cursor, part)
                cursor.insertBlock(block, self._style.text())
            else:
                self._writer.insert_formula(cursor, part)

    def _image(self, cursor: QTextCursor, chars: QTextCharFormat, heading: int) -> None:
        """Nothing is ever loaded: an image becomes its description, linked to its address."""
        image = chars.toImageFormat()
        words = str(image.property(_Property.ImageAltText.value) or "") or image.name()
        cursor.insertText(words, self._style.text(heading=heading, href=safe_link(image.name())))

    def _char_format(self, chars: QTextCharFormat, heading: int) -> QTextCharFormat:
        return self._style.text(
            bold=chars.fontWeight() > 500,
            italic=chars.fontItalic(),
            struck=chars.fontStrikeOut(),
            code=chars.fontFixedPitch(),
            heading=heading,
            href=safe_link(chars.anchorHref()),
        )


def _runs(block: QTextBlock) -> Iterator[tuple[str, QTextCharFormat]]:
    iterator = block.begin()
    while not iterator.atEnd():
        fragment = iterator.fragment()
        yield fragment.text(), fragment.charFormat()
        iterator += 1


def _broken(runs: list[tuple[str, QTextCharFormat]]) -> list[tuple[str, QTextCharFormat]]:
    """Put line breaks where the source has marked some; none at the ends, none in code."""
    if not any(BREAK in text or LINE in text for text, _ in runs):
        return runs
    made = [(_BREAKS.sub(" " if c.fontFixedPitch() else LINE, text), c) for text, c in runs]
    for i in range(1, len(made)):
        if made[i - 1][0].endswith(LINE):
            made[i] = (made[i][0].lstrip(" "), made[i][1])
    made[-1] = (made[-1][0].rstrip(f" {LINE}"), made[-1][1])
    return made


def _same_code(first: QTextBlockFormat, other: QTextBlockFormat) -> bool:
    name, fence = _Property.BlockCodeLanguage.value, _Property.BlockCodeFence.value
    return (
        other.hasProperty(name)
        and other.property(name) == first.property(name)
        and other.property(fence) == first.property(fence)
        and other.indent() == first.indent()
    )
