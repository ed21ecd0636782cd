"""A column of cards that follows a list model: one card per row, kept while its key stays.

The first cards are made at once, the others one by one as the event loop comes round, so that a
long list never stops the window. Knows neither what a row holds nor what a card shows.
"""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

AT_ONCE = 6


class CardColumn(QWidget):
    """``key`` tells rows apart; ``make`` builds a card for a row, ``show`` updates it.

    ``kept`` returns the keys of rows that are only filtered out: their cards wait for them.
    """

    count_changed = Signal(int)

    def __init__(
        self,
        model: QAbstractItemModel,
        rows: Callable[[], list[Any]],
        key: Callable[[Any], str],
        make: Callable[[Any], QWidget],
        show: Callable[[QWidget, Any], None],
        kept: Callable[[], set[str]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._rows, self._key, self._make, self._show = rows, key, make, show
        self._kept = kept
        self._cards: dict[str, QWidget] = {}
        self._waiting: list[str] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(12)
        self._column.addStretch(1)
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._make_next)
        model.modelReset.connect(self.sync)
        model.dataChanged.connect(self._on_data_changed)
        self.sync()

    def cards(self) -> list[QWidget]:
        """Return the cards that are made, top to bottom."""
        keys = (self._key(row) for row in self._rows())
        return [self._cards[key] for key in keys if key in self._cards]

    def card(self, key: str) -> QWidget | None:
        """Return the card of a row, made now if need be; None when it is not on show."""
        if key in self._waiting:
            self._make_one(key)
        card = self._cards.get(key)
        return card if card is not None and not card.isHidden() else None

    def sync(self) -> None:
        """Make the cards the same as the rows."""
        rows = {self._key(row): row for row in self._rows()}
        self._drop(set(rows))
        # The layout rests meanwhile: it would arrange everything again after each card.
        self._column.setEnabled(False)
        missing = [key for key in rows if key not in self._cards]
        for key, row in rows.items():
            if key in self._cards:
                self._show(self._cards[key], row)
                self._cards[key].show()
            elif missing.index(key) < AT_ONCE:
                self._cards[key] = self._make_card(row)
        self._waiting = missing[AT_ONCE:]
        self._arrange([self._cards[key] for key in rows if key in self._cards])
        self._column.setEnabled(True)
        self._column.activate()
        if self._waiting:
            self._timer.start()
        self.count_changed.emit(len(rows))

    def refresh(self) -> None:
        """Let every card show its row again."""
        for row in self._rows():
            card = self._cards.get(self._key(row))
            if card is not None:
                self._show(card, row)

    def _drop(self, wanted: set[str]) -> None:
        """Hide the cards of rows that are filtered out, remove those of rows that are gone."""
        kept = self._kept()
        for key in [key for key in self._cards if key not in wanted]:
            self._cards[key].hide()
            if key not in kept:
                gone = self._cards.pop(key)
                self._column.removeWidget(gone)
                gone.deleteLater()

    def _arrange(self, cards: list[QWidget]) -> None:
        for place, card in enumerate(cards):
            if self._column.indexOf(card) != place:
                self._column.insertWidget(place, card)
                card.show()  # now, not when the event loop comes to it: it may get the keyboard

    def _make_card(self, row: Any) -> QWidget:  # noqa: ANN401
        card = self._make(row)
        self._show(card, row)
        return card

    def _make_next(self) -> None:
        if self._waiting:
            self._make_one(self._waiting[0])
        else:
            self._timer.stop()

    def _make_one(self, key: str) -> None:
        self._waiting.remove(key)
        row = next((row for row in self._rows() if self._key(row) == key), None)
        if row is not None:
            self._cards[key] = self._make_card(row)
            self._arrange(self.cards())

    def _on_data_changed(self, first: Any, last: Any, *_: object) -> None:  # noqa: ANN401
        rows = self._rows()
        for number in range(first.row(), last.row() + 1):
            key = self._key(rows[number])
            if key in self._cards:
                self._show(self._cards[key], rows[number])
            elif key not in self._waiting:  # the same model, now with another file on top
                self.sync()
                return
