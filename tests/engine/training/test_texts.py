"""Texts and JSON Lines: documents, their tokens, the cache, and files that are not sound."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DamagedFile, EngineError
from engine.tokenizer import WorldTokenizer
from engine.training.binidx import pair
from engine.training.stored import StoredTokens
from engine.training.texts import Source, Stored, StreamEncoder, cached_texts, store_texts
from tests.engine.training.small_vocabulary import WORDS, write_small_vocabulary


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_vocabulary(tmp_path_factory.mktemp("vocabulary") / "v.txt")


@pytest.fixture(scope="module")
def tokenizer(vocabulary: Path) -> WorldTokenizer:
    return WorldTokenizer.load(vocabulary)


def documents(source: Source, folder: Path) -> list[str]:
    """Return the texts of what was stored."""
    tokenizer = WorldTokenizer.load(source.vocabulary)
    store_texts(source, folder / "made" / "out")
    stored = StoredTokens(folder / "made" / "out")
    parts = [stored.part(i, 0, int(size))[0].tolist() for i, size in enumerate(stored.sizes)]
    assert all(tokens[0] == 0 and 0 not in tokens[1:] for tokens in parts)
    return [tokenizer.decode(tokens) for tokens in parts]


@settings(max_examples=150, deadline=None)
@given(
    pieces=st.lists(st.sampled_from([*WORDS, "a", "b", "é", "✿", "abcdefg", " "]), max_size=40),
    chunk_bytes=st.integers(1, 30),
)
def test_a_stream_gives_the_tokens_of_the_whole_text(
    tokenizer: WorldTokenizer, pieces: list[str], chunk_bytes: int
):
    encoder = StreamEncoder(tokenizer, chunk_bytes)
    for _ in range(2):  # the second text knows nothing of the first
        tokens = [token for piece in pieces for token in encoder.feed(piece)]
        assert tokens + encoder.finish() == tokenizer.encode("".join(pieces))


def test_files_of_a_folder_are_documents(tmp_path: Path, vocabulary: Path):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.txt").write_bytes("\ufeffhello\r\nworld\r".encode())
    (folder / "a.TXT").write_text("\n\nabc ✿")
    (folder / "deep" / "c.txt").write_text("ab")
    (folder / "empty.txt").write_text(" \n")
    (folder / "other.md").write_text("yes")
    source = Source("text", folder, vocabulary)
    assert documents(source, tmp_path) == ["abc ✿", "hello\nworld\n", "ab"]


def test_a_line_divides_a_text(tmp_path: Path, vocabulary: Path):
    path = tmp_path / "x.txt"
    path.write_text("ab\n\nc\n<end>\n<end>\n<end> no\nhello \n  <end>  \nyes\n<end>")
    source = Source("text", path, vocabulary, separator="<end>")
    assert documents(source, tmp_path) == ["ab\n\nc\n", "<end> no\nhello \n", "yes\n"]


def test_empty_lines_divide_a_text(tmp_path: Path, vocabulary: Path):
    path = tmp_path / "x.txt"
    path.write_text("\nab\nc\n\n  \n\nhello\n")
    source = Source("text", path, vocabulary, separator="\n")
    assert documents(source, tmp_path) == ["ab\nc\n", "hello\n"]


def test_a_large_file_without_line_ends_is_read_in_pieces(tmp_path: Path, vocabulary: Path):
    text = "abcdefgh world ✿" * 90_000 + "<end>"  # longer than what is read at a time
    (tmp_path / "x.txt").write_text(text, "utf-8")
    seen: list[tuple[int, int]] = []
    for separator in ("", "<end>"):
        source = Source("text", tmp_path / "x.txt", vocabulary, separator=separator)
        stored = store_texts(source, tmp_path / "out", lambda *at: seen.append(at))
        assert stored == Stored(1, 4 * 90_000 + 5 + 1)
    assert all(0 < done <= total == len(text.encode()) for done, total in seen)
    assert len(seen) > 2


@pytest.mark.parametrize("content", [b"abc\xff", "é".encode("utf-16"), "é".encode("latin-1")])
def test_what_is_not_utf8_is_refused(tmp_path: Path, vocabulary: Path, content: bytes):
    (tmp_path / "x.txt").write_bytes(content)
    with pytest.raises(DamagedFile, match=r"x\.txt is not UTF-8"):
        store_texts(Source("text", tmp_path / "x.txt", vocabulary), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


def test_json_lines(tmp_path: Path, vocabulary: Path):
    chat = [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "yes"}]
    lines = ['{"text": "hello\\n"}', "", json.dumps({"messages": chat, "id": 7})]
    (tmp_path / "x.jsonl").write_text("\ufeff" + "\r\n".join(lines), "utf-8")
    source = Source("jsonl", tmp_path / "x.jsonl", vocabulary, "gosling")
    assert documents(source, tmp_path) == ["hello\n", "User: ab\n\nAssistant: yes"]
    stored = StoredTokens(tmp_path / "made" / "out", 0.125)
    assert stored.part(0, 0, 3)[1].tolist() == [1, 1, 1]
    # "User" ":" " " "ab" "\n\n" "Assistant" ":", then " yes" and the end
    assert stored.part(1, 0, 9)[1].tolist() == [0.125] * 7 + [1, 1]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "not valid JSON"),
        (b"[" * 5000, "not valid JSON"),
        (b'{"text": "abc"} x', "not valid JSON"),
        (b'["text"]', "not a JSON object"),
        (b'{"text": 7}', "neither a text nor messages"),
        (b"{}", "neither a text nor messages"),
        (b'{"messages": 7}', "not a list"),
        (b'{"text": "\xff"}', "not UTF-8"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(
    tmp_path: Path, vocabulary: Path, line: bytes, words: str
):
    (tmp_path / "x.jsonl").write_bytes(b'{"text": "abc"}\n\n' + line + b'\n{"text": "ab"}\n')
    with pytest.raises(DamagedFile, match=words) as caught:
        store_texts(Source("jsonl", tmp_path / "x.jsonl", vocabulary), tmp_path / "out")
    assert caught.value.message.startswith("Line 3 of x.jsonl cannot be used")
    assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl"]


def test_a_lone_surrogate_is_its_bytes(tmp_path: Path, vocabulary: Path):
    (tmp_path / "x.jsonl").write_text('{"text": "\\ud800"}')
    stored = store_texts(Source("jsonl", tmp_path / "x.jsonl", vocabulary), tmp_path / "out")
    assert stored == Stored(1, 4)


def test_texts_are_encoded_once(tmp_path: Path, vocabulary: Path):
    path = tmp_path / "x.txt"
    path.write_text("hello world")
    source = Source("text", path, vocabulary)
    made = cached_texts(source, tmp_path / "cache")
    before = pair(made)[1].stat().st_mtime_ns
    assert cached_texts(source, tmp_path / "cache") == made
    assert pair(made)[1].stat().st_mtime_ns == before
    others = {
        cached_texts(other, tmp_path / "cache")
        for other in (
            Source("text", path, vocabulary, separator="yes"),
            Source("text", path, write_small_vocabulary(tmp_path / "w.txt").parent / "w.txt"),
        )
    }
    path.write_text("hello world!")
    others.add(cached_texts(source, tmp_path / "cache"))
    assert len({made, *others}) == 3  # the same vocabulary in another file is the same
    assert {p.parent for p in others} == {tmp_path / "cache"}


def test_half_a_cache_is_made_again(tmp_path: Path, vocabulary: Path):
    (tmp_path / "x.txt").write_text("hello world")
    source = Source("text", tmp_path / "x.txt", vocabulary)
    made = cached_texts(source, tmp_path / "cache")
    pair(made)[1].unlink()
    assert StoredTokens(cached_texts(source, tmp_path / "cache")).sizes.tolist() == [3]


@pytest.mark.parametrize("kind", ["text", "jsonl"])
def test_nothing_to_read_is_said(tmp_path: Path, vocabulary: Path, kind: str):
    (tmp_path / "x.md").write_text("abc")
    with pytest.raises(EngineError, match="There is no"):
        store_texts(Source(kind, tmp_path, vocabulary), tmp_path / "out")
    (tmp_path / "x.txt").write_text(" \n")
    (tmp_path / "x.jsonl").write_text(" \n")
    with pytest.raises(EngineError, match="nothing to train on"):
        store_texts(Source(kind, tmp_path, vocabulary), tmp_path / "out")


def test_another_kind_or_template_is_refused(tmp_path: Path, vocabulary: Path):
    (tmp_path / "x.txt").write_text("abc")
    with pytest.raises(EngineError, match='kind "corpus"'):
        store_texts(Source("corpus", tmp_path / "x.txt", vocabulary), tmp_path / "out")
    with pytest.raises(EngineError, match='template named "hello"'):
        store_texts(Source("text", tmp_path / "x.txt", vocabulary, "hello"), tmp_path / "out")
