"""Vocabulary files in the World format (a line is ``id literal length``), or as a vocab.json.

The literal is a Python str or bytes literal, the length counts bytes. Knows nothing of how text
is cut into tokens.
"""

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.errors import DamagedFile, EngineError

WORLD_FILE = "rwkv_vocab_v20230424.txt"
JSON_VOCABULARY = "vocab.json"
"""The vocabulary of transformers' Rwkv7Tokenizer: letters of Latin-1, each one byte, to ids."""

_MOST_BYTES = 8 << 20  # the World's has one
_UNUSED = b"<|rwkv_unused_"
_MOST_TOKENS = 1 << 18
_LITERAL = re.compile(r"""(b?)(?:'((?:[^'\\]|\\.)*+)'|"((?:[^"\\]|\\.)*+)")""", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SHORT = {
    "\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t", "0": "\0", "a": "\a",
    "b": "\b", "f": "\f", "v": "\v",
}  # fmt: skip
_PLAIN_LINE = re.compile(r"""(\d+) (?:'([^'\\]+)'|"([^"\\]+)") (\d+)\r?""")


def world_vocabulary_path() -> Path:
    """Return where the ``rwkv`` package keeps the World vocabulary, without importing it.

    Raises EngineError when the package or the file is missing.
    """
    spec = importlib.util.find_spec("rwkv")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / WORLD_FILE
        if path.is_file():
            return path
    raise EngineError(
        "The World vocabulary was not found, because the package 'rwkv' is missing or incomplete.",
        "Install Skein again.",
    )


def read_vocabulary(path: Path) -> dict[int, bytes]:
    """Read a whole file: id -> the bytes of the token; id 0 (end of document) is never in it.

    Every single byte must be a token, so that every byte string can be encoded.
    Raises EngineError when the file cannot be opened, DamagedFile when it says something else.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DamagedFile(f"The vocabulary {path.name} is larger than any vocabulary.")
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except OSError as error:
        raise EngineError(f"The vocabulary {path.name} cannot be read: {error}.") from error
    except UnicodeDecodeError as error:
        raise DamagedFile(f"The vocabulary {path.name} is not UTF-8 text.") from error
    is_json = path.name == JSON_VOCABULARY
    tokens = _json_entries(text, path.name) if is_json else dict(_entries(text, path.name))
    if max(tokens, default=0) >= _MOST_TOKENS or min(tokens, default=0) < 0:
        raise DamagedFile(
            f"The vocabulary {path.name} has an id below 0 or above {_MOST_TOKENS:,}, as no "
            "vocabulary has."
        )
    found = set(tokens.values())
    if 0 in tokens or any(bytes((byte,)) not in found for byte in range(256)):
        raise DamagedFile(
            f"The vocabulary {path.name} is incomplete: it needs all 256 single bytes and "
            "leaves id 0 free for the end of a document."
        )
    if len(found) != len(tokens):
        raise DamagedFile(f"The vocabulary {path.name} holds the same token twice.")
    return tokens


def _json_entries(text: str, name: str) -> dict[int, bytes]:
    try:
        if sum(map(text.count, (",", "[", "{"))) > 2 * _MOST_TOKENS:
            raise ValueError("it holds more values than a vocabulary")
        return json_vocabulary(json.loads(text))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFile(f"The vocabulary {name} makes no sense.") from error


def json_vocabulary(content: Mapping[str, int]) -> dict[int, bytes]:
    """Return id -> bytes of what a ``vocab.json`` holds, without id 0 and ids that stand for none.

    Raises ValueError for other content.
    """
    if not all(type(token) is int for token in content.values()):
        raise ValueError("an id is no whole number")
    tokens = {token: letters.encode("latin-1") for letters, token in content.items()}
    return {token: data for token, data in tokens.items() if token and not data.startswith(_UNUSED)}


def byte_letters() -> dict[str, bytes]:
    """Return which byte each letter of a byte-level vocabulary stands for.

    Printable Latin-1 characters stand for themselves; the other bytes, in order, are the
    characters from U+0100 on.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in printable)
    letters = {chr(byte): bytes((byte,)) for byte in printable}
    letters.update({chr(0x100 + n): bytes((byte,)) for n, byte in enumerate(others)})
    return letters


def format_vocabulary(tokens: Mapping[int, bytes]) -> bytes:
    """Return a whole file in the World format: id -> the bytes of the token."""
    lines = (
        f"{token} {_literal(tokens[token])} {len(tokens[token])}\n" for token in sorted(tokens)
    )
    return "".join(lines).encode("utf-8")


def _literal(token: bytes) -> str:
    """Return a token as World files write it: as text where it is some, else as bytes."""
    try:
        return repr(token.decode("utf-8"))
    except UnicodeDecodeError:
        return repr(token)


def _entries(text: str, name: str) -> Iterator[tuple[int, bytes]]:
    # Not splitlines(): a literal may hold characters that it takes for line ends.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line == "\r":
            continue
        try:
            plain = _PLAIN_LINE.fullmatch(line)  # nearly all are: twice as fast
            if plain is not None:
                first, token, last = plain[1], (plain[2] or plain[3]).encode(), plain[4]
            else:
                first, rest = line.split(" ", 1)
                literal, last = rest.rsplit(" ", 1)
                token = parse_literal(literal)
            if len(token) != int(last) or not token:
                raise ValueError("the length does not match")
            yield int(first), token
        except ValueError as error:
            raise DamagedFile(f"Line {number} of the vocabulary {name} makes no sense.") from error


def parse_literal(literal: str) -> bytes:
    """Return the bytes that a str (as UTF-8) or bytes literal stands for.

    As Python reads it, but by no compiler: a file of hostile ones costs no more than its length.
    Escapes that ``repr`` never writes and Python warns of are an error. Raises ValueError.
    """
    match = _LITERAL.fullmatch(literal)
    if match is None:
        raise ValueError("neither text nor bytes")
    is_bytes, body = bool(match[1]), match[2] if match[2] is not None else match[3]
    if is_bytes and not body.isascii():
        raise ValueError("bytes are written in ASCII")
    if "\\" in body:
        body = _ESCAPE.sub(_byte if is_bytes else _character, body)
    return body.encode("latin-1") if is_bytes else body.encode("utf-8", "surrogatepass")


def _byte(escape: "re.Match[str]") -> str:
    code, wide, wider, letter = escape.groups()
    if wide or wider:
        raise ValueError("bytes have no such escape")
    return chr(int(code, 16)) if code else _letter(letter)


def _character(escape: "re.Match[str]") -> str:
    code, wide, wider, letter = escape.groups()
    return chr(int(code or wide or wider, 16)) if letter is None else _letter(letter)


def _letter(letter: str) -> str:
    if letter not in _SHORT:
        raise ValueError("an unknown escape")
    return _SHORT[letter]
