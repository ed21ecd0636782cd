"""Writes Markdown pieces into a QTextDocument, at its end, and takes them off again.

Qt parses each piece in a scratch document; its blocks are then copied with our own formats
(inserting Qt's fragment would lose the first block's). Knows no widget, no message, no stream.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import (
    QColor,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextLayout,
    QTextList,
    QTextListFormat,
    QTextTable,
)

from app.chat.document_style import CODE_ID, KIND, QUOTE, DocumentStyle
from app.chat.formula_source import Formula, cleaned, parts, protect
from app.chat.formulas import (
    OBJECT_TYPE,
    TEX,
    FormulaObject,
    FormulaShelf,
    formula_format,
    formula_of,
)
from app.chat.highlight import Highlighter, Lines, palette_for
from app.chat.markdown import BREAK, hard_breaks

LINK_SCHEMES = {"http", "https", "mailto"}
_PAINTED_AT_ONCE = 60  # lines of code
_OBJECT = "\ufffc"
_LINE = "\u2028"  # a line break inside a block
_BREAKS = re.compile(f"[ ]*(?:{BREAK}|{_LINE})[ ]*")
_PARAGRAPH_GAP = 7  # pixels below a block from which plain text shows a blank line
_MARKDOWN = QTextDocument.MarkdownFeature(
    QTextDocument.MarkdownFeature.MarkdownDialectGitHub.value
    | QTextDocument.MarkdownFeature.MarkdownNoHTML.value
)
_END = QTextCursor.MoveOperation.End
_KEEP = QTextCursor.MoveMode.KeepAnchor
_Property = QTextFormat.Property


@dataclass(slots=True)
class CodeBlock:
    """A code block in the document: where its first line is, what it says."""

    number: int
    start: QTextCursor
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A place at the end of the document to which it can be taken back."""

    cursor: QTextCursor
    fresh: bool
    code_blocks: int

    @property
    def position(self) -> int:
        """Offset in the document."""
        return self.cursor.position()


class DocumentWriter(QObject):
    """The only one who changes a message's document."""

    def __init__(
        self,
        get_document: Callable[[], QTextDocument],
        style: DocumentStyle,
        shelf: FormulaShelf,
        highlighter: Highlighter,
        parent: QObject | None = None,
    ) -> None:
        """get_document: asked each time, because PySide may declare a kept wrapper dead
        (QTextList.document() does that) while the document lives on."""
        super().__init__(parent)
        self._get_document = get_document
        self.code_blocks: list[CodeBlock] = []
        self._shelf = shelf
        self._highlighter = highlighter
        document = get_document()
        self._cursor = QTextCursor(document)
        self._fresh = True  # the last block is empty and may be taken
        self._numbers = 0
        self._object = FormulaObject(shelf, self)
        self._waiting: set[Formula] = set()
        document.setUndoRedoEnabled(False)
        document.setDocumentMargin(0)
        document.documentLayout().registerHandler(OBJECT_TYPE, self._object)
        self.set_style(style)
        self._shrink()

    @property
    def document(self) -> QTextDocument:
        """What is written."""
        return self._get_document()

    # ---- the whole ------------------------------------------------------------------------

    def set_style(self, style: DocumentStyle) -> None:
        """Use other formats from now on; what is written stays until it is written again."""
        self.style = style
        self.document.setDefaultFont(style.font)
        self.document.setIndentWidth(style.indent_width)

    def clear(self) -> None:
        """Empty the document."""
        self.document.clear()
        self._cursor = QTextCursor(self.document)
        self.code_blocks = []
        self._fresh = True
        self._shrink()

    def mark(self) -> Mark:
        """Remember the end of the document."""
        cursor = QTextCursor(self.document)
        cursor.movePosition(_END)
        cursor.setKeepPositionOnInsert(True)
        return Mark(cursor, self._fresh, len(self.code_blocks))

    def truncate(self, mark: Mark) -> None:
        """Remove what was written after ``mark``."""
        cursor = self._cursor
        cursor.setPosition(mark.position)
        # An empty block would take over the format of what is removed after it.
        held = not mark.fresh and cursor.block().length() == 1
        if held:
            cursor.insertText(" ")
        cursor.movePosition(_END, _KEEP)
        cursor.removeSelectedText()
        if held:
            cursor.deletePreviousChar()
        self._fresh = mark.fresh
        del self.code_blocks[mark.code_blocks :]
        if mark.fresh:
            self._shrink()

    def edit(self) -> "_Edit":
        """Return a context in which changes are laid out once, at its end."""
        return _Edit(QTextCursor(self.document))

    # ---- plain text -----------------------------------------------------------------------

    def write_plain(self, text: str) -> None:
        """Append text as it is, line by line."""
        for line in cleaned(text).split("\n"):
            self._begin(self.style.paragraph(below=0), self.style.text())
            self._cursor.insertText(line, self.style.text())

    def append_plain(self, text: str) -> bool:
        """Let ``text`` join the last paragraph, its line ends as breaks; false: it cannot."""
        cursor = self._cursor
        cursor.movePosition(_END)
        format_ = cursor.charFormat()
        if self._fresh or format_.isAnchor() or format_.objectType():
            return False
        cursor.insertText(cleaned(text).replace("\n", _LINE), format_)
        return True

    # ---- code -----------------------------------------------------------------------------

    def open_code(self, language: str, indent: int = 0) -> CodeBlock:
        """Begin a code block; ``append_code`` fills it and ``close_code`` ends it."""
        self._numbers += 1
        format_ = self.style.code_line(self._numbers, first=True, indent=indent)
        self._begin(format_, self.style.code())
        start = QTextCursor(self.document)
        start.setPosition(self._cursor.position())
        start.setKeepPositionOnInsert(True)
        block = CodeBlock(self._numbers, start, language, "")
        self.code_blocks.append(block)
        return block

    def append_code(self, block: CodeBlock, text: str) -> None:
        """Append to an open code block; ``text`` may hold part of a line."""
        self._cursor.movePosition(_END)
        format_, chars = self._cursor.blockFormat(), self.style.code()
        following = self.style.code_line(block.number, first=False)
        following.setLeftMargin(format_.leftMargin())
        first, *more = cleaned(text).split("\n")
        self._cursor.insertText(first, chars)
        for line in more:
            self._cursor.insertBlock(following, chars)
            self._cursor.insertText(line, chars)
        block.text += text

    def close_code(self, block: CodeBlock) -> None:
        """End a code block and have it coloured."""
        self._cursor.movePosition(_END)
        self._cursor.setBlockFormat(self.style.close_code(self._cursor.blockFormat()))
        self._fresh = False
        self._highlighter.request(
            block.text, block.language, lambda lines: self._paint(block, lines)
        )

    def write_code(self, text: str, language: str, indent: int = 0) -> None:
        """Append a whole code block."""
        block = self.open_code(language, indent)
        self.append_code(block, text)
        self.close_code(block)

    def _paint(self, code: CodeBlock, lines: Lines, done: int = 0) -> None:
        """Colour a code block, if it is still there; long ones in slices."""
        if not any(code is known for known in self.code_blocks):
            return
        formats = {kind: _colored(color) for kind, color in self._code_colors().items()}
        block = self.document.findBlockByNumber(code.start.blockNumber() + done)
        start, length = block.position(), 0
        for spans in lines[done : done + _PAINTED_AT_ONCE]:
            if not block.isValid() or block.blockFormat().property(CODE_ID) != code.number:
                break
            ranges = [_range(s.start, s.length, formats[s.kind]) for s in spans]
            if ranges:
                block.layout().setFormats(ranges)
            length += block.length()
            block = block.next()
        self.document.markContentsDirty(start, max(0, length - 1))
        done += _PAINTED_AT_ONCE
        if done < len(lines):
            QTimer.singleShot(0, self, lambda: self._paint(code, lines, done))

    def _code_colors(self) -> dict[str, str]:
        return palette_for(dark=self.style.dark)

    # ---- Markdown -------------------------------------------------------------------------

    def write_markdown(self, source: str) -> None:
        """Append Markdown blocks; a line end inside one is a line break."""
        protected, formulas = protect(source)
        scratch = QTextDocument()
        scratch.setMarkdown(hard_breaks(protected), _MARKDOWN)
        copier = _Copier(self, formulas)
        block = scratch.begin()
        while block.isValid():
            table = QTextCursor(block).currentTable()
            if table is not None:
                copier.table(table)
                block = scratch.findBlock(table.lastPosition() + 1)
            elif block.blockFormat().hasProperty(_Property.BlockCodeLanguage.value):
                block = copier.code(block)
            else:
                copier.block(block)
                block = block.next()

    def close_up(self) -> None:
        """Leave no room under the last paragraph: what is written next belongs to it."""
        self._cursor.movePosition(_END)
        format_ = self._cursor.blockFormat()
        format_.setBottomMargin(0)
        self._cursor.setBlockFormat(format_)

    def begin_block(self, format_: QTextBlockFormat) -> QTextCursor:
        """Start a block at the end of the document; return the cursor in it."""
        self._begin(format_, self.style.text())
        return self._cursor

    def begin_table(self, rows: int, columns: int) -> QTextTable:
        """Start a table at the end of the document."""
        self._cursor.movePosition(_END)
        if self._fresh:
            self._shrink()
        above = self._cursor.block().blockFormat().bottomMargin()  # Qt forgets it before tables
        table = self._cursor.insertTable(rows, columns, self.style.table(above))
        self._cursor.movePosition(_END)
        self._shrink()
        self._fresh = True
        return table

    def insert_formula(self, cursor: QTextCursor, formula: Formula) -> None:
        """Insert the character that stands for a formula, or its TeX when it cannot be drawn."""
        drawing = self._shelf.drawing(formula)
        if drawing is None:
            # Until it is laid out its TeX stands there; the character is found by its property.
            format_ = QTextCharFormat(self.style.text(code=True))
            format_.setProperty(TEX, formula.tex)
            cursor.insertText(cleaned(formula.source), format_)
            if formula not in self._waiting:
                self._waiting.add(formula)
                self._shelf.request(formula, lambda: self._settle(formula))
        elif drawing.svg:
            color = self.style.text_color
            cursor.insertText(_OBJECT, formula_format(formula, drawing, self.style.font, color))
        else:
            cursor.insertText(cleaned(formula.source), self.style.text(code=True))

    def _settle(self, formula: Formula) -> None:
        """Replace the TeX that waited by the formula, which is laid out now."""
        self._waiting.discard(formula)
        source = cleaned(formula.source)
        with self.edit():
            for found in list(self._found(source)):
                if found.charFormat().property(TEX) == formula.tex:
                    found.removeSelectedText()
                    self.insert_formula(found, formula)

    def _found(self, text: str) -> Iterator[QTextCursor]:
        flags = QTextDocument.FindFlag.FindCaseSensitively
        cursor = self.document.find(text, 0, flags)
        while not cursor.isNull():
            yield cursor
            cursor = self.document.find(text, cursor, flags)

    def _shrink(self) -> None:
        """Let the empty block at the end take no room."""
        self._cursor.setBlockFormat(self.style.spacer())
        self._cursor.setBlockCharFormat(self.style.tiny())

    def _begin(self, format_: QTextBlockFormat, chars: QTextCharFormat) -> None:
        cursor = self._cursor
        cursor.movePosition(_END)
        if self._fresh:
            cursor.setBlockFormat(format_)
            cursor.setBlockCharFormat(chars)
            cursor.setCharFormat(chars)
            self._fresh = False
        else:
            cursor.insertBlock(format_, chars)


class _Edit:
    """Groups changes of a document into one layout."""

    def __init__(self, cursor: QTextCursor) -> None:
        self._cursor = cursor

    def __enter__(self) -> None:
        self._cursor.beginEditBlock()

    def __exit__(self, *_: object) -> None:
        self._cursor.endEditBlock()


class _Copier:
    """Copies the blocks of one parsed piece; remembers which lists it has begun."""

    def __init__(self, writer: DocumentWriter, formulas: list[Formula]) -> None:
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
                words = part.lstrip(f" \t{_LINE}") if cursor.atBlockStart() else part
                cursor.insertText(words, format_)
            elif apart and part.display:
                if cursor.block().text().endswith(_LINE):
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


def safe_link(address: str) -> str:
    """Return an address that may be opened, or "" for any other."""
    try:
        scheme = urlsplit(address).scheme.lower()
    except ValueError:
        return ""
    return address if scheme in LINK_SCHEMES else ""


def _runs(block: QTextBlock) -> Iterator[tuple[str, QTextCharFormat]]:
    iterator = block.begin()
    while not iterator.atEnd():
        fragment = iterator.fragment()
        yield fragment.text(), fragment.charFormat()
        iterator += 1


def _broken(runs: list[tuple[str, QTextCharFormat]]) -> list[tuple[str, QTextCharFormat]]:
    """Put line breaks where the source has marked some; none at the ends, none in code."""
    if not any(BREAK in text or _LINE in text for text, _ in runs):
        return runs
    made = [(_BREAKS.sub(" " if c.fontFixedPitch() else _LINE, text), c) for text, c in runs]
    for i in range(1, len(made)):
        if made[i - 1][0].endswith(_LINE):
            made[i] = (made[i][0].lstrip(" "), made[i][1])
    made[-1] = (made[-1][0].rstrip(f" {_LINE}"), made[-1][1])
    return made


def _same_code(first: QTextBlockFormat, other: QTextBlockFormat) -> bool:
    name, fence = _Property.BlockCodeLanguage.value, _Property.BlockCodeFence.value
    return (
        other.hasProperty(name)
        and other.property(name) == first.property(name)
        and other.property(fence) == first.property(fence)
        and other.indent() == first.indent()
    )


def _colored(color: str) -> QTextCharFormat:
    made = QTextCharFormat()
    made.setForeground(QColor(color))
    return made


def _range(start: int, length: int, format_: QTextCharFormat) -> QTextLayout.FormatRange:
    made = QTextLayout.FormatRange()
    made.start = start
    made.length = length
    made.format = format_
    return made


def selected_text(cursor: QTextCursor) -> str:
    """Return the selection as plain text: formulas as TeX, list marks and table cells kept."""
    document = cursor.document()
    start, end = cursor.selectionStart(), cursor.selectionEnd()
    pieces: list[str] = []
    before: QTextBlock | None = None
    block = document.findBlock(start)
    while block.isValid() and block.position() < end:
        if block.blockFormat().property(KIND) != "spacer":
            if before is not None:
                pieces.append(_separator(before, block))
            if block.position() >= start:
                pieces.append(_list_mark(block))
            pieces.extend(_block_text(block, start, end))
            before = block
        block = block.next()
    return "".join(pieces).replace("\u2028", "\n").replace("\u00a0", " ")


def _separator(before: QTextBlock, block: QTextBlock) -> str:
    table = QTextCursor(before).currentTable()
    if table is not None and QTextCursor(block).currentTable() == table:
        first, second = table.cellAt(before.position()), table.cellAt(block.position())
        return "\t" if first.row() == second.row() else "\n"
    if table is not None or QTextCursor(block).currentTable() is not None:
        return "\n\n"
    apart = before.blockFormat().bottomMargin() >= _PARAGRAPH_GAP
    if before.textList() is not None and block.textList() is None:
        apart = not block.blockFormat().indent()
    return "\n\n" if apart else "\n"


def _list_mark(block: QTextBlock) -> str:
    list_ = block.textList()
    if list_ is None:
        return ""
    ordered = list_.format().style() == QTextListFormat.Style.ListDecimal
    mark = f"{list_.format().start() + list_.itemNumber(block)}." if ordered else "•"
    return "  " * (list_.format().indent() - 1) + mark + " "


def _block_text(block: QTextBlock, start: int, end: int) -> Iterator[str]:
    iterator = block.begin()
    while not iterator.atEnd():
        fragment = iterator.fragment()
        text, at = fragment.text(), fragment.position()
        units = text.encode("utf-16-le", "surrogatepass")
        part = units[2 * max(0, start - at) : 2 * max(0, end - at)]
        words = part.decode("utf-16-le", "replace")
        if _OBJECT in words and fragment.charFormat().objectType() == OBJECT_TYPE:
            words = words.replace(_OBJECT, formula_of(fragment.charFormat()).source)
        yield words
        iterator += 1


def document_text(document: QTextDocument) -> str:
    """Return the whole document as plain text, formulas as TeX."""
    cursor = QTextCursor(document)
    cursor.select(QTextCursor.SelectionType.Document)
    return selected_text(cursor)
