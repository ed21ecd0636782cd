"""Cuts growing Markdown into pieces that can be rendered once and never again.

Pure functions of text: knows nothing of Qt, colours or widgets. Works on whole lines, so the
result does not depend on how the text was chunked on its way here.

A piece ends where a new top-level block surely begins: a line at the left margin after a blank
one, outside every list and fence, or a fence. Long lists end between two items that count on,
long paragraphs between two lines. Those cuts are exact. While a reply streams (``provisional``)
lists are cut at other items and at code, too, which may look slightly different from the whole;
such cuts are marked, so that the finished reply can be rendered again from there.
"""

import re
from dataclasses import dataclass
from typing import Literal

LONG_TAIL = 1200
"""Characters of an open list or paragraph after which it is cut at the next item or line."""

BREAK = "\ufdd4"
"""Non-character that stands for a line break inside a block while Markdown is parsed."""

_FENCE = re.compile(r"([ \t]*)(`{3,}(?=[^`]*$)|~{3,})[ \t]*(.*)$")
_MARKER = re.compile(r"[ ]{0,3}(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")
_TOP_MARKER = re.compile(r"(?:([-*+])|(\d{1,9})([.)]))[ \t]")
_UNDECIDED = "-*+0123456789`~"  # may begin a list item or a fence
_MAY_BEGIN = _UNDECIDED + " \t#>|=<[$\\:"  # may begin a block, or end one
_DEFINITION = re.compile(r"[ ]{0,3}\[[^\]\n]+\]:[ \t]*\S")
_ONLY_MARKUP = re.compile(
    r"[ \t]*(?:[`~*_#>|=+\-\\:$ \t]+|`{3,}[\w+#.\-]*|~{3,}[\w+#.\-]*|\d{1,3}[.)]?[ ]?)$"
)
_PLAIN = re.compile(r"[^*_`~\[\])<>$\\|&:@\n\r\t\x00-\x1f]+")
_QUOTED = re.compile(r"(?:[ ]{0,3}>[ ]?)+")
_LEAD = re.compile(r"(?:[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+)+")
_NO_TEXT = re.compile(  # headings, rules and underlines, link targets, table rows
    r"[ \t]*(?:#{1,6}(?:[ \t]|$)|([-*_=])(?:[ \t]*\1)*[ \t]*$|\[[^\]\n]+\]:|\|)"
)
_UNDERLINE = re.compile(r"[ \t]*(?:=+|-+)[ \t]*$")
_DELIMITERS = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_LINE_END = re.compile(r"(?:(?<!\\)\\)?[ \t]*$")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of source: Markdown blocks, or the content of one fenced code block.

    start and end: character offsets in the source. exact: both cuts are true block boundaries.
    joined: the paragraph at the end goes on in the next piece.
    """

    kind: Literal["markdown", "code"]
    text: str
    start: int
    end: int
    language: str = ""
    exact: bool = True
    joined: bool = False


@dataclass(slots=True)
class _Fence:
    mark: str
    indent: int
    language: str
    nested: bool  # inside a list item
    apart: bool  # becomes a piece of its own

    def closes(self, line: str) -> bool:
        text = line.strip()
        return (
            len(text) >= len(self.mark)
            and text == self.mark[0] * len(text)
            and (self.nested or len(line) - len(line.lstrip(" ")) <= 3)
        )

    def content(self, line: str) -> str:
        """Return ``line`` without the indentation that belongs to the fence."""
        blanks = len(line) - len(line.lstrip(" "))
        return line[min(blanks, self.indent) :]


class Splitter:
    """Fed with text as it comes; yields finished pieces and knows the open one.

    provisional: also cut at code in lists, so that the open piece stays short while streaming.
    ``exact`` turns false with the first such cut; ``definitions`` collects the link targets that
    any piece may refer to.
    """

    def __init__(self, *, provisional: bool = False) -> None:
        self.definitions: list[str] = []
        self.exact = True
        self._provisional = provisional
        self._done: list[Piece] = []
        self._open: list[str] = []  # whole lines of the open piece, without line ends
        self._line = ""  # the last, unfinished line
        self._start = 0  # offset of the open piece
        self._position = 0  # offset of the unfinished line
        self._fence: _Fence | None = None
        self._in_list = False
        self._item = ("", 0)  # mark and number of the last item at the margin
        self._after_blank = True
        self._size = 0
        self._starts_exactly = True

    def feed(self, text: str) -> list[Piece]:
        """Take more text; return the pieces that it finished."""
        first, *more = text.split("\n")
        self._line += first
        for following in more:
            line, self._line = self._line, following
            self._take(line, len(line) + 1)
        self._look_ahead()
        return self._collect()

    def finish(self) -> list[Piece]:
        """Take the last line as whole; return all remaining pieces."""
        line, self._line = self._line, ""
        if line:
            self._take(line, len(line))
        if self._fence is not None and self._fence.apart:
            self._cut_code(self._fence)
        else:
            self._cut(self._position, exact=True)
        return self._collect()

    @property
    def open_piece(self) -> Piece:
        """The piece still growing, with its unfinished line."""
        end = self._position + len(self._line)
        fence, line = self._fence, self._line.removesuffix("\r")
        if fence is None or not fence.apart:
            text = "\n".join([*self._open, line])
            return Piece("markdown", text, self._start, end, "", self._starts_exactly)
        # What may become the closing fence is not shown as code first.
        closing = not line.strip().strip(fence.mark[0])
        text = "\n".join([*self._open, "" if closing else fence.content(line)])
        return Piece("code", text, self._start, end, fence.language, self._starts_exactly)

    # ---- one line -------------------------------------------------------------------------

    def _take(self, line: str, length: int) -> None:
        line, start = line.removesuffix("\r"), self._position
        self._position += length
        if self._fence is not None:
            self._take_code(self._fence, line)
        elif (fence := self._opening(line)) is not None:
            self._take_opening(fence, line, start)
        elif not line.strip(" \t"):
            self._after_blank = True
            self._keep(line)
        else:
            self._take_text(line, start)

    def _look_ahead(self) -> None:
        """Cut before an unfinished line already, when its first character says enough."""
        line = self._line
        decided = line and not line[0].isspace() and line[0] not in _UNDECIDED
        if decided and self._open and self._after_blank and self._fence is None:
            self._cut(self._position, exact=True)
            self._in_list = False

    def _take_text(self, line: str, start: int) -> None:
        if _MARKER.match(line):
            if not self._in_list and self._after_blank:
                self._cut(start, exact=True)
            elif self._in_list and self._size > LONG_TAIL:
                self._cut_list(line, start)
            self._item = _item(line) or (self._item if self._in_list else ("", 0))
            self._in_list = True
        elif self._after_blank and line[0] not in " \t":
            self._cut(start, exact=True)
            self._in_list = False
        elif not self._in_list and self._size > LONG_TAIL and self._is_between_lines(line):
            self._cut(start, exact=True, joined=True)
        if _DEFINITION.match(line):
            self.definitions.append(line)
        self._after_blank = False
        self._keep(line)

    def _opening(self, line: str) -> _Fence | None:
        match = _FENCE.match(line)
        if match is None:
            return None
        indent = len(match[1].expandtabs(4))
        nested = self._in_list and indent >= 2
        if indent > 3 and not nested:
            return None
        words = match[3].split()
        language = words[0].strip("{}.").lower() if words else ""
        return _Fence(match[2], indent, language, nested, apart=not nested or self._provisional)

    def _take_opening(self, fence: _Fence, line: str, start: int) -> None:
        self._fence = fence
        self._after_blank = False
        if not fence.apart:
            self._keep(line)
            return
        self._cut(start, exact=not fence.nested)
        self._in_list = fence.nested

    def _take_code(self, fence: _Fence, line: str) -> None:
        if not fence.closes(line):
            self._keep(fence.content(line) if fence.apart else line)
        elif fence.apart:
            self._cut_code(fence)
        else:
            self._keep(line)
            self._fence = None

    def _cut_list(self, line: str, start: int) -> None:
        """Cut a long list before ``line``: exactly where the item counts on from the last."""
        item, (mark, number) = _item(line), self._item
        if item is not None and item == (mark, number + 1 if number >= 0 else -1):
            self._cut(start, exact=True)
        elif self._provisional:
            self._cut(start, exact=False)

    def _is_between_lines(self, line: str) -> bool:
        """Whether a plain paragraph goes on with ``line``, and nothing spans the line end."""
        if line[0] in _MAY_BEGIN or not self._open or "|" in line:
            return False
        if _NO_TEXT.match(self._open[-1]) or any(_is_special(known) for known in self._open):
            return False
        text = "\n".join(self._open)
        pairs = (text.count(mark) % 2 for mark in ("`", "**", "$$"))
        return not any(pairs) and text.count("\\[") == text.count("\\]")

    # ---- pieces ---------------------------------------------------------------------------

    def _keep(self, line: str) -> None:
        self._open.append(line)
        self._size += len(line) + 1

    def _cut(self, end: int, *, exact: bool, joined: bool = False) -> None:
        """Finish the open Markdown before offset ``end``."""
        text = "\n".join(self._open).strip("\n")
        if text.strip():
            fits = exact and self._starts_exactly
            self._done.append(Piece("markdown", text, self._start, end, "", fits, joined))
        self._begin(end, exact)

    def _cut_code(self, fence: _Fence) -> None:
        """Finish the open code block here."""
        exact = not fence.nested
        text = "\n".join(self._open)
        self._done.append(Piece("code", text, self._start, self._position, fence.language, exact))
        self._fence = None
        self._after_blank = True
        self._begin(self._position, exact)

    def _begin(self, start: int, exact: bool) -> None:
        self.exact = self.exact and exact
        self._open, self._size = [], 0
        self._start = start
        self._starts_exactly = exact

    def _collect(self) -> list[Piece]:
        done, self._done = self._done, []
        return done


def pieces_of(text: str) -> tuple[list[Piece], list[str]]:
    """Return the exact pieces of a finished text, and its link definitions."""
    splitter = Splitter()
    pieces = splitter.feed(text) + splitter.finish()
    return pieces, splitter.definitions


def source_of(piece: Piece, definitions: list[str]) -> str:
    """Return the Markdown of a piece, with the link targets that it may refer to."""
    if not definitions or "[" not in piece.text:
        return piece.text
    return piece.text + "\n\n" + "\n".join(definitions)


def presentable(text: str) -> str:
    """Return an open piece as it should look now: half-written markup neither shows nor jumps.

    A last line that is only markup so far is left out; an open code span or bold run is closed.
    """
    head, newline, last = text.rpartition("\n")
    if last and _ONLY_MARKUP.match(last):
        return head
    ticks = last.count("`")
    if ticks % 2 and "``" not in last:
        return head + newline + last.rstrip("`") + ("`" if last.rstrip("`").count("`") % 2 else "")
    stripped = last.rstrip()
    if stripped.count("**") % 2 and not ticks:
        if stripped.endswith("**"):
            return head + newline + stripped[:-2].rstrip()
        return head + newline + stripped.removesuffix("*") + "**"
    return text


def is_plain(text: str) -> bool:
    """Whether ``text`` can join the end of a rendered paragraph as it is."""
    return _PLAIN.fullmatch(text) is not None


def joins(shown: str, added: str) -> bool:
    """Whether ``added`` may be set at the end of a rendered ``shown``, line ends as breaks."""
    first, *more = added.split("\n")
    if not is_plain(shown[-1]) or (first and not is_plain(first)):
        return False
    if any(not is_plain(line) or line[0] in _MAY_BEGIN for line in more):
        return False
    return not more or hard_breaks(shown + added).count(BREAK) - hard_breaks(shown).count(
        BREAK
    ) == len(more)


def hard_breaks(text: str) -> str:
    """Return Markdown with " " + BREAK at the line ends that shall show as line breaks.

    Models that end their turn at a blank line separate lines by one line end, so every line end
    inside a paragraph, quote or list item counts; none in code, tables and headings. A mark too
    many (at the end of a block, in indented code) does no harm: whoever reads it drops it.
    """
    lines = text.split("\n")
    fence: _Fence | None = None
    table = False
    for i, line in enumerate(lines[:-1]):
        body = _QUOTED.sub("", line, count=1)
        body = body[match.end() :] if (match := _LEAD.match(body)) else body
        following = _QUOTED.sub("", lines[i + 1], count=1)
        if fence is not None:
            fence = None if fence.closes(body) else fence
        elif opening := _FENCE.match(body):
            fence = _Fence(opening[2], 0, "", nested=True, apart=False)
        elif not body.strip():
            table = False
        else:
            table = table or ("|" in body and "|" in following and _is_delimiters(following))
            if not table and _may_break(body, following):
                lines[i] = _LINE_END.sub("", line, count=1) + " " + BREAK
    return "\n".join(lines)


def _may_break(line: str, following: str) -> bool:
    if not following.strip() or _UNDERLINE.match(following):
        return False
    return _NO_TEXT.match(line) is None and not line.rstrip().endswith("](")


def _is_delimiters(line: str) -> bool:
    return _DELIMITERS.match(line) is not None


def _is_special(line: str) -> bool:
    """Whether a line is more than one of a plain paragraph, or a heading above it."""
    return line[:1] in ("", " ", "\t", ">") or "|" in line or _DEFINITION.match(line) is not None


def _item(line: str) -> tuple[str, int] | None:
    """Return mark and number of an item at the margin; the number of a bullet is -1."""
    match = _TOP_MARKER.match(line)
    if match is None:
        return None
    return (match[1], -1) if match[1] else (match[3], int(match[2]))
