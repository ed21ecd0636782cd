"""A scripted data source for view tests: the interface of ChatModel without store and engine."""

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from app.models.message import ChatSettings, Message


class ScriptedChat(QObject):
    path_reset = Signal()
    message_added = Signal(int)
    message_changed = Signal(int)
    messages_truncated = Signal(int)
    busy_changed = Signal(bool)
    reading = Signal(int, int)
    title_changed = Signal(str)
    settings_changed = Signal(object)
    conversation_opened = Signal(object)
    model_needed = Signal()

    def __init__(self, messages: list[Message] | None = None) -> None:
        super().__init__()
        self.messages = list(messages or [])
        self.calls: list[tuple] = []
        self.settings = ChatSettings()
        self.title = ""
        self.conversation: int | None = None
        self.accepts = True
        self._busy = False

    @property
    def busy(self) -> bool:
        return self._busy

    # what the person does

    def change_settings(self, settings: ChatSettings) -> None:
        self.calls.append(("settings", settings))
        if settings != self.settings:
            self.settings = settings
            self.settings_changed.emit(settings)

    def send(self, text: str) -> bool:
        self.calls.append(("send", text))
        if not self.accepts:
            self.model_needed.emit()
            return False
        self.add(Message(self.next_node(), "user", text))
        self.start_reply()
        return True

    def stop(self) -> None:
        self.calls.append(("stop",))

    def regenerate(self, index: int) -> None:
        self.calls.append(("regenerate", index))

    def edit(self, index: int, text: str) -> None:
        self.calls.append(("edit", index, text))

    def show_version(self, index: int, version: int) -> None:
        self.calls.append(("show_version", index, version))

    def branch(self, index: int) -> None:
        self.calls.append(("branch", index))

    def continue_reply(self, index: int) -> None:
        self.calls.append(("continue", index))

    def delete(self, index: int) -> None:
        self.calls.append(("delete", index))

    # the script

    def next_node(self) -> int:
        return len(self.messages) + 1

    def reset(self, messages: list[Message]) -> None:
        self.messages = list(messages)
        self.path_reset.emit()

    def add(self, message: Message) -> None:
        self.messages.append(message)
        self.message_added.emit(len(self.messages) - 1)

    def truncate(self, index: int) -> None:
        del self.messages[index:]
        self.messages_truncated.emit(index)

    def start_reply(self, model: str = "rwkv7-g1d-1.5b") -> None:
        self.add(Message(self.next_node(), "assistant", "", status="writing", model=model))
        self.set_busy(True)

    def write(self, text: str) -> None:
        self.change(len(self.messages) - 1, text=self.messages[-1].text + text)

    def finish(self, **changes) -> None:
        self.set_busy(False)
        self.change(len(self.messages) - 1, **({"status": "done"} | changes))

    def change(self, index: int, **changes) -> None:
        self.messages[index] = replace(self.messages[index], **changes)
        self.message_changed.emit(index)

    def set_busy(self, busy: bool) -> None:
        if busy != self._busy:
            self._busy = busy
            self.busy_changed.emit(busy)
