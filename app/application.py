"""The composition root: the only place that constructs and connects.

``build`` makes everything and enters no event loop, so that a test or a screenshot script drives
the real thing. What is slow (torch, the hub, the machine's speed) begins with the event loop,
once the window is up.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from app.chat.page import ChatPage
from app.chat_desk import ChatDesk
from app.download_desk import DownloadDesk
from app.gpu_pack_desk import GpuPackDesk
from app.gui_collector import GuiCollector
from app.lora_desk import LoraDesk
from app.model_desk import ModelDesk, Pages
from app.models.chat import ChatModel
from app.models.conversations import ConversationModel
from app.models.persona_list import PersonaList
from app.pages.models_page import ModelsPage
from app.pages.settings_page import SettingsPage
from app.replaced import ReplacedWatch
from app.restart import Restart
from app.safe_start import tell_failed, tell_safe
from app.services.arrivals import Arrivals
from app.services.downloads import DownloadService
from app.services.drafts import DraftKeeper
from app.services.engine import EngineService, LoadedModel
from app.services.gpu_packs import GpuPackService
from app.services.hub import HubAccess
from app.services.library import ModelLibrary, this_machine
from app.services.storage import StorageService
from app.services.tasks import Tasks
from app.services.updates import UpdateService
from app.settings import SettingsStore
from app.settings_desk import Look, SettingsDesk
from app.theme import Theme
from app.translation import install_translation
from app.update_desk import UpdateDesk
from app.window import MainWindow
from engine.built_in import built_in_model
from engine.folders import Folders
from engine.installation import Installation
from engine.store import Store
from engine.templates import load_templates
from engine.updates.source import UpdateSource

START_DELAY_MS = 120
"""The window has been drawn by then; torch's import would make it wait."""


def build(
    argv: Sequence[str],
    *,
    built_in: Callable[[], Path | None] = built_in_model,
    safe: bool = False,
) -> "Application":
    """Construct the application. argv: the program's name, then files and folders to open.

    built_in: finds the model that came with Skein; it may return None. safe: see app.safe_start.
    Raises StoreError when the chats cannot be opened.
    """
    qt_app = QApplication.instance()
    if not isinstance(qt_app, QApplication):
        qt_app = QApplication(list(argv[:1]) or ["skein"])
    qt_app.setApplicationName("Skein")
    qt_app.setDesktopFileName("skein")
    files = [Path(name).absolute() for name in argv[1:] if not name.startswith("-")]
    return Application(qt_app, Folders.standard(), files, built_in(), safe=safe)


class Application(QObject):
    """Everything, by name. ``close`` ends it in good order; it may be called twice.

    built_in: the file of the model that came with Skein, which is loaded when no other is; None
    in an installation without it. safe: no card, settings that are not written, nothing loaded.
    """

    def __init__(
        self,
        qt_app: QApplication,
        folders: Folders,
        files: Sequence[Path] = (),
        built_in: Path | None = None,
        *,
        safe: bool = False,
    ) -> None:
        super().__init__()
        folders.create()
        self.safe = safe
        self.qt_app = qt_app
        self.folders = folders
        self.built_in = built_in
        self._closed = False
        self._collector = GuiCollector(self)
        self._construct_services()
        self._construct_widgets()
        self._construct_desks()
        self._connect()
        self._restore(files)
        QTimer.singleShot(START_DELAY_MS, self, self._start)

    # ---- constructing ---------------------------------------------------------------------

    def _construct_services(self) -> None:
        folders = self.folders
        self.settings = SettingsStore(folders.settings_file, self, is_safe=self.safe)
        install_translation(self.qt_app, self.settings.get("language"))
        self.theme = Theme(self)
        self.look = Look(self.qt_app, self.theme, self.settings)
        self.store = Store.open(folders.database)
        self.tasks = Tasks(parent=self)
        self.hub = HubAccess(folders, lambda: self.settings.values, self.built_in)
        self.engine = EngineService(
            folders.states_of(self.settings.values),
            folders.cache,
            self.store,
            self.settings.get("state_budget_bytes"),
            self,
            processor_only=self.safe,
        )
        self.engine.set_power_saving(self.settings.get("power_saving"))
        self.chat = ChatModel(self.store, self.engine, self)
        self.personas = PersonaList(self.engine, self)
        self.conversations = ConversationModel(self.store, self)
        self.library = ModelLibrary(
            self.hub,
            this_machine(folders.cache, processor_only=self.safe),
            self.hub.places,
            self.tasks,
            self,
            self.built_in,
        )
        self.library.set_power_saving(self.settings.get("power_saving"))
        self.arrivals = Arrivals(self.tasks, self.library, self)
        self.downloads = DownloadService(folders.data / "downloads.json", self.hub.transfer, self)
        self.packs = GpuPackService(folders, self.settings, self.tasks, self)
        self.storage = StorageService(folders, self.store, self.settings, self.tasks, self)
        self.updates = UpdateService(
            UpdateSource.built_in(),
            Installation.find(),
            folders,
            lambda: self.settings.values,
            self,
        )

    def _construct_widgets(self) -> None:
        self.models_page = ModelsPage(self.theme, self.library, self.downloads)
        self.chat_page = ChatPage(
            self.theme,
            self.chat,
            self.models_page.ready,
            load_templates(),
            built_in=self.built_in,
            personas=self.personas,
        )
        self.drafts = DraftKeeper(
            self.folders.data / "drafts.json", self.chat_page.drafts, self.tasks, self
        )
        self.settings_page = SettingsPage(
            self.theme, self.settings, self.folders, self.updates, self.packs
        )
        pages = {
            "chat": self.chat_page,
            "models": self.models_page,
            "settings": self.settings_page,
        }
        self.window = MainWindow(
            self.theme, self.settings, self.conversations, pages, self.store.conversations
        )
        self.restart = Restart(self.window.close)

    def _construct_desks(self) -> None:
        """Make what brings services and pages together; each desk connects itself."""
        pages = Pages(self.chat_page, self.models_page, self.settings_page)
        window, settings, engine, library = self.window, self.settings, self.engine, self.library
        self.loras = LoraDesk(self.theme, window, settings)
        self.models = ModelDesk(
            window,
            pages,
            settings,
            engine,
            library,
            self.hub,
            self.arrivals,
            self.loras,
            self.built_in,
        )
        self.chats = ChatDesk(
            window, self.chat_page, settings, self.chat, self.conversations, self.models
        )
        self.arriving = DownloadDesk(
            window, pages, self.models, self.downloads, library, engine, self.conversations
        )
        self.choices = SettingsDesk(
            window, pages, settings, self.models, engine, library, self.downloads, self.storage
        )
        self.gpu_pack = GpuPackDesk(
            window,
            self.settings_page,
            settings,
            library,
            self.packs,
            self.restart,
            safe=self.safe,
        )
        self.newer = UpdateDesk(
            window,
            self.settings_page,
            self.theme,
            settings,
            self.updates,
            self.restart,
            safe=self.safe,
        )
        self.replaced = ReplacedWatch(window, self.updates.installation, self.restart)

    # ---- connecting -----------------------------------------------------------------------

    def _connect(self) -> None:
        """Connect what no desk owns."""
        window, page = self.window, self.chat_page
        self.chat.writing_changed.connect(self.arriving.load_waiting)
        page.models_requested.connect(lambda: window.show_page("models"))
        page.said.connect(window.say)
        window.command.connect(self._on_command)
        window.page_changed.connect(self._on_page)
        window.closing.connect(self.close)
        self.engine.start_failed.connect(self._on_start_failed)
        window.drops.files_dropped.connect(self.open_files)
        window.drops.address_dropped.connect(self.models.look_up)

    # ---- starting and ending --------------------------------------------------------------

    def _restore(self, files: Sequence[Path]) -> None:
        """Show what was open last; what is missing is passed over."""
        self.store.recover()
        if self.store.notice:
            self.window.show_notice(self.store.notice, tone="warning")
        self.choices.apply()
        self.chats.open_last()
        self.chat_page.set_drafts(self.drafts.load())
        self.library.set_strategy(self.models.strategy())
        if self.safe:
            tell_safe(self.window, self.settings, self.restart)
        if files and not self.safe:
            self.models.begin_with(files)
        elif files:
            self.open_files(files)
        elif not self.safe:
            self.models.load_first()
        self.chat_page.take_focus()

    def _start(self) -> None:
        """Begin what is slow."""
        if self._closed:
            return
        self.engine.start()
        self.library.start()
        # What was deleted in an earlier run can no longer be undone: it goes for good.
        now = time.time()
        self.tasks.run_in_background(lambda: self.store.purge_deleted(now))
        self.newer.begin()

    def close(self) -> None:
        """Stop writing with its state kept, end the threads, save what is open."""
        if self._closed:
            return
        self._closed = True
        steps = (
            self.chat_page.drawer.flush,
            self.drafts.close,
            self.settings.flush,
            self.chat.close,
            self.downloads.close,
            self.packs.close,
            self.updates.close,
            self.chat_page.close,
            self.tasks.close,
            self.engine.close,
            self.store.close,
            self._collector.close,
        )
        with contextlib.ExitStack() as every:  # whatever one of them raises: a thread that goes on
            for step in reversed(steps):  # would keep the process for ever
                every.callback(step)

    # ---- what others use ------------------------------------------------------------------

    @property
    def loaded(self) -> LoadedModel | None:
        """The model in use."""
        return self.models.loaded

    def load(self, path: Path, strategy: str = "") -> None:
        """Load a model with a strategy, or with that of the settings."""
        self.models.load(path, strategy)

    def open_files(self, files: Sequence[Path]) -> None:
        """Look at whatever somebody hands over, then load, list or offer it, or say what it is."""
        self.models.open_files(files)

    def _on_start_failed(self, message: str, hint: str) -> None:
        tell_failed(self.window, self.restart, message, hint)

    # ---- the window -----------------------------------------------------------------------

    def _on_command(self, command: str) -> None:
        page = self.chat_page
        commands = {
            "choose_model": page.choose_model,
            "edit_last": page.edit_last,
            "regenerate": page.regenerate_last,
            "stop": page.stop,
            "toggle_drawer": page.toggle_drawer,
        }
        if command in commands:
            self.window.show_page("chat")
            commands[command]()

    def _on_page(self, page: str) -> None:
        if page == "settings":
            self.storage.measure()
        elif page == "chat":
            self.chat_page.take_focus()
