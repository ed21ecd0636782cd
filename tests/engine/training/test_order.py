"""RWKV-LM's order: the published primes, every slot once, and rows as its loader cuts them."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.training.order import SlotRows, magic_prime
from engine.training.stored import StoredTokens, StoredWriter


@pytest.fixture
def stored(tmp_path: Path) -> StoredTokens:
    """450 tokens: 1 to 449, then 0. Those that are even are the assistant's."""
    tokens = np.arange(1, 450)
    with StoredWriter(tmp_path / "x", "uint16", marked=True) as writer:
        writer.add(tokens.tolist(), (tokens % 2 == 0).astype(np.uint8))
        writer.end_document(0)
    return StoredTokens(tmp_path / "x", 0.5)


# MiniPile has 1,498,226,207 tokens. RWKV-LM's demo-training-run.sh publishes the first; the
# others are in use elsewhere.
@pytest.mark.parametrize(
    ("tokens", "length", "prime"),
    [
        (1_498_226_207, 512, 2_926_181),
        (1_498_226_207, 2048, 731_531),
        (1_498_226_207, 4096, 365_759),
        (253_684_860_910, 2048, 123_869_549),
        (198_788_818_379, 2048, 97_064_741),
        (30, 10, 2),
    ],
)
def test_the_published_primes(tokens: int, length: int, prime: int):
    assert magic_prime(tokens, length) == prime


@pytest.mark.parametrize("tokens", [0, 1, 29])
def test_too_few_tokens_are_refused(tokens: int):
    with pytest.raises(EngineError, match="too few for rows of 10"):
        magic_prime(tokens, 10)


@settings(max_examples=100, deadline=None)
@given(tokens=st.integers(30, 20_000), length=st.integers(1, 10))
def test_the_prime_is_the_largest_of_its_form(tokens: int, length: int):
    prime = magic_prime(tokens, length)
    fitting = [
        number
        for number in range(prime, tokens // length)
        if number % 3 == 2 and all(number % d for d in range(2, math.isqrt(number) + 1))
    ]
    assert fitting == [prime]


@pytest.mark.parametrize("length", [1, 2, 7, 15, 150])
def test_an_epoch_reads_every_slot_once_and_stays_inside(stored: StoredTokens, length: int):
    rows = SlotRows(stored, length)
    assert sorted(rows.slot(index) for index in range(len(rows))) == list(range(len(rows)))
    firsts = {int(rows.row(index).tokens[0]) for index in range(len(rows))}
    assert firsts == set(range(1, len(rows) * length + 1, length))
    for index in range(len(rows)):
        row = rows.row(index)
        expected = np.arange(row.tokens[0], row.tokens[0] + length + 1)
        assert np.array_equal(row.tokens, expected % 450)
        assert row.tokens.dtype == np.int64


def test_rows_come_in_the_order_of_the_published_loader(stored: StoredTokens):
    # 450 / 7 - 1 = 63.3: the prime is 59, the factor int(59 * 0.618...) = 36.
    rows = SlotRows(stored, 7)
    assert len(rows) == 59
    expected = [36 * n**3 % 59 for n in range(1, 200)]
    assert [int(rows.row(index).tokens[0] - 1) // 7 for index in range(199)] == expected


def test_weights_are_those_of_the_predicted_tokens(stored: StoredTokens):
    row = SlotRows(stored, 6).row(3)
    assert row.weights.tolist() == [1 if token % 2 == 0 else 0.5 for token in row.tokens[1:]]
    assert row.weights.dtype == np.float32
