"""The drawer's choice of a persona: a box, buttons beside it, and a line that explains.

Shows one name and tells which one is wanted instead. Knows no chat; the list is given to it.
"""

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QComboBox, QVBoxLayout, QWidget

from app.theme import Theme
from app.widgets.parts import icon_button, label, row

if TYPE_CHECKING:
    from app.models.persona_list import PersonaList


class _Combo(QComboBox):
    """A combo box that leaves the wheel to the drawer."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class PersonaField(QWidget):
    """``show_persona`` shows what is in use; ``chosen`` says what is wanted instead."""

    chosen = Signal(str)  # name, "" for none
    delete_asked = Signal(str)  # name
    export_asked = Signal(str)  # name
    import_asked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = ""
        self._begun = False
        self._list: PersonaList | None = None
        self.box = _Combo()
        self.box.setObjectName("persona")
        self.box.setAccessibleName(self.tr("Persona"))
        policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.box.setSizeAdjustPolicy(policy)
        self.box.setMinimumContentsLength(8)
        self.bin = icon_button(
            theme, "trash", "delete_persona_button", self.tr("Delete this persona")
        )
        self.out = icon_button(
            theme, "external", "export_persona_button", self.tr("Export this persona…")
        )
        self.bring = icon_button(
            theme, "plus", "import_state_button", self.tr("Import a state as persona…")
        )
        self.note = label("", "faint", wrap=True)
        self.note.setObjectName("persona_note")
        beside = row(self.box, self.bring, self.out, self.bin, spacing=4)
        beside.setStretch(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(beside)
        column.addWidget(self.note)
        self.box.activated.connect(lambda place: self.choose(self.box.itemData(place)))
        self.bin.clicked.connect(lambda: self.delete_asked.emit(self._name))
        self.out.clicked.connect(lambda: self.export_asked.emit(self._name))
        self.bring.clicked.connect(self.import_asked)
        self._show()

    def set_list(self, personas: "PersonaList") -> None:
        """Offer the personas of this list."""
        self._list = personas
        personas.changed.connect(self._show)
        self._show()

    def show_persona(self, name: str) -> None:
        """Show the persona that the chat begins with; "" for none."""
        if name != self._name:
            self._name = name
            self._show()

    def set_begun(self, begun: bool) -> None:
        """Say whether the chat has messages: then its beginning stays as it is."""
        if begun != self._begun:
            self._begun = begun
            self._show()

    def choose(self, name: str) -> None:
        """Choose a persona as by hand; "" for none."""
        if name != self._name:
            self._name = name
            self._show()
            self.chosen.emit(name)

    # ---- showing --------------------------------------------------------------------------

    def _show(self) -> None:
        self.box.clear()
        self.box.addItem(self.tr("None"), "")
        for persona in self._list.usable() if self._list is not None else ():
            self.box.addItem(persona.name, persona.name)
        if self.box.findData(self._name) < 0:
            self.box.addItem(self._words_for_other(), self._name)
        self.box.setCurrentIndex(self.box.findData(self._name))
        self.box.setEnabled(not self._is_locked)
        tip = self._tip()
        self.box.setToolTip(tip)
        self.box.setAccessibleDescription(tip)
        is_there = self._list is not None and self._list.named(self._name) is not None
        for button in (self.bin, self.out):
            button.setEnabled(is_there)
        self.note.setText(self._note())
        self.note.setVisible(bool(self.note.text()))

    @property
    def _cannot_begin(self) -> bool:
        """Whether it is known that no reply can be written on the persona that is shown."""
        found = self._list
        if not self._name or found is None or found.all is None:
            return False
        if found.named(self._name) is None:
            return True
        return found.has_model and all(p.name != self._name for p in found.usable())

    @property
    def _is_locked(self) -> bool:
        """A chat whose persona is gone would otherwise never be gone on with."""
        return self._begun and not self._cannot_begin

    def _words_for_other(self) -> str:
        if not self._cannot_begin:
            return self._name
        if self._list is not None and self._list.named(self._name) is not None:
            return self.tr("{0} (for another model)").format(self._name)
        return self.tr("{0} (missing)").format(self._name)

    def _tip(self) -> str:
        if self._is_locked:
            return self.tr("This chat has begun and keeps its beginning; start a new chat.")
        if self._cannot_begin:
            return self._words_for_other()  # there may be no room for all of it
        return self.tr(
            "A saved state that a new chat begins with: a character, or knowledge read before"
        )

    def _note(self) -> str:
        found = self._list
        if self._cannot_begin and self._begun:
            return self.tr("Choose another one or None: then the whole chat is read again.")
        if found is None or found.all is None:
            return ""
        about = found.named(self._name)
        if about is not None and about.tokens_read:
            return self.tr("Has read {0} tokens; the system text is not used.").format(
                f"{about.tokens_read:,}"
            )
        if self._name or found.usable():
            return ""
        if not found.has_model:
            return self.tr("Load a model to see its personas.")
        return self.tr(
            "None yet for this model. Drop a state file on the window, or choose “Save as "
            "persona” under a reply."
        )
