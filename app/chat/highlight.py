"""Colours of code: Pygments' tokens reduced to a dozen kinds, two palettes for them.

The lexing is pure and runs in the background; results are cached. Knows no document.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject

from app.chat.workshop import Workshop

LONGEST = 200_000
"""Characters beyond which code stays uncoloured."""

_CACHED = 200

LIGHT_CODE = {
    "comment": "#667080",
    "keyword": "#8a3ba8",
    "string": "#2a6b3d",
    "number": "#a04a00",
    "function": "#1d5fa8",
    "type": "#1d6c78",
    "constant": "#a04a00",
    "tag": "#a8322b",
    "inserted": "#2a6b3d",
    "deleted": "#a8322b",
}
DARK_CODE = {
    "comment": "#8b95a5",
    "keyword": "#c9a0e8",
    "string": "#93c998",
    "number": "#e0a878",
    "function": "#86b8ee",
    "type": "#6cc0c4",
    "constant": "#e0a878",
    "tag": "#f08d84",
    "inserted": "#93c998",
    "deleted": "#f08d84",
}

_KINDS = (
    ("Comment", "comment"),
    ("Keyword.Constant", "constant"),
    ("Keyword.Type", "type"),
    ("Keyword", "keyword"),
    ("Operator.Word", "keyword"),
    ("Literal.String", "string"),
    ("Literal.Number", "number"),
    ("Name.Function", "function"),
    ("Name.Class", "type"),
    ("Name.Namespace", "type"),
    ("Name.Decorator", "function"),
    ("Name.Builtin", "function"),
    ("Name.Exception", "type"),
    ("Name.Constant", "constant"),
    ("Name.Tag", "tag"),
    ("Name.Attribute", "function"),
    ("Generic.Inserted", "inserted"),
    ("Generic.Deleted", "deleted"),
    ("Generic.Heading", "keyword"),
    ("Generic.Subheading", "keyword"),
    ("Generic.Prompt", "comment"),
)


@dataclass(frozen=True, slots=True)
class Span:
    """A coloured stretch of one line, in UTF-16 units as Qt counts them."""

    start: int
    length: int
    kind: str


Lines = tuple[tuple[Span, ...], ...]
"""The spans of every line of a code block."""


def highlight(code: str, language: str) -> Lines:
    """Return the coloured spans of each line; none for a language that is not known."""
    lexer = _lexer(language)
    lines: list[tuple[Span, ...]] = []
    current: list[Span] = []
    column = 0
    if lexer is None or len(code) > LONGEST:
        return ()
    for token, text in lexer.get_tokens(code):
        kind = _kind(str(token))
        first, *more = text.split("\n")
        column = _add(current, column, first, kind)
        for part in more:
            lines.append(tuple(current))
            current = []
            column = _add(current, 0, part, kind)
    lines.append(tuple(current))
    return tuple(lines)


def _add(line: list[Span], column: int, text: str, kind: str) -> int:
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if kind and text.strip():
        line.append(Span(column, length, kind))
    return column + length


def _kind(token: str) -> str:
    name = token.removeprefix("Token.")
    for prefix, kind in _KINDS:
        if name.startswith(prefix):
            return kind
    return ""


def _lexer(language: str) -> Any:  # noqa: ANN401 - Pygments has no types
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    if not language:
        return None
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


class Highlighter(QObject):
    """Colours code in the background; what was coloured before comes at once."""

    def __init__(self, workshop: Workshop, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workshop = workshop
        self._cache: OrderedDict[tuple[str, str], Lines] = OrderedDict()

    def request(self, code: str, language: str, done: Callable[[Lines], None]) -> None:
        """Call ``done`` with the spans, now if they are known, else later."""
        if not language or len(code) > LONGEST:
            return
        key = (language, code)
        if key in self._cache:
            self._cache.move_to_end(key)
            done(self._cache[key])
            return

        def keep(lines: Lines) -> None:
            self._cache[key] = lines
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
            done(lines)

        self._workshop.submit(lambda: highlight(code, language), keep)


def palette_for(*, dark: bool) -> dict[str, str]:
    """Return the colour of each kind."""
    return DARK_CODE if dark else LIGHT_CODE
