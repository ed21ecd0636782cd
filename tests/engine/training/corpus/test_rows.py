"""Rows of the corpus: whole documents of real chats, the same for everyone who asks."""

import pickle
from itertools import pairwise

import numpy as np
import pytest

from engine.tokenizer import WorldTokenizer
from engine.training.corpus.conversation import Chat
from engine.training.corpus.exchange import Exchange
from engine.training.corpus.mixture import SHARES, skills, talk_skills
from engine.training.corpus.pieces import ChatEncoder, PieceEncoder, written
from engine.training.corpus.rows import CorpusRows, chat_encoder, vocabulary_path
from engine.training.rows import open_rows


@pytest.fixture(scope="module")
def tokenizer() -> WorldTokenizer:
    return WorldTokenizer.load(vocabulary_path())


@pytest.fixture(scope="module")
def rows() -> CorpusRows:
    return CorpusRows(512, 1)


def test_a_row_has_the_shape_that_the_trainer_reads(rows: CorpusRows) -> None:
    row = rows.row(0)
    assert (row.tokens.shape, row.tokens.dtype) == ((513,), np.int64)
    assert (row.weights.shape, row.weights.dtype) == ((512,), np.float32)
    assert row.tokens[0] == 0
    assert row.tokens.max() < 2304
    assert set(np.unique(row.weights)) <= {np.float32(0), np.float32(0.1), np.float32(1)}
    assert len(rows) > 1_000_000


def test_a_row_depends_on_nothing_but_its_number(rows: CorpusRows) -> None:
    again = pickle.loads(pickle.dumps(rows))
    for index in (5, 3, 5, 10**12):
        assert np.array_equal(again.row(index).tokens, rows.row(index).tokens)
        assert np.array_equal(again.row(index).weights, rows.row(index).weights)
    assert not np.array_equal(rows.row(1).tokens, rows.row(2).tokens)
    assert not np.array_equal(CorpusRows(512, 2).row(1).tokens, rows.row(1).tokens)


def test_rows_are_found_by_their_kind(rows: CorpusRows) -> None:
    found = open_rows("corpus", length=512, seed=1)
    assert np.array_equal(found.row(7).tokens, rows.row(7).tokens)


def test_documents_are_chats(rows: CorpusRows, tokenizer: WorldTokenizer) -> None:
    for index in range(20):
        tokens = rows.row(index).tokens
        ends = [*np.flatnonzero(tokens == 0), len(tokens)]
        for begin, end in pairwise(ends[:-1]):
            text = tokenizer.decode(tokens[begin:end])
            assert text.startswith(("User: ", "System: "))
            assert "\n\nAssistant: " in text
            assert not text.endswith("\n")


def test_the_answer_counts_and_the_question_counts_little(tokenizer: WorldTokenizer) -> None:
    encoder = ChatEncoder(PieceEncoder(tokenizer))
    chat = Chat((Exchange("Hello", "Hi!"), Exchange("1 + 1", "2.", thought="1 + 1 = 2")), "Be kind")
    document = encoder.document(chat)
    assert tokenizer.decode(document.ids) == written(chat)
    heavy = [
        token for token, weight in zip(document.ids, document.weights, strict=True) if weight == 1
    ]
    assert tokenizer.decode(heavy) == " Hi!\n\nUser:>\n1 + 1 = 2\n</think>\n2."
    free = [
        token for token, weight in zip(document.ids, document.weights, strict=True) if weight == 0
    ]
    assert tokenizer.decode(free) == " <think"


def test_what_is_measured_is_what_is_written(tokenizer: WorldTokenizer) -> None:
    encoder = ChatEncoder(PieceEncoder(tokenizer))
    one = Exchange("How are you, Zoë?", "Fine.", thought="a b")
    sizes = [len(encoder.document(Chat((one,) * count)).ids) for count in (1, 2, 3)]
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] == encoder.measure(one)


def test_pieces_are_encoded_as_the_tokenizer_would(rows: CorpusRows) -> None:
    tokenizer = WorldTokenizer.load(vocabulary_path())
    encoder = PieceEncoder(tokenizer)
    texts = [tokenizer.decode(rows.row(index).tokens) for index in range(10)]
    for text in (*texts, " a  b\n\n\nc \n d\n", "", "Zürich 鵞鳥  \t x"):
        assert encoder.encode(text) == tokenizer.encode(text)


def test_every_skill_has_a_share() -> None:
    assert set(SHARES) == set(talk_skills())
    assert set(skills()) == {"memory", "correction", *SHARES}


def test_the_vocabulary_is_found_where_the_product_is() -> None:
    assert vocabulary_path().name == "vocabulary.txt"
    assert chat_encoder().measure(Exchange("a", "b")) > 4
