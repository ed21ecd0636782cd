"""Updates in Settings > About: agree or not, look now, fetch, start again; or who does it instead.

Shows an UpdateStand and says which button was pressed; looks for nothing itself.
"""

from urllib.parse import urlsplit

from PySide6.QtCore import QCoreApplication, QDateTime, QLocale, QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.models.units import date_text, rate_text, remaining_text, size_text
from app.pages.sections.section import Card
from app.services.updates import UpdateService, UpdateStand
from app.settings import SettingsStore
from app.theme import Theme
from app.widgets.download_bar import ProblemLine
from app.widgets.parts import label, push_button, restyle, row

translate = QCoreApplication.translate

STEPS = 1000


class UpdatePanel(QWidget):
    """What goes on; ``add_to`` puts it into a card, with the switch above it."""

    notes_requested = Signal()
    """The notes of the update that was found shall be shown."""
    restart_requested = Signal()

    def __init__(self, theme: Theme, settings: SettingsStore, updates: UpdateService) -> None:
        super().__init__()
        self.setObjectName("update_panel")
        self._settings, self._updates = settings, updates
        self.headline = label("", "strong", wrap=True, select=True)
        self.headline.setObjectName("update_headline")
        self.details = label("", "muted", wrap=True, select=True)
        self.details.setObjectName("update_details")
        self.bar = QProgressBar(minimum=0, maximum=STEPS, textVisible=False)
        self.bar.setObjectName("update_progress")
        self.bar.setAccessibleName(self.tr("Download of the update"))
        self.problem = ProblemLine(theme)
        self._box = self._agreement()
        self._buttons = self._make_buttons()
        self._build()
        updates.changed.connect(self._show)
        settings.changed.connect(self._on_setting)
        self._show()

    # ---- building -------------------------------------------------------------------------

    def add_to(self, card: Card) -> None:
        """Fill a card: what may happen by itself, then what is going on."""
        card.setting(
            self.tr("Look for newer versions by itself"),
            asked_for(self._updates),
            self._box,
        )
        card.add(self)
        card.add(label(self._where_from(), "faint", wrap=True, select=True))

    def _agreement(self) -> QCheckBox:
        box = QCheckBox()
        box.setObjectName("check_updates")
        box.setAccessibleName(self.tr("Look for newer versions by itself"))
        box.setChecked(self._settings.get("check_updates") == "yes")
        box.toggled.connect(lambda on: self._settings.set("check_updates", "yes" if on else "no"))
        return box

    def _make_buttons(self) -> dict[str, QPushButton]:
        updates = self._updates
        return {
            "restart": push_button(
                self.tr("Start again now"),
                "update_restart",
                kind="primary",
                clicked=self.restart_requested.emit,
            ),
            "fetch": push_button("", "update_fetch", kind="primary", clicked=updates.fetch),
            "check": push_button(self.tr("Look now"), "update_check", clicked=updates.check),
            "pause": push_button(self.tr("Pause"), "update_pause", clicked=updates.pause),
            "notes": push_button(
                self.tr("What is new"), "update_notes", clicked=self.notes_requested.emit
            ),
            "discard": push_button(
                self.tr("Cancel"), "update_discard", kind="quiet", clicked=updates.discard
            ),
        }

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        for widget in (self.headline, self.details, self.bar, self.problem):
            column.addWidget(widget)
        column.addSpacing(4)
        column.addLayout(row(*self._buttons.values(), stretch=True))

    # ---- showing --------------------------------------------------------------------------

    def _on_setting(self, name: str) -> None:
        if name == "check_updates":
            with QSignalBlocker(self._box):
                self._box.setChecked(self._settings.get(name) == "yes")
        elif name == "last_update_check":
            self._show()

    def _show(self) -> None:
        stand = self._updates.stand
        self.headline.setText(self._headline(stand))
        details = " · ".join(self._details(stand))
        self.details.setText(details)
        self.details.setVisible(bool(details))
        self._show_bar(stand)
        self._show_buttons(stand)
        error = stand.error
        self.problem.say(error.message if error else "", error.hint if error else "")

    def _headline(self, stand: UpdateStand) -> str:
        name = f"Skein {stand.version or (stand.update.version if stand.update else '')}"
        match stand.status:
            case "idle":
                return self.tr("Nobody has looked for a newer version yet")
            case "checking":
                return self.tr("Looking for a newer version…")
            case "newest":
                return self.tr("This is the newest version")
            case "unchecked":
                return self.tr("The look for a newer version did not succeed")
            case "available":
                return self.tr("{0} is there").format(name)
            case "fetching":
                return self.tr("Fetching {0}").format(name)
            case "paused":
                return self.tr("{0} is paused").format(name)
            case "failed":
                return self.tr("{0} could not be fetched").format(name)
            case "ready":
                return self.tr("{0} is ready: it runs from the next start on").format(name)

    def _details(self, stand: UpdateStand) -> list[str]:
        if stand.status in ("idle", "newest", "unchecked"):
            return self._last_look()
        update = stand.update
        if stand.status == "ready":
            kept = self._updates.installation.version if self._updates.installation else ""
            return [self.tr("{0} is kept, in case the new one does not start").format(kept)]
        if update is None:
            return []
        amount = self.tr("{0} of {1}").format(
            size_text(stand.received), size_text(update.download_bytes)
        )
        if stand.status == "fetching":
            return self._progress_words(stand)
        if stand.received:
            return [amount]
        words = [_date(int(update.date.timestamp()))]
        words.append(self.tr("{0} to download").format(size_text(update.download_bytes)))
        if update.rolled_back:
            words.append(self.tr("it was tried here and did not start"))
        return words

    def _last_look(self) -> list[str]:
        last = self._settings.get("last_update_check")
        return [self.tr("Last looked on {0}").format(_date(last))] if last else []

    def _progress_words(self, stand: UpdateStand) -> list[str]:
        progress = stand.progress
        if progress is None or progress.phase == "starting":
            return [self.tr("Starting…")]
        share = progress.received / progress.total if progress.total else 0.0
        percent = self.tr("{0} %").format(QLocale().toString(int(share * 100)))
        if progress.phase == "verifying":
            return [self.tr("Checking the files…"), percent]
        if progress.phase == "unpacking":
            return [self.tr("Unpacking…"), percent]
        if progress.phase == "switching":
            return [self.tr("Laying it ready…")]
        amount = self.tr("{0} of {1}").format(
            size_text(progress.received), size_text(progress.total)
        )
        words = [percent, amount]
        if progress.bytes_per_s:
            words.append(rate_text(progress.bytes_per_s))
        if progress.remaining_s is not None:
            words.append(remaining_text(progress.remaining_s))
        return words

    def _show_bar(self, stand: UpdateStand) -> None:
        self.bar.setVisible(stand.status in ("fetching", "paused", "checking"))
        progress, update = stand.progress, stand.update
        if progress is not None:
            share = progress.received / progress.total if progress.total else 0.0
        else:
            share = stand.received / update.download_bytes if update else 0.0
        self.bar.setRange(0, 0 if stand.status == "checking" else STEPS)
        self.bar.setValue(int(min(share, 1.0) * STEPS))
        tone = "warning" if stand.status == "paused" else ""
        if self.bar.property("tone") != tone:
            restyle(self.bar, tone=tone)

    def _show_buttons(self, stand: UpdateStand) -> None:
        status, update = stand.status, stand.update
        unfinished = status == "paused" or (status in ("available", "failed") and stand.received)
        shown = {
            "restart": status == "ready",
            "fetch": status in ("available", "paused", "failed"),
            "check": status in ("idle", "newest", "unchecked", "available", "failed"),
            "pause": status == "fetching",
            "discard": status == "fetching" or bool(unfinished),
            "notes": update is not None and bool(update.notes_in(QLocale().name())),
        }
        self._buttons["fetch"].setText(self._fetch_text(status, bool(unfinished)))
        self._buttons["fetch"].setAccessibleName(self._buttons["fetch"].text())
        for name, button in self._buttons.items():
            button.setVisible(shown[name])

    def _fetch_text(self, status: str, unfinished: bool) -> str:
        if status == "failed":
            return self.tr("Try again")
        return self.tr("Go on") if unfinished else self.tr("Download")

    # ---- whose copy this is ---------------------------------------------------------------

    def _where_from(self) -> str:
        here = self._updates.installation
        if here is None:
            return ""
        words = self.tr("This is version {0}, in {1}.").format(here.version, here.root)
        if here.previous:
            kept = self.tr("Version {0} is kept, in case this one does not start.")
            words += " " + kept.format(here.previous)
        return words


def who_updates(updates: UpdateService) -> str:
    """Return why this copy looks for nothing, and who updates it; "" when it does so itself."""
    here = updates.installation
    if here is None:
        return translate(
            "Updates",
            "This copy runs from its sources or was installed by pip: update it the same way.",
        )
    if not updates.why_not:
        return (
            ""
            if updates.able
            else translate(
                "Updates",
                "This copy was built without an address to look for newer versions: whoever built "
                "it updates it.",
            )
        )
    match here.channel:
        case "deb":
            return translate(
                "Updates",
                "This copy was installed as a package: the system's package manager updates it. "
                "Skein changes nothing there and looks for nothing.",
            )
        case "dmg":
            return translate(
                "Updates", "A newer version is installed by dragging it into Applications."
            )
        case "appimage":
            return translate(
                "Updates", "This copy is one AppImage file: a newer version is a newer file."
            )
        case "tree":
            return translate("Updates", "This copy was built on this computer: nothing updates it.")
    return translate(
        "Updates",
        "The folder {0} may not be written to by this user: whoever installed Skein there "
        "updates it.",
    ).format(here.root)


def asked_for(updates: UpdateService) -> str:
    """Return the sentence of what is sent and where: the same in the question and in Settings."""
    host = urlsplit(updates.source.address).hostname or updates.source.address
    return translate(
        "Updates",
        "Once a day Skein then asks {0} for one small signed file; nothing about you or this "
        "computer is sent, not even which version runs.",
    ).format(host)


def _date(seconds: int) -> str:
    return date_text(QDateTime.fromSecsSinceEpoch(seconds).toString("yyyyMMdd"))
