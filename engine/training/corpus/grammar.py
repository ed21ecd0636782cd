"""Wordings written once and said in thousands of ways. Knows no topic and no answer.

A wording holds ``[[a|b|]]`` for one of several texts (they nest, and may be empty) and ``{name}``
for a group of such texts. It is read once; saying it costs a few microseconds.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence

Node = str | tuple[str, tuple["Node", ...]]
"""A text; ("all", parts) one after the other; ("one", choices) one of them."""

_MARKS = re.compile(r"(\[\[|\]\]|\||\{\w+\})")


class Grammar:
    """Named groups, read when they are first used."""

    def __init__(self, groups: Mapping[str, str]) -> None:
        """groups: by name, each like the inside of ``[[ ]]``."""
        self._groups = groups
        self._read: dict[str, Node] = {}

    def read(self, wording: str) -> Node:
        """Take a wording apart. Raises KeyError for an unknown group, ValueError for brackets."""
        pieces = [piece for piece in _MARKS.split(wording) if piece]
        node, rest = self._choices(pieces, 0)
        if rest != len(pieces):
            raise ValueError(f"brackets do not match in {wording!r}")
        return node

    def _choices(self, pieces: Sequence[str], at: int) -> tuple[Node, int]:
        """Read up to the ``]]`` that closes this level, or to the end."""
        choices: list[Node] = []
        parts: list[Node] = []
        while at < len(pieces) and pieces[at] != "]]":
            piece = pieces[at]
            at += 1
            if piece == "|":
                choices.append(_joined(parts))
                parts = []
            elif piece == "[[":
                inner, at = self._choices(pieces, at)
                if at >= len(pieces):
                    raise ValueError("an opened [[ is never closed")
                parts.append(inner)
                at += 1
            elif piece[0] == "{":
                parts.append(self._group(piece[1:-1]))
            else:
                parts.append(piece)
        choices.append(_joined(parts))
        return (choices[0] if len(choices) == 1 else ("one", tuple(choices))), at

    def _group(self, name: str) -> Node:
        if name not in self._read:
            self._read[name] = self.read(self._groups[name])
        return self._read[name]


def _joined(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else ("all", tuple(parts)) if parts else ""


def say(node: Node, rng: random.Random) -> str:
    """Return one of the texts that a wording stands for."""
    if isinstance(node, str):
        return node
    said: list[str] = []
    _say(node, rng.random, said.append)
    return "".join(said)


def _say(node: Node, draw: Callable[[], float], add: Callable[[str], None]) -> None:
    while not isinstance(node, str):
        kind, parts = node
        if kind == "all":
            for part in parts:
                _say(part, draw, add)
            return
        node = parts[int(draw() * len(parts))]
    add(node)
