"""Writes Markdown pieces into a QTextDocument, at its end, and takes them off again.

Qt parses each piece in a scratch document; markdown_copier.py brings its blocks over. Knows no
widget, no message, no stream.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import (
    QColor,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextLayout,
    QTextTable,
)

from app.chat.document_style import CODE_ID, DocumentStyle
from app.chat.formula_source import Formula, cleaned, protect
from app.chat.formulas import (
    OBJECT_TYPE,
    TEX,
    FormulaObject,
    FormulaShelf,
    formula_format,
)
from app.chat.highlight import Highlighter, Lines, palette_for
from app.chat.markdown import hard_breaks
from app.chat.markdown_copier import LINE, MarkdownCopier

_PAINTED_AT_ONCE = 60  # lines of code
_OBJECT = "\ufffc"
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
        cursor.insertText(cleaned(text).replace("\n", LINE), format_)
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
        copier = MarkdownCopier(self, formulas)
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
