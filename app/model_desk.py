"""All of models in the window: opened, loaded, ejected, refused, and the strategy they run with.

Brings engine, library and pages together. What is downloaded is the download desk's business.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.chat.page import ChatPage
from app.lora_desk import LoraDesk
from app.models.model_names import model_title
from app.notices import Importance
from app.pages.models_page import ModelsPage
from app.pages.settings_page import SettingsPage
from app.services.arrivals import Arrivals
from app.services.engine import EngineService, LoadedModel
from app.services.hub import HubAccess
from app.services.library import ModelLibrary
from app.settings import SettingsStore
from app.window import MainWindow
from engine.errors import EngineError
from engine.strategy import Strategy

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.recognition import Recognised

log = logging.getLogger(__name__)
FAILED = "load_failed"


@dataclass(frozen=True, slots=True)
class Pages:
    """The three pages, by their own types; the window knows them as widgets only."""

    chat: ChatPage
    models: ModelsPage
    settings: SettingsPage


class ModelDesk(QObject):
    """``load`` loads a model as the settings say; ``loaded`` is the one in use, or None.

    built_in: the file of the model that came with Skein, or None.
    """

    def __init__(
        self,
        window: MainWindow,
        pages: Pages,
        settings: SettingsStore,
        engine: EngineService,
        library: ModelLibrary,
        hub: HubAccess,
        arrivals: Arrivals,
        loras: LoraDesk,
        built_in: Path | None,
    ) -> None:
        super().__init__(window)
        self._window, self._pages, self._settings = window, pages, settings
        self._engine, self._library, self._hub = engine, library, hub
        self._arrivals, self._loras = arrivals, loras
        self.built_in = built_in
        self.loaded: LoadedModel | None = None
        self._last_notice = ""
        """What the backend said when it was loaded last: said again only when it changes."""
        self._waits_for_kind = False
        """Whether the files of the start are still looked at: one may be a model to load."""
        self._connect()

    def _connect(self) -> None:
        engine, arrivals = self._engine, self._arrivals
        engine.model_loading.connect(self._pages.chat.show_loading)
        engine.model_loading.connect(self._pages.models.set_loading)
        engine.model_ready.connect(self._on_ready)
        engine.model_ejected.connect(self._on_ejected)
        engine.model_failed.connect(self._on_failed)
        for page in (self._pages.chat, self._pages.models):
            page.load_requested.connect(self.load)
            page.load_with_requested.connect(self.load)
            page.eject_requested.connect(engine.eject)
            page.files_given.connect(self.open_files)
        self._pages.models.file_opened.connect(self._on_file_opened)
        self._pages.models.loras_requested.connect(self._loras.edit)
        self._loras.load_wanted.connect(self.load)
        self._loras.failed.connect(self._window.show_failure)
        arrivals.models_given.connect(self._open_models)
        arrivals.folder_given.connect(self._on_folder_given)
        arrivals.loras_given.connect(self._loras.offer)
        if self._pages.chat.personas is not None:
            arrivals.states_given.connect(self._pages.chat.personas.offer)
        arrivals.refused.connect(self._window.show_failure)
        arrivals.looked.connect(self._on_kind)
        self._window.page_changed.connect(self._on_page)
        self._library.hardware_changed.connect(self.show_hardware)

    # ---- what comes in --------------------------------------------------------------------

    def open_files(self, files: Sequence[Path]) -> None:
        """Look at whatever somebody hands over, then load, list or offer it, or say what it is."""
        self._arrivals.take(files)

    def look_up(self, address: str) -> None:
        """Show what is behind a web address that was dropped."""
        self._window.show_page("models")
        self._pages.models.look_up(address)

    def _open_models(self, paths: Sequence[Path]) -> None:
        """List models where they are, and load the first one, if it is not the one in use."""
        self._waits_for_kind = False
        self._pages.models.open_files(paths)
        in_use = self.loaded.info.path if self.loaded else None
        if paths[0] != in_use:  # to load it again would end the reply that it writes
            self.load(paths[0])

    def _on_folder_given(self, found: "Recognised") -> None:
        self._on_file_opened(found.path)
        self._window.show_page("models")
        self._pages.models.show_tab("ready")
        self._window.say(
            self.tr("Models of {0} are listed now: {1}").format(found.path.name, found.models)
        )

    def _on_file_opened(self, path: Path) -> None:
        """A file outside the known folders stays listed, where it is."""
        known = self._settings.get("model_folders")
        folders = {str(self._hub.models_folder()), *known}
        if path == self.built_in:
            return
        if str(path) not in folders and str(path.parent) not in folders:
            self._settings.set("model_folders", (*known, str(path)))

    # ---- loading --------------------------------------------------------------------------

    def begin_with(self, files: Sequence[Path]) -> None:
        """Open the files of a start; where none of them is a model, load the first one as well."""
        self._waits_for_kind = True
        self.open_files(files)

    def _on_kind(self, *_: object) -> None:
        """What the start was given is a LoRA, a state, a folder or nothing of ours."""
        if self._waits_for_kind:
            self._waits_for_kind = False
            self.load_first()

    def load_first(self) -> None:
        """Load the model of the last time, else the built-in one; nothing when none is wanted."""
        if not self._settings.get("load_last_model"):
            return
        last = Path(self._settings.get("last_model"))
        if wanted := last if self._is_there(last) else self.built_in:
            self.load(wanted)

    def _is_there(self, last: Path) -> bool:
        """Whether that is still the model to load; the built-in one of another version is not.

        What may not be looked at is not there: ``Path.exists`` would end the start with an error.
        """
        own = self.built_in
        return (
            bool(last.name)
            and os.path.exists(last)
            and (own is None or own.parts[-4:] != last.parts[-4:])
        )

    def load(self, path: Path, strategy: str = "") -> None:
        """Load a model with a strategy, or with that of the settings."""
        own = self._settings.get("strategies")
        if strategy:
            self._settings.set("strategies", {**own, path.name: strategy})
        chosen = self.strategy(strategy or own.get(path.name, ""))
        self._engine.load(path, chosen, self._loras.uses_of(path))

    def strategy(self, text: str = "") -> Strategy:
        """Return a strategy as it was saved, by default for all models."""
        try:
            return Strategy.parse(text or self._settings.get("strategy"))
        except EngineError as error:
            log.warning("The saved strategy was not understood: %s", error.message)
            return Strategy.parse("auto")

    def take_strategy(self) -> None:
        """Let the strategy of the settings hold for all models again."""
        self._settings.set("strategies", {})
        self._library.set_strategy(self.strategy())
        if self.loaded is not None:
            path = self.loaded.info.path
            self._window.say(
                self.tr("Holds from the next load on"),
                lambda: self.load(path),
                self.tr("Load again"),
            )

    def _on_ready(self, model: LoadedModel) -> None:
        path = model.info.path
        # Not resolved: in the hub's cache a file's own name says nothing.
        self._settings.set("last_model", str(path.absolute()))
        self._window.notices.withdraw(FAILED)
        self._set_loaded(model)
        self._pages.chat.show_loaded(model)
        self._miss_cpu_engine(model)
        if model.notice and model.notice != self._last_notice:
            self._last_notice = model.notice
            self._window.show_notice(model.notice, tone="warning")

    def _on_ejected(self) -> None:
        self._settings.set("last_model", "")
        self._set_loaded(None)
        self._pages.chat.show_ejected()

    def _set_loaded(self, model: LoadedModel | None) -> None:
        self.loaded = model
        path = model.info.path if model else None
        self._pages.models.set_loaded(path)
        self._loras.set_loaded(path)
        self._arrivals.set_used(model.info if model else None)
        self.show_hardware()

    def _miss_cpu_engine(self, model: LoadedModel) -> None:
        """Say, once for good, that torch does what the native engine would do faster."""
        hardware = self._library.hardware
        missed = hardware is not None and not hardware.native and model.backend == "torch"
        whole = bool(model.plan.strategy.native_weights)
        if missed and whole and not self._settings.get("cpu_engine_missed"):
            self._settings.set("cpu_engine_missed", True)
            self._window.miss_cpu_engine()

    def _on_failed(self, path: Path, message: str, hint: str, suggestion: str) -> None:
        if self.loaded is not None:  # the model in use stays in use
            self._pages.chat.show_loaded(self.loaded)
        else:
            self._pages.chat.show_ejected()
        self._pages.chat.show_failed(path, message, hint, suggestion)
        self._pages.models.set_loaded(self.loaded.info.path if self.loaded else None)
        self._pages.models.show_load_error(path, message, hint, suggestion)
        if self._window.page == "settings":  # the other two say it themselves
            self._window.notices.offer(
                FAILED, message, hint, importance=Importance.FAILURE, tone="danger"
            )

    def _on_page(self, page: str) -> None:
        if page != "settings":
            self._window.notices.withdraw(FAILED)

    def show_hardware(self) -> None:
        """Show this computer in the settings, and how the model in use runs on it now."""
        if self._library.hardware is not None:
            name = self.loaded.info.name if self.loaded else ""
            if self.loaded is not None and self.loaded.info.path == self.built_in:
                name = model_title(name)
            self._pages.settings.show_hardware(self._library.hardware, self._plan_now(), name)

    def _plan_now(self) -> "Plan | None":
        """Return the plan of the model in use, with the speeds that it is to reach now."""
        found, model = self._library.hardware_in_use, self.loaded
        if found is None or model is None:
            return model.plan if model is not None else None
        from engine.prediction import tokens_per_s

        read, write = tokens_per_s(model.info.shape, found, model.plan.strategy)
        return replace(model.plan, read_tokens_per_s=read, write_tokens_per_s=write)
