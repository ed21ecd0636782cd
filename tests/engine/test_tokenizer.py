import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DamagedFile, EngineError, UnsupportedModel
from engine.tokenizer import JsonTokenizer, WorldTokenizer, load_tokenizer
from engine.vocabulary import read_vocabulary, world_vocabulary_path

TEXTS = [
    "",
    "User: hi\n\nAssistant: Hello! How can I help you?",
    "人工智能是计算机科学的一个分支。\n\n吾輩は猫である。名前はまだ無い。",
    "שלום עולם، مرحبا بالعالم \u202eabc\u202c",
    "👩‍👩‍👧‍👦🎉🇯🇵 é́ ✿ \x00\x01\x7f\x85\u2028",
    "def f(x):\n\n        return {'a': [x ** 2 for _ in range(10)]}  # " + "-" * 100,
    " " * 300 + "\t" * 40 + "\r\n" * 20 + "#" * 161,
    "0123456789 00 007 3.14159e-10",
]


@pytest.fixture(scope="module")
def world() -> WorldTokenizer:
    return WorldTokenizer.load()


@pytest.fixture(scope="module")
def vocabulary() -> dict[int, bytes]:
    return read_vocabulary(world_vocabulary_path())


@pytest.fixture(scope="module")
def ids(vocabulary) -> dict[bytes, int]:
    return {data: token for token, data in vocabulary.items()}


def naive(data: bytes, ids: dict[bytes, int]) -> list[int]:
    """Longest match, as it is defined."""
    tokens = []
    while data:
        size = next(n for n in range(min(128, len(data)), 0, -1) if data[:n] in ids)
        tokens.append(ids[data[:size]])
        data = data[size:]
    return tokens


def test_known_ids(world):
    known = {"\n\n": 261, "\n": 11, "User": 24281, ":": 59, "✿": 10060}
    for text, token in known.items():
        assert world.encode(text) == [token]
    assert world.encode("User:") == [24281, 59]
    assert all(world.encode_bytes(bytes((byte,))) == [byte + 1] for byte in range(256))
    assert world.vocab_size == 65530
    assert max(len(world.token_bytes(token)) for token in range(65536)) == 128


def test_every_token_encodes_to_itself(world, vocabulary):
    assert len(vocabulary) == 65529
    assert all(world.encode_bytes(data) == [token] for token, data in vocabulary.items())
    invalid = 0
    for data in vocabulary.values():
        try:
            data.decode()
        except UnicodeDecodeError:
            invalid += 1
    assert invalid == 486


@pytest.mark.parametrize("text", TEXTS)
def test_longest_match(world, ids, text):
    assert world.encode(text) == naive(text.encode(), ids)


@given(st.lists(st.one_of(st.integers(1, 65529), st.binary(max_size=3)), max_size=12))
def test_any_mixture_of_tokens_and_bytes(world, ids, parts):
    text = b"".join(world.token_bytes(part) if isinstance(part, int) else part for part in parts)
    tokens = world.encode_bytes(text)
    assert tokens == naive(text, ids)
    assert world.decode_bytes(tokens) == text


@given(st.text(st.characters()))
def test_any_text_comes_back_lone_surrogates_as_bytes(world, text):
    assert world.decode_bytes(world.encode(text)) == text.encode("utf-8", "surrogatepass")


def test_the_same_as_the_rwkv_packages_own_tokenizer(world):
    # Its file is executed without the package: that would import torch.
    source = (world_vocabulary_path().parent / "rwkv_tokenizer.py").read_text("utf-8")
    classes: list[ast.stmt] = [
        node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)
    ]
    names: dict = {}
    exec(compile(ast.Module(classes, []), "rwkv_tokenizer", "exec"), names)
    trie = names["TRIE"]()
    texts = "".join(TEXTS).encode()
    for token in range(1, world.vocab_size):
        data = world.token_bytes(token)
        if data in texts:  # the others cannot occur; a whole trie takes seconds
            trie.add(data, val=(data, token))
    theirs = object.__new__(names["TRIE_TOKENIZER"])
    theirs.root = trie
    for text in TEXTS:
        assert world.encode(text) == theirs.encodeBytes(text.encode())


def test_lone_surrogates_are_encoded_and_shown_as_unknown(world):
    tokens = world.encode("a\ud800b")
    assert world.decode_bytes(tokens) == b"a\xed\xa0\x80b"
    assert world.decode(tokens) == "a\ufffd\ufffd\ufffdb"


def test_ids_that_are_no_tokens(world):
    assert world.decode_bytes([0, *range(65530, 65536)]) == b""
    assert world.decode([24281, 65536, -1, 59]) == "User\ufffd\ufffd:"


def test_where_a_chat_may_be_cut(world):
    """Pieces of a template encode by themselves as they do in the whole text."""
    for pieces in (
        ("System: Be kind.\n\n", "User: hi?\n\nAssistant:", " <think>\n</think", ">\nHi!"),
        ("User: hi (think a lot)\n\nAssistant:", " <think", ">\nWell"),
        ("User: x\n\nAssistant:", " I am.", "\n\nUser: y\n\nAssistant:"),
        ("User✿hi✿\nBot✿", "<think></think>", "Hello.", "✿\nUser✿more✿\nBot✿", "<think", ">\n"),
    ):
        apart = [token for piece in pieces for token in world.encode(piece)]
        assert apart == world.encode("".join(pieces)), pieces
    # and where it may not: three tokens end in one line end
    for end in "。，…":
        assert len(world.encode(end + "\n")) == 1


def test_a_small_vocabulary(tmp_path):
    path = tmp_path / "small.txt"
    lines = [f"{byte + 1} {bytes((byte,))!r} 1" for byte in range(256)]
    # 'ab' is only a way to 'abc': a longest match must come back from it
    path.write_text("\n".join([*lines, "257 'abc' 3", "300 'bd' 2"]) + "\n", "utf-8")
    small = WorldTokenizer.load(path)
    assert small.vocab_size == 301
    assert small.encode("abcabdab") == [257, 98, 300, 98, 99]
    assert small.token_bytes(299) == b""
    assert small.decode([512]) == "\ufffd"


@pytest.fixture
def pile(tmp_path) -> Path:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXTS, trainer)
    made.add_tokens(["   "])
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_tokenizer_json_round_trips(pile):
    tokenizer = JsonTokenizer(pile)
    assert tokenizer.vocab_size == 321
    for text in TEXTS:
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.token_bytes(0) == b""
    assert tokenizer.token_bytes(320) == b"   "
    assert tokenizer.decode(tokenizer.encode("a\ud800b")) == "a\ufffdb"
    assert tokenizer.decode(tokenizer.encode_bytes(b"\xffz")) == "\ufffdz"
    # a cut character stays cut, so that the stream decoder can put it together
    cut = tokenizer.encode("✿")
    assert b"".join(map(tokenizer.token_bytes, cut)) == "✿".encode()


def test_the_tokenizer_that_belongs_to_a_model(pile, tmp_path):
    def info(kind: str, vocab: int) -> Any:
        shape = SimpleNamespace(vocab=vocab)
        return SimpleNamespace(name="m", path=tmp_path / "m.pth", tokenizer=kind, shape=shape)

    assert isinstance(load_tokenizer(info("world", 65536)), WorldTokenizer)
    assert isinstance(load_tokenizer(info("tokenizer.json", 330)), JsonTokenizer)
    with pytest.raises(UnsupportedModel, match="has 300 tokens"):
        load_tokenizer(info("tokenizer.json", 300))
    lines = [f"{byte + 1} {bytes((byte,))!r} 1" for byte in range(256)]
    (tmp_path / "vocabulary.txt").write_text("\n".join([*lines, "257 ' goose' 6"]))
    assert load_tokenizer(info("vocabulary.txt", 300)).encode(" goose!") == [257, 34]
    with pytest.raises(UnsupportedModel, match="its vocabulary needs 258"):
        load_tokenizer(info("vocabulary.txt", 257))
    pile.write_text("{}")
    with pytest.raises(DamagedFile):
        load_tokenizer(info("tokenizer.json", 330))
    pile.unlink()
    with pytest.raises(EngineError, match=r"tokenizer\.json is missing"):
        load_tokenizer(info("tokenizer.json", 330))
