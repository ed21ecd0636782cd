"""What the window does about downloads: one model is recommended, what has come is loaded.

Brings downloads, library and pages together; how a model is loaded is the model desk's business.
"""

from pathlib import Path

from PySide6.QtCore import QObject

from app.model_desk import ModelDesk, Pages
from app.models.conversations import ConversationModel
from app.models.units import size_text, speed_text
from app.services.downloads import DownloadService
from app.services.engine import EngineService
from app.services.library import ModelLibrary
from app.window import MainWindow


class DownloadDesk(QObject):
    """Connects itself; ``load_waiting`` loads what was held back for a reply."""

    def __init__(
        self,
        window: MainWindow,
        pages: Pages,
        models: ModelDesk,
        downloads: DownloadService,
        library: ModelLibrary,
        engine: EngineService,
        conversations: ConversationModel,
    ) -> None:
        super().__init__(window)
        self._window, self._pages, self._models = window, pages, models
        self._downloads, self._library = downloads, library
        self._conversations = conversations
        self._waiting: Path | None = None
        """To be loaded as soon as the built-in model has finished its reply."""
        engine.model_ready.connect(self._forget_waiting)
        pages.chat.suggestion_taken.connect(self._on_suggestion_taken)
        downloads.finished.connect(self._on_downloaded)
        for signal in (downloads.changed, downloads.removed, downloads.finished):
            signal.connect(self._show_recommendation)
        library.available_changed.connect(self._show_recommendation)

    def _on_downloaded(self, _key: str, path: Path) -> None:
        self._library.rescan()
        text = self.tr("Downloaded {0}").format(path.name)
        loaded = self._models.loaded
        if loaded is None or loaded.info.path == self._models.built_in:
            self._waiting = path
            self.load_waiting()
            self._window.say(text)
        else:
            self._window.say(text, lambda: self._models.load(path), self.tr("Load"))

    def load_waiting(self, *_: object) -> None:
        """Load what was downloaded, but in the middle of no reply."""
        if self._waiting is not None and not self._conversations.busy_ids:
            path, self._waiting = self._waiting, None
            self._models.load(path)

    def _forget_waiting(self, *_: object) -> None:
        self._waiting = None

    def _on_suggestion_taken(self, key: str) -> None:
        for model in self._library.available:
            if model.id == key:
                self._downloads.start(model.remote)
                self._window.show_page("models")
                self._pages.models.show_tab("available")

    def _show_recommendation(self, *_: object) -> None:
        for model in self._library.available:
            if model.id == self._library.recommended and model.plan is not None:
                speed = speed_text(model.plan.write_tokens_per_s)
                facts = f"{size_text(model.remote.size_bytes)} · {speed}"
                self._pages.chat.set_recommendation(
                    model.id,
                    model.remote.title,
                    facts,
                    model.plan.reason,
                    on_its_way=self._downloads.entry(model.id) is not None,
                )
                return
        self._pages.chat.set_recommendation("", "", "", "")
