"""Gosling's vocabulary: what its tokens may be, and that it can be written again."""

from pathlib import Path

import pytest

from engine.tokenizer import WorldTokenizer
from engine.training.corpus import vocabulary as made
from engine.training.corpus.rows import vocabulary_path
from engine.vocabulary import read_vocabulary

FIXED = 256 + 1 + 52


@pytest.fixture(scope="module")
def tokens() -> dict[int, bytes]:
    return read_vocabulary(vocabulary_path())


def test_ids_fill_the_rows_of_the_model(tokens: dict[int, bytes]) -> None:
    assert list(tokens) == list(range(1, made.SIZE))


def test_bytes_come_first_then_the_empty_line_and_letters(tokens: dict[int, bytes]) -> None:
    assert [tokens[number] for number in range(1, 257)] == [bytes((n,)) for n in range(256)]
    assert tokens[257] == b"\n\n"
    assert [tokens[number] for number in range(258, 262)] == [b" a", b" b", b" c", b" d"]
    assert tokens[FIXED] == b" Z"


def test_words_are_whole_and_have_a_blank_before_them(tokens: dict[int, bytes]) -> None:
    openers = {opener.encode() for opener in made.OPENERS}
    for number in range(FIXED + 1, made.SIZE):
        text = tokens[number]
        assert text in openers or (text[:1] == b" " and b" " not in text[1:])
        assert b"\n" not in text
        assert not any(48 <= byte <= 57 for byte in text)


def test_names_are_spelled(tokens: dict[int, bytes]) -> None:
    words = {token[1:].decode() for number, token in tokens.items() if number > FIXED}
    assert not words & made.proper_names()
    tokenizer = WorldTokenizer.load(vocabulary_path())
    for quoted in ('"garden"', '"Mara"', "1234"):
        assert len(tokenizer.encode(quoted)) == len(quoted)


def test_text_comes_back(tokens: dict[int, bytes]) -> None:
    tokenizer = WorldTokenizer.load(vocabulary_path())
    for text in (*made.sample_texts(20, seed=3), "Grüße an 鵞鳥\r\n\x00", "  two  blanks "):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_frequent_words_are_in_it(tokens: dict[int, bytes]) -> None:
    words = made.frequent_words(made.sample_texts(400, seed=5))[:300]
    known = set(tokens.values())
    missing = [word for word in words if f" {word}".encode() not in known]
    assert len(missing) <= 3, missing


def test_it_is_written_and_read_again(tmp_path: Path) -> None:
    texts = ["User: the goose's the 'best' of it's kind, the end\n\nAssistant: Mara 'n' a2 best"]
    written = made.vocabulary(texts, 400)
    path = tmp_path / "new" / "vocabulary.txt"
    made.write_vocabulary(written, path)
    assert list(read_vocabulary(path).values()) == written
    assert written[FIXED : FIXED + 2] == [b" the", b" best"]
    assert written[-2:] == [b"</think", b" <think"]
    assert b" Mara" not in written
    assert b" goose's" not in written
    assert b" it's" in written


def test_the_sample_is_the_same_for_everyone() -> None:
    assert list(made.sample_texts(6)) == list(made.sample_texts(6))
