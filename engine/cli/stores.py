"""The chats and saved states that several commands share with the window."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from engine.archive import StateArchive
    from engine.store import Store


@contextlib.contextmanager
def opened_stores() -> "Iterator[tuple[Store, StateArchive]]":
    """Open the store and the archive where the settings say, and close them."""
    from engine.archive import StateArchive
    from engine.folders import Folders
    from engine.settings import load
    from engine.store import Store

    folders = Folders.standard()
    settings = load(folders.settings_file)
    store = Store.open(folders.database)
    if store.notice:
        typer.echo(store.notice, err=True)
    try:
        archive = StateArchive(folders.states_of(settings), store, settings.state_budget_bytes)
        try:
            yield store, archive
        finally:
            archive.close()
    finally:
        store.close()
