"""A generator that waits for the network, run so that it can be left at any moment.

A blocking read cannot be interrupted from Python; so it happens on a thread of its own, and who
waits for it looks at the stop event ten times a second. Knows nothing of hubs.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
_LOOK_S = 0.1


class Stopped(Exception):
    """The stop event was set while something was waited for."""


@dataclass(frozen=True, slots=True)
class _End:
    """The source is exhausted, or failed with ``error``."""

    error: Exception | None


def pump(
    source: Callable[[], Iterator[T]], stop: threading.Event, depth: int = 32
) -> Generator[T, None, None]:
    """Yield what ``source()`` yields, produced on another thread at most ``depth`` items ahead.

    Raises what the source raises, and Stopped within 0.1 s of ``stop``. A source that is left
    behind is closed on its own thread as soon as its read returns.
    """
    items: queue.Queue[Any] = queue.Queue(depth)
    left = threading.Event()
    worker = threading.Thread(
        target=_produce, args=(source, items, left), name="skein-hub", daemon=True
    )
    worker.start()
    try:
        while True:
            item = _next(items, stop)
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        left.set()


def wait_for(work: Callable[[], T], stop: threading.Event) -> T:
    """Return ``work()``, done on another thread; raise Stopped within 0.1 s of ``stop``."""

    def once() -> Iterator[T]:
        yield work()

    return next(pump(once, stop))


def _next(items: "queue.Queue[Any]", stop: threading.Event) -> Any:  # noqa: ANN401
    while not stop.is_set():
        try:
            return items.get(timeout=_LOOK_S)
        except queue.Empty:
            continue
    raise Stopped


def _produce(
    source: Callable[[], Iterator[Any]], items: "queue.Queue[Any]", left: threading.Event
) -> None:
    error: Exception | None = None
    try:
        made = source()
        for item in made:
            if not _offer(item, items, left):
                if isinstance(made, Generator):
                    made.close()
                return
    except Exception as caught:
        error = caught
    _offer(_End(error), items, left)


def _offer(item: Any, items: "queue.Queue[Any]", left: threading.Event) -> bool:  # noqa: ANN401
    """Put the item, waiting for room; False once nobody listens."""
    while not left.is_set():
        try:
            items.put(item, timeout=_LOOK_S)
        except queue.Full:
            continue
        return True
    return False
