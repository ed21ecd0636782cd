"""LaTeX is found where it is meant, and money, paths and code are left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.formula_source import Formula, parts, protect


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a $x^2$ b", [Formula("x^2", False)]),
        (r"a \(x_1\) b", [Formula("x_1", False)]),
        (r"\[ x \]", [Formula("x", True)]),
        ("$$\nx\n+y\n$$", [Formula("x +y", True)]),
        ("中文$x$中文", [Formula("x", False)]),
        ("(**$x$**)", [Formula("x", False)]),
        ("| $a|b$ |", [Formula("a|b", False)]),
        ("$5 and $6", []),
        ("$5-$6", []),
        ("`$x$`", []),
        ("``a ` $x$``", []),
        ("```\n$x$\n```\n$y$", [Formula("y", False)]),
        ("```\n$x$", []),
        (r"\$x$", []),
        ("$HOME/bin:$PATH", []),
        ("$$ a\n\nb $$", []),
        ("$$$$", []),
        (r"\\(x\\)", []),
    ],
)
def test_formulas(text, found):
    assert protect(text)[1] == found


@given(st.text(alphabet="a$\\()[]`~ \n1", max_size=60))
def test_parts_give_the_text_back(text):
    protected, formulas = protect(text)
    plain = "".join(p for p in parts(protected, formulas) if isinstance(p, str))
    assert set(plain) <= set(text)
    if not formulas:
        assert plain == text


def test_foreign_marks_are_harmless():
    protected, formulas = protect("a \ufdd27\ufdd3 $x$")
    assert list(parts(protected, formulas)) == ["a \ufffd7\ufffd ", Formula("x", False)]
