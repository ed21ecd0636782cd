"""Reads a message's document as plain text: formulas as TeX, list marks and cells kept."""

from collections.abc import Iterator

from PySide6.QtGui import QTextBlock, QTextCursor, QTextDocument, QTextListFormat

from app.chat.document_style import KIND
from app.chat.formulas import OBJECT_TYPE, formula_of

_OBJECT = "\ufffc"
_PARAGRAPH_GAP = 7  # pixels below a block from which plain text shows a blank line


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
