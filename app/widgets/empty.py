"""What an empty place says: an icon, a sentence, what to do next. Knows nothing else."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from app.theme import Theme
from app.widgets.parts import label, on_theme


class EmptyState(QWidget):
    """Centred in its place; ``action`` may be a button that does the next step."""

    def __init__(
        self,
        theme: Theme,
        icon: str,
        title: str,
        hint: str = "",
        action: QWidget | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("empty_state")
        self._theme = theme
        self._name = icon
        self._icon = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.title = label(title, "strong", wrap=True)
        self.hint = label(hint, "muted", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        column.addStretch(2)
        for widget in (self._icon, self.title, self.hint):
            column.addWidget(widget)
        for words in (self.title, self.hint):
            words.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        if action is not None:
            column.addWidget(action, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)
        self.say(title, hint)
        on_theme(theme, self._dress)

    def say(self, title: str, hint: str = "") -> None:
        """Change both sentences."""
        self.title.setText(title)
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        self.setAccessibleName(f"{title} {hint}".strip())

    def _dress(self) -> None:
        self._icon.setPixmap(self._theme.pixmap(self._name, 32, "faint", self))
