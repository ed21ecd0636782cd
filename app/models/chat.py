"""The open chat: the messages on its shown path, and what can be done with them.

Talks to the store (quick, on the GUI thread) and to the engine service. Knows no widget.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.models.message import ChatSettings, Message
from app.models.told import Teller, told
from engine.events import Event, Finished, Opened, Reading, ReplyStats, Token, Turn

if TYPE_CHECKING:
    from app.services.engine import EngineService, LoadedModel
    from engine.store import Node, Store

FLUSH_MS = 33
"""Tokens are shown together, about thirty times a second."""

_TITLE_LENGTH = 48


@dataclass(slots=True)
class _Live:
    """A reply that the engine is at work on, in this chat or in another."""

    conversation: int
    text: str = ""
    read: tuple[int, int] = (0, 0)


class ChatModel(Teller):
    """What the transcript shows. All indices are places in ``messages``.

    Whatever the user asks for tells a failing store by ``failed`` and then returns None.
    """

    path_reset = Signal()
    message_added = Signal(int)
    message_changed = Signal(int)
    messages_truncated = Signal(int)  # all from this index on are gone
    busy_changed = Signal(bool)
    reading = Signal(int, int)  # tokens read, tokens to read; (0, 0) when reading has ended
    title_changed = Signal(str)
    settings_changed = Signal(object)  # ChatSettings
    conversation_opened = Signal(object)  # conversation id or None
    conversations_changed = Signal()  # a chat came, or moved in the list
    model_needed = Signal()  # a message could not be sent: no model
    path_left = Signal(int)  # a branch was left; the node to come back to by ``show_node``
    deleted = Signal(int)  # a token for ``restore``
    state_known = Signal(int, bool)  # tokens that the state has read; whether it is kept
    writing_changed = Signal(object)  # frozenset of the chats in which a reply is being written

    def __init__(
        self, store: "Store", engine: "EngineService", parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._engine = engine
        self._conversation: int | None = None
        self._settings = ChatSettings()
        self._model_name = ""
        self._live: dict[int, _Live] = {}
        self._stale: set[int] = set()
        self._was_busy = False
        self._writing: frozenset[int] = frozenset()
        self.messages: list[Message] = []
        self.title = ""
        self._flush = QTimer(self)
        self._flush.setInterval(FLUSH_MS)
        self._flush.setSingleShot(True)
        self._flush.timeout.connect(self._show_stale)
        engine.reply_event.connect(self._on_event)
        engine.failed.connect(self._on_failed)
        engine.model_loading.connect(self._on_model_loading)
        engine.model_ready.connect(self._on_model_ready)
        engine.model_ejected.connect(self._on_model_gone)
        engine.model_failed.connect(self._on_model_failed)

    def close(self) -> None:
        """Listen to the engine no longer: the store is about to close."""
        self._flush.stop()
        self._engine.reply_event.disconnect(self._on_event)
        self._engine.failed.disconnect(self._on_failed)

    # -- what is open

    @property
    def conversation(self) -> int | None:
        """The open chat; None before the first message of a new one."""
        return self._conversation

    @property
    def busy(self) -> bool:
        """Whether a reply of the open chat is being written, or waits to be."""
        return any(live.conversation == self._conversation for live in self._live.values())

    @property
    def settings(self) -> ChatSettings:
        """How the next reply of this chat is asked for."""
        return self._settings

    @told
    def change_settings(self, settings: ChatSettings) -> None:
        """Use these from the next reply on, and keep them with the chat."""
        if settings == self._settings:
            return
        self._settings = settings
        self.settings_changed.emit(settings)
        if self._conversation is not None:
            self._store.set_settings(self._conversation, settings.to_dict())

    @told
    def open(self, conversation: int | None) -> None:
        """Show a chat of the store; None begins a new one with the settings in use, but no persona.

        A chat that cannot be read leaves the one that is open.
        """
        title, messages = "", []
        if conversation is not None:
            found = self._store.conversation(conversation)
            title, messages = found.title, self._messages_to(found.current_node)
            self._conversation = conversation
            self._settings = ChatSettings.from_dict(found.settings)
            self.settings_changed.emit(self._settings)
        self._conversation = conversation
        if conversation is None:
            self.change_settings(replace(self._settings, persona=""))
        self._set_title(title)
        self._show(messages)
        self.conversation_opened.emit(conversation)

    @told
    def take_settings_of(self, conversation: int) -> None:
        """Begin the next new chat with the settings of this one, but no persona."""
        settings = ChatSettings.from_dict(self._store.conversation(conversation).settings)
        self.change_settings(replace(settings, persona=""))

    @told
    def show_node(self, node: int | None) -> None:
        """Show the path that ends in ``node`` (None: nothing)."""
        if self._conversation is not None:
            self._store.set_current(self._conversation, node)
            self._show_path(node)

    # -- what the user does

    @told
    def send(self, text: str) -> bool:
        """Add a question at the end and have it answered; false when that cannot be now."""
        if not text.strip() or self.busy:
            return False
        if not self._model_name:
            self.model_needed.emit()
            return False
        self._ask(self._ensure_conversation(text), len(self.messages), text)
        return True

    def stop(self) -> None:
        """Stop the reply that is being written; its text and state are kept."""
        self.stop_in(self._conversation)

    def stop_in(self, conversation: int | None) -> None:
        """Stop the reply that is being written in a chat, open or not."""
        # A reply that only waited ends while it is stopped.
        for node, live in list(self._live.items()):
            if live.conversation == conversation:
                self._engine.stop(node)

    @told
    def edit(self, index: int, text: str) -> bool:
        """Ask a question again in other words; the old one stays as another version."""
        if self._cannot_ask() or not text.strip() or self._conversation is None:
            return False
        self._ask(self._conversation, index, text)
        return True

    @told
    def regenerate(self, index: int) -> bool:
        """Have a question answered once more; the old answer stays as another version."""
        if self._cannot_ask():
            return False
        question = index if self.messages[index].role == "user" else index - 1
        self._answer(question + 1)
        return True

    @told
    def continue_reply(self, index: int) -> bool:
        """Go on with the last reply from its very next token."""
        if self._cannot_ask() or index != len(self.messages) - 1:
            return False
        reply = self.messages[index]
        self._start(reply.node, reply.text, reply.think)
        self._reload(index)
        return True

    @told
    def show_version(self, index: int, version: int) -> None:
        """Show version ``version`` (1-based) of a message, and what followed it."""
        node = self._store.node(self.messages[index].node)
        siblings = self._store.sibling_ids([node])[node.id]
        if 1 <= version <= len(siblings):
            self.show_node(self._store.leaf_below(siblings[version - 1]))

    @told
    def branch(self, index: int) -> None:
        """Go on from an earlier message; what followed it stays as another version."""
        if index >= len(self.messages) - 1:
            return
        left = self.messages[-1].node
        self._truncate(index + 1)
        if self._conversation is not None:
            self._store.set_current(self._conversation, self.messages[index].node)
        self.path_left.emit(left)

    @told
    def delete(self, index: int) -> None:
        """Delete a message and what follows it; ``restore`` undoes it."""
        if self._conversation is None:
            return
        self.stop()
        token = self._store.delete_node(self.messages[index].node)
        self._show_path(self._store.conversation(self._conversation).current_node)
        self.deleted.emit(token)

    @told
    def restore(self, token: int) -> None:
        """Undo ``delete``."""
        self._store.restore_node(token)
        if self._conversation is not None:
            self._show_path(self._store.conversation(self._conversation).current_node)

    @told
    def rename(self, title: str) -> None:
        """Give the open chat another title."""
        if self._conversation is not None:
            self._store.rename(self._conversation, title)
            self._set_title(title)
            self.conversations_changed.emit()

    # -- asking

    def _cannot_ask(self) -> bool:
        if not self._model_name:
            self.model_needed.emit()
        return self.busy or not self._model_name

    def _ensure_conversation(self, text: str) -> int:
        if self._conversation is None:
            title = _title_of(text)
            self._conversation = self._store.create_conversation(title, self._settings.to_dict()).id
            self._set_title(title)
            self.conversation_opened.emit(self._conversation)
        return self._conversation

    def _ask(self, conversation: int, place: int, text: str) -> None:
        """Put a question at this place; what was there stays in the store as another version."""
        parent = self.messages[place - 1].node if place else None
        node = self._store.add_node(conversation, parent, "user", text)
        self._truncate(place)
        self._append(node)
        self._answer(place + 1)

    def _answer(self, place: int) -> None:
        """Have the question before this place answered there."""
        assert self._conversation is not None, "a question belongs to a chat"
        reply = self._store.add_node(
            self._conversation,
            self.messages[place - 1].node,
            "assistant",
            "",
            status="writing",
            think=self._settings.think,
            model=self._model_name,
        )
        self._truncate(place)
        self._live[reply.id] = _Live(self._conversation)
        self._append(reply)
        self._start(reply.id, "", self._settings.think)
        self.conversations_changed.emit()

    def _start(self, reply: int, text: str, think: str) -> None:
        assert self._conversation is not None, "a reply belongs to a chat"
        self._live[reply] = _Live(self._conversation, text)
        settings = self._settings
        self._engine.write(
            Turn(
                reply,
                settings.sampling,
                settings.system,
                think,
                settings.template,
                settings.persona,
            )
        )
        self._tell_busy()

    # -- what the engine tells

    def _on_event(self, node: int, event: Event) -> None:
        live = self._live.get(node)
        if live is None:
            return
        if isinstance(event, Token):
            live.text += event.text
            self._mark_stale(node)
        elif isinstance(event, Reading):
            live.read = (event.done, event.total)
            self._tell_reading(node, live)
        elif isinstance(event, Opened):
            live.text = event.text
            self._mark_stale(node)
        elif isinstance(event, Finished):
            self._end(node)

    def _on_failed(self, node: int, message: str, hint: str) -> None:
        self._end(node)
        index = self._index_of(node)
        if index is not None and self.messages[index].status != "failed":
            # The store itself may have failed: then it knows nothing of this.
            self.messages[index] = replace(
                self.messages[index], status="failed", error=message, hint=hint
            )
            self.message_changed.emit(index)

    @told
    def _end(self, node: int) -> None:
        """A turn is over: from here on the store knows best."""
        self._live.pop(node, None)
        index = self._index_of(node)
        try:
            if index is not None:
                self.reading.emit(0, 0)
                self._reload(index)
                self._tell_state()
            if self._live:
                self._mark_stale(next(iter(self._live)))  # it waits no longer
        finally:
            self._tell_busy()
            self.conversations_changed.emit()

    def _on_model_loading(self, path: Any, _fraction: float) -> None:  # noqa: ANN401 - a signal's
        # Questions may be sent while a model loads: they wait for it in the queue.
        self._model_name = path.stem

    def _on_model_ready(self, model: "LoadedModel") -> None:
        self._model_name = model.info.name

    def _on_model_gone(self) -> None:
        self._model_name = ""

    def _on_model_failed(self, _path: object, _message: str, _hint: str, _other: str) -> None:
        self._model_name = self._engine.loaded_name

    # -- keeping ``messages`` as the store has it

    def _show_path(self, leaf: int | None) -> None:
        self._show(self._messages_to(leaf))

    def _messages_to(self, leaf: int | None) -> list[Message]:
        nodes = self._store.path_to(leaf) if leaf is not None else []
        siblings = self._store.sibling_ids(nodes) if nodes else {}
        return [self._message(node, siblings[node.id]) for node in nodes]

    def _show(self, messages: list[Message]) -> None:
        self.messages = messages
        self.path_reset.emit()
        self._tell_busy()
        self._tell_state()

    def _append(self, node: "Node") -> None:
        siblings = self._store.sibling_ids([node])[node.id]
        self.messages.append(self._message(node, siblings))
        self.message_added.emit(len(self.messages) - 1)

    def _reload(self, index: int) -> None:
        node = self._store.node(self.messages[index].node)
        self.messages[index] = self._message(node, self._store.sibling_ids([node])[node.id])
        self.message_changed.emit(index)

    def _truncate(self, index: int) -> None:
        if index < len(self.messages):
            del self.messages[index:]
            self.messages_truncated.emit(index)

    def _message(self, node: "Node", siblings: tuple[int, ...]) -> Message:
        live = self._live.get(node.id)
        return Message(
            node=node.id,
            role=node.role,
            text=live.text if live else node.text,
            status="writing" if live else node.status,
            error=node.error,
            version=siblings.index(node.id) + 1 if node.id in siblings else 1,
            versions=max(len(siblings), 1),
            stats=ReplyStats.from_dict(node.stats),
            think=node.think,
            created=node.created,
            model=node.model,
            waits=self._waits(node.id),
        )

    def _index_of(self, node: int) -> int | None:
        # The reply that is being written is nearly always the last one.
        for index in range(len(self.messages) - 1, -1, -1):
            if self.messages[index].node == node:
                return index
        return None

    def _waits(self, node: int) -> bool:
        """Whether the engine writes another reply before this one: it takes them in their order."""
        return node in self._live and next(iter(self._live)) != node

    def _mark_stale(self, node: int) -> None:
        self._stale.add(node)
        if not self._flush.isActive():
            self._flush.start()

    def _show_stale(self) -> None:
        for node in self._stale:
            index, live = self._index_of(node), self._live.get(node)
            if index is not None and live is not None:
                now = replace(self.messages[index], text=live.text, waits=self._waits(node))
                self.messages[index] = now
                self.message_changed.emit(index)
        self._stale.clear()

    def _tell_reading(self, node: int, live: _Live) -> None:
        if self._index_of(node) is not None:
            done, total = live.read
            self.reading.emit(done, total if done < total else 0)

    def _tell_state(self) -> None:
        """Say how much the state after the last reply has read."""
        stats = self.messages[-1].stats if self.messages else None
        read = stats.resumed_tokens + stats.read_tokens + stats.tokens if stats else 0
        self.state_known.emit(read, read > 0)

    def _tell_busy(self) -> None:
        if self.busy != self._was_busy:
            self._was_busy = self.busy
            self.busy_changed.emit(self._was_busy)
        writing = frozenset(live.conversation for live in self._live.values())
        if writing != self._writing:
            self._writing = writing
            self.writing_changed.emit(writing)

    def _set_title(self, title: str) -> None:
        self.title = title
        self.title_changed.emit(title)


def _title_of(text: str) -> str:
    line = next(line.strip() for line in text.splitlines() if line.strip())
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1].rstrip() + "…"
