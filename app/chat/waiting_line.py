"""What stands under a reply of which nothing new can be seen yet: how far the reading is.

Knows numbers; not where they come from.
"""

from app.widgets.parts import label


class WaitingLine:
    """Fills and hides ``label``."""

    def __init__(self, starting: str, reading: str, behind: str) -> None:
        """starting: the words before anything is known; reading: "{0} of {1}" in a sentence.

        behind: the words while another reply is written first.
        """
        self._starting = starting
        self._behind = behind
        self._reading = reading
        self._read = (0, 0)
        self._seen_before = 0  # characters that could be seen when the reading began
        self.label = label("", "faint")
        self.label.setObjectName("reply_progress")
        self.label.hide()

    def read(self, done: int, total: int, seen: int) -> None:
        """Say how far the reading is, and how much of the reply can be seen by now."""
        if self._read == (0, 0):
            self._seen_before = seen
        self._read = (done, total)

    def show(self, seen: int, *, writing: bool, empty: bool, behind: bool) -> None:
        """Show what is due. empty: the reply has not even been opened."""
        if seen > self._seen_before:
            self._read = (0, 0)  # it writes: the last step of the reading is not always told
        done, total = self._read
        words = ""
        if writing and behind:
            words = self._behind
        elif writing and 0 <= done < total:
            words = self._reading.format(f"{done:,}", f"{total:,}")
        elif writing and empty:
            words = self._starting
        self.label.setText(words)
        self.label.setVisible(bool(words))
