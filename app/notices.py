"""Which notice stands over the page: one at a time, the most important first, the others wait.

At a start several may want to be read: that the last run crashed, that a GPU pack fits, whether to
look for updates, what is new. Knows the banner, not what any notice is about.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.widgets.notice import Notice

Action = tuple[str, Callable[[], None]]
MOST_WAITING = 12


class Importance(IntEnum):
    """What goes before what."""

    NEWS = 0
    OFFER = 1
    INFO = 2
    WARNING = 3
    FAILURE = 4


_OF_TONE = {"warning": Importance.WARNING, "danger": Importance.FAILURE}


@dataclass(frozen=True, slots=True)
class Told:
    """One notice. key: "" or what it is about, of which only one is kept.

    answered: any of its buttons closes it. put_off: called when it is closed without a button.
    """

    message: str
    hint: str
    tone: str
    importance: Importance
    actions: tuple[Action, ...] = ()
    key: str = ""
    answered: bool = False
    put_off: Callable[[], None] | None = None


class Notices(QObject):
    """``show`` tells of something that happened, ``offer`` asks; ``withdraw`` takes it back.

    What is more important takes the banner at once, and what stood there waits again, but for a
    plain piece of information. A failure takes the place of an older one: ten in a row are one
    banner, not ten.
    """

    def __init__(self, banner: Notice, frame: QWidget) -> None:
        """frame: shown and hidden with the banner that it holds."""
        super().__init__(banner)
        self._banner, self._frame = banner, frame
        self._shown: Told | None = None
        self._waiting: list[Told] = []
        banner.closed.connect(self._on_closed)
        frame.hide()

    @property
    def waiting(self) -> int:
        """How many notices wait for the one that is shown."""
        return len(self._waiting)

    def show(
        self, message: str, hint: str = "", *, tone: str = "info", actions: tuple[Action, ...] = ()
    ) -> None:
        """Tell of something. tone: "info" | "success" | "warning" | "danger"."""
        self._take(Told(message, hint, tone, _OF_TONE.get(tone, Importance.INFO), actions))

    def offer(
        self,
        key: str,
        message: str,
        hint: str = "",
        *,
        actions: tuple[Action, ...] = (),
        importance: Importance = Importance.OFFER,
        tone: str = "info",
        put_off: Callable[[], None] | None = None,
    ) -> None:
        """Ask, or tell what may be taken back: any button closes it; else ``put_off`` is called.

        An offer of the same key takes the place of the older one.
        """
        self.withdraw(key)
        self._take(Told(message, hint, tone, importance, actions, key, True, put_off))

    def withdraw(self, key: str) -> None:
        """Take an offer back, shown or waiting, without an answer."""
        self._waiting = [told for told in self._waiting if told.key != key]
        if self._shown is not None and self._shown.key == key:
            self._shown = None
            self._banner.hide()
            self._show_next()

    def _take(self, told: Told) -> None:
        shown = self._shown
        if shown is None:
            self._put(told)
        elif told.importance > shown.importance:
            if shown.importance != Importance.INFO:  # that was read by now
                self._waiting.insert(0, shown)
            self._put(told)
        elif told.importance == shown.importance == Importance.FAILURE or _same(told, shown):
            self._put(told)
        else:
            self._wait(told)

    def _wait(self, told: Told) -> None:
        if not any(_same(told, other) for other in self._waiting):
            self._waiting.append(told)
        del self._waiting[MOST_WAITING:]

    def _put(self, told: Told) -> None:
        self._shown = told
        actions = told.actions
        if told.answered:
            actions = tuple((text, self._answering(action)) for text, action in actions)
        self._frame.show()
        self._banner.show_notice(told.message, told.hint, tone=told.tone, actions=actions)

    def _answering(self, action: Callable[[], None]) -> Callable[[], None]:
        def answer() -> None:
            self._shown = None
            self._banner.hide()
            self._show_next()
            action()

        return answer

    def _on_closed(self) -> None:
        closed, self._shown = self._shown, None
        self._show_next()
        if closed is not None and closed.put_off is not None:
            closed.put_off()

    def _show_next(self) -> None:
        if not self._waiting:
            self._frame.hide()
            return
        told = max(self._waiting, key=lambda one: one.importance)  # the first of equals
        self._waiting.remove(told)
        self._put(told)


def _same(one: Told, other: Told) -> bool:
    return (one.message, one.hint) == (other.message, other.hint)
