"""Examples: what a file may hold, what of it is learned, and how it is dealt into batches."""

import json
from itertools import islice
from pathlib import Path

import pytest

from engine.errors import DamagedFile, EngineError
from engine.templates import load_templates
from engine.tokenizer import WorldTokenizer
from engine.training.chats import Message
from engine.training.examples import (
    BATCH_TOKENS,
    LONGEST,
    Encoder,
    Examples,
    batches,
    read_examples,
)
from engine.training.rows import Row
from tests.engine.training.repeater import PIRATES, chat
from tests.engine.training.small_vocabulary import write_small_vocabulary


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> WorldTokenizer:
    folder = tmp_path_factory.mktemp("vocabulary")
    return WorldTokenizer.load(write_small_vocabulary(folder / "vocabulary.txt"))


@pytest.fixture(scope="module")
def encoder(tokenizer: WorldTokenizer) -> Encoder:
    return Encoder(load_templates()["classic"], tokenizer)


def written(path: Path, *records: object) -> Path:
    path.write_text("\n".join(json.dumps(record) for record in records) + "\n\n", "utf-8")
    return path


def exchange(question: str, answer: str) -> dict:
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }


def learned(row: Row, tokenizer: WorldTokenizer) -> str:
    targets = row.tokens[1:]
    return tokenizer.decode(targets[row.weights > 0].tolist())


def test_a_file_of_chats_and_texts(tmp_path: Path) -> None:
    path = written(tmp_path / "e.jsonl", exchange("hello", "yes"), {"text": "a story"})
    assert read_examples(path) == Examples((chat("hello", "yes"),), ("a story",))
    assert len(read_examples(path)) == 2
    both = written(tmp_path / "b.jsonl", exchange("hello", "yes") | {"text": "hello yes"})
    assert read_examples(both).texts == ()  # as `skein train data` reads it


def test_any_other_file_is_one_text(tmp_path: Path) -> None:
    path = tmp_path / "story.txt"
    path.write_text("once\n\nupon", "utf-8")
    assert read_examples(path) == Examples((), ("once\n\nupon",))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "Line 2 .* not valid JSON"),
        ('{"prompt": "x"}', "neither a text nor messages"),
        ("[1]", "not a JSON object"),
        ('{"messages": [{"role": "assistant", "content": "x"}]}', "in turn"),
        ('{"messages": [{"role": "user", "content": "x"}]}', "nothing in it"),
    ],
)
def test_a_line_that_makes_no_sense_is_told(tmp_path: Path, line: str, words: str) -> None:
    path = written(tmp_path / "bad.jsonl", exchange("a", "b"))
    path.write_text(path.read_text("utf-8").rstrip("\n") + "\n" + line, "utf-8")
    with pytest.raises(DamagedFile, match=words):
        read_examples(path)


@pytest.mark.parametrize("name", ["empty.jsonl", "empty.txt"])
def test_nothing_to_learn_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(" \n\n", "utf-8")
    with pytest.raises(EngineError, match="no example"):
        read_examples(tmp_path / name)
    (tmp_path / name).write_bytes(b"\xff\xfe")
    with pytest.raises(DamagedFile, match="UTF-8"):
        read_examples(tmp_path / name)


def test_answers_and_their_ends_are_learned(encoder: Encoder, tokenizer: WorldTokenizer) -> None:
    row = encoder.chat(chat("hello", "Arr hello", "who?", "me"))
    assert row.tokens[0] == 0
    assert tokenizer.decode(row.tokens.tolist()) == (
        "User: hello\n\nAssistant: Arr hello\n\nUser: who?\n\nAssistant: me\n\nUser:"
    )
    assert learned(row, tokenizer) == " Arr hello\n\nUser: me\n\nUser:"


def test_texts_are_learned_whole_in_rows(encoder: Encoder, tokenizer: WorldTokenizer) -> None:
    rows = encoder.text("x" * (LONGEST + 10))
    assert [len(row.weights) for row in rows] == [LONGEST, 11]
    assert all(row.tokens[0] == 0 and row.weights.all() for row in rows)
    assert rows[1].tokens[-1] == 0
    (short,) = encoder.text(" hello ")
    assert learned(short, tokenizer) == "hello"


def test_a_long_chat_is_cut(encoder: Encoder) -> None:
    row = encoder.chat(chat("q", "y" * 2 * LONGEST))
    assert (len(row.tokens), len(row.weights)) == (LONGEST + 1, LONGEST)


def questions(rows: list[Row], tokenizer: WorldTokenizer) -> list[int]:
    return [tokenizer.decode(row.tokens.tolist()).count("Assistant:") for row in rows]


def test_every_other_batch_joins_chats(encoder: Encoder, tokenizer: WorldTokenizer) -> None:
    dealt = list(islice(batches(Examples(PIRATES), encoder, 0), 4))
    assert [sorted(questions(rows, tokenizer)) for rows in dealt] == [[1] * 4, [3, 3]] * 2


def test_chats_with_a_system_text_begin_rows(encoder: Encoder, tokenizer: WorldTokenizer) -> None:
    told = tuple((Message("system", "be a pirate"), *example) for example in PIRATES)
    dealt = list(islice(batches(Examples(told), encoder, 0), 2))
    assert [questions(rows, tokenizer) for rows in dealt] == [[1] * 4] * 2


def test_many_examples_fill_batches_of_some_tokens(encoder: Encoder) -> None:
    many = Examples(PIRATES * 100, ("hello world",))
    dealt = list(islice(batches(many, encoder, 0), 6))
    sizes = [sum(len(row.weights) for row in rows) for rows in dealt]
    assert all(BATCH_TOKENS <= size < BATCH_TOKENS + 60 for size in sizes)


def test_the_seed_decides_the_order(encoder: Encoder) -> None:
    def firsts(seed: int) -> list[list[int]]:
        dealt = islice(batches(Examples(PIRATES), encoder, seed), 8)
        return [rows[0].tokens.tolist() for rows in dealt]

    assert firsts(1) == firsts(1)
    assert firsts(1) != firsts(2)
