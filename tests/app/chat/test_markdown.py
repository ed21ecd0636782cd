"""The splitter in every chunking, and what it must never cut."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat.markdown import LONG_TAIL, Piece, Splitter, is_plain, pieces_of, presentable

LINES = st.sampled_from(
    [
        "",
        "",
        "word",
        "two words",
        "- item",
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
CUTS = st.lists(st.integers(0, 200), max_size=12)


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


def test_streaming_cuts_long_lists_and_says_so():
    splitter = Splitter(provisional=True)
    pieces = splitter.feed("".join(f"- item {i} {'x' * 60}\n" for i in range(60)))
    assert len(pieces) >= 2
    assert all(len(p.text) < LONG_TAIL + 100 for p in pieces)
    assert not splitter.exact
    assert not pieces[0].exact


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
