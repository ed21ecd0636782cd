"""The settings: six sections behind tabs. Sets through SettingsStore, shows what it is told.

Knows neither the engine's thread nor the disk: folders, token, hardware and reports are asked for
by signals and shown by ``show_`` methods.
"""

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QStackedWidget, QTabBar, QVBoxLayout, QWidget

from app.pages.sections.general import GeneralSection
from app.pages.sections.inference import InferenceSection
from app.pages.sections.others import AboutSection, KeysSection, PrivacySection
from app.pages.sections.storage import StorageSection
from app.settings import SettingsStore
from app.theme import Theme
from app.widgets.parts import label, line
from engine.folders import Folders

if TYPE_CHECKING:
    from engine.hardware import Hardware
    from engine.plan import Plan


class SettingsPage(QWidget):
    """``show_section`` chooses a tab by name: general, storage, inference, privacy, keys, about."""

    folder_chosen = Signal(str, str)
    token_entered = Signal(str)
    free_space_requested = Signal()
    look_again_requested = Signal()
    report_requested = Signal()

    def __init__(
        self,
        theme: Theme,
        settings: SettingsStore,
        folders: Folders,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("settings_page")
        self.setAccessibleName(self.tr("Settings"))
        self.general = GeneralSection(theme, settings)
        self.storage = StorageSection(theme, settings, folders)
        self.inference = InferenceSection(theme, settings)
        self.about = AboutSection(theme, folders)
        self._tabs = QTabBar()
        self._stack = QStackedWidget()
        self._names: list[str] = []
        self._lay_out()
        self._add("general", self.tr("General"), self.general)
        self._add("storage", self.tr("Models and storage"), self.storage)
        self._add("inference", self.tr("Inference"), self.inference)
        self._add("privacy", self.tr("Privacy"), PrivacySection(theme))
        self._add("keys", self.tr("Keys"), KeysSection(theme))
        self._add("about", self.tr("About"), self.about)
        self._connect()

    def _lay_out(self) -> None:
        self._tabs.setObjectName("settings_tabs")
        self._tabs.setAccessibleName(self.tr("Sections"))
        self._tabs.setExpanding(False)
        self._tabs.setDrawBase(False)
        self._tabs.setUsesScrollButtons(True)
        self._tabs.setElideMode(Qt.TextElideMode.ElideNone)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 20, 0, 0)
        column.setSpacing(0)
        head = QVBoxLayout()
        head.setContentsMargins(24, 0, 24, 0)
        head.setSpacing(8)
        head.addWidget(label(self.tr("Settings"), "title"))
        head.addWidget(self._tabs)
        column.addLayout(head)
        column.addWidget(line())
        column.addWidget(self._stack, 1)

    def _add(self, name: str, title: str, section: QWidget) -> None:
        self._names.append(name)
        self._stack.addWidget(section)
        self._tabs.addTab(title)

    def _connect(self) -> None:
        self._tabs.currentChanged.connect(self._stack.setCurrentIndex)
        self.storage.folder_chosen.connect(self.folder_chosen)
        self.storage.token_entered.connect(self.token_entered)
        self.storage.free_space_requested.connect(self.free_space_requested)
        self.inference.look_again_requested.connect(self.look_again_requested)
        self.about.report_requested.connect(self.report_requested)

    @property
    def section(self) -> str:
        """The name of the section that is shown."""
        return self._names[self._tabs.currentIndex()]

    def show_section(self, name: str) -> None:
        """Show a section. Raises ValueError when there is none of that name."""
        self._tabs.setCurrentIndex(self._names.index(name))

    def show_hardware(
        self, hardware: "Hardware", plan: "Plan | None" = None, model: str = ""
    ) -> None:
        """Show what was detected, and why the model that is loaded runs as it does."""
        self.inference.show_hardware(hardware, plan, model)

    def show_storage(self, models_bytes: int, states_bytes: int, budget: int) -> None:
        """Show how much room models and states take, and how much states may take."""
        self.storage.show_storage(models_bytes, states_bytes, budget)

    def show_token(self, is_saved: bool, note: str = "") -> None:
        """Say whether a Hugging Face token is kept."""
        self.storage.show_token(is_saved, note)
