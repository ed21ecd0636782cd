"""What an empty chat shows: a greeting and, while no model is ready, the next step as a card.

Says what was asked for; knows no library and no engine.
"""

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.theme import Theme
from app.widgets.parts import card, label, on_theme, push_button, restyle


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The next step: ``key`` comes back when its button is pressed."""

    key: str
    heading: str
    title: str
    facts: str
    reason: str
    action: str


class Welcome(QWidget):
    """Centred in the page."""

    suggestion_taken = Signal(str)
    models_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._suggestion: Suggestion | None = None
        self.setObjectName("welcome")
        self._mark = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.greeting = _centred("title")
        self.greeting.setObjectName("greeting")
        self.line = _centred("muted")
        self.card, self._column = card("suggestion_card")
        self._build_card()
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(self._mark)
        column.addSpacing(4)
        column.addWidget(self.greeting)
        column.addWidget(self.line)
        column.addSpacing(16)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(self.card, 100)
        across.addStretch(1)
        column.addLayout(across)
        column.addStretch(3)
        self.show_state(ready=False, suggestion=None)
        on_theme(theme, self._dress)

    def show_state(self, *, ready: bool, suggestion: Suggestion | None) -> None:
        """ready: a model is loaded, or on its way. suggestion: shown only while none is."""
        self._suggestion = suggestion
        # Alone it is what to do next; beside a suggestion it is the other way.
        restyle(self.others, kind="quiet" if suggestion else "primary")
        self.greeting.setText(
            self.tr("What would you like to know?") if ready else self.tr("Welcome to Skein")
        )
        self.line.setText(
            self.tr("Everything stays on this computer. A chat can be as long as you like.")
        )
        self.card.setVisible(not ready)
        if ready:
            return
        made = suggestion or Suggestion(
            "",
            self.tr("First, a model"),
            self.tr("No model is loaded yet"),
            "",
            self.tr("Choose one that is on this computer, or download one."),
            "",
        )
        for part, text in (
            (self._heading, made.heading),
            (self._title, made.title),
            (self._facts, made.facts),
            (self._reason, made.reason),
        ):
            part.setText(text)
            part.setVisible(bool(text))
        self.action.setText(made.action)
        self.action.setAccessibleName(f"{made.action}: {made.title}")
        self.action.setVisible(bool(made.action))
        self.card.setAccessibleName(made.heading)

    def _build_card(self) -> None:
        self._heading = label("", "caption")
        self._title = label("", "heading")
        self._title.setWordWrap(True)
        self._facts = label("", "")
        self._facts.setWordWrap(True)
        self._reason = label("", "muted")
        self._reason.setWordWrap(True)
        self.action = push_button("", "suggestion_button", kind="primary")
        self.others = push_button(self.tr("All models"), "all_models_button", kind="quiet")
        self.action.clicked.connect(self._on_taken)
        self.others.clicked.connect(self.models_requested)
        self._column.setSpacing(6)
        for part in (self._heading, self._title, self._facts, self._reason):
            self._column.addWidget(part)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.action)
        buttons.addWidget(self.others)
        buttons.addStretch(1)
        self._column.addSpacing(6)
        self._column.addLayout(buttons)

    def _on_taken(self) -> None:
        if self._suggestion is not None:
            self.suggestion_taken.emit(self._suggestion.key)

    def _dress(self) -> None:
        self.card.setMaximumWidth(self._theme.px(460))
        side = self._theme.px(48)
        self._mark.setPixmap(
            self._theme.app_icon().pixmap(side, side)  # in its own colours
        )


def _centred(role: str) -> QLabel:
    made = label("", role)
    made.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    made.setWordWrap(True)
    return made
