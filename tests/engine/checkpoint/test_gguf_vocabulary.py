"""The vocabulary inside a GGUF: World is recognised however it is written, another is used."""

from pathlib import Path

import pytest
from gguf import GGMLQuantizationType as Kind
from hypothesis import given
from hypothesis import strategies as st

from engine.checkpoint import inspect
from engine.checkpoint.gguf_vocabulary import (
    digest,
    escaped,
    is_world,
    read_gguf_vocabulary,
    unescaped,
)
from engine.errors import DamagedFile, UnsupportedModel
from engine.tokenizer import WorldTokenizer, load_tokenizer
from engine.vocabulary import read_vocabulary, world_vocabulary_path
from tests.engine.checkpoint.files import weights
from tests.gguf_files import in_blocks, world_tokens, write_gguf

BYTES = [escaped(bytes((byte,))) for byte in range(256)]


@given(st.binary(max_size=40))
def test_escaping_is_undone(token: bytes) -> None:
    assert unescaped(escaped(token)) == token


@pytest.mark.parametrize(
    ("text", "token"),
    [(rb"\n\r\t\\", b"\n\r\t\\"), (rb"\x0A\xff\'", b"\n\xff'"), (b"\\", b"\\"), (b"\xc3", b"\xc3")],
)
def test_what_others_write_is_read(text: bytes, token: bytes) -> None:
    assert unescaped(text) == token


def write(path: Path, tokens: list[bytes], rows: int = 0) -> Path:
    original = weights(vocab=rows or len(tokens), layers=1, width=64)
    return write_gguf(path, original, in_blocks(Kind.F16), tokens=tokens)


def test_world_is_recognised(tmp_path: Path) -> None:
    path = write(tmp_path / "x.gguf", world_tokens(65536))
    assert inspect(path).tokenizer == "world"


def test_world_is_recognised_when_written_otherwise(tmp_path: Path) -> None:
    world = read_vocabulary(world_vocabulary_path())
    hexed = [b"".join(b"\\x%02X" % byte for byte in world[n]) for n in range(1, 65530)]
    path = write(tmp_path / "x.gguf", [b"<eod>", *hexed], rows=65536)
    assert inspect(path).tokenizer == "world"


def test_one_token_makes_it_another(tmp_path: Path) -> None:
    tokens = world_tokens(65536)
    tokens[60000] = b"nonsense"
    path = write(tmp_path / "x.gguf", tokens)
    info = inspect(path)
    assert info.tokenizer == "gguf"
    assert load_tokenizer(info).token_bytes(60000) == b"nonsense"


def test_a_vocabulary_of_its_own_is_used(tmp_path: Path) -> None:
    tokens = [b"<s>", *BYTES, b" goose", b"go\\\\", b"[PAD259]"]
    path = write(tmp_path / "x.gguf", tokens)
    tokenizer = load_tokenizer(inspect(path))
    assert isinstance(tokenizer, WorldTokenizer)
    assert tokenizer.encode(" goosego\\!") == [257, 258, 34]
    assert tokenizer.token_bytes(0) == b""
    assert tokenizer.vocab_size == 259  # padding is no token


@pytest.mark.parametrize("tokens", [BYTES, [b"<s>", *BYTES[1:]], [b"<s>", *BYTES, b"a"]])
def test_an_unsound_one_is_refused(tmp_path: Path, tokens: list[bytes]) -> None:
    path = write(tmp_path / "x.gguf", tokens)
    with pytest.raises(DamagedFile, match="no sound one"):
        read_gguf_vocabulary(path)


def test_other_kinds_are_refused_when_they_are_needed(tmp_path: Path) -> None:
    path = write(tmp_path / "x.gguf", [b"<s>", *BYTES])
    data = path.read_bytes().replace(b"\4\0\0\0\0\0\0\0rwkv\x15", b"\4\0\0\0\0\0\0\0gpt2\x15")
    path.write_bytes(data)
    assert inspect(path).tokenizer == "gguf"
    with pytest.raises(UnsupportedModel, match="gpt2"):
        load_tokenizer(inspect(path))


def test_a_digest_tells_where_tokens_end() -> None:
    assert digest([b"ab", b"c"]) != digest([b"a", b"bc"])
    assert not is_world({1: b"a"})
