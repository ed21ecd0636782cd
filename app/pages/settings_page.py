"""The settings: six sections behind tabs. Sets through SettingsStore, shows what it is told.

Knows neither the engine's thread nor the disk: folders, token, hardware and reports are asked for
by signals and shown by ``show_`` methods. A section is built when it is first looked at: the
window is up sooner.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QStackedWidget, QTabBar, QVBoxLayout, QWidget

from app.pages.sections.general import GeneralSection
from app.pages.sections.inference import InferenceSection
from app.pages.sections.others import AboutSection, KeysSection, PrivacySection
from app.pages.sections.storage import StorageSection
from app.services.gpu_packs import GpuPackService
from app.services.updates import UpdateService
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
    clear_packed_requested = Signal()
    look_again_requested = Signal()
    report_requested = Signal()
    whats_new_requested = Signal()
    notes_requested = Signal()
    restart_requested = Signal()

    def __init__(
        self,
        theme: Theme,
        settings: SettingsStore,
        folders: Folders,
        updates: UpdateService,
        packs: GpuPackService | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("settings_page")
        self.setAccessibleName(self.tr("Settings"))
        self._theme, self._settings, self._folders = theme, settings, folders
        self._updates, self._packs = updates, packs
        self._tabs = QTabBar()
        self._stack = QStackedWidget()
        self._built: dict[str, QWidget] = {}
        self._hardware: tuple[Hardware, Plan | None, str] | None = None
        self._storage: tuple[int, int, int, int] | None = None
        self._token: tuple[bool, str] | None = None
        self._makers = self._section_makers()
        self._names = list(self._makers)
        self._lay_out()

    def _section_makers(self) -> dict[str, Callable[[], QWidget]]:
        """Return how each section is built, which happens when it is first looked at."""
        return {
            "general": lambda: GeneralSection(self._theme, self._settings),
            "storage": self._make_storage,
            "inference": self._make_inference,
            "privacy": lambda: PrivacySection(self._theme),
            "keys": lambda: KeysSection(self._theme),
            "about": self._make_about,
        }

    def _lay_out(self) -> None:
        self._tabs.setObjectName("settings_tabs")
        self._tabs.setAccessibleName(self.tr("Sections"))
        self._tabs.setExpanding(False)
        self._tabs.setDrawBase(False)
        self._tabs.setUsesScrollButtons(True)
        self._tabs.setElideMode(Qt.TextElideMode.ElideNone)
        titles = (
            self.tr("General"),
            self.tr("Models and storage"),
            self.tr("Inference"),
            self.tr("Privacy"),
            self.tr("Keys"),
            self.tr("About"),
        )
        for title in titles:
            self._tabs.addTab(title)
        self._tabs.currentChanged.connect(self._show_tab)
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

    def _make_storage(self) -> QWidget:
        made = StorageSection(self._theme, self._settings, self._folders)
        made.folder_chosen.connect(self.folder_chosen)
        made.token_entered.connect(self.token_entered)
        made.free_space_requested.connect(self.free_space_requested)
        made.clear_packed_requested.connect(self.clear_packed_requested)
        if self._storage is not None:
            made.show_storage(*self._storage)
        if self._token is not None:
            made.show_token(*self._token)
        return made

    def _make_inference(self) -> QWidget:
        made = InferenceSection(self._theme, self._settings, self._packs)
        made.look_again_requested.connect(self.look_again_requested)
        made.restart_requested.connect(self.restart_requested)
        if self._hardware is not None:
            made.show_hardware(*self._hardware)
        return made

    def _make_about(self) -> QWidget:
        made = AboutSection(self._theme, self._folders, self._settings, self._updates)
        made.report_requested.connect(self.report_requested)
        made.whats_new_requested.connect(self.whats_new_requested)
        made.notes_requested.connect(self.notes_requested)
        made.restart_requested.connect(self.restart_requested)
        return made

    def _show_tab(self, place: int) -> None:
        name = self._names[place]
        if name not in self._built:
            self._built[name] = self._makers[name]()
            self._stack.addWidget(self._built[name])
        self._stack.setCurrentWidget(self._built[name])

    def showEvent(self, event: QShowEvent) -> None:
        self._show_tab(self._tabs.currentIndex())
        super().showEvent(event)

    @property
    def section(self) -> str:
        """The name of the section that is shown."""
        return self._names[self._tabs.currentIndex()]

    def show_section(self, name: str) -> None:
        """Show a section. Raises ValueError when there is none of that name."""
        self._tabs.setCurrentIndex(self._names.index(name))
        self._show_tab(self._names.index(name))

    def show_hardware(
        self, hardware: "Hardware", plan: "Plan | None" = None, model: str = ""
    ) -> None:
        """Show what was detected, and why the model that is loaded runs as it does."""
        self._hardware = hardware, plan, model
        if isinstance(made := self._built.get("inference"), InferenceSection):
            made.show_hardware(*self._hardware)

    def show_storage(
        self, models_bytes: int, states_bytes: int, budget: int, packed_bytes: int = 0
    ) -> None:
        """Show how much room models, states and packed weights take, and what states may take."""
        self._storage = models_bytes, states_bytes, budget, packed_bytes
        if isinstance(made := self._built.get("storage"), StorageSection):
            made.show_storage(*self._storage)

    def show_token(self, is_saved: bool, note: str = "") -> None:
        """Say whether a Hugging Face token is kept; ``note``: what went wrong."""
        self._token = is_saved, note
        if isinstance(made := self._built.get("storage"), StorageSection):
            made.show_token(*self._token)
