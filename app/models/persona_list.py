"""The personas that there are, and which of them the loaded model can begin a chat with.

Reads no file: the engine thread lists, saves and deletes. Knows no widget and no chat.
"""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    from pathlib import Path

    from app.services.engine import EngineService, LoadedModel
    from engine.checkpoint.info import ModelInfo
    from engine.personas import Persona
    from engine.state_formats import StateFormat


class PersonaList(QObject):
    """``all`` is how it was when the engine looked last; None before it ever did."""

    changed = Signal()  # the list, or the model that it is for
    saved = Signal(str)  # name
    deleted = Signal(str)  # name
    failed = Signal(str, str)  # message, hint
    exported = Signal(object, str)  # path; a sentence about what is lost, or ""

    def __init__(self, engine: "EngineService", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._model: str | None = None
        self.all: tuple[Persona, ...] | None = None
        engine.personas_listed.connect(self._on_listed)
        engine.persona_saved.connect(self.saved)
        engine.persona_deleted.connect(self.deleted)
        engine.persona_failed.connect(self.failed)
        engine.state_exported.connect(self.exported)
        engine.model_ready.connect(self._on_model_ready)
        engine.model_ejected.connect(lambda: self._on_model(None))

    @property
    def model(self) -> str:
        """The fingerprint of the loaded model; "" without one."""
        return self._model or ""

    @property
    def has_model(self) -> bool:
        """Whether a model is loaded, without which no persona can be chosen."""
        return self._model is not None

    def usable(self) -> "tuple[Persona, ...]":
        """Return those of the loaded model, and imported ones whose model is not known.

        Of several of one name the engine takes the first, so only that one counts.
        """
        if self._model is None:
            return ()
        return tuple(p for p in self._by_name().values() if p.fingerprint in ("", self._model))

    def named(self, name: str) -> "Persona | None":
        """Return the persona of that name, whatever model it is for; None where none is known."""
        return self._by_name().get(name)

    def refresh(self) -> None:
        """Have the engine look again: the command line may have brought others."""
        self._engine.list_personas()

    def save(self, reply: int, name: str) -> None:
        """Keep the state after a reply; ``saved`` or ``failed`` tells how it went."""
        self._engine.save_persona(reply, name)

    def bring(self, file: "Path", name: str, info: "ModelInfo | None") -> None:
        """Keep a state file as a persona; ``saved`` or ``failed`` tells how it went."""
        self._engine.import_persona(file, name, info)

    def delete(self, name: str) -> None:
        """Delete it for good; ``deleted`` or ``failed`` tells how it went."""
        self._engine.delete_persona(name)

    def export(self, what: str | int, file: "Path", format: "StateFormat") -> None:
        """Write a persona or the state after a reply to a file; ``exported`` or ``failed`` tells.

        what: the persona's name, or the reply's node.
        """
        self._engine.export_state(what, file, format)

    def _by_name(self) -> "dict[str, Persona]":
        found: dict[str, Persona] = {}
        for persona in self.all or ():
            found.setdefault(persona.name, persona)
        return found

    def _on_listed(self, found: "tuple[Persona, ...]") -> None:
        self.all = found
        self.changed.emit()

    def _on_model_ready(self, model: "LoadedModel") -> None:
        self._on_model(model.info.fingerprint)
        self.refresh()

    def _on_model(self, fingerprint: str | None) -> None:
        self._model = fingerprint
        self.changed.emit()
