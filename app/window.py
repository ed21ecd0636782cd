"""The window: sidebar beside a stack of pages, with what floats over both.

Pages come in through the constructor, so that the shell runs without any of them. The window
does what concerns only itself (panes, sidebar, zoom, theme, palette, keys) and passes every other
command on by ``command``; it knows no engine.
"""

from collections.abc import Callable, Mapping

from PySide6.QtCore import QByteArray, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from app.command_palette import CommandPalette
from app.crash import CrashLog
from app.models.conversations import ConversationModel
from app.notices import Notices
from app.settings import SettingsStore
from app.shortcuts import Shortcuts
from app.sidebar import Sidebar
from app.theme import LARGEST_SCALE, SMALLEST_SCALE, Theme
from app.widgets.crash_report import CrashReport
from app.widgets.drop_area import DropArea
from app.widgets.keys_list import KeysOverlay
from app.widgets.notice import Notice
from app.widgets.toast import Toast
from engine.errors import StoreError
from engine.store import Conversation

ZOOM_STEP = 0.1


class MainWindow(QMainWindow):
    """``pages``: widgets by name ("chat", "models", "settings"), the first one is shown."""

    new_chat_requested = Signal()
    chat_chosen = Signal(int)
    command = Signal(str)
    """A command of app.shortcuts that is not the window's own: choose_model, edit_last,
    regenerate, stop, toggle_drawer."""
    page_changed = Signal(str)
    closing = Signal()
    _crashed = Signal(str)

    def __init__(
        self,
        theme: Theme,
        settings: SettingsStore,
        conversations: ConversationModel,
        pages: Mapping[str, QWidget],
        find_chats: Callable[[str], list[Conversation]],
    ) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self.setWindowTitle("Skein")
        self.setWindowIcon(theme.app_icon())
        self._theme = theme
        self._settings = settings
        self._conversations = conversations
        self._find_chats = find_chats
        self.pages = dict(pages)
        self.sidebar = Sidebar(theme, conversations)
        self._stack = QStackedWidget()
        self.notice = Notice(theme)
        self._lay_out()
        self.toast = Toast(theme, self, over=self._stack)
        self.drops = DropArea(theme, self)
        self.shortcuts = Shortcuts(self)
        self._palette: CommandPalette | None = None
        self._keys: KeysOverlay | None = None
        self._report: CrashReport | None = None
        self._crash: CrashLog | None = None
        self._connect()
        self._restore()
        self.show_page(next(iter(self.pages)))
        # Otherwise Qt puts a focus ring on the first button before anybody pressed Tab.
        self._stack.setFocus(Qt.FocusReason.OtherFocusReason)

    # ---- building -------------------------------------------------------------------------

    def _lay_out(self) -> None:
        right = QWidget()
        right.setProperty("surface", "surface")
        right.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        frame = QWidget()
        banner = QVBoxLayout(frame)
        banner.setContentsMargins(16, 12, 16, 4)
        banner.addWidget(self.notice)
        self.notices = Notices(self.notice, frame)
        column.addWidget(frame)
        column.addWidget(self._stack, 1)
        for page in self.pages.values():
            self._stack.addWidget(page)
        whole = QWidget()
        across = QHBoxLayout(whole)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(0)
        across.addWidget(self.sidebar)
        across.addWidget(right, 1)
        self.setCentralWidget(whole)
        self.setMinimumSize(640, 440)

    def _connect(self) -> None:
        self.sidebar.page_requested.connect(self.show_page)
        self.sidebar.toggle_requested.connect(self.toggle_sidebar)
        self.sidebar.new_chat_requested.connect(self._on_new_chat)
        self.sidebar.chat_chosen.connect(self._on_chat_chosen)
        self._conversations.deleted.connect(self._on_deleted)
        self._conversations.failed.connect(self.show_failure)
        self._settings.failed.connect(self.show_failure)
        self._crashed.connect(self._on_crashed)
        for command_id, action in self.shortcuts.actions.items():
            action.triggered.connect(
                lambda _checked=False, command_id=command_id: self._on_command(command_id)
            )

    def _restore(self) -> None:
        self.resize(1180, 780)
        saved = self._settings.get("window_geometry")
        if saved:
            self.restoreGeometry(QByteArray.fromBase64(saved.encode("ascii", "ignore")))
        self.sidebar.set_open(bool(self._settings.get("sidebar_open")))

    # ---- what others use ------------------------------------------------------------------

    @property
    def page(self) -> str:
        """The name of the page that is shown."""
        shown = self._stack.currentWidget()
        return next(name for name, page in self.pages.items() if page is shown)

    def show_page(self, name: str) -> None:
        """Show a page; a name that is not there is ignored."""
        if name in self.pages:
            self._stack.setCurrentWidget(self.pages[name])
            self.sidebar.show_page(name)
            self.page_changed.emit(name)

    def say(
        self, text: str, action: Callable[[], None] | None = None, action_text: str = ""
    ) -> None:
        """Show a short message at the bottom, with one button (Undo) when there is an action."""
        self.toast.say(text, action, action_text)

    def show_notice(
        self,
        message: str,
        hint: str = "",
        *,
        tone: str = "info",
        actions: tuple[tuple[str, Callable[[], None]], ...] = (),
    ) -> None:
        """Show a banner over the page, until it is closed; ``notices`` says which goes first."""
        self.notices.show(message, hint, tone=tone, actions=actions)

    def show_failure(self, message: str, hint: str) -> None:
        """Show a banner about something that went wrong."""
        self.show_notice(message, hint, tone="danger")

    def miss_cpu_engine(self) -> None:
        """Say that this installation lacks the native engine, and what to do."""
        self.show_notice(
            self.tr("Skein's engine for processors is missing here; PyTorch computes instead."),
            self.tr("All works, but slower. Install a C++ compiler, then install Skein again."),
        )

    def watch_crashes(self, crash: CrashLog) -> None:
        """Offer the report of the last run, and say so when something fails in this one."""
        self._crash = crash
        crash.on_report = self._crashed.emit
        if crash.previous:
            self.show_notice(
                self.tr("Skein did not end well last time."),
                self.tr("Chats are saved while they are written. The report says what happened."),
                tone="warning",
                actions=((self.tr("Show report"), lambda: self.show_report(crash.previous)),),
            )

    def show_report(self, report: str | None = None) -> None:
        """Show a crash report; without one, the newest that there is."""
        if report is None:
            report = self._crash.last() if self._crash is not None else ""
        if self._report is None:
            self._report = CrashReport(self._theme, self)
        self._report.open_report(report)

    def bring_to_front(self) -> None:
        """Raise the window, also from the task bar."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def toggle_sidebar(self) -> None:
        """Fold or unfold the sidebar, and remember it."""
        self.sidebar.set_open(not self.sidebar.is_open)
        self._settings.set("sidebar_open", self.sidebar.is_open)

    def zoom(self, step: int) -> None:
        """Make the text larger (1) or smaller (-1); 0 is the normal size."""
        scale = 1.0 if step == 0 else round(self._settings.get("text_scale") + step * ZOOM_STEP, 2)
        self._settings.set("text_scale", min(max(scale, SMALLEST_SCALE), LARGEST_SCALE))

    # ---- commands -------------------------------------------------------------------------

    def _on_command(self, command_id: str) -> None:
        own: dict[str, Callable[[], None]] = {
            "new_chat": self._on_new_chat,
            "search": self._open_palette,
            "page_chat": lambda: self.show_page("chat"),
            "page_models": lambda: self.show_page("models"),
            "page_settings": lambda: self.show_page("settings"),
            "toggle_sidebar": self.toggle_sidebar,
            "rename_chat": self._on_rename,
            "zoom_in": lambda: self.zoom(1),
            "zoom_out": lambda: self.zoom(-1),
            "zoom_reset": lambda: self.zoom(0),
            "toggle_dark": self._on_toggle_dark,
            "keys": self._open_keys,
            "quit": lambda: (self.close(), None)[1],
        }
        if command_id in own:
            own[command_id]()
        else:
            self.command.emit(command_id)

    def _on_new_chat(self) -> None:
        self.show_page("chat")
        self.new_chat_requested.emit()

    def _on_chat_chosen(self, conversation: int) -> None:
        self.show_page("chat")
        self.chat_chosen.emit(conversation)

    def _on_rename(self) -> None:
        conversation = self._conversations.open_id
        if conversation is not None:
            if not self.sidebar.is_open:
                self.toggle_sidebar()
            self.sidebar.list.start_rename(conversation)

    def _on_toggle_dark(self) -> None:
        self._settings.set("theme", "light" if self._theme.is_dark else "dark")

    def _open_palette(self) -> None:
        if self._palette is None:
            self._palette = CommandPalette(self._theme, self._safe_find, self)
            self._palette.command_chosen.connect(self.shortcuts.run)
            self._palette.chat_chosen.connect(self._on_chat_chosen)
        self._palette.open_palette()

    def _safe_find(self, text: str) -> list[Conversation]:
        try:
            return self._find_chats(text)
        except StoreError as error:
            self.show_failure(error.message, error.hint)
            return []

    def _open_keys(self) -> None:
        if self._keys is None:
            self._keys = KeysOverlay(self._theme, self)
        self._keys.open_keys()

    def _on_deleted(self, conversation: int, title: str) -> None:
        self.say(
            self.tr("Deleted “{0}”").format(_shortened(title)),
            lambda: self._conversations.restore(conversation),
        )

    def _on_crashed(self, report: str) -> None:
        self.show_notice(
            self.tr("Something unexpected went wrong."),
            self.tr("You can go on. If Skein behaves strangely, start it again."),
            tone="danger",
            actions=((self.tr("Show report"), lambda: self.show_report(report)),),
        )

    # ---- Qt -------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Esc reaches the window only when nothing inside had a use for it.
        if event.key() == Qt.Key.Key_Escape:
            self.shortcuts.run("stop")
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.sidebar.fit(self.size())

    def closeEvent(self, event: QCloseEvent) -> None:
        geometry = bytes(self.saveGeometry().toBase64().data()).decode("ascii")
        self._settings.set("window_geometry", geometry)
        self.hide()  # at once: what is under way may take a moment to end
        self.closing.emit()
        event.accept()


def _shortened(title: str) -> str:
    return title if len(title) <= 40 else title[:39] + "…"
