"""The drawer at the right of a chat: system text, persona, thinking, sampling, template, state.

Edits one ChatSettings and emits it when it changed. Knows no chat and no engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QPlainTextEdit,
    QScrollArea,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.chat.persona_field import PersonaField
from app.chat.presets import CREATIVE, CUSTOM, PRECISE, RECOMMENDED, apply_preset, preset_of
from app.models.message import ChatSettings
from app.models.units import size_text
from app.theme import Theme
from app.widgets.parts import icon_button, label, on_theme
from engine.sampling_params import SamplingParams

if TYPE_CHECKING:
    from engine.templates import Template

WIDTH = 304
_DELAY_MS = 200
_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Knob:
    """One number of SamplingParams: its range, step and digits."""

    field: str
    lowest: float
    highest: float
    step: float
    digits: int


KNOBS = (
    Knob("temperature", 0.0, 2.0, 0.05, 2),
    Knob("top_p", 0.0, 1.0, 0.01, 2),
    Knob("top_k", 0, 500, 1, 0),
    Knob("min_p", 0.0, 1.0, 0.01, 2),
    Knob("presence_penalty", 0.0, 2.0, 0.05, 2),
    Knob("frequency_penalty", 0.0, 2.0, 0.05, 2),
    Knob("penalty_decay", 0.9, 1.0, 0.001, 3),
)


class _Slider(QSlider):
    """A slider that leaves the wheel to the drawer."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class _Combo(QComboBox):
    """A combo box that leaves the wheel to the drawer."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class _KnobRow(QWidget):
    """A name, a number and a slider that say the same."""

    changed = Signal(float)

    def __init__(self, knob: Knob, name: str, explanation: str) -> None:
        super().__init__()
        self._knob = knob
        title = label(name)
        title.setToolTip(explanation)
        self.box = QDoubleSpinBox()
        self.box.setObjectName(knob.field)
        self.box.setAccessibleName(name)
        self.box.setAccessibleDescription(explanation)
        self.box.setToolTip(explanation)
        self.box.setDecimals(knob.digits)
        self.box.setRange(knob.lowest, knob.highest)
        self.box.setSingleStep(knob.step)
        self.box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.box.setKeyboardTracking(False)
        self.slider = _Slider(Qt.Orientation.Horizontal)
        self.slider.setObjectName(f"{knob.field}_slider")
        self.slider.setAccessibleName(name)
        self.slider.setRange(0, _STEPS)
        self.slider.setPageStep(_STEPS // 10)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(0)
        grid.addWidget(title, 0, 0)
        grid.addWidget(self.box, 0, 1)
        grid.addWidget(self.slider, 1, 0, 1, 2)
        grid.setColumnStretch(0, 1)
        title.setBuddy(self.box)
        self.box.valueChanged.connect(self._on_box)
        self.slider.valueChanged.connect(self._on_slider)

    def show_value(self, value: float) -> None:
        """Show a value without telling it."""
        with QSignalBlocker(self.box), QSignalBlocker(self.slider):
            self.box.setValue(value)
            self.slider.setValue(self._steps(value))

    def _steps(self, value: float) -> int:
        knob = self._knob
        return round((value - knob.lowest) / (knob.highest - knob.lowest) * _STEPS)

    def _on_box(self, value: float) -> None:
        with QSignalBlocker(self.slider):
            self.slider.setValue(self._steps(value))
        self.changed.emit(value)

    def _on_slider(self, steps: int) -> None:
        knob = self._knob
        value = knob.lowest + steps / _STEPS * (knob.highest - knob.lowest)
        with QSignalBlocker(self.box):
            self.box.setValue(round(value / knob.step) * knob.step)
        self.changed.emit(self.box.value())


class ParametersDrawer(QFrame):
    """``show_settings`` shows what is in use; ``changed`` says what is wanted instead."""

    changed = Signal(object)  # ChatSettings
    closed = Signal()

    def __init__(
        self, theme: Theme, templates: Mapping[str, "Template"], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._templates = templates
        self._model_template = next(iter(templates), "")
        self._settings = ChatSettings()
        self.setObjectName("parameters_drawer")
        self.setAccessibleName(self.tr("Parameters"))
        self.setProperty("surface", "drawer")
        self._knobs = {knob.field: self._knob(knob) for knob in KNOBS}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self.flush)
        self._told = self._settings
        self._build()
        self._connect()
        self.show_settings(self._settings)
        on_theme(theme, self._dress)

    # ---- what others use ------------------------------------------------------------------

    @property
    def settings(self) -> ChatSettings:
        """What is set here now."""
        return self._settings

    def show_settings(self, settings: ChatSettings) -> None:
        """Show settings that were chosen elsewhere."""
        if self._timer.isActive() and settings == self._told:
            return  # what is typed here is newer
        self._timer.stop()
        self._settings = self._told = settings
        self._show()

    def set_model_template(self, name: str) -> None:
        """Say which template the loaded model has by itself."""
        if name in self._templates:
            self._model_template = name
            title = self._templates[name].title
            self.template.setItemText(0, self.tr("By model ({0})").format(title))
            self._show()

    def template_in_use(self) -> "Template | None":
        """The template that the settings lead to."""
        return self._templates.get(self._settings.template or self._model_template)

    def recommended(self) -> SamplingParams:
        """What the model's author advises for the thinking mode in use."""
        template = self.template_in_use()
        return template.sampling(self._settings.think) if template else SamplingParams()

    def set_think(self, mode: str) -> None:
        """Choose a thinking mode; the recommended sampling goes along with it."""
        follows = preset_of(self._settings.sampling, self.recommended()) == RECOMMENDED
        self._settings = replace(self._settings, think=mode)
        if follows:
            self._use_preset(RECOMMENDED)
        self._show()
        self.flush()

    def show_state(self, *, tokens_read: int, size_bytes: int, saved: bool) -> None:
        """Say what the state of this chat is; 0 tokens: there is none yet."""
        if not tokens_read:
            self.state.setText(self.tr("No state yet: it begins with the first message."))
            return
        where = self.tr("saved on disk") if saved else self.tr("in memory")
        self.state.setText(
            self.tr("{0} tokens read, {1}, {2}").format(
                f"{tokens_read:,}", size_text(size_bytes), where
            )
        )

    def flush(self) -> None:
        """Tell what was changed, now."""
        self._timer.stop()
        if self._settings != self._told:
            self._told = self._settings
            self.changed.emit(self._settings)

    # ---- building -------------------------------------------------------------------------

    def _knob(self, knob: Knob) -> _KnobRow:
        names = {
            "temperature": (
                self.tr("Temperature"),
                self.tr("Higher is more varied; 0 always takes the likeliest word"),
            ),
            "top_p": (self.tr("Top-p"), self.tr("Only the likeliest words up to this share")),
            "top_k": (self.tr("Top-k"), self.tr("Only this many of the likeliest; 0 is off")),
            "min_p": (self.tr("Min-p"), self.tr("Only words at least this likely, of the best")),
            "presence_penalty": (
                self.tr("Presence penalty"),
                self.tr("Makes words that were written already less likely"),
            ),
            "frequency_penalty": (
                self.tr("Frequency penalty"),
                self.tr("Makes words less likely each time they are written"),
            ),
            "penalty_decay": (
                self.tr("Penalty decay"),
                self.tr("How slowly penalties fade; 1 never"),
            ),
        }
        return _KnobRow(knob, *names[knob.field])

    def _build(self) -> None:
        self.preset = _combo("preset", self.tr("Preset"))
        for name, words in (
            (RECOMMENDED, self.tr("Recommended for the model")),
            (PRECISE, self.tr("Precise")),
            (CREATIVE, self.tr("Creative")),
            (CUSTOM, self.tr("Own values")),
        ):
            self.preset.addItem(words, name)
        self.system = QPlainTextEdit()
        self.system.setObjectName("system_text")
        self.system.setAccessibleName(self.tr("System text"))
        self.system.setPlaceholderText(self.tr("Who the model is, how it should answer"))
        self.system.setTabChangesFocus(True)
        self.persona = PersonaField(self._theme)
        self.think = _combo("drawer_think_mode", self.tr("Thinking"))
        self.seed = _whole("seed", self.tr("Seed"), -1, self.tr("Random"))
        self.max_tokens = _whole("max_tokens", self.tr("Longest answer"), 0, self.tr("No limit"))
        self.max_tokens.setSingleStep(100)
        self.template = _combo("template", self.tr("Chat format"))
        self.template.addItem(self.tr("By model"), "")
        for name, template in self._templates.items():
            self.template.addItem(template.title, name)
        self.state = label("", "muted", wrap=True)
        self.state.setObjectName("state_info")
        self.close_button = icon_button(
            self._theme, "close", "drawer_close_button", self.tr("Close parameters")
        )
        self._lay_out()
        self.show_state(tokens_read=0, size_bytes=0, saved=False)

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 4, 16, 16)
        column.setSpacing(6)
        for title, widgets in (
            (self.tr("System text"), [self.system]),
            (self.tr("Persona"), [self.persona]),
            (self.tr("Thinking"), [self.think]),
            (self.tr("Sampling"), [self.preset, *self._knobs.values()]),
            (self.tr("Seed"), [self.seed]),
            (self.tr("Longest answer, in tokens"), [self.max_tokens]),
            (self.tr("Chat format"), [self.template]),
            (self.tr("State"), [self.state]),
        ):
            heading = label(title, "caption")
            column.addWidget(heading)
            for widget in widgets:
                column.addWidget(widget)
            column.addSpacing(10)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        head = QGridLayout()
        head.setContentsMargins(16, 8, 8, 4)
        name = label(self.tr("Parameters"), "heading")
        head.addWidget(name, 0, 0)
        head.addWidget(self.close_button, 0, 1)
        head.setColumnStretch(0, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(head)
        whole.addWidget(area)

    def _connect(self) -> None:
        self.preset.activated.connect(lambda i: self._on_preset(self.preset.itemData(i)))
        self.system.textChanged.connect(lambda: self._change(system=self.system.toPlainText()))
        self.persona.chosen.connect(self._on_persona)
        self.think.activated.connect(lambda i: self.set_think(self.think.itemData(i)))
        self.template.activated.connect(lambda i: self._on_template(self.template.itemData(i)))
        self.seed.valueChanged.connect(
            lambda value: self._change_sampling(seed=None if value < 0 else value)
        )
        self.max_tokens.valueChanged.connect(lambda value: self._change_sampling(max_tokens=value))
        self.close_button.clicked.connect(self.closed)
        for field, row in self._knobs.items():
            row.changed.connect(lambda value, field=field: self._on_knob(field, value))

    # ---- changing -------------------------------------------------------------------------

    def _on_knob(self, field: str, value: float) -> None:
        self._change_sampling(**{field: int(value) if field == "top_k" else round(value, 4)})

    def _change_sampling(self, **values: float | int | None) -> None:
        sampling = replace(self._settings.sampling, **values)  # type: ignore[arg-type]
        self._change(sampling=sampling)
        self._show_preset()

    def _change(self, **values: object) -> None:
        self._settings = replace(self._settings, **values)  # type: ignore[arg-type]
        self._timer.start()

    def _on_persona(self, name: str) -> None:
        self._change(persona=name)
        self.flush()

    def _on_preset(self, name: str) -> None:
        self._use_preset(name)
        self._show()
        self.flush()

    def _use_preset(self, name: str) -> None:
        sampling = apply_preset(name, self._settings.sampling, self.recommended())
        self._settings = replace(self._settings, sampling=sampling)

    def _on_template(self, name: str) -> None:
        follows = preset_of(self._settings.sampling, self.recommended()) == RECOMMENDED
        self._settings = replace(self._settings, template=name)
        template = self.template_in_use()
        if template is not None and self._settings.think not in template.think_modes:
            self._settings = replace(self._settings, think=template.think_modes[0])
        if follows:
            self._use_preset(RECOMMENDED)
        self._show()
        self.flush()

    # ---- showing --------------------------------------------------------------------------

    def _show(self) -> None:
        settings, sampling = self._settings, self._settings.sampling
        blocked = [QSignalBlocker(w) for w in (self.system, self.seed, self.max_tokens)]
        if self.system.toPlainText() != settings.system:
            self.system.setPlainText(settings.system)
        self.seed.setValue(-1 if sampling.seed is None else min(sampling.seed, 2**31 - 1))
        self.max_tokens.setValue(sampling.max_tokens)
        for blocker in blocked:
            blocker.unblock()
        for field, row in self._knobs.items():
            row.show_value(float(getattr(sampling, field)))
        self.template.setCurrentIndex(max(0, self.template.findData(settings.template)))
        self.persona.show_persona(settings.persona)
        self._show_think()
        self._show_preset()

    def _show_think(self) -> None:
        template = self.template_in_use()
        words = {
            "off": self.tr("No thinking"),
            "fast": self.tr("Fast"),
            "think": self.tr("Think"),
            "think_a_lot": self.tr("Think a lot"),
        }
        self.think.clear()
        for mode in template.think_modes if template is not None else ("off",):
            self.think.addItem(words.get(mode, mode), mode)
        self.think.setCurrentIndex(max(0, self.think.findData(self._settings.think)))
        self.think.setEnabled(self.think.count() > 1)

    def _show_preset(self) -> None:
        name = preset_of(self._settings.sampling, self.recommended())
        self.preset.setCurrentIndex(self.preset.findData(name))

    def _dress(self) -> None:
        self.setFixedWidth(self._theme.px(WIDTH))
        for row in self._knobs.values():
            row.box.setFixedWidth(self._theme.px(92))
        for box in self.findChildren(QAbstractSpinBox):
            box.lineEdit().setTextMargins(self._theme.px(6), 0, 0, 0)
        self.system.setFixedHeight(self._theme.px(96))


def _combo(object_name: str, name: str) -> QComboBox:
    made = _Combo()
    made.setObjectName(object_name)
    made.setAccessibleName(name)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(8)
    return made


def _whole(object_name: str, name: str, lowest: int, special: str) -> QSpinBox:
    made = QSpinBox()
    made.setObjectName(object_name)
    made.setAccessibleName(name)
    made.setRange(lowest, 2**31 - 1)
    made.setSpecialValueText(special)
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    made.setKeyboardTracking(False)
    return made
