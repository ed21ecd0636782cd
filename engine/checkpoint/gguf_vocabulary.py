"""The vocabulary inside an RWKV GGUF file: tokens as escaped text, one for every row of the model.

llama.cpp takes ``\\n``, ``\\r``, ``\\t`` and ``\\xHH`` for bytes and any other character behind a
backslash for itself; its converter writes tokens as Python writes bytes. Id 0 is the end of a
document. Knows tokens, not how text is cut into them.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from engine.checkpoint.gguf import GgufArray, GgufHead, read_head, read_strings
from engine.errors import DamagedFile, UnsupportedModel

NORMAL, CONTROL, UNUSED = 1, 3, 5
"""Kinds of tokens (``tokenizer.ggml.token_type``)."""

TOKENS, KINDS, MODEL = (
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.token_type",
    "tokenizer.ggml.model",
)
_WRITTEN = frozenset((1, 4, 6))  # normal, defined by a user, byte: they stand for text
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_SHORT = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_MOST_TOKENS = 1 << 18
_WORLD_IDS = range(1, 65530)
_WORLD_SHA256 = "109c427a9711c47cedc56c9b38725337b83283314f7a1093fb601ad94cb72101"  # as they lie
_WORLD_BYTES_SHA256 = (
    "f747db51f279e854ff92d888b7a051cda3ddd99d9befc492cf2355b25007f031"  # decoded, see _digest
)


def escaped(token: bytes) -> bytes:
    """Return a token's bytes as GGUF files hold them."""
    return repr(token)[2:-1].encode("ascii")


def unescaped(text: bytes) -> bytes:
    """Return the bytes that an escaped token stands for."""
    if b"\\" not in text:
        return text
    return _ESCAPE.sub(_unescape, text)


def _unescape(match: "re.Match[bytes]") -> bytes:
    code, letter = match.groups()
    return bytes((int(code, 16),)) if code else _SHORT.get(letter, letter)


def written_tokens(vocabulary: Mapping[int, bytes], rows: int) -> list[tuple[bytes, int]]:
    """Return (escaped text, kind) for each of a model's rows, as llama.cpp's converter has them."""
    tokens = [(b"<s>", CONTROL)]
    for token in range(1, rows):
        data = vocabulary.get(token)
        tokens.append((escaped(data), NORMAL) if data else (b"[PAD%d]" % token, UNUSED))
    return tokens


def kind_of_vocabulary(head: GgufHead, file: BinaryIO) -> str:
    """Return "world" for the World vocabulary, "gguf" for another, "" if the file has none.

    A file of llama.cpp's converter (or of ours) is known by a digest; only tokens that somebody
    wrote in another way are decoded and compared. Raises DamagedFile.
    """
    array = head.facts.get(TOKENS)
    if not isinstance(array, GgufArray) or array.kind != 8:
        return ""
    if head.text(MODEL) != "rwkv":
        return "gguf"
    file.seek(array.offset)
    data = file.read(array.size_bytes)
    if hashlib.sha256(data).hexdigest() == _WORLD_SHA256:
        return "world"
    if not _WORLD_IDS.stop <= array.count <= _MOST_TOKENS:
        return "gguf"
    tokens = map(unescaped, read_strings(data, _WORLD_IDS.stop)[1:])
    return "world" if digest(tokens) == _WORLD_BYTES_SHA256 else "gguf"


def digest(tokens: Iterable[bytes]) -> str:
    """Return the SHA-256 of tokens, each behind its length (a byte; longer tokens have 255)."""
    total = hashlib.sha256()
    for token in tokens:
        total.update(bytes((min(len(token), 255),)) + token)
    return total.hexdigest()


def is_world(vocabulary: Mapping[int, bytes]) -> bool:
    """Tell whether a vocabulary is World's, whatever else its padding rows are."""
    if len(vocabulary) != len(_WORLD_IDS):
        return False
    return digest(vocabulary.get(token, b"") for token in _WORLD_IDS) == _WORLD_BYTES_SHA256


def read_gguf_vocabulary(path: Path) -> dict[int, bytes]:
    """Return id -> bytes of every token that stands for text; id 0 is never in it.

    Raises DamagedFile when bytes are missing or a token occurs twice, UnsupportedModel for another
    kind of tokenizer.
    """
    try:
        with path.open("rb") as file:
            head = read_head(file, path.name, path.stat().st_size)
            tokens = _tokens(head, file, path.name)
    except OSError as error:
        raise DamagedFile(f"The vocabulary in {path.name} cannot be read: {error}.") from error
    found = set(tokens.values())
    if len(found) != len(tokens) or any(bytes((byte,)) not in found for byte in range(256)):
        raise DamagedFile(
            f"The vocabulary in {path.name} is no sound one: it needs all 256 single bytes, "
            "and no token twice.",
            "Choose another file of this model.",
        )
    return tokens


def _tokens(head: GgufHead, file: BinaryIO, name: str) -> dict[int, bytes]:
    array = head.facts.get(TOKENS)
    if not isinstance(array, GgufArray) or head.text(MODEL) != "rwkv":
        kind = head.text(MODEL)[:40] or "none"
        raise UnsupportedModel(
            f"{name} brings a vocabulary of the kind “{kind}”, and “rwkv” was expected.",
            "Choose another file of this model; the .pth always serves.",
        )
    if array.count > _MOST_TOKENS:
        raise DamagedFile(f"{name} is no sound model: it has {array.count:,} tokens.")
    file.seek(array.offset)
    texts = read_strings(file.read(array.size_bytes), array.count)
    kinds = _kinds(head, file)
    return {
        token: unescaped(text)
        for token, text in enumerate(texts)
        if token and text and kinds.get(token, NORMAL) in _WRITTEN
    }


def _kinds(head: GgufHead, file: BinaryIO) -> dict[int, int]:
    """Return id -> kind, from an array of 32-bit numbers; {} if the file has none."""
    array = head.facts.get(KINDS)
    if not isinstance(array, GgufArray) or array.kind not in (4, 5) or array.count > _MOST_TOKENS:
        return {}
    file.seek(array.offset)
    numbers = memoryview(file.read(array.size_bytes)).cast("i")
    return dict(enumerate(numbers))
