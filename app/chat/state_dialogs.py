"""What is asked about states as files: a persona out of one, and where and as what to write one."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QComboBox, QFileDialog, QGridLayout, QLineEdit, QWidget

from app.chat.persona_dialogs import LONGEST_NAME
from app.theme import Theme
from app.widgets.overlay import Overlay
from app.widgets.parts import label, push_button, row

if TYPE_CHECKING:
    from engine.state_formats import StateFormat

translate = QCoreApplication.translate

STATE_ENDINGS = ("*.safetensors", "*.pth", "*.st", "*.state")


@dataclass(frozen=True, slots=True)
class StateFile:
    """A state that somebody brought: its name, what is known of it, the models that it fits.

    models: what a model is called, and whatever the answer shall carry for it.
    """

    path: Path
    name: str
    about: str
    models: Sequence[tuple[str, object]]


class StatePrompt(Overlay):
    """``ask`` asks for a name and a model and gives both to a function; Esc gives none."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(theme, parent, "state_prompt", "")
        self.setAccessibleName(self.tr("Keep a state as persona"))
        self.wanted_width = 480
        self._answer: Callable[[str, object], None] = lambda _name, _model: None
        self._taken: Collection[str] = ()
        self.about = label("", "muted", wrap=True)
        self.about.setObjectName("state_about")
        self.field = QLineEdit()
        self.field.setObjectName("state_name")
        self.field.setAccessibleName(self.tr("Name"))
        self.field.setMaxLength(LONGEST_NAME)
        self.models = QComboBox()
        self.models.setObjectName("state_model")
        self.models.setAccessibleName(self.tr("Model"))
        self.models.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.warning = label(" ", "warning", wrap=True)
        self.button = push_button("", "state_keep", kind="primary", clicked=self._on_keep)
        self._lay_out()
        self.field.textChanged.connect(self._on_text)
        self.field.returnPressed.connect(self._on_keep)

    def ask(
        self, file: StateFile, taken: Collection[str], answer: Callable[[str, object], None]
    ) -> None:
        """Ask; ``answer`` gets the name and the chosen model's value (None: none is here)."""
        self._taken, self._answer = taken, answer
        self.about.setText(file.about)
        self.models.clear()
        for title, value in file.models:
            self.models.addItem(title, value)
        if not file.models:
            self.models.addItem(self.tr("Any of its size: none is on this computer"), None)
        self.models.setEnabled(len(file.models) > 1)
        self.field.setText(file.name[:LONGEST_NAME])
        self._on_text("")
        self.open_over(self.field)
        self.field.selectAll()

    def _lay_out(self) -> None:
        self.column.setContentsMargins(24, 20, 24, 16)
        self.column.setSpacing(12)
        self.column.addWidget(label(self.tr("Keep this state as a persona"), "heading"))
        words = self.tr("A new chat can then begin with it: Parameters, Persona.")
        self.column.addWidget(self.about)
        self.column.addWidget(label(words, "muted", wrap=True))
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setColumnStretch(1, 1)
        names = self.tr("Name"), self.tr("Model")
        for place, (name, control) in enumerate(zip(names, (self.field, self.models), strict=True)):
            grid.addWidget(label(name), place, 0)
            grid.addWidget(control, place, 1)
        self.column.addLayout(grid)
        self.column.addWidget(self.warning)
        cancel = push_button(self.tr("Cancel"), "state_cancel", kind="quiet", clicked=self.dismiss)
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
        self.button.setText(self.tr("Replace") if replaces else self.tr("Keep"))
        self.button.setAccessibleName(self.button.text())
        self.warning.setText(
            self.tr("There is one of this name already; it would be replaced.") if replaces else " "
        )

    def _on_keep(self) -> None:
        name, model = self._name, self.models.currentData()
        if name:
            self.dismiss()
            self._answer(name, model)


def ask_where_to_write(
    parent: QWidget, name: str, chosen: "Callable[[Path, StateFormat], None]"
) -> None:
    """Open the system's dialog for a state's file; the kind that is chosen there is its format."""
    filters: dict[str, tuple[StateFormat, str]] = {
        translate("StateFiles", "State of Skein (*.safetensors)"): ("skein", ".safetensors"),
        translate("StateFiles", "time_state of RWKV-PEFT and RWKV Runner (*.pth)"): ("pth", ".pth"),
        translate("StateFiles", "State of web-rwkv and Ai00 (*.st)"): ("web-rwkv", ".st"),
    }
    dialog = QFileDialog(parent, translate("StateFiles", "Export state"))
    dialog.setObjectName("export_state_dialog")
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilters(list(filters))
    dialog.selectFile(_file_name(name))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

    def end_as(kind: str) -> None:
        # The dialog itself adds it, and so asks before such a file is replaced.
        dialog.setDefaultSuffix(filters[kind][1])

    dialog.filterSelected.connect(end_as)
    end_as(next(iter(filters)))

    def take(names: Sequence[str]) -> None:
        if names:
            chosen(*target_of(Path(names[0]), *filters[dialog.selectedNameFilter()]))

    dialog.filesSelected.connect(take)
    dialog.open()


def target_of(path: Path, format: "StateFormat", ending: str) -> "tuple[Path, StateFormat]":
    """Return the file to write and its format: an ending that was typed says more than the list.

    A name without any gets that of the format, and a number where such a file is there already:
    nobody was asked whether it may be replaced.
    """
    from engine.state_formats import format_for

    if path.suffix.lower() in (".pth", ".st", ".state", ".safetensors"):
        return path, format_for(path)
    ends = (ending, *(f" {number}{ending}" for number in range(2, 1000)))
    places = (path.with_name(path.name + end) for end in ends)
    return next((place for place in places if not place.exists()), path), format


def ask_for_states(parent: QWidget, chosen: Callable[[list[Path]], None]) -> None:
    """Open the system's dialog for state files; does not wait for it."""
    dialog = QFileDialog(parent, translate("StateFiles", "Import states"))
    dialog.setObjectName("import_state_dialog")
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
    states = translate("StateFiles", "States ({0})").format(" ".join(STATE_ENDINGS))
    dialog.setNameFilters([states, translate("StateFiles", "All files (*)")])
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.filesSelected.connect(lambda names: chosen([Path(name) for name in names]))
    dialog.open()


def _file_name(name: str) -> str:
    """Return a name that every system takes."""
    from engine.hub.file_names import local_name

    return local_name(name.replace("/", " ").replace("\\", " ")[:80])
