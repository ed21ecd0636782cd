"""All of chats in the window: which one is open, deleted and brought back, what the toast offers.

Brings the chat, the list of chats and the window together; replies are the chat model's business.
"""

from PySide6.QtCore import QObject

from app.chat.page import ChatPage
from app.model_desk import ModelDesk
from app.models.chat import ChatModel
from app.models.conversations import ConversationModel
from app.settings import SettingsStore
from app.window import MainWindow


class ChatDesk(QObject):
    """Connects itself; ``open_last`` shows what was open when Skein was closed."""

    def __init__(
        self,
        window: MainWindow,
        page: ChatPage,
        settings: SettingsStore,
        chat: ChatModel,
        conversations: ConversationModel,
        models: ModelDesk,
    ) -> None:
        super().__init__(window)
        self._window, self._page, self._settings = window, page, settings
        self._chat, self._conversations, self._models = chat, conversations, models
        self._deleted_open: int | None = None
        """The chat that was open when it was deleted: Undo opens it again."""
        self._connect()

    def _connect(self) -> None:
        chat, conversations, window = self._chat, self._conversations, self._window
        chat.conversation_opened.connect(self._on_opened)
        chat.conversations_changed.connect(conversations.refresh)
        chat.title_changed.connect(self._on_title)
        chat.writing_changed.connect(conversations.set_busy)
        chat.failed.connect(window.show_failure)
        chat.path_left.connect(self._on_path_left)
        # The branch has begun, or another path is shown: its way back would lead there.
        chat.message_added.connect(self._forget_path_left)
        chat.path_reset.connect(self._forget_path_left)
        chat.deleted.connect(self._on_message_deleted)
        chat.state_known.connect(self._on_state_known)
        conversations.deleted.connect(self._on_deleted)
        conversations.restored.connect(self._on_restored)
        window.new_chat_requested.connect(self._on_new_chat)
        window.chat_chosen.connect(chat.open)

    def open_last(self) -> None:
        """Open the chat of the last time; without it, a new one with the newest's settings."""
        self._conversations.refresh()
        chats = self._conversations.chats()
        last = self._settings.get("last_conversation")
        if any(chat.id == last for chat in chats):
            self._chat.open(last)
        elif chats:
            self._chat.take_settings_of(max(chats, key=lambda chat: chat.updated).id)

    def _on_new_chat(self) -> None:
        self._chat.open(None)
        self._page.take_focus()

    def _on_opened(self, conversation: int | None) -> None:
        self._settings.set("last_conversation", conversation or 0)
        self._conversations.refresh()
        self._conversations.set_open(conversation)

    def _on_deleted(self, conversation: int, _title: str) -> None:
        self._chat.stop_in(conversation)
        if conversation == self._chat.conversation:
            self._chat.open(None)
            self._deleted_open = conversation

    def _on_restored(self, conversation: int) -> None:
        if conversation == self._deleted_open and self._chat.conversation is None:
            self._chat.open(conversation)

    def _on_title(self, title: str) -> None:
        self._window.setWindowTitle(f"{title} - Skein" if title else "Skein")

    def _on_path_left(self, node: int) -> None:
        self._window.say(
            self._words_of_path_left(), lambda: self._chat.show_node(node), self.tr("Go back")
        )

    def _forget_path_left(self) -> None:
        self._window.toast.take_back(self._words_of_path_left())

    def _words_of_path_left(self) -> str:
        return self.tr("The next message begins a new branch")

    def _on_message_deleted(self, token: int) -> None:
        self._window.say(self.tr("Deleted"), lambda: self._chat.restore(token))

    def _on_state_known(self, tokens_read: int, saved: bool) -> None:
        loaded = self._models.loaded
        size = loaded.info.shape.state_bytes if loaded else 0
        self._page.drawer.show_state(tokens_read=tokens_read, size_bytes=size, saved=saved)
