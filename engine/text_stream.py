"""Text that arrives in pieces: characters cut between tokens, stop strings cut between pieces.

Knows nothing of tokens, models or who shows the text.
"""

import codecs
from collections.abc import Sequence


class Utf8Decoder:
    """Turns bytes into text as they come; holds back an unfinished character."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> str:
        """Return the text that is certain by now; truly invalid bytes become U+FFFD."""
        return self._decoder.decode(data)

    @property
    def held(self) -> bool:
        """Whether the beginning of a character waits for its rest."""
        return bool(self._decoder.getstate()[0])

    def finish(self) -> str:
        """Return what an unfinished character turns into (U+FFFD or nothing), and start anew."""
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return rest


class StopMatcher:
    """Lets text through up to the first stop string, never showing a part of one.

    However the text is cut, the result is the same: the stop string that begins first wins, and
    of several that begin at the same place, the shortest. Text is held back only while it may
    still become a stop string.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        """``stops``: any strings; empty ones are ignored."""
        # Shortest first: min() below then prefers the shorter of two at the same place.
        self._stops = sorted({stop for stop in stops if stop}, key=len)
        self._longest = len(self._stops[-1]) if self._stops else 0
        self.held = ""
        self.stopped: str | None = None

    def feed(self, text: str) -> str:
        """Return what may be shown now. After a stop nothing more comes."""
        if self.stopped is not None:
            return ""
        text = self.held + text
        self.held = ""
        begin = self._first_unfinished(text)
        place, stop = self._first_whole(text)
        if stop is not None and place <= begin:
            self.stopped = stop
            return text[:place]
        self.held = text[begin:]
        return text[:begin]

    def finish(self) -> str:
        """Return the rest: nothing more comes that could complete a longer stop string."""
        text, self.held = self.held, ""
        if self.stopped is not None:
            return ""
        place, self.stopped = self._first_whole(text)
        return text[:place]

    def _first_whole(self, text: str) -> tuple[int, str | None]:
        """Return where the first whole stop string begins and which it is; (end, None) if none."""
        found = ((text.find(stop), stop) for stop in self._stops)
        return min(
            ((place, stop) for place, stop in found if place >= 0),
            key=lambda hit: hit[0],
            default=(len(text), None),
        )

    def _first_unfinished(self, text: str) -> int:
        """Return where a stop string may have begun that the text's end cuts off."""
        for begin in range(max(0, len(text) - self._longest + 1), len(text)):
            tail = text[begin:]
            if any(len(stop) > len(tail) and stop.startswith(tail) for stop in self._stops):
                return begin
        return len(text)
