"""For models over the store: a failure is told by their ``failed`` signal. Knows no model."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from PySide6.QtCore import QObject, Signal

from engine.errors import StoreError


class Teller(QObject):
    """Whoever tells its failures."""

    failed = Signal(str, str)
    """A message and a hint: the store could not be read or written."""


P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=Teller)


def told(work: Callable[Concatenate[T, P], R]) -> Callable[Concatenate[T, P], R | None]:
    """Let a method tell a failing store and return None: a full disk is no crash."""

    @functools.wraps(work)
    def guarded(self: T, *args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return work(self, *args, **kwargs)
        except StoreError as error:
            self.failed.emit(error.message, error.hint)
            return None

    return guarded
