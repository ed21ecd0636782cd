"""Keeping Python's garbage collector out of the way. Knows nothing of what is made."""

import contextlib
import gc
from collections.abc import Iterator

_THRESHOLDS = (700, 10, 10)
"""When each generation is looked at: Python's own numbers, where none are set."""


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector away from what is made in here, now and later.

    For what stays as long as the process: modules, the window, a vocabulary. With torch these
    are 200,000 objects, and one look at all of them stops every thread for 150 ms, whenever it
    comes to a full collection. Reference counting goes on as ever. Any thread may use it.
    """
    gc.set_threshold(0)
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*_THRESHOLDS)
