"""Progress for the window: not more often than an eye can follow. Knows no Qt."""

import time
from collections.abc import Callable

PROGRESS_S = 0.05


def throttled(tell: Callable[[float], None]) -> Callable[[int, int], None]:
    """Return what takes (done, total) and tells a fraction in [0, 1], 20 times a second at most.

    Thousands of tensors are read in a second: the window has better things to do.
    """
    told = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= PROGRESS_S:
            told = time.monotonic()
            tell(done / max(total, 1))

    return progress
