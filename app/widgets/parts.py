"""The small parts that every page is built of: buttons, labels, lines, menus.

Each maker sets what nobody may forget: the object name, the accessible name, how the keyboard
reaches it. Knows the Theme and nothing of any page.
"""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.theme import Theme


def icon_button(
    theme: Theme, icon: str, object_name: str, name: str, *, keys: str = "", color: str = ""
) -> QToolButton:
    """Return a button that shows only an icon; ``name`` is read out and is its tool tip."""
    button = QToolButton()
    button.setObjectName(object_name)
    button.setAccessibleName(name)
    button.setToolTip(f"{name}  ({keys})" if keys else name)
    # A ring after a mouse click would only be noise: Tab alone gives the focus.
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    theme.set_icon(button, icon, color or None)
    return button


def push_button(
    text: str,
    object_name: str,
    *,
    kind: str = "",
    name: str = "",
    clicked: Any = None,  # noqa: ANN401
) -> QPushButton:
    """Return a button with words; ``kind``: "" | "primary" | "quiet" | "danger"."""
    button = QPushButton(text)
    button.setObjectName(object_name)
    button.setAccessibleName(name or text)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    if kind:
        button.setProperty("kind", kind)
    if clicked is not None:
        # clicked() carries a bool that the receiver has no use for.
        button.clicked.connect(lambda _checked=False: clicked())
    return button


def label(text: str, role: str = "", *, wrap: bool = False, select: bool = False) -> QLabel:
    """Return a label of plain text; the roles are listed in app/theme.py."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        made.setProperty("role", role)
    if wrap:
        made.setWordWrap(True)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        policy.setHeightForWidth(True)  # a new policy forgets it, until the label is dressed
        made.setSizePolicy(policy)
    if select:
        flags = Qt.TextInteractionFlag
        made.setTextInteractionFlags(flags.TextSelectableByMouse | flags.TextSelectableByKeyboard)
    return made


def line() -> QFrame:
    """Return a hairline across its layout."""
    made = QFrame()
    made.setProperty("surface", "line")
    made.setFixedHeight(1)
    return made


def card(object_name: str = "") -> tuple[QFrame, QVBoxLayout]:
    """Return a raised frame with its column."""
    frame = QFrame()
    frame.setObjectName(object_name)
    frame.setProperty("surface", "card")
    column = QVBoxLayout(frame)
    column.setContentsMargins(16, 14, 16, 14)
    column.setSpacing(10)
    return frame, column


def row(*widgets: QWidget, spacing: int = 8, stretch: bool = False) -> QHBoxLayout:
    """Return the widgets side by side; ``stretch`` leaves the rest of the width empty."""
    made = QHBoxLayout()
    made.setContentsMargins(0, 0, 0, 0)
    made.setSpacing(spacing)
    for widget in widgets:
        made.addWidget(widget)
    if stretch:
        made.addStretch(1)
    return made


def empty_layout(layout: QLayout) -> None:
    """Take every widget out of ``layout`` and end it."""
    while (item := layout.takeAt(0)) is not None:
        if widget := item.widget():
            widget.hide()  # deleteLater waits for the event loop; the eye does not
            widget.deleteLater()


def menu(parent: QWidget, object_name: str, name: str) -> QMenu:
    """Return a menu whose rounded corners let the window shine through."""
    made = QMenu(parent)
    made.setObjectName(object_name)
    made.setAccessibleName(name)
    made.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
    made.setWindowFlag(Qt.WindowType.FramelessWindowHint)
    made.setWindowFlag(Qt.WindowType.NoDropShadowWindowHint)
    return made


def restyle(widget: QWidget, **properties: object) -> None:
    """Set properties that the stylesheet looks at and let it look again."""
    for name, value in properties.items():
        widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def on_theme(theme: Theme, dress: Callable[[], None]) -> None:
    """Call ``dress`` now and at each change of the theme.

    ``dress`` is a method of a QObject: Qt ends the connection when that object goes.
    """
    dress()
    theme.changed.connect(dress)
