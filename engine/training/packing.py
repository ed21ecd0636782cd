"""Documents, shuffled anew in every epoch, laid one after the other into rows of one length.

Knows nothing of where documents come from or of what their tokens mean.
"""

import numpy as np

from engine.errors import EngineError
from engine.tokenizer import END_OF_DOCUMENT
from engine.training.rows import Documents, Row

_EPOCHS_KEPT = 2
"""Rows at the border of two epochs are asked for in any order."""


class PackedRows:
    """Rows over ``Documents``; every token of an epoch is predicted exactly once.

    An epoch is a line of tokens: its documents, each from its id 0 on, and an id 0 behind the
    last. Row n is its tokens n*T to (n+1)*T, both included: rows share one token, which one of
    them predicts and the next begins with. Long documents run over several rows. The last row is
    filled with id 0 that counts nothing. Memory: 16 bytes a document for each of two epochs.
    """

    def __init__(self, documents: Documents, length: int, seed: int) -> None:
        """``length``: T. Raises EngineError where there is not one document."""
        self.length = length
        self._documents = documents
        self._seed = seed
        tokens = int(np.sum(documents.sizes, dtype=np.int64))
        if not tokens:
            raise EngineError("There is nothing to train on: not one document was found.")
        self._rows = -(-tokens // length)
        self._epochs: dict[int, _Epoch] = {}

    def __len__(self) -> int:
        """Return how many rows one epoch has."""
        return self._rows

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_epochs": {}}  # laid out again where it is needed

    def row(self, index: int) -> Row:
        """Return a row; index // len(self) is the epoch, whose shuffle depends on it and the seed.

        Raises DamagedFile when the documents turn out to be damaged.
        """
        epoch, place = divmod(index, self._rows)
        begin = place * self.length
        tokens, weights = self._line(self._epoch(epoch), begin, begin + self.length + 1)
        return Row(tokens, weights[:-1])

    def _epoch(self, number: int) -> "_Epoch":
        if number not in self._epochs:
            while len(self._epochs) >= _EPOCHS_KEPT:
                del self._epochs[min(self._epochs)]
            self._epochs[number] = _Epoch(self._documents.sizes, self._seed, number)
        return self._epochs[number]

    def _line(self, epoch: "_Epoch", begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens of an epoch's line and what it counts to predict the one behind each."""
        tokens = np.full(end - begin, END_OF_DOCUMENT, np.int64)
        weights = np.zeros(end - begin, np.float32)
        for at, document, first, last in epoch.pieces(begin, end):
            here = slice(at - begin, at - begin + last - first)
            tokens[here], weights[here] = self._documents.part(document, first, last)
        return tokens, weights


class _Epoch:
    """Which document lies where in the line of one epoch."""

    def __init__(self, sizes: np.ndarray, seed: int, number: int) -> None:
        # RandomState, because its shuffle is promised to stay the same in all versions of numpy.
        random = np.random.RandomState(
            np.random.MT19937(np.random.SeedSequence((seed % (1 << 64), number)))
        )
        self._order = random.permutation(len(sizes))
        self._ends = np.cumsum(sizes[self._order], dtype=np.int64)

    def pieces(self, begin: int, end: int) -> "list[tuple[int, int, int, int]]":
        """Return the parts of documents that lie between two places of the line, in order.

        Each is (place in the line, document, first token of it, behind its last token).
        """
        made: list[tuple[int, int, int, int]] = []
        number = int(np.searchsorted(self._ends, begin, side="right"))
        while begin < end and number < len(self._ends):
            start = int(self._ends[number - 1]) if number else 0
            stop = min(int(self._ends[number]), end)
            if stop > begin:  # not an empty document
                made.append((begin, int(self._order[number]), begin - start, stop - start))
                begin = stop
            number += 1
        return made
