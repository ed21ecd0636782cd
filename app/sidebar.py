"""The left side of the window: new chat, search, the chats, and the way to the panes.

Folds to a rail of icons, so that nothing is ever out of reach. Emits what the user wants; knows
neither the pages nor the engine.
"""

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from app.models.conversations import ConversationModel
from app.theme import Theme
from app.widgets.chat_list import ChatList
from app.widgets.empty import EmptyState
from app.widgets.nav_button import NavButton
from app.widgets.parts import icon_button, label, on_theme, row
from app.widgets.search_field import SearchField

WIDTH = 248
LOW_HEIGHT = 420
SEARCH_DELAY_MS = 120


class Sidebar(QWidget):
    """Two columns in one: open with words, or folded to icons (``set_open``)."""

    new_chat_requested = Signal()
    chat_chosen = Signal(int)
    page_requested = Signal(str)
    toggle_requested = Signal()

    def __init__(
        self, theme: Theme, conversations: ConversationModel, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self.setAccessibleName(self.tr("Sidebar"))
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = theme
        self._conversations = conversations
        self.is_open = True
        self._search_timer = QTimer(self, singleShot=True, interval=SEARCH_DELAY_MS)
        self._search_timer.timeout.connect(self._on_search)
        self._build_head()
        self._build_chats()
        self._build_navigation()
        self._lay_out()
        self.set_open(True)
        on_theme(theme, self._dress)

    # ---- building -------------------------------------------------------------------------

    def _build_head(self) -> None:
        self._mark = QLabel()
        self._name = label(self.tr("Skein"), "heading")
        self.toggle = icon_button(
            self._theme, "sidebar", "sidebar_toggle", self.tr("Fold sidebar"), keys="Ctrl+B"
        )
        self.toggle.clicked.connect(self.toggle_requested)
        self.new_chat = NavButton(
            self._theme, "new_chat", "new_chat_button", self.tr("New chat"), "Ctrl+N"
        )
        self.new_chat.clicked.connect(self.new_chat_requested)
        self.search = SearchField(self._theme, "chat_search", self.tr("Search chats"))
        self.search.textChanged.connect(lambda _text: self._search_timer.start())
        self.search.installEventFilter(self)

    def _build_chats(self) -> None:
        self.list = ChatList(self._theme, self._conversations)
        self.list.chosen.connect(self.chat_chosen)
        self._empty = EmptyState(self._theme, "chat", "")
        self._chats = QStackedWidget()
        self._chats.addWidget(self.list)
        self._chats.addWidget(self._empty)
        self._conversations.modelReset.connect(self._on_reset)
        self._on_reset()

    def _build_navigation(self) -> None:
        names = (
            ("chat", "nav_chat", self.tr("Chat"), "Ctrl+1"),
            ("models", "nav_models", self.tr("Models"), "Ctrl+2"),
            ("settings", "nav_settings", self.tr("Settings"), "Ctrl+3"),
        )
        self.navigation: dict[str, NavButton] = {}
        for page, object_name, text, keys in names:
            button = NavButton(self._theme, page, object_name, text, keys)
            button.setCheckable(True)
            # The window decides which page is shown; a click alone checks nothing.
            button.clicked.connect(lambda _checked=False, page=page: self._on_navigation(page))
            self.navigation[page] = button

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 10, 9, 10)
        column.setSpacing(4)
        self._head = row(self._mark, self._name, spacing=8)
        self._head.addStretch(1)
        self._head.addWidget(self.toggle)
        column.addLayout(self._head)
        column.addSpacing(6)
        column.addWidget(self.new_chat)
        column.addWidget(self.search)
        column.addSpacing(2)
        column.addWidget(self._chats, 1)
        self._space = QWidget()
        column.addWidget(self._space, 1)
        column.addSpacing(4)
        self._foot = row(spacing=4)
        for button in self.navigation.values():
            self._foot.addWidget(button)
        column.addLayout(self._foot)

    def _dress(self) -> None:
        self._mark.setPixmap(self._theme.app_icon().pixmap(self._theme.px(24), self._theme.px(24)))
        self.fit(self.window().size())

    # ---- doing ----------------------------------------------------------------------------

    def set_open(self, is_open: bool) -> None:
        """Show everything, or only the rail of icons."""
        self.is_open = is_open
        for widget in (self._mark, self._name, self.search, self._chats):
            widget.setVisible(is_open)
        self._space.setVisible(not is_open)
        self._head.setContentsMargins(8 if is_open else 0, 0, 0, 0)
        self.new_chat.set_wide(is_open)
        name = self.tr("Fold sidebar") if is_open else self.tr("Unfold sidebar")
        self.toggle.setAccessibleName(name)
        self.toggle.setToolTip(f"{name}  (Ctrl+B)")
        self.fit(self.window().size())

    def fit(self, window: QSize) -> None:
        """Take the width that the text size wants and the window allows.

        In a low window the ways to the panes stand side by side: the chats get the height.
        """
        is_low = self.is_open and window.height() < self._theme.px(LOW_HEIGHT)
        direction = QBoxLayout.Direction
        self._foot.setDirection(direction.LeftToRight if is_low else direction.TopToBottom)
        for button in self.navigation.values():
            button.set_wide(self.is_open and not is_low)
        if self.is_open:
            self.setFixedWidth(min(self._theme.px(WIDTH), max(200, int(window.width() * 0.36))))
        else:
            self.setFixedWidth(self.toggle.sizeHint().width() + 17)

    def show_page(self, page: str) -> None:
        """Mark the page that the window shows."""
        for name, button in self.navigation.items():
            button.setChecked(name == page)

    def focus_search(self) -> None:
        """Put the keyboard into the search field."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def _on_navigation(self, page: str) -> None:
        self.navigation[page].setChecked(not self.navigation[page].isChecked())
        self.page_requested.emit(page)

    def _on_search(self) -> None:
        self._search_timer.stop()
        self._conversations.set_search(self.search.text())

    def _on_reset(self) -> None:
        searched = self._conversations.search
        if self._conversations.rowCount():
            self._chats.setCurrentWidget(self.list)
            return
        if searched:
            self._empty.say(
                self.tr("Nothing found"), self.tr("No chat holds “{0}”.").format(searched)
            )
        else:
            self._empty.say(
                self.tr("No chats yet"), self.tr("Write a message: it becomes the first chat.")
            )
        self._chats.setCurrentWidget(self._empty)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if (
            watched is self.search
            and isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and self._on_search_key(event)
        ):
            return True
        return super().eventFilter(watched, event)

    def _on_search_key(self, event: QKeyEvent) -> bool:
        key = event.key()
        if key == Qt.Key.Key_Escape and self.search.text():
            self.search.clear()
            return True
        if key in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._on_search()
            return self._into_list(choose=key != Qt.Key.Key_Down)
        return False

    def _into_list(self, choose: bool) -> bool:
        chats = self._conversations.chats()
        if not chats:
            return False
        self.list.setCurrentIndex(self._conversations.index_of(chats[0].id))
        if choose:
            self.chat_chosen.emit(chats[0].id)
        else:
            self.list.setFocus(Qt.FocusReason.TabFocusReason)
        return True
