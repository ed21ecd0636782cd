"""Which weights are asked for ahead: while a kernel leaves the memory idle, those of the next ones.

A step is a chain of kernels, some of which read little and take long (the recurrence, norms, sums).
While they run, parts of the matrices that come after them are fetched to the card's L2. Knows
matrices, bytes and the order in which they are read; knows no kernel.
"""

from collections.abc import Sequence

from kernels.cuda.matrices import Matrix

SEGMENTS = 128
"""A matrix is fetched in as many places at once: every block of its product finds a part of it."""
NOTHING = (None, 0, None, 0)
_LINE = 128  # bytes that L2 keeps together


class Ahead:
    """What was asked for so far, of matrices in the order in which they are read."""

    def __init__(self, order: Sequence[Matrix], segments: int = SEGMENTS) -> None:
        """Nothing is asked for yet."""
        self._order = [matrix.data for matrix in order]
        self._segments = segments
        self._next = 0  # the matrix of which the next bytes are
        self._done = 0  # bytes of each of its segments that were asked for

    def window(self, first: int, size_bytes: int) -> tuple[int | None, int, int | None, int]:
        """Return a kernel's arguments to ask for about so many bytes, of two matrices at most.

        first: the matrix of the order that is read next; nothing before it is asked for.
        """
        if first > self._next:
            self._next, self._done = first, 0
        left = size_bytes // self._segments // _LINE * _LINE
        found: list[int | None] = []
        while left > 0 and len(found) < 4 and self._next < len(self._order):
            data = self._order[self._next]
            segment = data.nbytes // self._segments // 16 * 16
            size = min(left, segment - self._done)
            if size > 0:
                found += [data.data_ptr() + self._done, segment << 32 | size]
                left, self._done = left - size, self._done + size
            if self._done >= segment:
                self._next, self._done = self._next + 1, 0
        a, b, c, d = (*found, *NOTHING[len(found) :])
        return a, b or 0, c, d or 0
