"""What is asked about personas: a name for a new one, and whether one shall go. Knows no engine."""

from collections.abc import Callable, Collection

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QLineEdit, QMessageBox, QWidget

from app.models.units import size_text
from app.theme import Theme
from app.widgets.overlay import Overlay
from app.widgets.parts import label, push_button, restyle, row

translate = QCoreApplication.translate

LONGEST_NAME = 80


class PersonaNamePrompt(Overlay):
    """``ask`` asks for a name and gives it to a function; Esc or a click beside it gives none."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(theme, parent, "persona_prompt", "")
        self._answer: Callable[[str], None] = lambda _name: None
        self._taken: Collection[str] = ()
        self.setAccessibleName(self.tr("Save as persona"))
        self.wanted_width = 440
        self.field = QLineEdit()
        self.field.setObjectName("persona_name")
        self.field.setAccessibleName(self.tr("Name"))
        self.field.setPlaceholderText(self.tr("Name"))
        self.field.setMaxLength(LONGEST_NAME)
        self.warning = label("", "warning", wrap=True)
        self.warning.setObjectName("persona_replaces")
        self.button = push_button(
            self.tr("Save"), "save_persona_button", kind="primary", clicked=self._on_save
        )
        self._lay_out()
        self.field.textChanged.connect(self._on_text)
        self.field.returnPressed.connect(self._on_save)

    def ask(self, taken: Collection[str], answer: Callable[[str], None]) -> None:
        """Ask; ``answer`` gets the name. taken: names whose personas would be replaced."""
        self._answer, self._taken = answer, taken
        self.field.clear()
        self._on_text("")
        self.open_over(self.field)

    def _lay_out(self) -> None:
        self.column.setContentsMargins(24, 20, 24, 16)
        self.column.setSpacing(12)
        self.column.addWidget(label(self.tr("Save as persona"), "heading"))
        words = self.tr(
            "The model as it is after this reply, with all that it has read in this chat. A new "
            "chat can begin with it: Parameters, Persona."
        )
        self.column.addWidget(label(words, "muted", wrap=True))
        self.column.addWidget(self.field)
        self.column.addWidget(self.warning)
        cancel = push_button(
            self.tr("Cancel"), "cancel_persona_button", kind="quiet", clicked=self.dismiss
        )
        buttons = row()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.button)
        self.column.addLayout(buttons)

    @property
    def _name(self) -> str:
        return " ".join(self.field.text().split())

    def _on_text(self, _text: str) -> None:
        replaces = self._name in self._taken
        self.button.setEnabled(bool(self._name))
        self.button.setText(self.tr("Replace") if replaces else self.tr("Save"))
        self.button.setAccessibleName(self.button.text())
        # Its room is kept, so that nothing moves while one types.
        self.warning.setText(
            self.tr("There is one of this name already; it would be replaced.") if replaces else " "
        )

    def _on_save(self) -> None:
        name = self._name
        if name:
            self.dismiss()
            self._answer(name)


def ask_delete_persona(
    parent: QWidget, theme: Theme, name: str, size_bytes: int, delete: Callable[[], None]
) -> None:
    """Ask whether a persona shall go; Cancel is the default."""
    box = QMessageBox(parent)
    box.setObjectName("delete_persona_dialog")
    box.setIconPixmap(theme.pixmap("warning", 32, "danger", parent))
    box.setWindowTitle(translate("PersonaField", "Delete persona"))
    box.setText(translate("PersonaField", "Delete the persona {0}?").format(name))
    box.setInformativeText(
        translate(
            "PersonaField",
            "{0}. This cannot be undone. Chats that began with it keep their texts; to go on with "
            "one, choose another persona or none there.",
        ).format(size_text(size_bytes))
    )
    button = box.addButton(
        translate("PersonaField", "Delete"), QMessageBox.ButtonRole.DestructiveRole
    )
    button.setObjectName("confirm_delete_persona")
    restyle(button, kind="danger")
    keep = box.addButton(QMessageBox.StandardButton.Cancel)
    keep.setObjectName("keep_persona")
    box.setDefaultButton(keep)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    button.clicked.connect(lambda: delete())
    box.open()
