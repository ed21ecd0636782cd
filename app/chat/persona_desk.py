"""All of personas in the chat pane: the drawer's field, save, import, export, delete.

Brings the list, the open chat and their widgets together; draws nothing itself.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QWidget

from app.chat.persona_dialogs import PersonaNamePrompt, ask_delete_persona
from app.chat.persona_field import PersonaField
from app.chat.state_dialogs import StateFile, StatePrompt, ask_for_states, ask_where_to_write
from app.theme import Theme

if TYPE_CHECKING:
    from pathlib import Path

    from app.models.chat import ChatModel
    from app.models.persona_list import PersonaList
    from engine.checkpoint.info import ModelInfo
    from engine.recognition import Recognised


class PersonaDesk(QObject):
    """Lives as long as the page. ``save`` asks for a name and saves; ``said`` tells how it went.

    ``files_given``: files that somebody chose as states, to be looked at.
    """

    said = Signal(str)
    files_given = Signal(list)  # Path

    def __init__(
        self,
        theme: Theme,
        page: QWidget,
        chat: "ChatModel",
        field: PersonaField,
        personas: "PersonaList",
    ) -> None:
        super().__init__(page)
        self._theme = theme
        self._page = page
        self._chat = chat
        self._field = field
        self._personas = personas
        self._prompt: PersonaNamePrompt | None = None
        self._state_prompt: StatePrompt | None = None
        self._offers: list[Recognised] = []
        field.set_list(personas)
        field.delete_asked.connect(self._ask_delete)
        field.export_asked.connect(self._ask_export)
        field.import_asked.connect(lambda: ask_for_states(page.window(), self.files_given.emit))
        for signal in (chat.path_reset, chat.message_added, chat.messages_truncated):
            signal.connect(self._on_path)
        personas.saved.connect(self._on_saved)
        personas.deleted.connect(self._on_deleted)
        personas.exported.connect(self._on_exported)
        personas.failed.connect(lambda message, hint: self.said.emit(f"{message} {hint}".strip()))
        self._on_path()

    def refresh(self) -> None:
        """Look again which personas there are."""
        self._personas.refresh()

    def save(self, index: int) -> None:
        """Ask for a name and keep the state after that message under it."""
        reply = self._chat.messages[index].node
        if self._prompt is None:
            self._prompt = PersonaNamePrompt(self._theme, self._page.window())
        names = {persona.name for persona in self._personas.all or ()}
        self._prompt.ask(names, self._saver(reply))

    def export(self, index: int) -> None:
        """Ask for a file and write the state after that message to it."""
        reply = self._chat.messages[index].node
        ask_where_to_write(
            self._page.window(),
            self.tr("state"),
            lambda path, form: self._personas.export(reply, path, form),
        )

    def offer(self, found: "Sequence[Recognised]") -> None:
        """Ask of each state file whether it shall be kept as a persona, and under what name."""
        self._offers = list(found)
        self._offer_next()

    def _offer_next(self) -> None:
        if not self._offers:
            return
        found = self._offers.pop(0)
        facts = found.state
        assert facts is not None
        if self._state_prompt is None:
            self._state_prompt = StatePrompt(self._theme, self._page.window())
            # Once the answer to this one is on its way.
            later = Qt.ConnectionType.QueuedConnection
            self._state_prompt.closed.connect(self._offer_next, later)
        models = sorted(found.fitting, key=lambda info: info.fingerprint != self._personas.model)
        file = StateFile(
            found.path,
            facts.name or found.path.stem,
            self._about(found),
            [(info.name, info) for info in models],
        )
        names = {persona.name for persona in self._personas.all or ()}
        self._state_prompt.ask(file, names, self._keeper(found.path))

    def _keeper(self, path: "Path") -> Callable[[str, object], None]:
        def keep(name: str, info: object) -> None:
            self._personas.bring(path, name, cast("ModelInfo | None", info))

        return keep

    def _about(self, found: "Recognised") -> str:
        facts = found.state
        assert facts is not None
        layers, width = facts.wkv_shape[0], facts.width
        words = self.tr("{0} is a state for models of {1} layers, {2} wide.").format(
            found.path.name, layers, width
        )
        if facts.tokens_read:
            words += " " + self.tr("It has read {0} tokens.").format(f"{facts.tokens_read:,}")
        return words

    def _ask_export(self, name: str) -> None:
        ask_where_to_write(
            self._page.window(),
            name,
            lambda path, form: self._personas.export(name, path, form),
        )

    def _saver(self, reply: int) -> Callable[[str], None]:
        return lambda name: self._personas.save(reply, name)

    def _ask_delete(self, name: str) -> None:
        about = self._personas.named(name)
        if about is not None:
            ask_delete_persona(
                self._page.window(),
                self._theme,
                name,
                about.size_bytes,
                lambda: self._personas.delete(name),
            )

    def _on_path(self, *_: object) -> None:
        self._field.set_begun(bool(self._chat.messages))

    def _on_saved(self, name: str) -> None:
        self.said.emit(self.tr("Saved as persona {0}: a new chat can begin with it").format(name))

    def _on_exported(self, path: "Path", lost: str) -> None:
        words = self.tr("Wrote {0}").format(path.name)
        if lost:  # in the language of the window, where the engine says it in its own
            words += ". " + self.tr(
                "This format holds no token shifts: the first words after this state can differ a "
                "little."
            )
        self.said.emit(words)

    def _on_deleted(self, name: str) -> None:
        if name == self._chat.settings.persona and not self._chat.messages:
            self._field.choose("")
        self.said.emit(self.tr("Deleted the persona {0}").format(name))
