"""Text and numbers on their way into columns: what SQLite cannot hold is made holdable."""

import json
import sys
from array import array
from collections.abc import Iterable
from typing import Any


def storable(text: str) -> str:
    """Return text that UTF-8 can hold: surrogate pairs joined, lone ones become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def pack_tokens(tokens: Iterable[int]) -> bytes:
    """Return token ids as unsigned 32-bit numbers, little endian."""
    numbers = array("I", tokens)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpack_tokens(blob: bytes) -> tuple[int, ...]:
    """Return the ids that ``pack_tokens`` packed; none when these are not its bytes."""
    if len(blob) % 4:
        return ()
    numbers = array("I")
    numbers.frombytes(blob)
    if sys.byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)


def to_json(values: dict[str, Any]) -> str:
    """Return a compact JSON object."""
    return json.dumps(values, ensure_ascii=True, separators=(",", ":"))


def from_json(text: str) -> dict[str, Any]:
    """Return the object in a column; an empty one when it is not JSON."""
    if text == "{}":
        return {}
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def like_pattern(text: str) -> str:
    r"""Return the LIKE pattern (ESCAPE '\') for rows that contain ``text`` literally."""
    for special in "\\%_":
        text = text.replace(special, "\\" + special)
    return f"%{text}%"


def phrase(text: str) -> str:
    """Return the FTS5 query for rows that contain ``text`` literally."""
    return '"' + text.replace('"', '""') + '"'
