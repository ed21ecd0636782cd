"""Where models and states lie, how much room they take, and where models come from.

Changes of folders and of the token are only asked for; whoever listens moves and keeps.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QComboBox, QFileDialog, QLineEdit, QProgressBar, QVBoxLayout, QWidget

from app.models.units import size_text
from app.pages.sections.section import Card, Section
from app.settings import SettingsStore
from app.theme import Theme
from app.widgets.parts import empty_layout, icon_button, label, push_button, restyle, row
from app.widgets.setting_row import check_box, combo_box, text_field
from engine.folders import Folders

GB = 1_000_000_000
BUDGETS_GB = (1, 2, 4, 8, 16, 32, 64)
PACKED_BUDGETS_GB = (4, 8, 16, 32, 64, 128)


class StorageSection(Section):
    """Models, states, hub."""

    folder_chosen = Signal(str, str)
    """A setting (models_folder, states_folder) and the folder that it shall become."""
    token_entered = Signal(str)
    """The Hugging Face token; "" takes it away."""
    free_space_requested = Signal()
    clear_packed_requested = Signal()

    def __init__(self, theme: Theme, settings: SettingsStore, folders: Folders) -> None:
        super().__init__(theme, "settings_storage", "")
        self.setAccessibleName(self.tr("Models and storage"))
        self._settings = settings
        self._folders = folders
        self._paths: dict[str, QLineEdit] = {}
        self._add_models()
        self._add_states()
        self._add_hub()
        settings.changed.connect(self._on_setting)

    # ---- models ---------------------------------------------------------------------------

    def _add_models(self) -> None:
        models = self.card(self.tr("Models"))
        self._add_folder(
            models,
            "models_folder",
            self.tr("Folder of models"),
            self.tr("Downloads go here. Moving copies and checks first; nothing is lost."),
        )
        holder = QWidget()
        self._more = QVBoxLayout(holder)
        self._more.setContentsMargins(0, 0, 0, 0)
        self._more.setSpacing(6)
        models.setting(
            self.tr("Further folders and files"),
            self.tr("Models there are used where they are, never copied or deleted."),
            holder,
            wide=True,
        )
        self._show_more_folders()
        self._models_size = label("", "muted")
        self._models_size.setObjectName("models_size")
        self._models_size.hide()
        models.column.addWidget(self._models_size)
        self._add_packed(models)

    def _add_packed(self, models: Card) -> None:
        self._packed_size = label("", "muted")
        self._packed_size.setObjectName("packed_size")
        self._clear = push_button(
            self.tr("Delete"),
            "clear_packed",
            name=self.tr("Delete prepared models"),
            clicked=self.clear_packed_requested.emit,
        )
        self._clear.setEnabled(False)
        holder = QWidget()
        holder.setLayout(row(self._packed_size, self._clear, stretch=True))
        models.setting(
            self.tr("Prepared models"),
            self.tr(
                "Copies of models, laid out for the processor: they load much faster. "
                "What is deleted is made again at the next load."
            ),
            holder,
        )
        sizes = [size * GB for size in PACKED_BUDGETS_GB]
        models.setting(
            self.tr("Room for prepared models"),
            self.tr("When it is full, those that were not used for longest go first."),
            self._budget_box("packed_budget", self.tr("Room for prepared models"), [0, *sizes]),
        )

    def _show_more_folders(self) -> None:
        empty_layout(self._more)
        for number, place in enumerate(self._settings.get("model_folders")):
            self._more.addWidget(self._place_line(number, place))
        add = push_button(self.tr("Add folder…"), "add_folder", clicked=self._on_add_folder)
        self._more.addWidget(add, 0, Qt.AlignmentFlag.AlignLeft)

    def _place_line(self, number: int, place: str) -> QWidget:
        """Return the line of a folder, or of a file that was opened where it is."""
        name, drop = self.tr("Further folder"), self.tr("No longer use this folder")
        if os.path.isfile(os.path.expanduser(place)):
            name, drop = self.tr("Further file"), self.tr("No longer list this file")
        field = _path_field(f"model_folder_{number}", name, place)
        remove = icon_button(self.theme, "close", f"remove_folder_{number}", drop)
        remove.clicked.connect(lambda _checked=False: self._remove_folder(place))
        holder = QWidget()
        holder.setLayout(row(field, remove))
        return holder

    def _on_add_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Folder with model files"))
        if folder:
            self.add_folder(folder)

    def add_folder(self, folder: str) -> None:
        """Use the model files of one more folder."""
        held = self._settings.get("model_folders")
        if folder not in held:
            self._settings.set("model_folders", (*held, folder))

    def _remove_folder(self, folder: str) -> None:
        held = self._settings.get("model_folders")
        self._settings.set("model_folders", tuple(path for path in held if path != folder))

    # ---- states ---------------------------------------------------------------------------

    def _add_states(self) -> None:
        states = self.card(self.tr("Saved states"))
        self._add_folder(
            states,
            "states_folder",
            self.tr("Folder of states"),
            self.tr("With its state a chat goes on at once, without being read again."),
        )
        sizes = [size * GB for size in BUDGETS_GB]
        states.setting(
            self.tr("Room for states"),
            self.tr("When it is full, the states that were not used for longest go first."),
            self._budget_box("state_budget", self.tr("Room for states"), sizes),
        )
        states.add(self._usage())

    def _budget_box(self, setting: str, name: str, sizes: list[int]) -> QComboBox:
        """Return the choice of a number of bytes; what stands in the file by hand is one too."""
        chosen = self._settings.get(f"{setting}_bytes")
        choices = [
            (size, size_text(size) if size else self.tr("None")) for size in {*sizes, chosen}
        ]
        return combo_box(self._settings, f"{setting}_bytes", setting, name, sorted(choices))

    def _usage(self) -> QWidget:
        self._bar = QProgressBar()
        self._bar.setObjectName("state_usage")
        self._bar.setAccessibleName(self.tr("Room that states take"))
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._usage_text = label(self.tr("Not measured yet"), "muted", wrap=True)
        self._usage_text.setObjectName("state_usage_text")
        free = push_button(
            self.tr("Free space"), "free_space", clicked=self.free_space_requested.emit
        )
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._bar)
        line = row(self._usage_text)
        line.setStretch(0, 1)
        line.addWidget(free)
        column.addLayout(line)
        return holder

    def show_storage(
        self, models_bytes: int, states_bytes: int, budget: int, packed_bytes: int = 0
    ) -> None:
        """Show how much room models, states and packed weights take, and what states may take."""
        self._packed_size.setText(size_text(packed_bytes))
        self._clear.setEnabled(packed_bytes > 0)
        self._models_size.setText(self.tr("Models take {0}").format(size_text(models_bytes)))
        self._models_size.show()
        share = min(states_bytes / budget, 1.0) if budget else 1.0
        self._bar.setValue(round(share * 1000))
        restyle(self._bar, tone="warning" if share > 0.9 else "")
        text = self.tr("{0} of {1} used").format(size_text(states_bytes), size_text(budget))
        self._usage_text.setText(text)
        self._bar.setAccessibleDescription(text)

    # ---- hub ------------------------------------------------------------------------------

    def _add_hub(self) -> None:
        hub = self.card(self.tr("Downloads"))
        offline = check_box(self._settings, "offline", "offline", self.tr("Work offline"))
        hub.setting(
            self.tr("Work offline"), self.tr("Skein then opens no connection at all."), offline
        )
        self._add_address(
            hub,
            "hub_endpoint",
            self.tr("Mirror"),
            self.tr("Another address for Hugging Face, for example a mirror."),
        )
        self._add_address(
            hub, "proxy", self.tr("Proxy"), self.tr("Empty: the proxy of the system, if any.")
        )
        self._token = QLineEdit()
        self._token.setObjectName("hub_token")
        self._token.setEchoMode(QLineEdit.EchoMode.Password)
        self._token.returnPressed.connect(self._on_token)
        self._token_button = push_button(self.tr("Save"), "save_token", clicked=self._on_token)
        self._token_note = label("", "muted", wrap=True)
        self._token_note.setObjectName("hub_token_note")
        self._token_note.hide()
        holder = QWidget()
        holder.setLayout(row(self._token, self._token_button))
        self._token.setAccessibleName(self.tr("Access token of Hugging Face"))
        hub.setting(
            self.tr("Access token"),
            self.tr("Only for models that ask for it. Kept in the keyring of the system."),
            holder,
            wide=True,
        )
        hub.column.addWidget(self._token_note)

    def show_token(self, is_saved: bool, note: str = "") -> None:
        """Say whether a token is in the keyring; ``note``: a sentence about what went wrong."""
        self._token.clear()
        self._token.setPlaceholderText(self.tr("A token is saved") if is_saved else "")
        self._token_note.setText(note)
        self._token_note.setVisible(bool(note))

    def _on_token(self) -> None:
        self.token_entered.emit(self._token.text().strip())
        self._token.clear()

    def _add_address(self, card: Card, setting: str, title: str, hint: str) -> None:
        field = text_field(self._settings, setting, setting, title, "https://")
        problem = label("", "danger", wrap=True)
        problem.setObjectName(f"{setting}_problem")
        problem.hide()

        def take() -> None:
            text = field.text().strip()
            wrong = _address_problem(text)
            restyle(field, problem="true" if wrong else "")
            problem.setVisible(wrong)
            problem.setText(self.tr("Write an address such as https://host:8080.") if wrong else "")
            if not wrong:
                self._settings.set(setting, text)

        field.editingFinished.connect(take)
        card.setting(title, hint, field, wide=True)
        card.column.addWidget(problem)

    # ---- folders --------------------------------------------------------------------------

    def _add_folder(self, card: Card, setting: str, title: str, hint: str) -> None:
        field = _path_field(f"{setting}_path", title, str(self._folder(setting)))
        self._paths[setting] = field
        change = push_button(
            self.tr("Change…"),
            f"change_{setting}",
            name=self.tr("Change: {0}").format(title),
            clicked=lambda: self._on_change(setting, title),
        )
        show = icon_button(self.theme, "external", f"open_{setting}", self.tr("Open folder"))
        show.clicked.connect(lambda _checked=False: _open(self._folder(setting)))
        holder = QWidget()
        holder.setLayout(row(field, show, change))
        card.setting(title, hint, holder, wide=True)

    def _folder(self, setting: str) -> Path:
        own = self._settings.get(setting)
        standard = self._folders.models if setting == "models_folder" else self._folders.states
        return Path(own) if own else standard

    def _on_change(self, setting: str, title: str) -> None:
        folder = QFileDialog.getExistingDirectory(self, title, str(self._folder(setting)))
        if folder:
            self.folder_chosen.emit(setting, folder)

    def _on_setting(self, name: str) -> None:
        if name in self._paths:
            self._paths[name].setText(str(self._folder(name)))
        elif name == "model_folders":
            self._show_more_folders()


def _path_field(object_name: str, name: str, path: str) -> QLineEdit:
    field = QLineEdit(path)
    field.setObjectName(object_name)
    field.setAccessibleName(name)
    field.setReadOnly(True)
    field.setToolTip(path)
    field.setCursorPosition(0)
    return field


def _open(folder: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def _address_problem(text: str) -> bool:
    if not text:
        return False
    try:
        parts = urlsplit(text)
        return not (parts.scheme in ("http", "https", "socks5", "socks5h") and parts.hostname)
    except ValueError:
        return True
