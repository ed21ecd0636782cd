"""One read-only rich text as high as its content, with painted code blocks, quotes and rules.

Loads nothing, opens nothing: a clicked link is only told. Knows no message and no chat.
"""

import math

from PySide6.QtCore import QEvent, QMimeData, QPointF, QRectF, QSize, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTextBlock,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextBrowser, QToolButton, QToolTip, QWidget

from app.chat.document import CodeBlock, DocumentWriter
from app.chat.document_style import CODE_ID, KIND, QUOTE, StyleShelf
from app.chat.document_text import document_text, selected_text
from app.chat.formulas import FormulaShelf
from app.chat.highlight import Highlighter
from app.theme import Theme
from app.widgets.parts import icon_button

COPIED_MS = 1500
_SCROLL_KEYS = {
    Qt.Key.Key_Up,
    Qt.Key.Key_Down,
    Qt.Key.Key_PageUp,
    Qt.Key.Key_PageDown,
    Qt.Key.Key_Home,
    Qt.Key.Key_End,
    Qt.Key.Key_Space,
}


class MessageBrowser(QTextBrowser):
    """The text of one message. ``writer`` changes it, ``refresh`` follows."""

    height_changed = Signal()
    link_hovered = Signal(str)
    menu_requested = Signal(object)  # QPoint, global
    code_copied = Signal(str)

    def __init__(
        self,
        theme: Theme,
        styles: StyleShelf,
        shelf: FormulaShelf,
        highlighter: Highlighter,
        *,
        quiet: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._quiet = quiet
        self._styles = styles
        self._buttons: list[tuple[CodeBlock, QToolButton]] = []
        self._ringed = False
        self._edge = 0  # room under a code block at the end, as measured last
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setTabChangesFocus(True)
        self.setUndoRedoEnabled(False)
        self.setCursorWidth(0)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.viewport().setAutoFillBackground(False)
        flags = Qt.TextInteractionFlag
        self.setTextInteractionFlags(flags.TextBrowserInteraction | flags.TextSelectableByKeyboard)
        self.writer = DocumentWriter(
            self.document, styles.style(quiet=quiet), shelf, highlighter, self
        )
        self.document().documentLayout().documentSizeChanged.connect(self._on_document_size)
        self.highlighted.connect(self._on_highlighted)

    # ---- content --------------------------------------------------------------------------

    def restyle(self) -> None:
        """Take the colours and sizes of the theme; the text must be written again after it."""
        self.writer.set_style(self._styles.style(quiet=self._quiet))

    def refresh(self) -> None:
        """Let the height and the Copy buttons follow the code blocks."""
        if self._edge != self._edge_height():
            self._on_document_size()
        blocks = self.writer.code_blocks
        kept = {id(block): button for block, button in self._buttons}
        wanted = {id(block) for block in blocks}
        for block, button in self._buttons:
            if id(block) not in wanted:
                button.hide()
                button.deleteLater()
        self._buttons = [(b, kept[id(b)] if id(b) in kept else self._button(b)) for b in blocks]
        self._place_buttons()

    @property
    def plain_text(self) -> str:
        """All of it as text, formulas as TeX."""
        return document_text(self.document())

    @property
    def selection(self) -> str:
        """The selected text, formulas as TeX; "" when nothing is selected."""
        return selected_text(self.textCursor()) if self.textCursor().hasSelection() else ""

    def code_buttons(self) -> list[QToolButton]:
        """The Copy buttons, top to bottom."""
        return [button for _, button in self._buttons]

    @property
    def natural_width(self) -> int:
        """Pixels that the text would take without wrapping."""
        return math.ceil(self.document().idealWidth()) + 2

    # ---- Copy buttons ---------------------------------------------------------------------

    def _button(self, block: CodeBlock) -> QToolButton:
        words = self.tr("Copy code")
        name = f"{words} ({block.language})" if block.language else words
        button = icon_button(self._theme, "copy", "copy_code_button", name)
        button.setParent(self.viewport())
        button.setCursor(Qt.CursorShape.ArrowCursor)
        button.clicked.connect(lambda: self._copy_code(block, button))
        button.show()
        return button

    def _copy_code(self, block: CodeBlock, button: QToolButton) -> None:
        self.code_copied.emit(block.text)
        self._theme.set_icon(button, "check", "success")
        QTimer.singleShot(COPIED_MS, button, lambda: self._theme.set_icon(button, "copy"))

    def _place_buttons(self) -> None:
        header, inset = self.writer.style.code_header, self._theme.px(4)
        side = header - 2 * self._theme.px(3)
        for block, button in self._buttons:
            top = self._text_rect(block.start.block()).top() - header
            right = self.viewport().width() - inset
            button.setFixedSize(side, side)
            button.move(right - side, round(top) + (header - side) // 2)

    # ---- size -----------------------------------------------------------------------------

    def _on_document_size(self) -> None:
        self._edge = self._edge_height()
        height = max(1, math.ceil(self.document().size().height() + self._edge))
        if height != self.height():
            self.setFixedHeight(height)
            self.height_changed.emit()
        self._place_buttons()

    def _edge_height(self) -> int:
        """Return the room for the lower edge of a code block at the end.

        Qt gives a document no room for the margin under its last block.
        """
        is_code = self.document().lastBlock().blockFormat().property(KIND) == "code"
        return self.writer.style.code_pad + 2 if is_code else 0

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_buttons()

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self.minimumHeight())

    # ---- painting -------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._decorate(painter, QRectF(event.rect()))
        painter.end()
        super().paintEvent(event)

    def _decorate(self, painter: QPainter, exposed: QRectF) -> None:
        """Paint what lies behind the exposed text; long code is never walked as a whole."""
        block = self._block_at(exposed.top())
        while block.isValid() and block.layout().position().y() < exposed.bottom() + 100:
            format_ = block.blockFormat()
            kind = format_.property(KIND)
            if kind == "code":
                block = self._paint_code(painter, block, exposed)
                continue
            if kind == "rule":
                self._paint_rule(painter, block)
            if format_.hasProperty(QUOTE):
                self._paint_quote(painter, block, int(format_.property(QUOTE)))
            block = block.next()

    def _block_at(self, y: float) -> QTextBlock:
        layout = self.document().documentLayout()
        position = layout.hitTest(QPointF(0, y), Qt.HitTestAccuracy.FuzzyHit)
        block = self.document().findBlock(max(0, position))
        return block.previous() if block.previous().isValid() else block

    def _text_rect(self, block: QTextBlock) -> QRectF:
        """Return where the lines of a block are, without its margins."""
        layout = block.layout()
        return layout.boundingRect().translated(layout.position())

    def _paint_code(self, painter: QPainter, block: QTextBlock, exposed: QRectF) -> QTextBlock:
        """Paint the box of a code block; return the block after what was looked at."""
        style, colors = self.writer.style, self._theme.colors
        number = block.blockFormat().property(CODE_ID)
        first = last = block
        while _is_code(first.previous(), number) and self._top(first) > exposed.top() - 60:
            first = first.previous()
        while _is_code(last.next(), number) and self._top(last) < exposed.bottom() + 60:
            last = last.next()
        begins = not _is_code(first.previous(), number)
        ends = not _is_code(last.next(), number)
        top = self._text_rect(first).top() - (style.code_header if begins else 40)
        bottom = self._text_rect(last).bottom() + (style.code_pad if ends else 40)
        left = block.blockFormat().leftMargin() - style.code_pad
        box = QRectF(left + 0.5, top + 0.5, self.viewport().width() - left - 1, bottom - top - 1)
        painter.setPen(QColor(colors.border))
        painter.setBrush(QColor(colors.code_background))
        painter.drawRoundedRect(box, 8, 8)
        if begins:
            self._paint_language(painter, box, int(number))
        return last.next()

    def _paint_language(self, painter: QPainter, box: QRectF, number: int) -> None:
        style = self.writer.style
        language = next((b.language for b in self.writer.code_blocks if b.number == number), "")
        header = QRectF(box.left() + style.code_pad, box.top(), box.width(), style.code_header)
        painter.setPen(QColor(self._theme.colors.faint))
        painter.setFont(style.label_font)
        words = language or self.tr("code")
        painter.drawText(header, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words)

    def _paint_rule(self, painter: QPainter, block: QTextBlock) -> None:
        # The text's own rectangle is higher than the fixed height of the line.
        middle = round(self._top(block) + self.writer.style.rule_height / 2) + 0.5
        painter.setPen(QColor(self._theme.colors.border))
        painter.drawLine(QPointF(0, middle), QPointF(self.viewport().width(), middle))

    def _paint_quote(self, painter: QPainter, block: QTextBlock, depth: int) -> None:
        rect = self._text_rect(block)
        following = block.next()
        bottom = rect.bottom()
        if following.isValid() and following.blockFormat().hasProperty(QUOTE):
            bottom = self._text_rect(following).top()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.colors.border))
        for level in range(depth):
            left = self._theme.px(18) * level + 1
            painter.drawRect(QRectF(left, rect.top(), 3, bottom - rect.top()))

    def _top(self, block: QTextBlock) -> float:
        return block.layout().position().y()

    # ---- doing nothing on one's own -------------------------------------------------------

    def loadResource(self, type_: int, name: QUrl | str) -> object:
        """Return nothing: no image, no style sheet, no file is ever read."""
        return None

    def createMimeDataFromSelection(self) -> QMimeData:
        data = QMimeData()
        data.setText(self.selection)
        return data

    def doSetSource(self, name: QUrl | str, type: object = None) -> None:
        """Go nowhere."""

    def _on_highlighted(self, address: QUrl) -> None:
        text = address.toString()
        self.link_hovered.emit(text)
        cursor_place = self.mapToGlobal(self.cursorRect().bottomLeft())
        if text and not self.underMouse():
            QToolTip.showText(cursor_place, text, self)

    # ---- events that belong to the transcript ---------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        if (
            event.key() == Qt.Key.Key_Escape
            or (plain and event.key() in _SCROLL_KEYS)
            or (event.matches(QKeySequence.StandardKey.Copy) and not self.selection)
        ):
            event.ignore()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_requested.emit(event.globalPos())

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            address = self.anchorAt(self.viewport().mapFromGlobal(event.globalPos()))
            if address:
                QToolTip.showText(event.globalPos(), address, self)
                return True
        return super().event(event)

    @property
    def ringed(self) -> bool:
        """Whether the keyboard came here by Tab: the message shows a ring then."""
        return self._ringed

    def paint_ring(self, painter: QPainter, box: QRectF) -> None:
        """Paint the ring, if it is due, on the widget around this one."""
        if self._ringed:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(self._theme.colors.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 8, 8)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        reasons = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self._set_ringed(event.reason() in reasons)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._set_ringed(False)

    def _set_ringed(self, ringed: bool) -> None:
        self._ringed = ringed
        parent = self.parentWidget()
        if parent is not None:
            parent.update()


def _is_code(block: QTextBlock, number: object) -> bool:
    return block.isValid() and block.blockFormat().property(CODE_ID) == number
