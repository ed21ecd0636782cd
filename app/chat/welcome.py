"""What an empty chat shows: a greeting, and the next step as a card while no model is ready.

With the built-in model it also says what to ask, and the card with a larger model stays.
Says what was asked for; knows no library and no engine.
"""

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.chat.examples import EXAMPLES, example_title
from app.theme import Theme
from app.widgets.flow_layout import FlowLayout
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
    example_taken = Signal(str)  # one of EXAMPLES

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
        self._build_examples()
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(self._mark)
        column.addSpacing(4)
        column.addWidget(self.greeting)
        column.addWidget(self.line)
        for part in (self.examples, self.card):
            across = QHBoxLayout()
            across.addStretch(1)
            across.addWidget(part, 100)
            across.addStretch(1)
            column.addSpacing(16 if part is self.card else 8)
            column.addLayout(across)
        column.addStretch(3)
        self.show_state(ready=False, suggestion=None)
        on_theme(theme, self._dress)

    def show_state(
        self, *, ready: bool, suggestion: Suggestion | None, built_in: bool = False
    ) -> None:
        """ready: a model is loaded, or on its way. built_in: it is the one that came with us.

        suggestion: shown only while there is no other model than that one.
        """
        self._suggestion = suggestion
        # Alone it is what to do next; beside a suggestion it is the other way.
        restyle(self.others, kind="quiet" if suggestion else "primary")
        self.greeting.setText(
            self.tr("What would you like to know?") if ready else self.tr("Welcome to Skein")
        )
        self.line.setText(self._built_in_words() if built_in else self._usual_words())
        self.examples.setVisible(built_in)
        shows = not ready or (built_in and suggestion is not None)
        self.card.setVisible(shows)
        if shows:
            self._show_card(suggestion)

    def set_examples_enabled(self, enabled: bool) -> None:
        """Examples can be taken as soon as the model is there."""
        for button in self.example_buttons:
            button.setEnabled(enabled)

    def _usual_words(self) -> str:
        return self.tr("Everything stays on this computer. A chat can be as long as you like.")

    def _built_in_words(self) -> str:
        return self.tr(
            "Gosling is a small model that came with Skein and speaks English. "
            "Ask how Skein works, say your name, or have it tell a story."
        )

    def _show_card(self, suggestion: Suggestion | None) -> None:
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

    def _build_examples(self) -> None:
        self.examples = QWidget()
        self.examples.setObjectName("examples")
        self.examples.setAccessibleName(self.tr("Examples"))
        # In a narrow window with large letters a button may be cut, the words above it never.
        self.examples.setMinimumWidth(1)
        flow = FlowLayout(self.examples, centred=True)
        self.example_buttons = [
            push_button(example_title(text), "example_button", kind="example") for text in EXAMPLES
        ]
        for button, text in zip(self.example_buttons, EXAMPLES, strict=True):
            button.clicked.connect(lambda _=False, text=text: self.example_taken.emit(text))
            flow.addWidget(button)

    def _on_taken(self) -> None:
        if self._suggestion is not None:
            self.suggestion_taken.emit(self._suggestion.key)

    def _dress(self) -> None:
        self.card.setMaximumWidth(self._theme.px(460))
        self.examples.setMaximumWidth(self._theme.px(460))
        side = self._theme.px(48)
        self._mark.setPixmap(
            self._theme.app_icon().pixmap(side, side)  # in its own colours
        )


def _centred(role: str) -> QLabel:
    made = label("", role)
    made.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    made.setWordWrap(True)
    return made
