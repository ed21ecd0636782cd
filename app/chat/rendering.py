"""Keeps a document equal to a growing text: finished pieces once, the open tail again and again.

Works in slices of time, so that neither a long reply nor a long chat blocks the window. Knows
the splitter and the writer; no widget, no message.
"""

import time
from collections import deque
from dataclasses import dataclass

from app.chat.document import CodeBlock, DocumentWriter, Mark
from app.chat.markdown import Piece, Splitter, joins, pieces_of, presentable, source_of


@dataclass(slots=True)
class _Written:
    piece: Piece
    mark: Mark  # the end of the document before it


@dataclass(slots=True)
class _Tail:
    mark: Mark
    piece: Piece
    shown: str  # source that is on screen
    faithful: bool  # what is on screen is all of ``shown``, nothing mended
    code: CodeBlock | None = None


class MarkdownRenderer:
    """Renders one text that only grows, or is replaced."""

    def __init__(self, writer: DocumentWriter) -> None:
        self._writer = writer
        self._reset("")

    @property
    def source(self) -> str:
        """The text given last."""
        return self._source

    @property
    def complete(self) -> bool:
        """Whether all of the text is in the document."""
        return not self._pending and not self._tail_waits

    @property
    def tail_position(self) -> int:
        """Offset from which the document may still change."""
        if self._pending_from is not None:
            return self._pending_from.position
        return self._tail.mark.position if self._tail else self._writer.mark().position

    def set_text(self, text: str, *, final: bool) -> None:
        """Give the text as it is now; ``work`` brings it into the document."""
        if not text.startswith(self._source) or (self._finished and text != self._source):
            self._clear(text)
        elif self._finished or (text == self._source and not final):
            return
        if not self._source and final:
            self._take_whole(text)
            return
        self._pending.extend(self._splitter.feed(text[len(self._source) :]))
        self._source = text
        self._tail_waits = True
        if final:
            self._finish()

    def render_again(self) -> None:
        """Write everything once more (the style has changed)."""
        source, finished = self._source, self._finished
        self._clear(source)
        self.set_text(source, final=finished)

    def work(self, budget_s: float = 0.008) -> bool:
        """Write until the time is up; return whether something is left to do."""
        deadline = time.perf_counter() + budget_s
        with self._writer.edit():
            if self._pending_from is not None:
                self._writer.truncate(self._pending_from)
                self._pending_from = None
            while self._pending:
                self._commit(self._pending.popleft())
                if time.perf_counter() > deadline:
                    return not self.complete
            if self._tail_waits:
                self._tail_waits = False
                self._show_tail()
        return not self.complete

    # ---- taking text ----------------------------------------------------------------------

    def _reset(self, source: str) -> None:
        self._source = source
        self._finished = False
        self._splitter = Splitter(provisional=True)
        self._definitions: list[str] = []
        self._written: list[_Written] = []
        self._pending: deque[Piece] = deque()
        self._pending_from: Mark | None = None
        self._tail: _Tail | None = None
        self._tail_waits = False

    def _clear(self, text: str) -> None:
        self._reset("")
        self._writer.clear()

    def _take_whole(self, text: str) -> None:
        self._source, self._finished = text, True
        pieces, self._definitions = pieces_of(text)
        self._pending.extend(pieces)

    def _finish(self) -> None:
        self._finished = True
        self._tail_waits = True  # an open tail that holds nothing must go, too
        self._pending.extend(self._splitter.finish())
        if not self._splitter.exact or self._splitter.definitions:
            self._settle()

    def _settle(self) -> None:
        """Replace everything from the first inexact cut by pieces of the whole."""
        pieces, self._definitions = pieces_of(self._source)
        kept = 0
        if not self._definitions:
            while (
                kept < min(len(self._written), len(pieces))
                and self._written[kept].piece == pieces[kept]
            ):
                kept += 1
        if kept < len(self._written):
            self._pending_from = self._written[kept].mark
        elif self._tail is not None:
            self._pending_from = self._tail.mark
        del self._written[kept:]
        self._tail = None
        self._pending = deque(pieces[kept:])

    # ---- writing --------------------------------------------------------------------------

    def _commit(self, piece: Piece) -> None:
        tail, self._tail = self._tail, None
        if tail is not None and tail.code is not None and _same_code(tail.piece, piece):
            self._writer.append_code(tail.code, piece.text[len(tail.shown) :])
            self._writer.close_code(tail.code)
            self._written.append(_Written(piece, tail.mark))
            return
        if tail is not None:
            self._writer.truncate(tail.mark)
        self._written.append(_Written(piece, self._writer.mark()))
        if piece.kind == "code":
            self._writer.write_code(piece.text, piece.language)
        else:
            self._writer.write_markdown(source_of(piece, self._definitions))
            if piece.joined:
                self._writer.close_up()

    def _show_tail(self) -> None:
        piece = self._splitter.open_piece
        if self._finished or (piece.kind == "markdown" and not piece.text.strip()):
            self._drop_tail()
        elif piece.kind == "code":
            self._show_code_tail(piece)
        elif not self._append_to_tail(piece):
            self._drop_tail()
            self._tail = self._new_tail(piece)
            self._writer.write_markdown(presentable(piece.text))

    def _drop_tail(self) -> None:
        if self._tail is not None:
            self._writer.truncate(self._tail.mark)
            self._tail = None

    def _new_tail(self, piece: Piece) -> _Tail:
        shown = piece.text.rstrip(" \n")
        return _Tail(self._writer.mark(), piece, shown, presentable(piece.text) == piece.text)

    def _show_code_tail(self, piece: Piece) -> None:
        tail = self._tail
        if tail is None or tail.code is None or not _same_code(tail.piece, piece):
            self._drop_tail()
            tail = self._tail = self._new_tail(piece)
            tail.code = self._writer.open_code(piece.language)
            tail.shown = ""
        assert tail.code is not None
        text = piece.text.removesuffix("\n")  # the closing fence takes this line end away
        self._writer.append_code(tail.code, text[len(tail.shown) :])
        tail.shown = text

    def _append_to_tail(self, piece: Piece) -> bool:
        """Let words without markup simply join the end; false when that would not do."""
        tail = self._tail
        if tail is None or tail.code is not None or not tail.faithful:
            return False
        text = piece.text.rstrip(" \n")
        if tail.piece.start != piece.start or not text.startswith(tail.shown) or not tail.shown:
            return False
        added = text[len(tail.shown) :]
        if not added:
            return True
        if _in_table(tail.shown) or not joins(tail.shown, added):
            return False
        if not self._writer.append_plain(added):
            return False
        tail.shown = text
        return True


def _same_code(one: Piece, other: Piece) -> bool:
    return one.kind == other.kind == "code" and one.start == other.start


def _in_table(text: str) -> bool:
    return "|" in text[text.rfind("\n") + 1 :]
