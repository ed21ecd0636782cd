"""Whether an answer is right: by its last number, by its quoted result, or word for word.

Graders are small frozen objects, so that a probe can be compared, copied and sent elsewhere.
"""

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"(?<!\d)-?\d+")
_QUOTED = re.compile(r'"([^"\n]*)"')


def last_number(text: str) -> int:
    """Return the last number of a text that has one."""
    return int(_NUMBER.findall(text)[-1])


@dataclass(frozen=True, slots=True)
class LastNumber:
    """Right when the last number of the answer is this one."""

    number: int

    def __call__(self, answer: str) -> bool:
        """Grade an answer. A minus sign counts when it stands right before the digits."""
        numbers = _NUMBER.findall(answer)
        return bool(numbers) and int(numbers[-1]) == self.number


@dataclass(frozen=True, slots=True)
class AllNumbers:
    """Right when the numbers of the answer are these, in this order."""

    numbers: tuple[int, ...]

    def __call__(self, answer: str) -> bool:
        """Grade an answer."""
        return tuple(int(number) for number in _NUMBER.findall(answer)) == self.numbers


@dataclass(frozen=True, slots=True)
class LastQuoted:
    """Right when what the answer quotes last is exactly this text."""

    text: str

    def __call__(self, answer: str) -> bool:
        """Grade an answer."""
        quoted = _QUOTED.findall(answer)
        return bool(quoted) and quoted[-1] == self.text


@dataclass(frozen=True, slots=True)
class Exactly:
    """Right when the answer is this text and nothing else; blanks around it do not matter."""

    text: str

    def __call__(self, answer: str) -> bool:
        """Grade an answer."""
        return answer.strip() == self.text
