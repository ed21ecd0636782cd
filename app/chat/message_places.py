"""Where each message of a chat stands: its height, estimated until it is measured, and its top.

Pixels, from the top of the whole chat. Knows no widget.
"""

import bisect
from collections.abc import Sequence

from app.models.message import Message
from app.theme import Theme

EDGE = 24
"""Pixels above the first message and below the last."""

_GAP = 16


class MessagePlaces:
    """One entry for each message in each list; ``tops`` follows with ``sum_up``."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self.heights: list[int] = []
        self.known: list[bool] = []  # measured, not estimated
        self.tops: list[int] = []

    def __len__(self) -> int:
        return len(self.heights)

    # ---- heights --------------------------------------------------------------------------

    def reset(self, messages: Sequence[Message], width: int) -> None:
        """Estimate all of another chat."""
        self.heights = [self.estimate(message, width) for message in messages]
        self.known = [False] * len(messages)
        self.tops = []

    def put(self, index: int, message: Message, width: int) -> None:
        """Estimate a message that is the last one now."""
        self.heights[index:] = [self.estimate(message, width)]
        self.known[index:] = [False]

    def forget_from(self, index: int) -> None:
        """Know nothing of the messages from ``index`` on."""
        del self.heights[index:], self.known[index:], self.tops[index:]

    def measured(self, index: int, height: int) -> None:
        """Keep a height that is right."""
        self.heights[index] = height
        self.known[index] = True

    def estimate(self, message: Message, width: int) -> int:
        """Return about how high a message will be, without looking at it closely."""
        px = self._theme.px
        room = max(width, 200) * (0.8 if message.role == "user" else 1.0)
        wide = len(message.text.encode("utf-8", "replace")) > 2 * len(message.text)
        per_line = room / px(15 if wide else 7.4)
        lines = len(message.text) / per_line + 0.6 * message.text.count("\n") + 0.5
        if message.role == "user":
            lines = min(lines, 6000 / per_line)
        return round(px(70) + lines * px(24))

    # ---- places ---------------------------------------------------------------------------

    def sum_up(self, messages: Sequence[Message]) -> int:
        """Put the messages one below the other; return the height of the whole."""
        gap, top = self._theme.px(_GAP), self._theme.px(EDGE)
        self.tops = []
        for height, message in zip(self.heights, messages, strict=True):
            self.tops.append(top)
            # The actions under a question leave room enough before the answer.
            top += height + (0 if message.role == "user" else gap)
        return top - gap + self._theme.px(EDGE)

    def bottom(self, index: int) -> int:
        """Return where a message ends."""
        return self.tops[index] + self.heights[index]

    def at(self, y: int) -> int | None:
        """Return the first message that reaches below ``y``."""
        return next((i for i in range(len(self.tops)) if self.bottom(i) > y), None)

    def between(self, top: float, bottom: float) -> list[int]:
        """Return the messages of which something is there, the lowest first."""
        first = max(0, bisect.bisect_right(self.tops, top) - 1)
        last = bisect.bisect_left(self.tops, bottom)
        return [index for index in range(last - 1, first - 1, -1) if self.bottom(index) > top]
