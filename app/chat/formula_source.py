"""Finds LaTeX in Markdown and keeps it safe from the Markdown parser. Pure; knows no Qt.

Known forms: ``$x$``, ``$$x$$``, ``\\(x\\)``, ``\\[x\\]``. Code spans and fences are left alone.
A dollar sign opens a formula only as Pandoc has it: no blank after the opening one, no blank
before and no digit after the closing one, so that "$5 and $6" stays money.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

OPEN, CLOSE = "\ufdd2", "\ufdd3"
"""Non-characters that wrap a formula's number while Markdown is parsed."""

MARK = re.compile(f"{OPEN}(\\d+){CLOSE}")

_FORBIDDEN = re.compile("[\ufdd0-\ufdef\x00]")
_BODY = r"(?:(?!\n[ \t]*\n)[\s\S]){1,4000}?"  # no blank line inside
_TOKEN = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^[ \t]*(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?P<tick>`+)(?!`)(?:[^`]|(?<!`)(?!(?P=tick)(?!`))`+)*?(?P=tick)(?!`)"
    rf"|\\\[(?P<bracket>{_BODY})\\\]"
    rf"|\\\((?P<paren>{_BODY})\\\)"
    rf"|\$\$(?P<double>{_BODY})\$\$"
    r"|(?<![0-9A-Za-z_\\$])\$(?P<single>(?![\s$])[^$\n]{0,500}?(?<![\s\\$]))\$(?![0-9A-Za-z_$])"
    r"|\\[\s\S]",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Formula:
    """One formula: its TeX without the delimiters, and whether it stands on a line of its own."""

    tex: str
    display: bool

    @property
    def source(self) -> str:
        """The TeX with delimiters, as it is copied."""
        return f"$${self.tex}$$" if self.display else f"${self.tex}$"


def cleaned(text: str) -> str:
    """Return ``text`` without the characters that documents use for themselves."""
    return _FORBIDDEN.sub("\ufffd", text)


def protect(text: str) -> tuple[str, list[Formula]]:
    """Return ``text`` with a mark in place of each formula, and the formulas by number."""
    formulas: list[Formula] = []

    def replace(match: re.Match[str]) -> str:
        formula = _formula(match)
        if formula is None:
            return match[0]
        formulas.append(formula)
        return f"{OPEN}{len(formulas) - 1}{CLOSE}"

    text = cleaned(text)
    if "$" not in text and "\\" not in text:
        return text, formulas
    return _TOKEN.sub(replace, text), formulas


def parts(text: str, formulas: list[Formula]) -> Iterator[str | Formula]:
    """Yield the plain stretches and the formulas of a parsed text, in order."""
    position = 0
    for match in MARK.finditer(text):
        if match.start() > position:
            yield text[position : match.start()]
        number = int(match[1])
        yield formulas[number] if number < len(formulas) else match[1]
        position = match.end()
    if position < len(text):
        yield text[position:]


def _formula(match: re.Match[str]) -> Formula | None:
    for name, display in (("bracket", True), ("double", True), ("paren", False), ("single", False)):
        tex = match[name]
        if tex is not None:
            return Formula(" ".join(tex.split()), display) if tex.strip() else None
    return None
