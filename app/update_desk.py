"""Newer versions in the window: the question at the first start, offers, what is new, what failed.

Brings settings, the service of updates, notices and the panel of notes together. Asks nobody
before the user agreed, and then once a day.
"""

import logging
import time

from PySide6.QtCore import QEvent, QLocale, QObject, QTimer

from app.notices import Importance
from app.pages.sections.updates import asked_for
from app.pages.settings_page import SettingsPage
from app.restart import Restart
from app.services.updates import UpdateService
from app.settings import SettingsStore
from app.theme import Theme
from app.version import version_of
from app.whats_new import notes_between, unwrapped
from app.widgets.notes_panel import NotesPanel
from app.window import MainWindow

log = logging.getLogger(__name__)

DAY_S = 24 * 3600
DUE_MS = 3600 * 1000
"""How often a running Skein asks itself whether a day has gone by."""
QUESTION, NEWS, OFFER = "update_question", "whats_new", "update"


class UpdateDesk(QObject):
    """``begin`` when the event loop runs; the rest happens by itself.

    safe: nothing is asked and nobody is, for a safe start writes no settings.
    """

    def __init__(
        self,
        window: MainWindow,
        page: SettingsPage,
        theme: Theme,
        settings: SettingsStore,
        updates: UpdateService,
        restart: Restart,
        *,
        safe: bool,
    ) -> None:
        super().__init__(window)
        self._window, self._page, self._theme = window, page, theme
        self._settings, self._updates, self._restart = settings, updates, restart
        self._safe = safe
        self._panel: NotesPanel | None = None
        self._fetching = self.tr("Fetching Skein…")
        self._told = updates.stand.status
        here = updates.installation
        self.version = here.version if here is not None else version_of("skein")
        self._due = QTimer(self, interval=DUE_MS)
        self._due.timeout.connect(self.look_if_due)
        updates.changed.connect(self._on_changed)
        settings.changed.connect(self._on_setting)
        page.whats_new_requested.connect(self._show_all_news)
        page.notes_requested.connect(self._show_notes)
        page.restart_requested.connect(self._on_restart)
        window.closing.connect(self._end_panel)
        window.installEventFilter(self)

    # ---- the start ------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self, self._on_drawn)
        return super().eventFilter(watched, event)

    def _on_drawn(self) -> None:
        """The window stands: this version need not be rolled back."""
        if (here := self._updates.installation) is not None:
            here.started_well()

    def begin(self) -> None:
        """Tell what happened since the last time, ask what was not asked, look if it is time."""
        self._tell_rolled_back()
        if self._safe:
            return
        self._tell_news()
        if self._updates.able:
            if not self._settings.get("check_updates"):
                self._ask()
            self.look_if_due()
            self._due.start()

    def _tell_rolled_back(self) -> None:
        here = self._updates.installation
        failed = here.take_failed() if here is not None else ""
        if failed:
            self._window.show_notice(
                self.tr("Skein {0} did not start here, so {1} runs again.").format(
                    failed, self.version
                ),
                self.tr("Chats, models and states are as they were. It is not offered again."),
                tone="warning",
            )

    def _tell_news(self) -> None:
        before = self._settings.get("last_version")
        if before == self.version:
            return
        self._settings.set("last_version", self.version)
        notes = notes_between(before, self.version, _language()) if before else ""
        if notes:  # at the very first start all is new
            self._window.notices.offer(
                NEWS,
                self.tr("This is Skein {0} now.").format(self.version),
                actions=(
                    (self.tr("What is new"), lambda: self._open(self.version, notes)),
                    (self.tr("Close"), lambda: None),
                ),
                importance=Importance.NEWS,
                tone="success",
            )

    # ---- the question ---------------------------------------------------------------------

    def _ask(self) -> None:
        self._window.notices.offer(
            QUESTION,
            self.tr("Shall Skein look for newer versions by itself?"),
            asked_for(self._updates) + " " + self.tr("Settings > About has the switch."),
            actions=(
                (self.tr("Yes, once a day"), lambda: self._settings.set("check_updates", "yes")),
                (self.tr("No"), lambda: self._settings.set("check_updates", "no")),
            ),
            put_off=lambda: self._settings.set("check_updates", "no"),
        )

    def _on_setting(self, name: str) -> None:
        if name == "check_updates":
            self._window.notices.withdraw(QUESTION)
            self.look_if_due()
        elif name == "offline" and self._settings.get("offline"):
            self._updates.pause()

    # ---- looking --------------------------------------------------------------------------

    def look_if_due(self) -> None:
        """Look for a newer version, if that is agreed and was not done for a day."""
        get = self._settings.get
        since_s = time.time() - get("last_update_check")
        waits = 0 <= since_s < DAY_S  # a clock that was set back must not stop it for years
        if get("check_updates") == "yes" and not get("offline") and not self._safe and not waits:
            self._updates.check(by_itself=True)

    def _on_changed(self) -> None:
        stand = self._updates.stand
        before, self._told = self._told, stand.status
        if stand.status == before:
            return
        if before == "checking":
            self._note_look()
        if stand.status == "available" and before == "checking":
            self._offer()
        elif stand.status == "ready":
            self._offer_start()
        elif stand.status == "failed" and not self._is_looked_at() and stand.error:
            self._window.show_failure(stand.error.message, stand.error.hint)
        if stand.status in ("fetching", "checking"):
            self._window.notices.withdraw(OFFER)

    def _note_look(self) -> None:
        error = self._updates.stand.error
        if error is not None:
            log.warning("No look for updates: %s", error.message)
        if getattr(error, "kind", "") not in ("offline", "stopped"):  # then nobody was asked
            self._settings.set("last_update_check", int(time.time()))

    def _is_looked_at(self) -> bool:
        """Whether the user sees Settings > About, which says all of it in its place."""
        return self._window.page == "settings" and self._page.section == "about"

    # ---- offers ---------------------------------------------------------------------------

    def _offer(self) -> None:
        stand = self._updates.stand
        update = stand.update
        if update is None or self._is_looked_at() or (update.rolled_back and stand.by_itself):
            return
        actions = [(self.tr("Download"), self._on_fetch)]
        if update.notes_in(_language()):
            actions.append((self.tr("What is new"), self._show_in_settings))
        actions.append((self.tr("Later"), lambda: None))
        self._window.notices.offer(
            OFFER,
            self.tr("Skein {0} is there.").format(update.version),
            self.tr("It is fetched while you go on, and runs when Skein starts again."),
            actions=tuple(actions),
        )

    def _on_fetch(self) -> None:
        self._updates.fetch()
        self._window.say(self._fetching, self._show_in_settings_only, self.tr("Show"))

    def _offer_start(self) -> None:
        if self._is_looked_at():
            return
        if self._window.toast.text == self._fetching:
            self._window.toast.dismiss()
        self._window.notices.offer(
            OFFER,
            self.tr("Skein {0} is ready.").format(self._updates.stand.version),
            self.tr(
                "It runs from the next start on. A reply that is being written can go on there."
            ),
            actions=(
                (self.tr("Start again now"), self._on_restart),
                (self.tr("Later"), lambda: None),
            ),
            tone="success",
        )

    def _on_restart(self) -> None:
        self._restart.ask()

    # ---- notes ----------------------------------------------------------------------------

    def _show_in_settings_only(self) -> None:
        self._window.show_page("settings")
        self._page.show_section("about")

    def _show_in_settings(self) -> None:
        self._show_in_settings_only()
        self._show_notes()

    def _show_notes(self) -> None:
        update = self._updates.stand.update
        if update is not None:
            self._open(update.version, update.notes_in(_language()))

    def _show_all_news(self) -> None:
        self._open(self.version, notes_between("", self.version, _language()))

    def _open(self, version: str, notes: str) -> None:
        if self._panel is None:
            self._panel = NotesPanel(self._theme, self._window)
        title = self.tr("What is new in Skein {0}").format(version)
        self._panel.open_notes(title, unwrapped(notes))

    def _end_panel(self) -> None:
        if self._panel is not None:
            self._panel.end()


def _language() -> str:
    return QLocale().name()
