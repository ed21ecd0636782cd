"""One setting: its name and a sentence on the left, its control on the right.

In a narrow place the control goes below the words. Knows the store of settings only through the
``bind_`` functions, which keep a control and a setting equal in both directions.
"""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QSignalBlocker, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QComboBox,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.settings import SettingsStore
from app.theme import Theme
from app.widgets.parts import label

NARROW = 460


class SettingRow(QWidget):
    """Words beside a control; ``wide`` puts the control below and gives it the whole width."""

    def __init__(
        self, theme: Theme, title: str, hint: str, control: QWidget, *, wide: bool = False
    ) -> None:
        super().__init__()
        self._theme = theme
        self._wide = wide
        words = QVBoxLayout()
        words.setSpacing(2)
        self.title = label(title, wrap=True)
        self.title.setBuddy(control)
        words.addWidget(self.title)
        self.hint = label(hint, "faint", wrap=True)
        self.hint.setVisible(bool(hint))
        words.addWidget(self.hint)
        if not control.accessibleName():
            control.setAccessibleName(title)
        control.setAccessibleDescription(hint)
        self._layout = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(8 if wide else 16)
        self._layout.addLayout(words, 1)
        self._layout.addWidget(control)
        self._fit()

    def _fit(self) -> None:
        below = self._wide or self.width() < self._theme.px(NARROW)
        directions = QBoxLayout.Direction
        wanted = directions.TopToBottom if below else directions.LeftToRight
        if self._layout.direction() != wanted:
            self._layout.setDirection(wanted)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()


def check_box(settings: SettingsStore, setting: str, object_name: str, name: str) -> QCheckBox:
    """Return a box that shows and sets a setting of type bool."""
    box = QCheckBox()
    box.setObjectName(object_name)
    box.setAccessibleName(name)

    def show() -> None:
        with QSignalBlocker(box):
            box.setChecked(bool(settings.get(setting)))

    show()
    box.toggled.connect(lambda checked: settings.set(setting, checked))
    _Follower(settings, setting, box, show)
    return box


def combo_box(
    settings: SettingsStore,
    setting: str,
    object_name: str,
    name: str,
    choices: Sequence[tuple[object, str]],
) -> QComboBox:
    """Return a list of (value, text) that shows and sets a setting."""
    box = QComboBox()
    box.setObjectName(object_name)
    box.setAccessibleName(name)
    box.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
    # The wheel scrolls the page; it does not change what it happens to pass over.
    box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    box.wheelEvent = lambda event: event.ignore()
    for value, text in choices:
        box.addItem(text, value)

    def show() -> None:
        with QSignalBlocker(box):
            box.setCurrentIndex(max(box.findData(settings.get(setting)), 0))

    show()
    box.activated.connect(lambda _place: settings.set(setting, box.currentData()))
    _Follower(settings, setting, box, show)
    return box


def text_field(
    settings: SettingsStore, setting: str, object_name: str, name: str, placeholder: str
) -> QLineEdit:
    """Return a field that shows a setting; the caller decides what is taken from it."""
    field = QLineEdit()
    field.setObjectName(object_name)
    field.setAccessibleName(name)
    field.setPlaceholderText(placeholder)

    def show() -> None:
        field.setText(str(settings.get(setting)))

    show()
    _Follower(settings, setting, field, show)
    return field


class _Follower(QObject):
    """Lives as a child of its control, so that the connection ends with it."""

    def __init__(
        self, settings: SettingsStore, setting: str, owner: QWidget, show: Callable[[], None]
    ) -> None:
        super().__init__(owner)
        self._setting = setting
        self._show = show
        settings.changed.connect(self._on_changed)

    def _on_changed(self, name: str) -> None:
        if name == self._setting:
            self._show()
