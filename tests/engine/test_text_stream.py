from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.text_stream import StopMatcher, Utf8Decoder


def cut(text, places: list[int]):
    """Cut a text or bytes at some places."""
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[begin:end] for begin, end in pairwise(ends)]


CUTS = st.lists(st.integers(0, 1000))


@given(st.one_of(st.binary(), st.text().map(str.encode)), CUTS)
def test_bytes_decode_the_same_however_they_are_cut(data, places):
    decoder = Utf8Decoder()
    shown = "".join(decoder.feed(piece) for piece in cut(data, places))
    assert shown + decoder.finish() == data.decode("utf-8", "replace")
    assert not decoder.held


def test_an_unfinished_character_waits():
    decoder = Utf8Decoder()
    first, second = "a✿".encode()[:3], "a✿".encode()[3:]
    assert decoder.feed(first) == "a"
    assert decoder.held
    assert decoder.feed(second) == "✿"
    assert not decoder.held
    decoder.feed(b"\xf0\x9f")
    assert decoder.finish() == "\ufffd"
    assert decoder.feed(b"b") == "b"
    assert decoder.feed(b"\xffc") == "\ufffdc"


def expected(text: str, stops: list[str]) -> tuple[str, str | None]:
    hits = [(text.find(stop), len(stop), stop) for stop in stops if stop and stop in text]
    if not hits:
        return text, None
    place, _, stop = min(hits)
    return text[:place], stop


@given(
    st.text("abc\n", max_size=30),
    st.lists(st.text("abc\n", max_size=5), max_size=4),
    CUTS,
)
@example("xabcx", ["abcd", "bc"], [3])
@example("xabc", ["abcd", "bc"], [1])
@example("ababac", ["abac"], [1, 2, 3, 4])
@example("aab", ["ab", "aab"], [2])
def test_the_first_stop_string_wins_however_the_text_is_cut(text, stops, places):
    matcher = StopMatcher(stops)
    shown = ""
    want_shown, want_stop = expected(text, stops)
    for piece in cut(text, places):
        shown += matcher.feed(piece)
        assert want_shown.startswith(shown)
        if matcher.stopped is None:
            assert text.startswith(shown + matcher.held)
            assert not any(stop and stop in shown for stop in stops)
    shown += matcher.finish()
    assert (shown, matcher.stopped) == (want_shown, want_stop)
    assert matcher.held == ""


def test_nothing_is_held_that_cannot_become_a_stop():
    matcher = StopMatcher(["\n\nUser:", "✿"])
    assert matcher.feed("One line.\n") == "One line."
    assert matcher.held == "\n"
    assert matcher.feed("Another") == "\nAnother"
    assert matcher.feed("\n\nUs") == ""
    assert matcher.feed("ers") == "\n\nUsers"
    assert matcher.feed("\n\nUser") == ""
    assert matcher.stopped is None
    assert matcher.feed(": hi") == ""
    assert matcher.stopped == "\n\nUser:"
    assert matcher.feed("more") == matcher.finish() == ""


def test_no_stops_pass_everything():
    matcher = StopMatcher(["", ""])
    assert matcher.feed("text") == "text"
    assert matcher.finish() == ""
    assert matcher.stopped is None


@pytest.mark.parametrize("stop", ["x" * 1000])
def test_a_long_stop_string_is_released_at_the_end(stop):
    matcher = StopMatcher([stop])
    assert matcher.feed("ab" + stop[:-1]) == "ab"
    assert matcher.finish() == stop[:-1]
