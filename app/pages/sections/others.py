"""Privacy, Keys and About: sections that mostly say things."""

import platform

from PySide6.QtCore import QUrl, Signal, qVersion
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.pages.sections.section import Section
from app.pages.sections.updates import UpdatePanel, who_updates
from app.services.updates import UpdateService
from app.settings import SettingsStore
from app.theme import Theme
from app.version import version_of
from app.widgets.keys_list import KeysList
from app.widgets.parts import label, on_theme, push_button, row
from engine.folders import Folders

LIBRARIES = (
    ("torch", "BSD-3-Clause"),
    ("numpy", "BSD-3-Clause"),
    ("safetensors", "Apache-2.0"),
    ("tokenizers", "Apache-2.0"),
    ("huggingface-hub", "Apache-2.0"),
    ("rwkv", "Apache-2.0"),
    ("PySide6-Essentials", "LGPL-3.0"),
    ("Pygments", "BSD-2-Clause"),
    ("ziamath", "MIT"),
)


class PrivacySection(Section):
    """What leaves this computer, and what does not."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "settings_privacy", "")
        self.setAccessibleName(self.tr("Privacy"))
        promises = self.card(self.tr("What leaves this computer"))
        sentences = (
            self.tr("There is no telemetry, no account and no advertising."),
            self.tr("Chats, states and models stay on this computer."),
            self.tr(
                "Skein connects to the hub of models: for the list of models when it starts or "
                "when you look for one, and to download. A GPU pack is downloaded when you ask "
                "for it."
            ),
            self.tr(
                "Only if you agreed, it also looks once a day for a newer version of itself. It "
                "reads one signed file and says nothing about you or this computer."
            ),
            self.tr("It connects to nothing else."),
            self.tr("“Work offline” under Models and storage stops even that."),
            self.tr("Crash reports are written to a file here; nobody gets them unless you send."),
        )
        for sentence in sentences:
            promises.add(label(sentence, wrap=True, select=True))


class KeysSection(Section):
    """The list of keys."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "settings_keys", "")
        self.setAccessibleName(self.tr("Keys"))
        self.card().column.addWidget(KeysList())


class AboutSection(Section):
    """Versions, updates, logs, licences."""

    report_requested = Signal()
    """The last crash report shall be shown."""
    whats_new_requested = Signal()
    notes_requested = Signal()
    """The notes of the update that was found shall be shown."""
    restart_requested = Signal()

    def __init__(
        self, theme: Theme, folders: Folders, settings: SettingsStore, updates: UpdateService
    ) -> None:
        super().__init__(theme, "settings_about", "")
        self.setAccessibleName(self.tr("About"))
        self._folders = folders
        self._mark = QLabel()
        self._add_name()
        self._add_updates(settings, updates)
        self._add_files()
        self._add_licences()
        on_theme(theme, self._dress)

    def _add_name(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(label("Skein", "heading"))
        self._version = label(self.tr("Version {0}").format(version_of("skein")), "muted")
        self._version.setObjectName("about_version")
        words.addWidget(self._version)
        words.addWidget(label(self.tr("RWKV-7 on your desktop. Apache-2.0."), "muted", wrap=True))
        holder = QWidget()
        across = QHBoxLayout(holder)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(16)
        across.addWidget(self._mark)
        across.addLayout(words, 1)
        news = push_button(
            self.tr("What is new"), "whats_new", clicked=self.whats_new_requested.emit
        )
        across.addWidget(news)
        self.card().column.addWidget(holder)

    def _add_updates(self, settings: SettingsStore, updates: UpdateService) -> None:
        card = self.card(self.tr("Updates"))
        if why_not := who_updates(updates):
            card.add(label(why_not, wrap=True, select=True))
            return
        panel = UpdatePanel(self.theme, settings, updates)
        panel.notes_requested.connect(self.notes_requested)
        panel.restart_requested.connect(self.restart_requested)
        panel.add_to(card)

    def _dress(self) -> None:
        side = self.theme.px(56)
        self._mark.setPixmap(self.theme.app_icon().pixmap(side, side))

    def _add_files(self) -> None:
        files = self.card(self.tr("When something goes wrong"))
        logs = push_button(self.tr("Open logs"), "open_logs", clicked=self._open_logs)
        files.setting(self.tr("Logs"), self.tr("They hold no chat and no token."), logs)
        report = push_button(
            self.tr("Show report"), "show_report", clicked=self.report_requested.emit
        )
        files.setting(self.tr("Last crash report"), "", report)
        copy = push_button(self.tr("Copy"), "copy_versions", clicked=self._copy_versions)
        files.setting(self.tr("Versions"), self.tr("For a question or a bug report."), copy)

    def _open_logs(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folders.logs)))

    def _copy_versions(self) -> None:
        QGuiApplication.clipboard().setText(versions_text())

    def _add_licences(self) -> None:
        licences = self.card(self.tr("Made with"))
        for name, licence in LIBRARIES:
            what = label(f"{name} {version_of(name)}", select=True)
            holder = QWidget()
            line = row(what, stretch=True)
            line.addWidget(label(licence, "faint"))
            holder.setLayout(line)
            licences.column.addWidget(holder)


def versions_text() -> str:
    """Return the versions that matter, one per line."""
    lines = [f"Skein {version_of('skein')}", f"Python {platform.python_version()}"]
    lines += [f"Qt {qVersion()}", f"{platform.system()} {platform.release()} {platform.machine()}"]
    lines += [f"{name} {version_of(name)}" for name, _licence in LIBRARIES]
    return "\n".join(lines)
