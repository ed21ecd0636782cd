"""The splitter in every chunking, and what it must never cut."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat.markdown import (
    BREAK,
    LONG_TAIL,
    Piece,
    Splitter,
    hard_breaks,
    is_plain,
    joins,
    pieces_of,
    presentable,
)

LINES = st.sampled_from(
    [
        "",
        "",
        "word",
        "two words",
        "long " * 130,
        "- item",
        "- " + "x" * 700,
        "1. first",
        "   more",
        "# head",
        "```py",
        "```",
        "   ```",
        "~~~",
        "    code",
        "> quote",
        "| a | b |",
        "|---|---|",
        "[x]: http://a.b",
        "$$",
    ]
)
TEXTS = st.lists(LINES, max_size=25).map("\n".join)
CUTS = st.lists(st.one_of(st.integers(0, 200), st.integers(0, 9000)), max_size=12)


def in_chunks(text: str, cuts: list[int], provisional: bool) -> list[Piece]:
    splitter = Splitter(provisional=provisional)
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    found: list[Piece] = []
    for start, end in itertools.pairwise(places):
        found += splitter.feed(text[start:end])
    return found + splitter.finish()


@given(TEXTS, CUTS, st.booleans())
@settings(deadline=None)
def test_pieces_do_not_depend_on_the_chunks(text, cuts, provisional):
    assert in_chunks(text, cuts, provisional) == in_chunks(text, [], provisional)


@given(TEXTS, CUTS)
@settings(deadline=None)
def test_pieces_and_the_open_piece_cover_the_text_in_order(text, cuts):
    splitter = Splitter(provisional=True)
    position = 0
    for letter in text:
        for piece in splitter.feed(letter):
            assert position <= piece.start < piece.end
            assert not text[position : piece.start].strip()
            position = piece.end
        assert splitter.open_piece.start >= position
    for piece in splitter.finish():
        assert not text[position : piece.start].strip()
        position = piece.end
    assert not text[position:].strip()


@given(TEXTS)
@settings(deadline=None)
def test_words_of_every_piece_are_words_of_the_source(text):
    for piece in pieces_of(text)[0]:
        if piece.kind == "markdown":
            assert piece.text == text[piece.start : piece.end].strip("\n")


def test_paragraphs_and_fences_are_pieces():
    pieces, _ = pieces_of("one\ntwo\n\nthree\n```py\nx = 1\n\ny\n```\nfour")
    assert [(p.kind, p.text, p.language) for p in pieces] == [
        ("markdown", "one\ntwo", ""),
        ("markdown", "three", ""),
        ("code", "x = 1\n\ny", "py"),
        ("markdown", "four", ""),
    ]


def test_a_list_with_blank_lines_and_code_stays_whole():
    text = "1. a\n\n   ```sh\n   ls\n\n   ```\n\n2. b\n\n   more\n\n3. c"
    assert [p.text for p in pieces_of(text)[0]] == [text]


@pytest.mark.parametrize("mark", ["-", "{}.", "{})"])
def test_long_lists_are_cut_exactly_where_they_count_on(mark):
    text = "".join(f"{mark.format(i)} item {'x' * 60}\n" for i in range(60))
    pieces = pieces_of(text)[0]
    assert len(pieces) >= 2
    assert all(len(p.text) < LONG_TAIL + 100 and p.exact for p in pieces)
    splitter = Splitter(provisional=True)
    assert splitter.feed(text) + splitter.finish() == pieces


def test_streaming_cuts_other_long_lists_and_says_so():
    text = "".join(f"1. item {'x' * 60}\n" for _ in range(60))
    assert len(pieces_of(text)[0]) == 1
    splitter = Splitter(provisional=True)
    pieces = splitter.feed(text)
    assert len(pieces) >= 2
    assert not splitter.exact
    assert not pieces[0].exact


def test_long_paragraphs_are_cut_between_lines():
    pieces = pieces_of("\n".join(f"line {i} {'x' * 60}" for i in range(60)))[0]
    assert len(pieces) >= 2
    assert all(p.exact for p in pieces)
    assert [p.joined for p in pieces] == [True] * (len(pieces) - 1) + [False]


@pytest.mark.parametrize("line", ["| a | b", "> quote", "**open", "a `b", "$$", "  in"])
def test_long_paragraphs_are_not_cut_where_something_may_go_on(line):
    assert len(pieces_of(f"{line}\n" + f"{'x' * 60}\n" * 40)[0]) == 1


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("a\nb\n\nc", "a/\nb\n\nc"),
        ("> a\n> b\nc", "> a/\n> b/\nc"),
        ("- a\n  b", "- a/\n  b"),
        ("a  \nb", "a/\nb"),
        ("a\\\nb", "a/\nb"),
        ("# a\nb", "# a\nb"),
        ("a\n===\nb", "a\n===\nb"),
        ("---\nb", "---\nb"),
        ("```\na\nb\n```\nc\nd", "```\na\nb\n```\nc/\nd"),
        ("- ```\n  a\n  ```\n  b", "- ```\n  a\n  ```\n  b"),
        ("| a | b |\n|---|---|\n| c | d\ne\n\nf\ng", "| a | b |\n|---|---|\n| c | d\ne\n\nf/\ng"),
        ("a | b\n--|--\nc | d", "a | b\n--|--\nc | d"),
        ("[x]: http://a\nb", "[x]: http://a\nb"),
        ("[a](\nhttp://b)", "[a](\nhttp://b)"),
    ],
)
def test_line_ends_of_text_are_marked_as_breaks(text, marked):
    assert hard_breaks(text).replace(f" {BREAK}", "/") == marked


def test_whole_lines_may_join():
    assert joins("a", "b")
    assert joins("秋", "空\n云")
    assert joins("a", "\nb")
    assert not joins("a", "\n- b")
    assert not joins("a", "\n\nb")
    assert not joins("# a", "\nb")
    assert not joins("a*", "b")


def test_streaming_shows_code_in_a_list_as_code():
    splitter = Splitter(provisional=True)
    splitter.feed("1. run\n   ```sh\n   ls -l\n   c")
    assert splitter.open_piece.kind == "code"
    assert splitter.open_piece.text == "ls -l\nc"


def test_an_unclosed_fence_is_code_to_the_end():
    pieces, _ = pieces_of("```\na\n\nb")
    assert [(p.kind, p.text) for p in pieces] == [("code", "a\n\nb")]


def test_empty_fence_is_kept():
    assert [(p.kind, p.text) for p in pieces_of("```\n```")[0]] == [("code", "")]


def test_longer_fence_holds_shorter_ones():
    pieces, _ = pieces_of("````md\n```\nx\n```\n````")
    assert [p.text for p in pieces] == ["```\nx\n```"]


def test_half_a_closing_fence_is_not_shown_as_code():
    splitter = Splitter(provisional=True)
    splitter.feed("```py\nx\n``")
    assert splitter.open_piece.text == "x\n"


def test_definitions_are_collected():
    assert pieces_of("see [a]\n\n[a]: https://a.b")[1] == ["[a]: https://a.b"]


def test_windows_line_ends():
    assert [p.text for p in pieces_of("a\r\n\r\n```\r\nx\r\n```\r\n")[0]] == ["a", "x"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n``", "a"),
        ("a\n```py", "a"),
        ("a\n- ", "a"),
        ("a\n---", "a"),
        ("a\n12.", "a"),
        ("a **b", "a **b**"),
        ("a **b*", "a **b**"),
        ("a **", "a"),
        ("a `b", "a `b`"),
        ("a `", "a "),
        ("a `b` c", "a `b` c"),
        ("a **b** c", "a **b** c"),
    ],
)
def test_half_written_markup_is_presentable(text, shown):
    assert presentable(text) == shown


def test_plain_text_may_be_appended():
    assert is_plain("一二三, and more.")
    assert not is_plain("a *b")
    assert not is_plain("a\nb")
    assert not is_plain("")
