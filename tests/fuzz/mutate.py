"""Changes to the bytes of valid files, and to the JSON in them. Knows no format."""

import json
import random
import re
import struct
from collections.abc import Callable

NUMBERS = (
    0, 1, 2, 7, 8, 127, 128, 255, 256, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32,
    2**40, 2**48, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64 - 32,
)  # fmt: skip
_TEXTS = (
    "", ".", "..", "../x", "/etc/passwd", "a/b", "..\\x", "\0", "\ud800", "x" * 70_000, "𝕏" * 300,
    "9" * 5000, "١٢", "-1", "1e999", "nan", "model.safetensors", "blocks.0.att.time_state",
)  # fmt: skip
_ODD = (
    None, True, False, 0, -1, 1.5, 2**63, 2**200, -(2**70), float("inf"), float("nan"), [], {},
    [[[[[[]]]]]], [-1, 5], [2**62, 2**62], {"a": {"b": []}}, ["x"], [None], 10**400,
)  # fmt: skip
_DEEP = '"@deep@"'

Rng = random.Random


def number(rng: Rng) -> int:
    """Return a number that sizes go wrong at."""
    return (
        rng.choice(NUMBERS) + rng.choice((0, 0, 0, 1, -1))
        if rng.random() < 0.8
        else (rng.getrandbits(rng.choice((8, 16, 32, 64))))
    )


def _place(data: bytearray, rng: Rng) -> int:
    """Return a place, most often where tables lie: near either end."""
    near = min(len(data), rng.choice((64, 1024, 12_000)))
    kind = rng.random()
    if kind < 0.4:
        return rng.randrange(near)
    if kind < 0.8:
        return len(data) - 1 - rng.randrange(near)
    return rng.randrange(len(data))


def _cut(data: bytearray, rng: Rng) -> None:
    del data[_place(data, rng) :]


def _flip(data: bytearray, rng: Rng) -> None:
    for _ in range(rng.choice((1, 1, 3, 20))):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: Rng) -> None:
    at = _place(data, rng)
    new = rng.randbytes(rng.choice((1, 2, 4, 16, 100)))
    data[at : at + len(new)] = new


def _number(data: bytearray, rng: Rng) -> None:
    at = _place(data, rng)
    size, letter = rng.choice(((1, "B"), (2, "H"), (4, "I"), (8, "Q")))
    order = rng.choice("<<<>")
    data[at : at + size] = struct.pack(order + letter, number(rng) % (1 << 8 * size))


def _remove(data: bytearray, rng: Rng) -> None:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 2, 4, 8, 100))]


def _insert(data: bytearray, rng: Rng) -> None:
    at = _place(data, rng)
    data[at:at] = rng.choice((b"\0", b"[", b"{", b"(", b"-", b'"', rng.randbytes(9)))


def _splice(data: bytearray, rng: Rng) -> None:
    start, size, to = _place(data, rng), rng.choice((4, 30, 300, 3000)), _place(data, rng)
    piece = data[start : start + size]
    if rng.random() < 0.5:
        data[to : to + len(piece)] = piece
    else:
        data[to:to] = piece


def _repeat(data: bytearray, rng: Rng) -> None:
    at = _place(data, rng)
    data[at:at] = data[at : at + rng.choice((1, 8, 60))] * rng.choice((10, 1000))


def _digits(data: bytearray, rng: Rng) -> None:
    """Change a decimal number that stands in text."""
    found = list(re.finditer(rb"\d+", bytes(data[:20_000])))
    if found:
        match = rng.choice(found)
        new = rng.choice((str(number(rng)), "-1", "1e9", "9" * 5000, "[]", "null", "NaN"))
        data[match.start() : match.end()] = new.encode()


_CHANGES: tuple[Callable[[bytearray, Rng], None], ...] = (
    _cut, _flip, _flip, _overwrite, _number, _number, _number, _remove, _insert, _splice,
    _splice, _repeat, _digits, _digits,
)  # fmt: skip


def mutated(data: bytes, rng: Rng) -> tuple[bytes, str]:
    """Return the bytes after one to four changes, and the changes' names."""
    changed, names = bytearray(data), []
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not changed:
            break
        change = rng.choice(_CHANGES)
        change(changed, rng)
        names.append(change.__name__)
    return bytes(changed), "+".join(names)


def odd(rng: Rng) -> object:
    """Return a value that no JSON of a model has at this place."""
    kind = rng.random()
    if kind < 0.4:
        return json.loads(json.dumps(rng.choice(_ODD)))
    if kind < 0.6:
        return number(rng)
    return "@deep@" if kind < 0.65 else rng.choice(_TEXTS)


def odd_json(value: object, rng: Rng, changes: int = 1) -> bytes:
    """Return the JSON of a value in which some are others; now and then of bottomless depth."""
    copied = json.loads(json.dumps(value))
    for _ in range(changes):
        copied = _changed(copied, rng)
    text = json.dumps(copied, ensure_ascii=rng.random() < 0.5)
    depth = rng.choice((50, 300, 900, 5000))
    text = text.replace(_DEEP, "[" * depth + "]" * depth)
    return text.encode("utf-8", "surrogatepass")


def _changed(value: object, rng: Rng) -> object:
    """Change one value somewhere in a tree of dicts and lists, or a name in it."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.1:
        return odd(rng)
    if isinstance(value, list):
        at = rng.randrange(len(value))
        value[at] = _changed(value[at], rng)
        return value
    key = rng.choice(list(value))
    kind = rng.random()
    if kind < 0.1:
        del value[key]
    elif kind < 0.2:
        value[str(rng.choice(_TEXTS))] = value.pop(key)
    else:
        value[key] = _changed(value[key], rng)
    return value
