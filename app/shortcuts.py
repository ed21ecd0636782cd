"""Every key of the window, in one table: what F1 lists and what really works are the same.

Knows names and keys; what a command does is connected by whoever owns it.
"""

from dataclasses import dataclass

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget


@dataclass(frozen=True, slots=True)
class Command:
    """Something that the window can do: by key, from the palette, from a test.

    ``keys``: portable key sequences, the first one is shown. ``title``: English, translated by
    ``Shortcuts``. ``palette``: offered by Ctrl+K.
    """

    id: str
    title: object  # a str; QT_TRANSLATE_NOOP is typed so
    icon: str
    keys: tuple[str, ...] = ()
    palette: bool = True

    @property
    def text(self) -> str:
        """The title in the user's language."""
        return QCoreApplication.translate("Shortcuts", str(self.title))

    @property
    def key_text(self) -> str:
        """The first key as this system writes it; "" when there is none."""
        if not self.keys:
            return ""
        return QKeySequence(self.keys[0]).toString(QKeySequence.SequenceFormat.NativeText)


COMMANDS = (
    Command("new_chat", QT_TRANSLATE_NOOP("Shortcuts", "New chat"), "new_chat", ("Ctrl+N",)),
    Command(
        "search",
        QT_TRANSLATE_NOOP("Shortcuts", "Search chats and commands"),
        "search",
        ("Ctrl+K",),
        palette=False,
    ),
    Command("choose_model", QT_TRANSLATE_NOOP("Shortcuts", "Choose model"), "models", ("Ctrl+L",)),
    Command("page_chat", QT_TRANSLATE_NOOP("Shortcuts", "Show chat"), "chat", ("Ctrl+1",)),
    Command("page_models", QT_TRANSLATE_NOOP("Shortcuts", "Show models"), "models", ("Ctrl+2",)),
    Command(
        "page_settings",
        QT_TRANSLATE_NOOP("Shortcuts", "Show settings"),
        "settings",
        ("Ctrl+,", "Ctrl+3"),
    ),
    Command(
        "toggle_sidebar",
        QT_TRANSLATE_NOOP("Shortcuts", "Fold or unfold sidebar"),
        "sidebar",
        ("Ctrl+B",),
    ),
    Command(
        "toggle_drawer",
        QT_TRANSLATE_NOOP("Shortcuts", "Show or hide parameters"),
        "drawer",
        ("Ctrl+Shift+P",),
    ),
    Command("rename_chat", QT_TRANSLATE_NOOP("Shortcuts", "Rename chat"), "edit"),
    Command(
        "edit_last", QT_TRANSLATE_NOOP("Shortcuts", "Edit the last message"), "edit", ("Ctrl+Up",)
    ),
    Command(
        "regenerate",
        QT_TRANSLATE_NOOP("Shortcuts", "Regenerate the last answer"),
        "refresh",
        ("Ctrl+R",),
    ),
    Command(
        "stop", QT_TRANSLATE_NOOP("Shortcuts", "Stop writing"), "stop", ("Esc",), palette=False
    ),
    Command("zoom_in", QT_TRANSLATE_NOOP("Shortcuts", "Larger text"), "plus", ("Ctrl++", "Ctrl+=")),
    Command("zoom_out", QT_TRANSLATE_NOOP("Shortcuts", "Smaller text"), "minus", ("Ctrl+-",)),
    Command(
        "zoom_reset", QT_TRANSLATE_NOOP("Shortcuts", "Normal text size"), "search", ("Ctrl+0",)
    ),
    Command("toggle_dark", QT_TRANSLATE_NOOP("Shortcuts", "Light or dark"), "moon"),
    Command("keys", QT_TRANSLATE_NOOP("Shortcuts", "List of keys"), "keyboard", ("F1",)),
    Command("quit", QT_TRANSLATE_NOOP("Shortcuts", "Quit"), "close", ("Ctrl+Q",)),
)


class Shortcuts(QObject):
    """One QAction per command, living on ``window``: ``actions["new_chat"].triggered``."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.actions: dict[str, QAction] = {}
        for command in COMMANDS:
            action = QAction(command.text, self)
            action.setObjectName(f"command_{command.id}")
            # Esc first belongs to what is open or typed in; the window takes what is left over.
            keys = [QKeySequence(keys) for keys in command.keys if keys != "Esc"]
            action.setShortcuts(keys)
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            window.addAction(action)
            self.actions[command.id] = action

    def run(self, command_id: str) -> None:
        """Do what the key would do."""
        self.actions[command_id].trigger()
