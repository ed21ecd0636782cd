"""All of the GPU pack in the window: offered once, found again at each start, and a new start.

Brings service, settings page and notices together.
"""

import logging
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.models.units import size_text
from app.pages.settings_page import SettingsPage
from app.restart import Restart
from app.services.gpu_packs import GpuPackService
from app.services.library import ModelLibrary
from app.settings import SettingsStore
from app.window import MainWindow

if TYPE_CHECKING:
    from engine.gpu_pack.packs import Pack

log = logging.getLogger(__name__)
OFFER = "gpu_pack"
READY = "gpu_pack_ready"


class GpuPackDesk(QObject):
    """Connects itself. safe: the start is a safe one, in which nothing is offered."""

    def __init__(
        self,
        window: MainWindow,
        page: SettingsPage,
        settings: SettingsStore,
        library: ModelLibrary,
        packs: GpuPackService,
        restart: Restart,
        *,
        safe: bool = False,
    ) -> None:
        super().__init__(window)
        self._window, self._page, self._settings = window, page, settings
        self._library, self._packs, self._restart, self._safe = library, packs, restart, safe
        self._is_cleaned = self._is_told = False
        library.hardware_changed.connect(self._on_hardware)
        packs.changed.connect(self._on_changed)
        packs.installed.connect(self._on_installed)
        packs.removed.connect(self._on_removed)

    def show(self) -> None:
        """Show the pack in the settings."""
        self._window.show_page("settings")
        self._page.show_section("inference")

    def _on_hardware(self) -> None:
        if self._library.hardware is not None and not self._packs.busy:
            self._packs.look(self._library.hardware)

    def _on_changed(self) -> None:
        facts = self._packs.facts
        if facts is None:
            return
        if self._packs.status == "running":  # whoever gets it has seen what was offered
            self._window.notices.withdraw(OFFER)
        if not self._is_cleaned:
            self._is_cleaned = True
            if facts.usage_bytes:
                self._packs.clean()
        self._offer()
        self._tell_problem()

    # ---- notices --------------------------------------------------------------------------

    def _offer(self) -> None:
        """Say once that there is a pack for the card that is here."""
        facts, get = self._packs.facts, self._settings.get
        if facts is None or facts.choice.row is None or facts.choice.gpu is None:
            return
        already = facts.active is not None or facts.received or self._packs.status != "idle"
        unwanted = self._is_told or self._safe or get("gpu_pack_offered") or get("offline")
        if already or unwanted:
            return
        self._is_told = True
        self._window.notices.offer(
            OFFER,
            self.tr("{0} could do the work").format(facts.choice.gpu.name),
            self.tr(
                "With the GPU pack models run on the card, mostly many times as fast. "
                "It is a download of {0}."
            ).format(size_text(facts.choice.row.download_bytes)),
            actions=(
                (self.tr("Look at it"), self._on_look),
                (self.tr("Not now"), self._on_answered),
            ),
            put_off=self._on_answered,
        )

    def _on_look(self) -> None:
        self._on_answered()
        self.show()

    def _on_answered(self) -> None:
        self._settings.set("gpu_pack_offered", True)

    def _tell_problem(self) -> None:
        """A pack that an update or a driver left behind is said once a run: models are slow."""
        facts = self._packs.facts
        if facts is None or self._safe or self._is_told:
            return
        if facts.left_alone:
            from app.pages.sections.gpu_pack import why_left_alone

            reason = why_left_alone(facts)
        elif facts.problem and not facts.used:
            reason = self.tr(
                "It is damaged, or made for another version than this Skein. The processor does "
                "the work until it is fetched again."
            )
        else:
            return
        self._is_told = True
        self._window.notices.offer(
            OFFER,
            self.tr("The GPU pack is not used"),
            reason,
            tone="warning",
            actions=((self.tr("Look at it"), self.show),),
        )

    def _on_installed(self, _pack: "Pack") -> None:
        self._settings.set("gpu_pack_offered", True)
        self._window.notices.withdraw(OFFER)
        self._tell_restart(
            self.tr("The GPU pack is ready"),
            self.tr("It is used from the next start on. Chats are saved, whenever that is."),
        )

    def _on_removed(self, left_over: bool) -> None:
        self._window.notices.withdraw(READY)
        if left_over:
            self._tell_restart(
                self.tr("The GPU pack was removed"),
                self.tr("It is in use until Skein ends. Its files go at the next start."),
            )
        else:
            self._window.say(self.tr("The GPU pack was removed"))

    def _tell_restart(self, message: str, hint: str) -> None:
        if self._window.page == "settings" and self._page.section == "inference":
            return  # there it is said, with the same button
        self._window.notices.offer(
            READY,
            message,
            hint,
            tone="success",
            actions=((self.tr("Start again now"), self._restart.ask), (self.tr("Later"), _nothing)),
        )


def _nothing() -> None:
    """Only close the notice."""
