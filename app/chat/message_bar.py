"""What stands under a message: versions, actions, and what the reply cost.

The actions take their room always and are painted only while the pointer or the keyboard is on
the message, so that nothing jumps. Says what was asked for; does nothing itself.
"""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.models.message import Message
from app.theme import Theme
from app.widgets.parts import label


class ActionButton(QToolButton):
    """An icon that is painted only when ``revealed``, focused or pressed."""

    def __init__(self, theme: Theme, icon: str, object_name: str, name: str) -> None:
        super().__init__()
        self.revealed = False
        self.setObjectName(object_name)
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAutoRaise(True)
        theme.set_icon(self, icon)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.revealed or self.hasFocus() or self.isDown():
            super().paintEvent(event)


class MessageBar(QWidget):
    """The line under one message. ``asked`` names the action, ``version_asked`` the version."""

    asked = Signal(str)
    version_asked = Signal(int)

    def __init__(self, theme: Theme, role: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._role = role
        self._message: Message | None = None
        self.previous = self._version_button("chevron_left", "previous_version_button")
        self.previous.setAccessibleName(self.tr("Previous version"))
        self.next = self._version_button("chevron_right", "next_version_button")
        self.next.setAccessibleName(self.tr("Next version"))
        self._count = QLabel()
        self._count.setObjectName("version_label")
        self._count.setProperty("role", "muted")
        self.stats = label("", "faint")
        self.stats.setObjectName("reply_stats")
        self.stats.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.buttons = {name: self._action(*made) for name, made in self._wanted().items()}
        self._lay_out()
        self.previous.clicked.connect(lambda: self._ask_version(-1))
        self.next.clicked.connect(lambda: self._ask_version(1))

    def show_message(self, message: Message, *, busy: bool, last: bool, stats: str) -> None:
        """Show what can be done now. busy: a reply is being written somewhere in the chat."""
        self._message = message
        several = message.versions > 1
        for widget in (self.previous, self.next, self._count):
            widget.setVisible(several)
        self._count.setText(f"{message.version} / {message.versions}")
        self._count.setAccessibleName(
            self.tr("Version {0} of {1}").format(message.version, message.versions)
        )
        self.previous.setEnabled(message.version > 1 and not busy)
        self.next.setEnabled(message.version < message.versions and not busy)
        writing = message.status == "writing"
        for name, button in self.buttons.items():
            button.setEnabled(name in ("copy", "more") or not busy)
        if "continue" in self.buttons:
            self.buttons["continue"].setVisible(last and not writing)
        if "branch" in self.buttons:
            self.buttons["branch"].setVisible(not last)
        if self._role == "user":  # its answer was deleted, or a branch begins here
            self.buttons["regenerate"].setVisible(last)
        self.stats.setText(stats)
        self.stats.setToolTip(stats)
        self.stats.setAccessibleName(stats)

    def reveal(self, revealed: bool) -> None:
        """Paint the actions, or leave their room empty."""
        for button in self.buttons.values():
            if button.revealed != revealed:
                button.revealed = revealed
                button.update()

    def fit(self, width: int) -> None:
        """Give the figures their own line where there is little room."""
        narrow = self._buttons_width() + self._stats_width() + 32 > width
        direction = QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight
        if self._box.direction() != direction:
            self._box.setDirection(direction)
            self._box.setSpacing(2 if narrow else 8)
        side = Qt.AlignmentFlag.AlignLeft if narrow else Qt.AlignmentFlag.AlignRight
        self.stats.setAlignment(side | Qt.AlignmentFlag.AlignVCenter)
        self.stats.setWordWrap(narrow)
        self.stats.setContentsMargins(8 if narrow else 0, 0, 0, 0)

    def _buttons_width(self) -> int:
        self._row.invalidate()  # it may have asked before the stylesheet made the buttons wider
        for button in self.focus_chain():
            button.ensurePolished()
        return self._row.sizeHint().width()

    def _stats_width(self) -> int:
        """Return what the figures take on one line, however they are laid out now."""
        self.stats.ensurePolished()
        return self.stats.fontMetrics().horizontalAdvance(self.stats.text())

    def focus_chain(self) -> list[QWidget]:
        """The buttons in the order of Tab, which is that of the eye."""
        versions, actions = [self.previous, self.next], list(self.buttons.values())
        return [*actions, *versions] if self._role == "user" else [*versions, *actions]

    # ---- building -------------------------------------------------------------------------

    def _wanted(self) -> dict[str, tuple[str, str, str]]:
        copy = ("copy", "copy_button", self.tr("Copy"))
        branch = ("branch", "branch_button", self.tr("Branch from here"))
        delete = ("trash", "delete_button", self.tr("Delete"))
        more = ("more", "more_button", self.tr("More actions"))
        again = ("refresh", "regenerate_button", self.tr("Regenerate"))
        if self._role == "user":
            edit = ("edit", "edit_button", self.tr("Edit"))
            answer = ("refresh", "regenerate_button", self.tr("Answer"))
            return {
                "copy": copy,
                "edit": edit,
                "regenerate": answer,
                "branch": branch,
                "delete": delete,
                "more": more,
            }
        onward = ("play", "continue_button", self.tr("Continue"))
        return {
            "copy": copy,
            "regenerate": again,
            "continue": onward,
            "branch": branch,
            "delete": delete,
            "more": more,
        }

    def _action(self, icon: str, object_name: str, name: str) -> ActionButton:
        button = ActionButton(self._theme, icon, object_name, name)
        action = object_name.removesuffix("_button")
        button.clicked.connect(lambda: self.asked.emit(action))
        return button

    def _version_button(self, icon: str, object_name: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(object_name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._theme.set_icon(button, icon)
        return button

    def _ask_version(self, step: int) -> None:
        if self._message is not None:
            self.version_asked.emit(self._message.version + step)

    def _lay_out(self) -> None:
        buttons = self._row = QHBoxLayout()
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.setSpacing(0)
        versions, actions = (self.previous, self._count, self.next), self.buttons.values()
        if self._role == "user":
            buttons.addStretch(1)
        # The versions stand below the edge of the text; the actions are mostly not to be seen.
        for widget in (*actions, *versions) if self._role == "user" else (*versions, *actions):
            buttons.addWidget(widget)
        if self._role != "user":
            buttons.addStretch(1)
        self._box = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._box.setContentsMargins(0, 0, 8, 0)
        self._box.setSpacing(8)
        self._box.addLayout(buttons)
        if self._role == "user":
            self.stats.hide()
        else:
            self._box.addWidget(self.stats, 1)


class ErrorLine(QWidget):
    """Why a reply failed, what to do about it, and Retry."""

    retry = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message_error")
        self._frame = QFrame()
        self._frame.setProperty("surface", "notice")
        self._frame.setProperty("tone", "danger")
        self.message = _sentence("strong")
        self.hint = _sentence("muted")
        self.button = QPushButton(self.tr("Retry"))
        self.button.setObjectName("retry_button")
        self.button.setAccessibleName(self.tr("Retry"))
        self.button.clicked.connect(self.retry)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.message)
        words.addWidget(self.hint)
        across = QHBoxLayout(self._frame)
        across.setContentsMargins(12, 10, 12, 10)
        across.setSpacing(12)
        across.addLayout(words, 1)
        across.addWidget(self.button, 0, Qt.AlignmentFlag.AlignVCenter)
        self._frame.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 6)
        column.addWidget(self._frame)

    def show_error(self, message: str, hint: str) -> None:
        """Show a failure; an empty message hides the line."""
        self.message.setText(message)
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        self.setVisible(bool(message))
        self.setAccessibleName(f"{message} {hint}".strip())


def _sentence(role: str) -> QLabel:
    made = label("", role, select=True)
    made.setWordWrap(True)
    return made
