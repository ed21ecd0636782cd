"""Ctrl+C, a closed terminal, the end of a session: obeyed until files change, then too late."""

import signal
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def obey() -> None:
    """From here on each of them is a KeyboardInterrupt."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def ignore() -> None:
    """From here on none is heard: what is begun is brought to its end, a matter of seconds."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
