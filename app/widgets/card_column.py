"""A column of cards that follows a list model: one card per row, kept while its key stays."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QAbstractItemModel, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget


class CardColumn(QWidget):
    """``key`` tells rows apart; ``make`` builds a card for a row, ``show`` updates it."""

    count_changed = Signal(int)

    def __init__(
        self,
        model: QAbstractItemModel,
        rows: Callable[[], list[Any]],
        key: Callable[[Any], str],
        make: Callable[[Any], QWidget],
        show: Callable[[QWidget, Any], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._rows, self._key, self._make, self._show = rows, key, make, show
        self._cards: dict[str, QWidget] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(12)
        self._column.addStretch(1)
        model.modelReset.connect(self.sync)
        model.dataChanged.connect(self._on_data_changed)
        self.sync()

    def cards(self) -> list[QWidget]:
        """Return the cards, top to bottom."""
        return [self._cards[self._key(row)] for row in self._rows()]

    def card(self, key: str) -> QWidget | None:
        """Return the card of a row, or None when it is not on show."""
        return self._cards.get(key)

    def sync(self) -> None:
        """Make the cards the same as the rows."""
        rows = self._rows()
        wanted = {self._key(row) for row in rows}
        for key in [key for key in self._cards if key not in wanted]:
            gone = self._cards.pop(key)
            self._column.removeWidget(gone)
            gone.hide()
            gone.deleteLater()
        for place, row in enumerate(rows):
            self._place(place, row)
        self.count_changed.emit(len(rows))

    def refresh(self) -> None:
        """Let every card show its row again."""
        for row in self._rows():
            self._show(self._cards[self._key(row)], row)

    def _place(self, place: int, row: Any) -> None:  # noqa: ANN401
        key = self._key(row)
        card = self._cards.get(key)
        if card is None:
            card = self._cards[key] = self._make(row)
        if self._column.indexOf(card) != place:
            self._column.insertWidget(place, card)
            card.show()  # now, not when the event loop comes to it: it may be given the keyboard
        self._show(card, row)

    def _on_data_changed(self, first: Any, last: Any, *_: object) -> None:  # noqa: ANN401
        rows = self._rows()
        for number in range(first.row(), last.row() + 1):
            card = self._cards.get(self._key(rows[number]))
            if card is None:  # the same model, now with another file on top
                self.sync()
                return
            self._show(card, rows[number])
