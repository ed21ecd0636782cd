"""The hub as the window's services ask for it: made from the settings of the moment.

Every method may block on the network or the keyring, so all of them run on worker threads.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.folders import Folders
    from engine.hub.catalogue import Catalogue
    from engine.hub.connection import Hub
    from engine.hub.download import Download
    from engine.hub.folder_download import FolderDownload
    from engine.hub.remote_model import RemoteModel
    from engine.settings import Settings


class HubAccess:
    """Catalogue and downloads; each call looks at the settings anew (mirror, proxy, offline)."""

    def __init__(
        self,
        folders: "Folders",
        settings: "Callable[[], Settings]",
        built_in: Path | None = None,
    ) -> None:
        self._folders = folders
        self._built_in = built_in
        self._settings = settings
        self._has_proxy = False

    def cached(self) -> "list[RemoteModel]":
        """Return the list of the last refresh, without a network."""
        return self._kept().cached()

    def saved(self) -> datetime | None:
        """Return when that list was read."""
        return self._kept().saved()

    def refresh(self) -> "list[RemoteModel]":
        """Return the hub's list as it is now. Raises EngineError."""
        return self._live().refresh()

    def lookup(self, address: str) -> "list[RemoteModel]":
        """Return the models of a repository or of one address. Raises EngineError."""
        return self._live().lookup(address)

    def transfer(self, model: "RemoteModel") -> "Download | FolderDownload":
        """Return a download into the folder of models. Raises EngineError."""
        from engine.hub.folder_download import make_download

        return make_download(model, self.models_folder(), hub=self._hub())

    def places(self) -> list[Path]:
        """Return the folders and files in which models are looked for."""
        from engine.hub.library import model_places

        return model_places(self._folders, self._settings(), self._built_in)

    def models_folder(self) -> Path:
        """Return where downloads go."""
        from engine.hub.library import models_folder

        return models_folder(self._folders, self._settings())

    def _kept(self) -> "Catalogue":
        from engine.hub.catalogue import Catalogue
        from engine.hub.connection import DEFAULT_ENDPOINT

        return Catalogue(self._folders.cache, DEFAULT_ENDPOINT)

    def _live(self) -> "Catalogue":
        from engine.hub.catalogue import Catalogue

        return Catalogue(self._folders.cache, hub=self._hub())

    def _hub(self) -> "Hub":
        from engine.hub.access import hub_of
        from engine.hub.connection import use_proxy

        settings = self._settings()
        if self._has_proxy and not settings.proxy:
            use_proxy("")  # it was taken away while Skein ran
        self._has_proxy = bool(settings.proxy)
        return hub_of(settings)
