"""The chat pane: model button above, transcript, composer below, parameters at the right.

Gets the chat's model and the list of ready models; asks for everything else (Load, Eject, the
Models pane, the recommended download) by signals that app/application.py connects.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractItemModel, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app.chat.composer import Composer
from app.chat.document_style import StyleShelf
from app.chat.examples import is_beginning
from app.chat.formulas import FormulaShelf
from app.chat.highlight import Highlighter
from app.chat.message_view import OVERHANG, ViewTools
from app.chat.model_picker import ModelButton, ModelPicker
from app.chat.parameters_drawer import ParametersDrawer
from app.chat.persona_desk import PersonaDesk
from app.chat.presets import adapted
from app.chat.thinking import ThinkingClock
from app.chat.transcript import COLUMN, Transcript
from app.chat.welcome import Suggestion, Welcome
from app.chat.workshop import Workshop
from app.models.format_words import generation_text
from app.models.message import ChatSettings
from app.models.model_names import model_title
from app.models.units import size_text, speed_text
from app.theme import Theme
from app.widgets.notice import Notice
from app.widgets.parts import icon_button, on_theme

if TYPE_CHECKING:
    from app.models.chat import ChatModel
    from app.models.model_list import ReadyRow
    from app.models.persona_list import PersonaList
    from app.services.engine import LoadedModel
    from engine.templates import Template, Thinking

_NARROW = 700  # pixels at 100 % text size below which the open drawer covers the transcript


class ChatPage(QWidget):
    """Everything of the open chat; see the signals for what it cannot do itself."""

    load_requested = Signal(object)  # Path
    load_with_requested = Signal(object, str)  # Path, strategy
    eject_requested = Signal()
    models_requested = Signal()
    suggestion_taken = Signal(str)  # key of the recommended download
    drawer_toggled = Signal(bool)
    said = Signal(str)  # a short message for the toast
    files_given = Signal(list)  # Path: chosen as states, to be looked at

    def __init__(
        self,
        theme: Theme,
        chat: "ChatModel",
        ready: QAbstractItemModel,
        templates: Mapping[str, "Template"],
        parent: QWidget | None = None,
        built_in: Path | None = None,
        personas: "PersonaList | None" = None,
    ) -> None:
        """ready: a ReadyList; templates: by name, the first one is the fallback.

        built_in: the file of the model that came with the app. personas: what a chat can begin
        with; without them none can be chosen.
        """
        super().__init__(parent)
        self._theme = theme
        self._chat = chat
        self._ready = ready
        self._recommended: Suggestion | None = None
        self._templates = templates
        self._built_in = built_in
        self._path: Path | None = None  # of the model that is loaded, or on its way
        self._loaded = False
        self._drafts: dict[int | None, str] = {}
        self._draft_of: int | None = chat.conversation
        self._sending = False
        self.setObjectName("chat_page")
        self._workshop = Workshop(self)
        self._tools = ViewTools(
            theme,
            StyleShelf(theme),
            FormulaShelf(self._workshop, self),
            Highlighter(self._workshop, self),
            self._split_thinking,
            ThinkingClock(),
            model_title,
        )
        self.drawer = ParametersDrawer(theme, templates)
        self.drawer.hide()
        self.transcript = Transcript(self._tools, chat)
        self.welcome = Welcome(theme)
        self.composer = Composer(theme)
        self.model_button = ModelButton(theme)
        self.picker = ModelPicker(theme, ready, self)
        self.notice = Notice(theme)
        self.drawer_button = icon_button(
            theme, "drawer", "drawer_button", self.tr("Parameters"), keys="Ctrl+Shift+P"
        )
        self.drawer_button.setCheckable(True)
        self._lay_out()
        self._connect()
        self._connect_chat()
        self.personas = self._make_persona_desk(personas) if personas is not None else None
        on_theme(theme, self._dress)

    # ---- building -------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._balance = QWidget()
        bar = QHBoxLayout()
        bar.setContentsMargins(12, 8, 12, 4)
        bar.addWidget(self._balance)
        bar.addStretch(1)
        bar.addWidget(self.model_button)
        bar.addStretch(1)
        bar.addWidget(self.drawer_button)
        self._notice_column = QVBoxLayout()
        self._notice_column.setContentsMargins(24, 4, 24, 4)
        self._notice_column.addWidget(self.notice)
        self._stack = QStackedLayout()
        area = QScrollArea()
        area.setObjectName("welcome_area")
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self.welcome)
        self._empty = area
        self._stack.addWidget(area)
        self._stack.addWidget(self.transcript)
        self._composer_row = QHBoxLayout()
        self._composer_row.setContentsMargins(24, 4, 24, 16)
        self._composer_row.addWidget(self.composer)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addLayout(bar)
        self._column.addLayout(self._notice_column)
        self._column.addLayout(self._stack, 1)
        self._column.addLayout(self._composer_row)
        self.drawer.setParent(self)  # last: Tab comes to it after all the rest
        self.transcript.set_tab_start(self.composer.last_in_tab_order)

    def _connect(self) -> None:
        self.composer.send_requested.connect(self._on_send)
        self.composer.stop_requested.connect(self._chat.stop)
        self.composer.think_changed.connect(self.drawer.set_think)
        self.composer.field.height_changed.connect(self._place)
        self.drawer.changed.connect(self._on_settings_wanted)
        self.drawer.closed.connect(lambda: self.set_drawer_open(False))
        self.drawer_button.clicked.connect(self.set_drawer_open)
        self.model_button.clicked.connect(self.choose_model)
        self.picker.load_requested.connect(self.load_requested)
        self.picker.eject_requested.connect(self.eject_requested)
        self.picker.models_requested.connect(self.models_requested)
        self.welcome.models_requested.connect(self.models_requested)
        self.welcome.suggestion_taken.connect(self._on_suggestion)
        self.welcome.example_taken.connect(self._on_example)
        self.transcript.focus_freed.connect(self.take_focus)
        self.transcript.copied.connect(lambda: self.said.emit(self.tr("Copied")))
        for signal in (self._ready.modelReset, self._ready.dataChanged):
            signal.connect(self._show_welcome)

    def _connect_chat(self) -> None:
        chat = self._chat
        chat.path_reset.connect(self._on_path)
        chat.message_added.connect(self._on_path)
        chat.messages_truncated.connect(self._on_path)
        chat.busy_changed.connect(self.composer.set_busy)
        chat.settings_changed.connect(self._on_settings)
        chat.conversation_opened.connect(self._on_opened)
        chat.model_needed.connect(self.choose_model)
        self._on_settings(chat.settings)
        self._show_welcome()
        self.composer.set_busy(chat.busy)
        self._on_path()

    def _make_persona_desk(self, personas: "PersonaList") -> PersonaDesk:
        made = PersonaDesk(self._theme, self, self._chat, self.drawer.persona, personas)
        made.said.connect(self.said)
        self.transcript.persona_asked.connect(made.save)
        self.transcript.export_asked.connect(made.export)
        made.files_given.connect(self.files_given)
        return made

    # ---- what the application calls -------------------------------------------------------

    def show_loading(self, path: Path, fraction: float) -> None:
        """A model is being read, ``fraction`` of it so far."""
        self._path, self._loaded = path, False
        words = self.tr("loading {0} %").format(int(fraction * 100))
        self.model_button.say(model_title(path.stem), words)
        self.notice.dismiss()
        self._show_welcome()

    def show_loaded(self, model: "LoadedModel") -> None:
        """A model is ready."""
        self._path, self._loaded = model.info.path, True
        self.model_button.say(model_title(model.info.name), _device_words(model))
        self.drawer.set_model_template(model.template)
        self._follow_model()
        self.notice.dismiss()
        self._show_think_modes()
        self._show_welcome()

    def show_ejected(self) -> None:
        """No model is loaded any more."""
        self._path, self._loaded = None, False
        self.model_button.say(self.tr("Choose a model"))
        self._show_welcome()

    def show_failed(self, path: Path, message: str, hint: str, suggestion: str = "") -> None:
        """A model could not be loaded; with ``suggestion`` (a strategy) it could."""
        actions: list[tuple[str, Callable[[], None]]] = []
        if suggestion:
            actions.append(
                (
                    self.tr("Load as {0}").format(suggestion),
                    lambda: self.load_with_requested.emit(path, suggestion),
                )
            )
        actions.append((self.tr("Choose another model"), self.choose_model))
        self.notice.show_notice(message, hint, tone="danger", actions=tuple(actions))

    def set_recommendation(
        self, key: str, title: str, facts: str, reason: str, *, on_its_way: bool = False
    ) -> None:
        """Say which download suits this machine best; an empty key: nothing to recommend."""
        self._recommended = None
        if key:
            self._recommended = Suggestion(
                key,
                self.tr("Recommended for this computer"),
                title,
                facts,
                reason,
                self.tr("See the download") if on_its_way else self.tr("Download"),
            )
        self._show_welcome()

    def set_token_counter(self, count: Callable[[str], int] | None) -> None:
        """Give what counts tokens for the hint under the composer."""
        self.composer.count_tokens = count

    def set_send_with(self, keys: str) -> None:
        """keys: "enter", or "ctrl+enter" with Enter for a new line."""
        self.composer.field.send_with = keys

    def drafts(self) -> dict[int, str]:
        """Return what is written and not sent, by chat; 0 stands for the new chat."""
        found = {chat or 0: text for chat, text in self._drafts.items() if text.strip()}
        if self.composer.text.strip():
            found[self._draft_of or 0] = self.composer.text
        return found

    def set_drafts(self, drafts: Mapping[int, str]) -> None:
        """Take back what ``drafts`` gave; what is being written now stays."""
        self._drafts = {chat or None: text for chat, text in drafts.items()}
        kept = self._drafts.pop(self._draft_of, "")
        if not self.composer.text.strip():
            self.composer.set_text(kept)

    def choose_model(self) -> None:
        """Open the list of ready models (Ctrl+L)."""
        self.picker.open_under(self.model_button)

    def edit_last(self) -> None:
        """Edit the last question (Ctrl+Up)."""
        self.transcript.edit_last()

    def regenerate_last(self) -> None:
        """Have the last answer written anew (Ctrl+R)."""
        self.transcript.regenerate_last()

    def stop(self) -> None:
        """Stop writing (Esc)."""
        if self._chat.busy:
            self._chat.stop()

    def toggle_drawer(self) -> None:
        """Show or hide the parameters."""
        self.set_drawer_open(self.drawer.isHidden())

    def set_drawer_open(self, opened: bool) -> None:
        """Show or hide the parameters."""
        had_focus = self.drawer.isAncestorOf(self.focusWidget() or self)
        changed = opened == self.drawer.isHidden()
        self.drawer.flush()
        self.drawer.setVisible(opened)
        self.drawer_button.setChecked(opened)
        self._place()
        if not opened and had_focus:
            self.composer.take_focus()
        if opened and self.personas is not None:
            self.personas.refresh()
        if changed:
            self.drawer_toggled.emit(opened)

    def take_focus(self) -> None:
        """Give the keyboard to the composer."""
        self.composer.take_focus()

    def close(self) -> bool:
        """End the background thread; the page cannot be used afterwards."""
        self._workshop.close()
        return super().close()

    @property
    def idle(self) -> bool:
        """Whether every formula and every colour is there (screenshots, tests)."""
        return self._workshop.idle

    # ---- the chat -------------------------------------------------------------------------

    def _split_thinking(self, reply_text: str, done: bool = False) -> "Thinking":
        template = self.drawer.template_in_use()
        if template is None:
            from engine.templates import Thinking

            return Thinking("", reply_text, closed=True)
        return template.split_thinking(reply_text, done)

    def _on_send(self, text: str) -> None:
        if self._send(text):
            self.composer.clear()

    def _on_example(self, example: str) -> None:
        """What is being written stays: an example is sent beside it."""
        if not is_beginning(example):
            self._send(example)
        elif not self.composer.text.strip():
            self.composer.set_text(example)
        self.composer.take_focus()

    def _send(self, text: str) -> bool:
        self.drawer.flush()
        modes = self._think_modes()
        if modes and self._chat.settings.think not in modes:
            self.drawer.set_think(modes[0])
        self._sending = True
        try:
            return bool(self._chat.send(text))
        finally:
            self._sending = False

    def _on_path(self, *_: object) -> None:
        self._stack.setCurrentWidget(self.transcript if self._chat.messages else self._empty)

    def _on_opened(self, conversation: int | None) -> None:
        """Every chat keeps what was being written in it."""
        self._follow_model()
        if self._draft_of == conversation:
            return
        if self._draft_of is None and self._sending:
            self._draft_of = conversation  # the new chat got its place in the store
            return
        if self.composer.text.strip():
            self._drafts[self._draft_of] = self.composer.text
        self._draft_of = conversation
        self.composer.set_text(self._drafts.pop(conversation, ""))

    def _on_settings(self, settings: ChatSettings) -> None:
        self.drawer.show_settings(settings)
        self._show_think_modes()

    def _on_settings_wanted(self, settings: ChatSettings) -> None:
        self._chat.change_settings(settings)
        self._show_think_modes()

    def _follow_model(self) -> None:
        """Have the chat use the loaded model's advice where it used another model's."""
        template, settings = self.drawer.template_in_use(), self._chat.settings
        if self._loaded and template is not None:
            known = self._templates.values()
            sampling = adapted(settings.sampling, settings.think, template, known)
            self._chat.change_settings(replace(settings, sampling=sampling))

    def _show_think_modes(self) -> None:
        modes, think = self._think_modes(), self.drawer.settings.think
        # Only shown: to look at a chat with another model changes nothing in it.
        self.composer.set_think_modes(modes, think if think in modes else next(iter(modes), think))

    def _think_modes(self) -> tuple[str, ...]:
        template = self.drawer.template_in_use()
        return template.think_modes if template is not None else ()

    # ---- the empty chat -------------------------------------------------------------------

    def _show_welcome(self, *_: object) -> None:
        in_use = self._path is not None and self._path == self._built_in
        suggestion = self._ready_suggestion() or self._recommended
        if suggestion is None and not in_use:
            suggestion = self._ready_suggestion(built_in=True)
        self.welcome.show_state(
            ready=self._path is not None, suggestion=suggestion, built_in=in_use
        )
        self.welcome.set_examples_enabled(self._loaded)

    def _ready_suggestion(self, *, built_in: bool = False) -> Suggestion | None:
        """Return the best model that was put on this computer, or the one that came with us."""
        rows = [row for row in _rows(self._ready) if not row.model.local.problem]
        runs = [
            row
            for row in rows
            if row.built_in == built_in and row.model.plan and row.model.plan.verdict != "too_large"
        ]
        if not runs:
            return None
        best = max(runs, key=_worth)
        plan = best.model.plan
        assert plan is not None
        facts = " · ".join((size_text(best.size_bytes), speed_text(plan.write_tokens_per_s)))
        return Suggestion(
            f"ready:{best.path}",
            self.tr("Ready on this computer"),
            best.title,
            facts,
            plan.reason,
            self.tr("Load"),
        )

    def _on_suggestion(self, key: str) -> None:
        if key.startswith("ready:"):
            self.load_requested.emit(Path(key.removeprefix("ready:")))
        elif key:
            self.suggestion_taken.emit(key)

    # ---- places ---------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        focus = self.window().focusWidget()
        if focus is None or not self.isAncestorOf(focus):
            self.take_focus()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        """Put the drawer at the right: beside the chat, or over it where there is no room."""
        drawer = 0 if self.drawer.isHidden() else self.drawer.width()
        beside = drawer if self.width() - drawer >= self._theme.px(_NARROW) - drawer // 2 else 0
        self._column.setContentsMargins(0, 0, beside, 0)
        if drawer:
            self.drawer.setGeometry(self.width() - drawer, 0, drawer, self.height())
            self.drawer.raise_()
        room = self.width() - beside
        side = max(24 - OVERHANG, (room - self._theme.px(COLUMN)) // 2 - OVERHANG)
        self._composer_row.setContentsMargins(side, 4, side, 16)
        self.composer.set_window_height(self.window().height())

    def _dress(self) -> None:
        self._balance.setFixedSize(self.drawer_button.sizeHint())
        self._place()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._chat.busy:
            self._chat.stop()
        elif event.key() == Qt.Key.Key_Escape and self._drawer_covers:
            self.set_drawer_open(False)
        else:
            super().keyPressEvent(event)

    @property
    def _drawer_covers(self) -> bool:
        return not self.drawer.isHidden() and self._column.contentsMargins().right() == 0


def _device_words(model: "LoadedModel") -> str:
    stages = model.plan.strategy.stages
    words = dict.fromkeys(f"{stage.weights} · {stage.device.upper()}" for stage in stages)
    parts = [" + ".join(words) or str(model.plan.strategy), generation_text(model.info)]
    if loras := len(model.info.loras):
        parts.append(f"{loras} LoRA" if loras == 1 else f"{loras} LoRAs")
    return " · ".join(part for part in parts if part)


def _rows(ready: QAbstractItemModel) -> "list[ReadyRow]":
    from app.models.model_list import Role

    return [ready.index(i, 0).data(Role.ENTRY) for i in range(ready.rowCount())]


def _worth(row: "ReadyRow") -> tuple[bool, float, int]:
    """Fitting ones first, then fast enough to read along, then the largest."""
    plan = row.model.plan
    speed = plan.write_tokens_per_s if plan is not None else 0.0
    fits = plan is not None and plan.verdict == "fits"
    return fits, min(speed, 10.0), row.size_bytes
