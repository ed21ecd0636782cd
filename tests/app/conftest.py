"""Fixtures of the window: a real theme, store and settings in a folder of their own."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from app.models.conversations import ConversationModel
from app.services.updates import UpdateService
from app.settings import SettingsStore
from app.theme import Theme
from app.window import MainWindow
from engine.folders import Folders
from engine.store import Store
from engine.updates.source import UpdateSource


@pytest.fixture(autouse=True)
def no_leftovers() -> None:
    """Really end the widgets of earlier tests: each one more is dressed again by every theme."""
    if QApplication.instance() is not None:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def theme(qapp: QApplication) -> Theme:
    made = Theme()
    made.apply(qapp, "light")
    return made


@pytest.fixture
def store(folders: Folders) -> Iterator[Store]:
    made = Store(folders.database)
    yield made
    made.close()


@pytest.fixture
def settings(qapp: QApplication, folders: Folders) -> SettingsStore:
    return SettingsStore(folders.settings_file)


@pytest.fixture
def no_updates(qapp: QApplication, folders: Folders, settings: SettingsStore) -> UpdateService:
    """Of a copy that was not installed."""
    return UpdateService(UpdateSource(), None, folders, lambda: settings.values)


@pytest.fixture
def conversations(qapp: QApplication, store: Store) -> ConversationModel:
    return ConversationModel(store)


@pytest.fixture
def shell(
    qtbot,
    theme: Theme,
    settings: SettingsStore,
    store: Store,
    conversations: ConversationModel,
) -> Iterator[SimpleNamespace]:
    """The real window with a composer-like page; attributes window, composer, find(name)."""
    chat = QWidget()
    composer, line = QPlainTextEdit(), QLineEdit()
    composer.setObjectName("composer")
    column = QVBoxLayout(chat)
    column.addWidget(composer)
    column.addWidget(line)
    pages = {"chat": chat, "models": QWidget(), "settings": QWidget()}
    window = MainWindow(theme, settings, conversations, pages, store.conversations)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)

    def find(name: str) -> QWidget:
        found = window.findChild(QWidget, name)
        assert isinstance(found, QWidget), name
        return found

    yield SimpleNamespace(window=window, composer=composer, line=line, find=find)
    settings.flush()


@pytest.fixture
def titles(conversations: ConversationModel) -> Callable[[], list[str]]:
    return lambda: [chat.title for chat in conversations.chats()]
