"""LoRAs in their order, each with its strength: a row with a slider, up, down and remove.

Shows LoraUses and changes them; opens no file and applies nothing.
"""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QSlider, QVBoxLayout, QWidget

from app.theme import Theme
from app.widgets.elided_label import ElidedLabel
from app.widgets.parts import empty_layout, icon_button, label
from engine.lora_use import STRENGTH_MAX, LoraUse

_STEPS = 40
"""Of the slider: one for each 0.05."""


class LoraRow(QWidget):
    """One LoRA: its name, a slider and a number that say the same, and what can be done."""

    changed = Signal(float)
    raised = Signal()
    lowered = Signal()
    removed = Signal()

    def __init__(self, theme: Theme, use: LoraUse, *, first: bool, last: bool) -> None:
        super().__init__()
        self.setObjectName("lora_row")
        name = use.path.name
        self.setAccessibleName(name)
        title = ElidedLabel(name)
        title.setToolTip(str(use.path))
        self.box = QDoubleSpinBox()
        self.box.setObjectName("lora_strength")
        self.box.setAccessibleName(self.tr("Strength of {0}").format(name))
        self.box.setRange(0.0, STRENGTH_MAX)
        self.box.setSingleStep(0.05)
        self.box.setDecimals(2)
        self.box.setValue(use.strength)
        self.box.setFixedWidth(theme.px(92))
        self.box.lineEdit().setTextMargins(theme.px(6), 0, 0, 0)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("lora_slider")
        self.slider.setAccessibleName(self.box.accessibleName())
        self.slider.setRange(0, _STEPS)
        self.slider.setValue(round(use.strength / STRENGTH_MAX * _STEPS))
        self.up = self._button(theme, "chevron_up", "lora_up", self.tr("Apply {0} earlier"), name)
        self.down = self._button(
            theme, "chevron_down", "lora_down", self.tr("Apply {0} later"), name
        )
        self.gone = self._button(theme, "close", "lora_remove", self.tr("Take {0} away"), name)
        self.up.setEnabled(not first)
        self.down.setEnabled(not last)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 2, 0, 2)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(0)
        grid.addWidget(title, 0, 0)
        grid.addWidget(self.slider, 1, 0)
        grid.addWidget(self.box, 0, 1, 2, 1)
        for column, button in enumerate((self.up, self.down, self.gone), 2):
            grid.addWidget(button, 0, column, 2, 1)
        grid.setColumnStretch(0, 1)
        self.slider.valueChanged.connect(
            lambda step: self.box.setValue(step * STRENGTH_MAX / _STEPS)
        )
        self.box.valueChanged.connect(self._on_value)
        self.up.clicked.connect(self.raised)
        self.down.clicked.connect(self.lowered)
        self.gone.clicked.connect(self.removed)

    def _button(self, theme: Theme, icon: str, object_name: str, words: str, name: str):  # noqa: ANN202
        return icon_button(theme, icon, object_name, words.format(name))

    def _on_value(self, value: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(value / STRENGTH_MAX * _STEPS))
        self.slider.blockSignals(False)
        self.changed.emit(round(value, 2))


class LoraRows(QWidget):
    """All of them; ``uses`` is what they say now."""

    changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._uses: list[LoraUse] = []
        self._empty = label(self.tr("None yet."), "muted")
        self._column = QVBoxLayout()
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._empty)
        column.addLayout(self._column)

    @property
    def uses(self) -> tuple[LoraUse, ...]:
        """The LoRAs with their strengths, in the order in which they are applied."""
        return tuple(self._uses)

    def show_uses(self, uses: Sequence[LoraUse]) -> None:
        """Show these instead."""
        self._uses = list(uses)
        empty_layout(self._column)
        for place, use in enumerate(self._uses):
            made = LoraRow(self._theme, use, first=place == 0, last=place == len(self._uses) - 1)
            self._connect(made, place)
            self._column.addWidget(made)
        self._empty.setVisible(not self._uses)
        self.changed.emit()

    def _connect(self, made: LoraRow, place: int) -> None:
        made.changed.connect(lambda strength: self._set_strength(place, strength))
        made.raised.connect(lambda: self._move(place, place - 1))
        made.lowered.connect(lambda: self._move(place, place + 1))
        made.removed.connect(
            lambda: self.show_uses([u for i, u in enumerate(self._uses) if i != place])
        )

    def _set_strength(self, place: int, strength: float) -> None:
        self._uses[place] = LoraUse(self._uses[place].path, strength)
        self.changed.emit()

    def _move(self, place: int, to: int) -> None:
        moved = list(self._uses)
        moved.insert(to, moved.pop(place))
        self.show_uses(moved)
