"""The composition root: the only place that constructs and connects.

``build`` makes everything and enters no event loop, so that a test or a screenshot script drives
the real thing. What is slow (torch, the hub, the machine's speed) begins with the event loop,
once the window is up.
"""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from app.chat.page import ChatPage
from app.gui_collector import GuiCollector
from app.lora_desk import LoraDesk
from app.models.chat import ChatModel
from app.models.conversations import ConversationModel
from app.models.model_names import model_title
from app.models.persona_list import PersonaList
from app.models.units import size_text, speed_text
from app.pages.models_page import ModelsPage
from app.pages.settings_page import SettingsPage
from app.services.arrivals import Arrivals
from app.services.downloads import DownloadService
from app.services.drafts import DraftKeeper
from app.services.engine import EngineService, LoadedModel
from app.services.hub import HubAccess
from app.services.library import ModelLibrary, this_machine
from app.services.storage import StorageService
from app.services.tasks import Tasks
from app.settings import SettingsStore
from app.theme import Theme
from app.translation import install_translation
from app.window import MainWindow
from engine.built_in import built_in_model
from engine.errors import EngineError
from engine.folders import Folders
from engine.store import Store
from engine.strategy import Strategy
from engine.templates import load_templates

if TYPE_CHECKING:
    from engine.recognition import Recognised

log = logging.getLogger(__name__)

RESTYLE_MS = 60

START_DELAY_MS = 120
"""The window has been drawn by then; torch's import would make it wait."""


def build(
    argv: Sequence[str], *, built_in: Callable[[], Path | None] = built_in_model
) -> "Application":
    """Construct the application. argv: the program's name, then a model file to open, if any.

    built_in: finds the model that came with Skein; it may return None.
    Raises StoreError when the chats cannot be opened.
    """
    qt_app = QApplication.instance()
    if not isinstance(qt_app, QApplication):
        qt_app = QApplication(list(argv[:1]) or ["skein"])
    qt_app.setApplicationName("Skein")
    qt_app.setDesktopFileName("skein")
    files = [Path(name).absolute() for name in argv[1:] if not name.startswith("-")]
    return Application(qt_app, Folders.standard(), files, built_in())


class Application(QObject):
    """Everything, by name. ``close`` ends it in good order; it may be called twice.

    built_in: the file of the model that came with Skein, which is loaded when no other is; None
    in an installation without it.
    """

    def __init__(
        self,
        qt_app: QApplication,
        folders: Folders,
        files: Sequence[Path] = (),
        built_in: Path | None = None,
    ) -> None:
        super().__init__()
        folders.create()
        self.qt_app = qt_app
        self.folders = folders
        self.built_in = built_in
        self.loaded: LoadedModel | None = None
        self._downloaded: Path | None = None
        """To be loaded as soon as the built-in model has finished its reply."""
        self._last_notice = ""
        """What the backend said when it was loaded last: said again only when it changes."""
        self._deleted_open: int | None = None
        """The chat that was open when it was deleted: Undo opens it again."""
        self._closed = False
        self._collector = GuiCollector(self)
        self._construct_services()
        self._construct_widgets()
        self._connect_engine()
        self._connect_chat()
        self._connect_models()
        self._connect_arrivals()
        self._connect_window()
        self._connect_settings()
        self._restore(files)
        QTimer.singleShot(START_DELAY_MS, self, self._start)

    # ---- constructing ---------------------------------------------------------------------

    def _construct_services(self) -> None:
        folders = self.folders
        self.settings = SettingsStore(folders.settings_file, self)
        install_translation(self.qt_app, self.settings.get("language"))
        self.theme = Theme(self)
        self._apply_theme()
        # Ten quick steps of the text's size are one change of all widgets, not ten.
        self._restyle = QTimer(self, singleShot=True, interval=RESTYLE_MS)
        self._restyle.timeout.connect(self._apply_theme)
        self.store = Store.open(folders.database)
        self.tasks = Tasks(parent=self)
        self.hub = HubAccess(folders, lambda: self.settings.values, self.built_in)
        self.engine = EngineService(
            folders.states_of(self.settings.values),
            folders.cache,
            self.store,
            self.settings.get("state_budget_bytes"),
            self,
        )
        self.engine.set_power_saving(self.settings.get("power_saving"))
        self.chat = ChatModel(self.store, self.engine, self)
        self.personas = PersonaList(self.engine, self)
        self.conversations = ConversationModel(self.store, self)
        self.library = ModelLibrary(
            self.hub,
            this_machine(folders.cache),
            self.hub.places,
            self.tasks,
            self,
            self.built_in,
        )
        self.arrivals = Arrivals(self.tasks, self.library, self)
        self.downloads = DownloadService(folders.data / "downloads.json", self.hub.transfer, self)
        self.storage = StorageService(folders, self.store, self.settings, self.tasks, self)

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
        self.settings_page = SettingsPage(self.theme, self.settings, self.folders)
        pages = {
            "chat": self.chat_page,
            "models": self.models_page,
            "settings": self.settings_page,
        }
        self.window = MainWindow(
            self.theme, self.settings, self.conversations, pages, self.store.conversations
        )
        self.loras = LoraDesk(self.theme, self.window, self.settings)

    # ---- connecting -----------------------------------------------------------------------

    def _connect_engine(self) -> None:
        engine = self.engine
        engine.model_loading.connect(self.chat_page.show_loading)
        engine.model_loading.connect(self.models_page.set_loading)
        engine.model_ready.connect(self._on_model_ready)
        engine.model_ejected.connect(self._on_model_ejected)
        engine.model_failed.connect(self._on_model_failed)

    def _connect_chat(self) -> None:
        chat, page = self.chat, self.chat_page
        chat.conversation_opened.connect(self._on_conversation_opened)
        chat.conversations_changed.connect(self.conversations.refresh)
        chat.title_changed.connect(self._on_title)
        chat.writing_changed.connect(self.conversations.set_busy)
        chat.writing_changed.connect(self._load_downloaded)
        chat.failed.connect(self._on_failed)
        chat.path_left.connect(self._on_path_left)
        chat.deleted.connect(self._on_message_deleted)
        chat.state_known.connect(self._on_state_known)
        page.load_requested.connect(self.load)
        page.load_with_requested.connect(self.load)
        page.eject_requested.connect(self.engine.eject)
        page.models_requested.connect(lambda: self.window.show_page("models"))
        page.suggestion_taken.connect(self._on_suggestion_taken)
        page.drawer_toggled.connect(lambda is_open: self.settings.set("drawer_open", is_open))
        page.said.connect(self.window.say)
        page.files_given.connect(self.open_files)

    def _connect_models(self) -> None:
        page = self.models_page
        page.load_requested.connect(self.load)
        page.load_with_requested.connect(self.load)
        page.eject_requested.connect(self.engine.eject)
        page.file_opened.connect(self._on_file_opened)
        page.files_given.connect(self.open_files)
        page.loras_requested.connect(self.loras.edit)
        self.loras.load_wanted.connect(self.load)
        self.loras.failed.connect(self._on_failed)
        self.downloads.finished.connect(self._on_downloaded)
        for signal in (self.downloads.changed, self.downloads.removed, self.downloads.finished):
            signal.connect(self._show_recommendation)
        self.library.available_changed.connect(self._show_recommendation)
        self.library.hardware_changed.connect(self._show_hardware)

    def _connect_arrivals(self) -> None:
        arrivals = self.arrivals
        arrivals.models_given.connect(self._open_models)
        arrivals.folder_given.connect(self._on_folder_given)
        arrivals.loras_given.connect(self.loras.offer)
        if self.chat_page.personas is not None:
            arrivals.states_given.connect(self.chat_page.personas.offer)
        arrivals.refused.connect(self._on_failed)

    def _connect_window(self) -> None:
        window = self.window
        window.new_chat_requested.connect(self._on_new_chat)
        window.chat_chosen.connect(self.chat.open)
        window.command.connect(self._on_command)
        window.page_changed.connect(self._on_page)
        window.closing.connect(self.close)
        window.drops.files_dropped.connect(self.open_files)
        window.drops.address_dropped.connect(self._on_address)
        self.conversations.deleted.connect(self._on_conversation_deleted)
        self.conversations.restored.connect(self._on_conversation_restored)

    def _connect_settings(self) -> None:
        page = self.settings_page
        self.settings.changed.connect(self._on_setting)
        page.folder_chosen.connect(self._on_folder_chosen)
        page.token_entered.connect(self.storage.keep_token)
        page.free_space_requested.connect(self.engine.free_space)
        page.clear_packed_requested.connect(self.storage.clear_packed)
        page.look_again_requested.connect(self.library.look_again)
        page.report_requested.connect(lambda: self.window.show_report())
        self.engine.space_freed.connect(self._on_space_freed)
        self.storage.measured.connect(page.show_storage)
        self.storage.token_known.connect(page.show_token)
        self.storage.failed.connect(self._on_failed)
        self.storage.moving.connect(self._on_moving)
        self.storage.moved.connect(self._on_moved)
        self.engine.states_moving.connect(self._on_moving)
        self.engine.states_moved.connect(
            lambda folder, originals: self.storage.switch("states_folder", folder, originals)
        )
        self.engine.disk_failed.connect(self._on_failed)

    # ---- starting and ending --------------------------------------------------------------

    def _restore(self, files: Sequence[Path]) -> None:
        """Show what was open last; what is missing is passed over."""
        self.store.recover()
        if self.store.notice:
            self.window.show_notice(self.store.notice, tone="warning")
        self.conversations.refresh()
        self.chat_page.set_drawer_open(bool(self.settings.get("drawer_open")))
        self._apply_send_with()
        self.models_page.ready.set_loras(self.settings.get("loras"))
        chats = self.conversations.chats()
        last = self.settings.get("last_conversation")
        if any(chat.id == last for chat in chats):
            self.chat.open(last)
        elif chats:
            self.chat.take_settings_of(max(chats, key=lambda chat: chat.updated).id)
        self.chat_page.set_drafts(self.drafts.load())
        self.library.set_strategy(self._strategy())
        if files:
            self.open_files(files)
        elif model := self._model_of_the_start():
            self.load(model)
        self.chat_page.take_focus()

    def _model_of_the_start(self) -> Path | None:
        """Return the model of the last time, else the built-in one; None when none is wanted."""
        if not self.settings.get("load_last_model"):
            return None
        last = Path(self.settings.get("last_model"))
        return last if last.exists() and last.name else self.built_in

    def _start(self) -> None:
        """Begin what is slow."""
        if self._closed:
            return
        self.engine.start()
        self.library.start()
        # What was deleted in an earlier run can no longer be undone: it goes for good.
        now = time.time()
        self.tasks.run_in_background(lambda: self.store.purge_deleted(now))

    def close(self) -> None:
        """Stop writing with its state kept, end the threads, save what is open."""
        if self._closed:
            return
        self._closed = True
        self.chat_page.drawer.flush()
        self.drafts.close()
        self.settings.flush()
        self.chat.close()
        self.downloads.close()
        self.chat_page.close()
        self.tasks.close()
        self.engine.close()
        self.store.close()
        self._collector.close()

    # ---- models ---------------------------------------------------------------------------

    def open_files(self, files: Sequence[Path]) -> None:
        """Look at whatever somebody hands over, then load, list or offer it, or say what it is."""
        self.arrivals.take(files)

    def _open_models(self, paths: Sequence[Path]) -> None:
        """List models where they are, and load the first one, if it is not the one in use."""
        self.models_page.open_files(paths)
        in_use = self.loaded.info.path if self.loaded else None
        if paths[0] != in_use:  # to load it again would end the reply that it writes
            self.load(paths[0])

    def _on_folder_given(self, found: "Recognised") -> None:
        self._on_file_opened(found.path)
        self.window.show_page("models")
        self.models_page.show_tab("ready")
        self.window.say(
            self.tr("Models of {0} are listed now: {1}").format(found.path.name, found.models)
        )

    def _on_address(self, address: str) -> None:
        self.window.show_page("models")
        self.models_page.look_up(address)

    def load(self, path: Path, strategy: str = "") -> None:
        """Load a model with a strategy, or with that of the settings."""
        own = self.settings.get("strategies")
        if strategy:
            self.settings.set("strategies", {**own, path.name: strategy})
        chosen = self._strategy(strategy or own.get(path.name, ""))
        self.engine.load(path, chosen, self.loras.uses_of(path))

    def _strategy(self, text: str = "") -> Strategy:
        """Return a strategy as it was saved, by default for all models."""
        try:
            return Strategy.parse(text or self.settings.get("strategy"))
        except EngineError as error:
            log.warning("The saved strategy was not understood: %s", error.message)
            return Strategy.parse("auto")

    def _on_model_ready(self, model: LoadedModel) -> None:
        self.loaded = model
        self._downloaded = None
        path = model.info.path
        # Not resolved: in the hub's cache a file's own name says nothing.
        self.settings.set("last_model", str(path.absolute()))
        self.models_page.set_loaded(path)
        self.loras.set_loaded(path)
        self.arrivals.set_used(model.info)
        self.chat_page.show_loaded(model)
        self._show_hardware()
        self._miss_cpu_engine(model)
        if model.notice and model.notice != self._last_notice:
            self._last_notice = model.notice
            self.window.show_notice(model.notice, tone="warning")

    def _miss_cpu_engine(self, model: LoadedModel) -> None:
        """Say, once for good, that torch does what the native engine would do faster."""
        hardware = self.library.hardware
        missed = hardware is not None and not hardware.native and model.backend == "torch"
        whole = bool(model.plan.strategy.native_weights)
        if missed and whole and not self.settings.get("cpu_engine_missed"):
            self.settings.set("cpu_engine_missed", True)
            self.window.miss_cpu_engine()

    def _on_model_ejected(self) -> None:
        self.loaded = None
        self.settings.set("last_model", "")
        self.models_page.set_loaded(None)
        self.loras.set_loaded(None)
        self.arrivals.set_used(None)
        self.chat_page.show_ejected()
        self._show_hardware()

    def _on_model_failed(self, path: Path, message: str, hint: str, suggestion: str) -> None:
        if self.loaded is not None:  # the model in use stays in use
            self.chat_page.show_loaded(self.loaded)
        else:
            self.chat_page.show_ejected()
        self.chat_page.show_failed(path, message, hint, suggestion)
        self.models_page.set_loaded(self.loaded.info.path if self.loaded else None)
        self.models_page.show_load_error(path, message, hint, suggestion)

    def _on_file_opened(self, path: Path) -> None:
        """A file outside the known folders stays listed, where it is."""
        known = self.settings.get("model_folders")
        folders = {str(self.hub.models_folder()), *known}
        if path == self.built_in:
            return
        if str(path) not in folders and str(path.parent) not in folders:
            self.settings.set("model_folders", (*known, str(path)))

    def _on_downloaded(self, _key: str, path: Path) -> None:
        self.library.rescan()
        text = self.tr("Downloaded {0}").format(path.name)
        if self.loaded is None or self.loaded.info.path == self.built_in:
            self._downloaded = path
            self._load_downloaded()
            self.window.say(text)
        else:
            self.window.say(text, lambda: self.load(path), self.tr("Load"))

    def _load_downloaded(self, *_: object) -> None:
        """Load what was downloaded, but in the middle of no reply."""
        if self._downloaded is not None and not self.conversations.busy_ids:
            path, self._downloaded = self._downloaded, None
            self.load(path)

    def _on_suggestion_taken(self, key: str) -> None:
        for model in self.library.available:
            if model.id == key:
                self.downloads.start(model.remote)
                self.window.show_page("models")
                self.models_page.show_tab("available")

    def _show_recommendation(self, *_: object) -> None:
        for model in self.library.available:
            if model.id == self.library.recommended and model.plan is not None:
                speed = speed_text(model.plan.write_tokens_per_s)
                facts = f"{size_text(model.remote.size_bytes)} · {speed}"
                self.chat_page.set_recommendation(
                    model.id,
                    model.remote.title,
                    facts,
                    model.plan.reason,
                    on_its_way=self.downloads.entry(model.id) is not None,
                )
                return
        self.chat_page.set_recommendation("", "", "", "")

    def _show_hardware(self) -> None:
        if self.library.hardware is not None:
            plan = self.loaded.plan if self.loaded else None
            name = self.loaded.info.name if self.loaded else ""
            if self.loaded is not None and self.loaded.info.path == self.built_in:
                name = model_title(name)
            self.settings_page.show_hardware(self.library.hardware, plan, name)

    # ---- chats ----------------------------------------------------------------------------

    def _on_new_chat(self) -> None:
        self.chat.open(None)
        self.chat_page.take_focus()

    def _on_conversation_opened(self, conversation: int | None) -> None:
        self.settings.set("last_conversation", conversation or 0)
        self.conversations.refresh()
        self.conversations.set_open(conversation)

    def _on_conversation_deleted(self, conversation: int, _title: str) -> None:
        self.chat.stop_in(conversation)
        if conversation == self.chat.conversation:
            self.chat.open(None)
            self._deleted_open = conversation

    def _on_conversation_restored(self, conversation: int) -> None:
        if conversation == self._deleted_open and self.chat.conversation is None:
            self.chat.open(conversation)

    def _on_title(self, title: str) -> None:
        self.window.setWindowTitle(f"{title} - Skein" if title else "Skein")

    def _on_path_left(self, node: int) -> None:
        self.window.say(
            self.tr("The next message begins a new branch"),
            lambda: self.chat.show_node(node),
            self.tr("Go back"),
        )

    def _on_message_deleted(self, token: int) -> None:
        self.window.say(self.tr("Deleted"), lambda: self.chat.restore(token))

    def _on_state_known(self, tokens_read: int, saved: bool) -> None:
        size = self.loaded.info.shape.state_bytes if self.loaded else 0
        self.chat_page.drawer.show_state(tokens_read=tokens_read, size_bytes=size, saved=saved)

    # ---- the window and the settings ------------------------------------------------------

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

    def _on_setting(self, name: str) -> None:
        if name in ("theme", "text_scale"):
            self._restyle.start()
        elif name in ("hub_endpoint", "proxy", "offline"):
            if self.settings.get("offline"):
                self.downloads.pause_all()
            self.library.refresh_anew()
        elif name in ("models_folder", "model_folders"):
            self.library.rescan()
        elif name == "state_budget_bytes":
            self.engine.set_state_budget(self.settings.get(name))
            self.storage.measure()
        elif name == "packed_budget_bytes":
            self.storage.prune_packed()
        elif name == "power_saving":
            self.engine.set_power_saving(self.settings.get(name))
        elif name == "send_with":
            self._apply_send_with()
        elif name == "strategy":
            self._on_strategy()
        elif name == "loras":
            self.models_page.ready.set_loras(self.settings.get("loras"))
        elif name == "language":
            self.window.say(self.tr("The language changes when Skein starts again"))

    def _apply_theme(self) -> None:
        settings = self.settings
        self.theme.apply(self.qt_app, settings.get("theme"), settings.get("text_scale"))

    def _apply_send_with(self) -> None:
        self.chat_page.set_send_with(self.settings.get("send_with"))

    def _on_strategy(self) -> None:
        self.settings.set("strategies", {})  # it holds for all models again
        self.library.set_strategy(self._strategy())
        if self.loaded is not None:
            path = self.loaded.info.path
            self.window.say(
                self.tr("Holds from the next load on"),
                lambda: self.load(path),
                self.tr("Load again"),
            )

    def _on_space_freed(self, _freed_bytes: int) -> None:
        self.storage.measure()

    def _on_failed(self, message: str, hint: str) -> None:
        self.window.show_notice(message, hint, tone="danger")

    def _on_folder_chosen(self, setting: str, folder: str) -> None:
        if setting == "states_folder":
            self.engine.move_states(Path(folder))
        elif self.downloads.busy:
            self._on_failed(
                self.tr("The folder cannot be moved while a model is downloaded."),
                self.tr("Wait for the download or pause it, then try again."),
            )
        else:
            self.storage.move_models(folder)

    def _on_moving(self, fraction: float) -> None:
        self.window.say(self.tr("Moving: {0} %").format(int(fraction * 100)))

    def _on_moved(self, folder: str) -> None:
        self.storage.measure()
        self.window.say(self.tr("Moved to {0}").format(folder))
