"""The native tokenizer cuts any bytes exactly as the one in plain Python does."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tokenizer import WorldTokenizer
from engine.vocabulary import read_vocabulary, world_vocabulary_path
from kernels.cpu.library import Library, NativeError, NativeTokenizer, find_library

BYTES = {byte + 1: bytes((byte,)) for byte in range(256)}
NESTED = BYTES | {300: b"ab", 301: b"abc", 302: b"abcde", 303: b"cd", 304: b"\xff\xfe\xfd"}


@pytest.fixture(scope="module")
def vocabulary() -> dict[int, bytes]:
    return read_vocabulary(world_vocabulary_path())


@pytest.fixture(scope="module")
def both(library: Library, vocabulary: dict[int, bytes]) -> tuple[WorldTokenizer, WorldTokenizer]:
    return WorldTokenizer(vocabulary, library), WorldTokenizer(vocabulary)


@given(data=st.binary(max_size=200))
def test_any_bytes(both: tuple[WorldTokenizer, WorldTokenizer], data: bytes) -> None:
    native, plain = both
    assert native.encode_bytes(data) == plain.encode_bytes(data)


@given(text=st.text(max_size=80))
def test_any_text(both: tuple[WorldTokenizer, WorldTokenizer], text: str) -> None:
    native, plain = both
    assert native.encode(text) == plain.encode(text)
    assert native.decode(native.encode(text)) == text


def test_beginnings_of_tokens_in_a_row(
    both: tuple[WorldTokenizer, WorldTokenizer], vocabulary: dict[int, bytes]
) -> None:
    native, plain = both
    rng, tokens = np.random.default_rng(1), list(vocabulary.values())
    pieces = [
        tokens[i][: 1 + n]
        for i, n in zip(rng.integers(0, 65529, 20_000), rng.integers(0, 9, 20_000), strict=True)
    ]
    data = b"".join(pieces)
    assert native.encode_bytes(data) == plain.encode_bytes(data)


def test_every_token_of_the_vocabulary(
    both: tuple[WorldTokenizer, WorldTokenizer], vocabulary: dict[int, bytes]
) -> None:
    native, _ = both
    assert all(native.encode_bytes(data) == [token] for token, data in vocabulary.items())


@given(data=st.lists(st.sampled_from(b"abcdef\xff\xfe\xfd")).map(bytes))
def test_small_vocabularies_fall_back_to_the_longest_that_fits(data: bytes) -> None:
    library = find_library()
    assert library is not None
    assert NativeTokenizer(library, NESTED).encode(data) == WorldTokenizer(NESTED).encode_bytes(
        data
    )


@pytest.mark.parametrize(
    ("vocabulary", "said"),
    [
        ({i: data for i, data in BYTES.items() if i != 77}, "single bytes"),
        (BYTES | {300: b"ab", 301: b"ab"}, "twice"),
        (BYTES | {300: b""}, "without bytes"),
    ],
)
def test_unusable_vocabularies_are_refused(
    library: Library, vocabulary: dict[int, bytes], said: str
) -> None:
    with pytest.raises(NativeError, match=said):
        NativeTokenizer(library, vocabulary)


def test_it_can_be_sent_to_another_process(library: Library) -> None:
    again = pickle.loads(pickle.dumps(WorldTokenizer(NESTED, library)))
    assert again.encode_bytes(b"abcdab") == [301, 101, 300]
    assert again.vocab_size == 305
