"""All of personas in the chat pane: the drawer's field, Save as persona, Delete, what is told.

Brings the list, the open chat and their widgets together; draws nothing itself.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.chat.persona_dialogs import PersonaNamePrompt, ask_delete_persona
from app.chat.persona_field import PersonaField
from app.theme import Theme

if TYPE_CHECKING:
    from app.models.chat import ChatModel
    from app.models.persona_list import PersonaList


class PersonaDesk(QObject):
    """Lives as long as the page. ``save`` asks for a name and saves; ``said`` tells how it went."""

    said = Signal(str)

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
        field.set_list(personas)
        field.delete_asked.connect(self._ask_delete)
        for signal in (chat.path_reset, chat.message_added, chat.messages_truncated):
            signal.connect(self._on_path)
        personas.saved.connect(self._on_saved)
        personas.deleted.connect(self._on_deleted)
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

    def _on_deleted(self, name: str) -> None:
        if name == self._chat.settings.persona and not self._chat.messages:
            self._field.choose("")
        self.said.emit(self.tr("Deleted the persona {0}").format(name))
