"""The order in which RWKV-LM reads MiniPile and other ``.bin`` files, as its recipe publishes it.

The tokens are one stream, cut into slots of T tokens; row n, from 1 on, is slot
``factor * n^3 mod p``, where p is the largest prime of the form 3k + 2 with p <= tokens / T - 1 and
``factor = int(p * (sqrt(5) - 1) / 2)``. As 3 does not divide p - 1, every number has one cube root
modulo p: p rows are p different slots. (RWKV-LM: RWKV-v7/train_temp/src/dataset.py and
demo-training-run.sh, RWKV-v5/make_data.py.) Knows nothing of documents or of weights' meaning.
"""

import math

from engine.errors import EngineError
from engine.training.rows import Row
from engine.training.stored import StoredTokens

_GOLDEN = (math.sqrt(5) - 1) / 2


def magic_prime(tokens: int, length: int) -> int:
    """Return RWKV-LM's ``--magic_prime`` for so many tokens and a row length.

    Raises EngineError when the data are less than three rows.
    """
    for number in range(tokens // length - 1, 1, -1):
        if number % 3 == 2 and _is_prime(number):
            return number
    raise EngineError(
        f"{tokens:,} tokens are too few for rows of {length:,} in the order of RWKV-LM.",
        'Use shorter rows, more data, or the order "shuffled".',
    )


def _is_prime(number: int) -> bool:
    if number < 4:
        return number > 1
    return all(number % divisor for divisor in (2, *range(3, math.isqrt(number) + 1, 2)))


class SlotRows:
    """The slots of a stream of tokens in RWKV-LM's order; every epoch is the same.

    Of the last slots, some that a prime leaves over are never read, as in the recipe.
    """

    def __init__(self, stored: StoredTokens, length: int) -> None:
        """``length``: T. Raises EngineError when the data are less than three rows."""
        self.length = length
        self._stored = stored
        self._prime = magic_prime(stored.stream_size, length)
        self._factor = int(self._prime * _GOLDEN)

    def __len__(self) -> int:
        """Return the prime: RWKV-LM's ``--magic_prime``."""
        return self._prime

    def slot(self, index: int) -> int:
        """Return which slot of the stream a row is."""
        return self._factor * (index + 1) ** 3 % self._prime

    def row(self, index: int) -> Row:
        """Return a row; behind the epoch's end comes its beginning again."""
        begin = self.slot(index) * self.length
        end = begin + self.length + 1
        stored = self._stored
        return Row(stored.stream_tokens(begin, end), stored.stream_weights(begin + 1, end))
