"""What happens when a setting changes, a folder is moved, or room is asked for.

Brings the settings' page, the services that obey it, and the window's look together.
"""

from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from app.model_desk import ModelDesk, Pages
from app.services.downloads import DownloadService
from app.services.engine import EngineService
from app.services.library import ModelLibrary
from app.services.storage import StorageService
from app.settings import SettingsStore
from app.theme import Theme
from app.window import MainWindow

RESTYLE_MS = 60


class Look(QObject):
    """The theme as the settings say, from the first moment on."""

    def __init__(self, qt_app: QApplication, theme: Theme, settings: SettingsStore) -> None:
        super().__init__(theme)
        self._qt_app, self._theme, self._settings = qt_app, theme, settings
        # Ten quick steps of the text's size are one change of all widgets, not ten.
        self._later = QTimer(self, singleShot=True, interval=RESTYLE_MS)
        self._later.timeout.connect(self._apply)
        settings.changed.connect(self._on_setting)
        self._apply()

    def _on_setting(self, name: str) -> None:
        if name in ("theme", "text_scale"):
            self._later.start()

    def _apply(self) -> None:
        get = self._settings.get
        self._theme.apply(self._qt_app, get("theme"), get("text_scale"))


class SettingsDesk(QObject):
    """Connects itself; ``apply`` does once what the settings say from the start on."""

    def __init__(
        self,
        window: MainWindow,
        pages: Pages,
        settings: SettingsStore,
        models: ModelDesk,
        engine: EngineService,
        library: ModelLibrary,
        downloads: DownloadService,
        storage: StorageService,
    ) -> None:
        super().__init__(window)
        self._window, self._pages, self._settings = window, pages, settings
        self._models, self._engine, self._library = models, engine, library
        self._downloads, self._storage = downloads, storage
        self._connect_page()
        self._connect_services()

    def _connect_page(self) -> None:
        page = self._pages.settings
        self._settings.changed.connect(self._on_setting)
        page.folder_chosen.connect(self._on_folder_chosen)
        page.token_entered.connect(self._storage.keep_token)
        page.free_space_requested.connect(self._engine.free_space)
        page.clear_packed_requested.connect(self._storage.clear_packed)
        page.look_again_requested.connect(self._library.look_again)
        page.report_requested.connect(lambda: self._window.show_report())
        drawer = self._pages.chat.drawer_toggled
        drawer.connect(lambda is_open: self._settings.set("drawer_open", is_open))

    def _connect_services(self) -> None:
        engine, storage = self._engine, self._storage
        engine.space_freed.connect(self._on_space_freed)
        storage.measured.connect(self._pages.settings.show_storage)
        storage.token_known.connect(self._pages.settings.show_token)
        storage.failed.connect(self._window.show_failure)
        storage.moving.connect(self._on_moving)
        storage.moved.connect(self._on_moved)
        engine.states_moving.connect(self._on_moving)
        engine.states_moved.connect(
            lambda folder, originals: storage.switch("states_folder", folder, originals)
        )
        engine.disk_failed.connect(self._window.show_failure)

    def apply(self) -> None:
        """Let the pages begin as the settings say."""
        self._pages.chat.set_drawer_open(bool(self._settings.get("drawer_open")))
        self._apply_send_with()
        self._pages.models.ready.set_loras(self._settings.get("loras"))

    def _on_setting(self, name: str) -> None:
        get = self._settings.get
        if name in ("hub_endpoint", "proxy", "offline"):
            if get("offline"):
                self._downloads.pause_all()
            self._library.refresh_anew()
        elif name in ("models_folder", "model_folders"):
            self._library.rescan()
        elif name == "state_budget_bytes":
            self._engine.set_state_budget(get(name))
            self._storage.measure()
        elif name == "packed_budget_bytes":
            self._storage.prune_packed()
        elif name == "power_saving":
            self._engine.set_power_saving(get(name))
            self._library.set_power_saving(get(name))
            self._models.show_hardware()
        elif name == "send_with":
            self._apply_send_with()
        elif name == "strategy":
            self._models.take_strategy()
        elif name == "loras":
            self._pages.models.ready.set_loras(get(name))
        elif name == "language":
            self._window.say(self.tr("The language changes when Skein starts again"))

    def _apply_send_with(self) -> None:
        self._pages.chat.set_send_with(self._settings.get("send_with"))

    def _on_space_freed(self, _freed_bytes: int) -> None:
        self._storage.measure()

    def _on_folder_chosen(self, setting: str, folder: str) -> None:
        if not self._settings.is_written:
            self._window.show_failure(
                self.tr("In a safe start no folder can be moved."),
                self.tr("Its settings are forgotten at the end. Start as usual, then try again."),
            )
        elif setting == "states_folder":
            self._engine.move_states(Path(folder))
        elif self._downloads.busy:
            self._window.show_failure(
                self.tr("The folder cannot be moved while a model is downloaded."),
                self.tr("Wait for the download or pause it, then try again."),
            )
        else:
            self._storage.move_models(folder)

    def _on_moving(self, fraction: float) -> None:
        self._window.say(self.tr("Moving: {0} %").format(int(fraction * 100)))

    def _on_moved(self, folder: str) -> None:
        self._storage.measure()
        self._window.say(self.tr("Moved to {0}").format(folder))
