"""The GPU pack in the settings: what was found, what it costs, Get to Remove, and what went wrong.

Shows a GpuPackService and asks it; chooses and fetches nothing itself. Hidden where there is
neither an NVIDIA card nor a pack.
"""

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QMessageBox, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.models.units import rate_text, remaining_text, size_text
from app.services.gpu_packs import GpuPackService, PackFacts
from app.settings import SettingsStore
from app.theme import Theme
from app.widgets.download_bar import ProblemLine
from app.widgets.flow_layout import FlowLayout
from app.widgets.parts import card, label, line, push_button, restyle
from app.widgets.setting_row import SettingRow, text_field
from engine.hub.meter import DownloadProgress
from engine.settings import problem_with

if TYPE_CHECKING:
    from engine.gpu_pack.choice import PackChoice

translate = QCoreApplication.translate
STEPS = 1000
GUESSED_LINE = 100e6 / 8
"""Bytes a second of a line as many have it, for a guess before anything came."""
GUESSED_DISK = 120e6
"""Bytes a second of unpacking and trying out."""


class GpuPackPanel(QWidget):
    """``restart_requested``: the button beside a pack that only the next start uses."""

    restart_requested = Signal()

    def __init__(self, theme: Theme, settings: SettingsStore, packs: GpuPackService) -> None:
        super().__init__()
        self.setObjectName("gpu_pack")
        self.setAccessibleName(self.tr("GPU pack"))
        self._theme, self._settings, self._packs = theme, settings, packs
        self._headline = label("", "strong", wrap=True, select=True)
        self._headline.setObjectName("pack_headline")
        self._text = label("", "muted", wrap=True, select=True)
        self._text.setObjectName("pack_text")
        self._note = label("", "faint", wrap=True, select=True)
        self._note.setObjectName("pack_note")
        self.bar = QProgressBar(minimum=0, maximum=STEPS, textVisible=False)
        self.bar.setObjectName("pack_progress")
        self.bar.setAccessibleName(self.tr("GPU pack"))
        self._numbers = label("", "muted", wrap=True)
        self._numbers.setObjectName("pack_numbers")
        self._problem = ProblemLine(theme)
        self._buttons = {name: self._button(name, text) for name, text in self._button_texts()}
        self._lay_out()
        packs.changed.connect(self._show)
        packs.progressed.connect(self._show_progress)
        self._show()

    def _button_texts(self) -> tuple[tuple[str, str], ...]:
        return (
            ("get", self.tr("Get GPU pack")),
            ("again", self.tr("Start again now")),
            ("pause", self.tr("Pause")),
            ("cancel", self.tr("Cancel")),
            ("repair", self.tr("Repair")),
            ("remove", self.tr("Remove…")),
        )

    def _button(self, name: str, text: str) -> QPushButton:
        actions = {
            "get": self._packs.start,
            "again": self.restart_requested.emit,
            "pause": self._packs.pause,
            "cancel": self._packs.cancel,
            "repair": self._packs.start,
            "remove": self._ask_remove,
        }
        kind = "primary" if name in ("get", "again") else ""
        made = push_button(text, f"pack_{name}", kind=kind, clicked=actions[name])
        made.hide()
        return made

    def _lay_out(self) -> None:
        frame, column = card()
        words = QVBoxLayout()
        words.setSpacing(4)
        for widget in (self._headline, self._text, self._note):
            words.addWidget(widget)
        column.addLayout(words)
        for widget in (self.bar, self._numbers, self._problem):
            column.addWidget(widget)
        buttons = QWidget()
        self._flow = FlowLayout(buttons)
        for button in self._buttons.values():
            self._flow.addWidget(button)
        self._button_row = buttons
        column.addWidget(buttons)
        self._address = self._address_row()
        column.addWidget(self._address)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(8)
        caption = label(self.tr("GPU pack"), "caption")
        caption.setContentsMargins(4, 12, 0, 0)
        whole.addWidget(caption)
        whole.addWidget(frame)

    def _address_row(self) -> QWidget:
        self.field = text_field(
            self._settings, "pack_index", "pack_index", self.tr("Package index"), "https://"
        )
        self.field.editingFinished.connect(self._take_address)
        hint = self.tr(
            "Where PyTorch's packages come from, for example a mirror. Empty: the address that "
            "Skein knows. Every file is checked, wherever it comes from."
        )
        title = self.tr("Package index")
        self._wrong = label("", "danger", wrap=True)
        self._wrong.setObjectName("pack_index_problem")
        self._wrong.hide()
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(line())
        column.addWidget(SettingRow(self._theme, title, hint, self.field, wide=True))
        column.addWidget(self._wrong)
        return holder

    def _take_address(self) -> None:
        text = self.field.text().strip()
        wrong = bool(problem_with("pack_index", text))
        restyle(self.field, problem="true" if wrong else "")
        self._wrong.setVisible(wrong)
        self._wrong.setText(
            self.tr("Write an address such as https://host/simple.") if wrong else ""
        )
        if not wrong:
            self._settings.set("pack_index", text)

    # ---- what is shown --------------------------------------------------------------------

    def _show(self) -> None:
        facts = self._packs.facts
        self.setVisible(facts is not None and _is_of_use(facts))
        if facts is None:
            return
        headline, text, note, buttons = self._view(facts)
        for widget, words in ((self._headline, headline), (self._text, text), (self._note, note)):
            widget.setText(words)
            widget.setVisible(bool(words))
        is_full = facts.row is not None and facts.free_bytes < facts.needed_bytes
        restyle(self._note, role="warning" if is_full and "get" in buttons else "faint")
        self._address.setVisible(facts.row is not None)
        had_focus = any(button.hasFocus() for button in self._buttons.values())
        for name, button in self._buttons.items():
            button.setVisible(name in buttons)
        self._button_row.setVisible(bool(buttons))
        if had_focus and buttons:
            self._buttons[buttons[0]].setFocus(Qt.FocusReason.OtherFocusReason)
        self._name_get(facts)
        error = self._packs.error
        self._problem.say(error.message if error else "", error.hint if error else "")
        running = self._packs.status == "running"
        self.bar.setVisible(running or ("cancel" in buttons and facts.received > 0))
        self._numbers.setVisible(running)
        if running:
            self._show_progress(self._packs.progress)
        elif facts.row is not None and facts.row.download_bytes:
            self._fill(facts.received, facts.row.download_bytes)

    def _name_get(self, facts: PackFacts) -> None:
        """Get, go on, or try again: what the one button would do."""
        if self._packs.status == "failed":
            text = self.tr("Try again")
        elif facts.received and facts.active is None:
            text = self.tr("Go on")
        else:
            text = self.tr("Get GPU pack")
        self._buttons["get"].setText(text)
        self._buttons["get"].setAccessibleName(text)
        self._buttons["get"].setEnabled(facts.free_bytes >= facts.needed_bytes)

    def _view(self, facts: PackFacts) -> tuple[str, str, str, tuple[str, ...]]:
        """Return headline, text, note and the names of the buttons."""
        status = self._packs.status
        if status == "running":
            text = self.tr("Skein can be used meanwhile. The pack counts from the next start on.")
            return self._work_words(facts), text, "", ("pause", "cancel")
        if status == "stopping":
            return self.tr("Stopping…"), "", "", ()
        if status == "removing":
            return self.tr("Removing…"), "", "", ()
        if facts.problem:
            return self._unused(facts)
        if facts.left_alone:
            return self._left_alone(facts)
        if facts.active is not None:
            return self._present(facts)
        if facts.used:
            text = self.tr("It is in use until Skein ends. Its files go at the next start.")
            return self.tr("The GPU pack was removed"), text, "", ("again",)
        if facts.row is not None:
            return self._offered(facts)
        headline = facts.choice.gpu.name if facts.choice.gpu else self.tr("GPU pack")
        left = ("remove",) if facts.usage_bytes else ()
        return headline, why_none(facts.choice), self._size_note(facts), left

    def _work_words(self, facts: PackFacts) -> str:
        if _is_here(facts):
            return self.tr("Repairing the GPU pack…")
        return self.tr("Getting the GPU pack…")

    def _unused(self, facts: PackFacts) -> tuple[str, str, str, tuple[str, ...]]:
        """A pack is here that this Skein cannot lay over its PyTorch."""
        buttons = ("get", "remove") if facts.row is not None else ("remove",)
        text = self.tr(
            "It is damaged, or made for another version than this Skein. The processor does the "
            "work until it is fetched again."
        )
        note = f"{facts.problem} {self._size_note(facts)}".strip()
        return self.tr("The GPU pack is not used"), text, note, buttons

    def _left_alone(self, facts: PackFacts) -> tuple[str, str, str, tuple[str, ...]]:
        """The pack runs, and the card has gone, or its driver became older."""
        headline, text = self.tr("The GPU pack is not used"), why_left_alone(facts)
        if facts.row is not None and not _is_here(facts):
            return headline, text, self._cost_note(facts), ("get", "remove")
        repair = ("repair",) if facts.row is not None else ()
        return headline, text, self._size_note(facts), (*repair, "remove")

    def _present(self, facts: PackFacts) -> tuple[str, str, str, tuple[str, ...]]:
        assert facts.active is not None
        repair = ("repair",) if facts.row is not None else ()
        note = self._size_note(facts)
        if facts.used:
            text = self.tr("PyTorch {0} for NVIDIA cards ({1}).").format(
                facts.active.torch, facts.active.name
            )
            return self.tr("The GPU pack is in use"), text, note, (*repair, "remove")
        text = self.tr("It was tried out on this card. It is used from the next start on.")
        return self.tr("The GPU pack is ready"), text, note, ("again", *repair, "remove")

    def _offered(self, facts: PackFacts) -> tuple[str, str, str, tuple[str, ...]]:
        assert facts.row is not None
        if facts.received:
            headline = self.tr("{0} of {1} of the GPU pack are here").format(
                size_text(facts.received), size_text(facts.row.download_bytes)
            )
            return headline, "", self._cost_note(facts), ("get", "cancel")
        name = facts.choice.gpu.name if facts.choice.gpu else ""
        text = self.tr(
            "The GPU pack is PyTorch for NVIDIA cards. With it models run on the card, which is "
            "mostly many times as fast. Without it the processor goes on doing the work."
        )
        headline = self.tr("{0} could do the work").format(name)
        return headline, text, self._cost_note(facts), ("get",)

    def _cost_note(self, facts: PackFacts) -> str:
        assert facts.row is not None
        free = self.tr("It needs {0} of the disk; {1} are free.").format(
            size_text(facts.needed_bytes), size_text(facts.free_bytes)
        )
        if facts.free_bytes < facts.needed_bytes:
            more = self.tr("Free some space, then look again.")
            return f"{free} {more}"
        still = facts.row.download_bytes - facts.received
        if not still:
            return free
        cost = self.tr("{0} to download: about {1} min at 100 Mbit/s.").format(
            size_text(still), guessed_minutes(still, facts.row.installed_bytes)
        )
        return f"{cost} {free}"

    def _size_note(self, facts: PackFacts) -> str:
        if not facts.usage_bytes:
            return ""
        return self.tr("It takes {0} of the disk.").format(size_text(facts.usage_bytes))

    # ---- progress -------------------------------------------------------------------------

    def _show_progress(self, progress: DownloadProgress | None) -> None:
        if progress is None or progress.phase in ("starting", "looking", "testing"):
            self.bar.setRange(0, 0)
        else:
            self._fill(progress.received, progress.total)
        text = self._progress_text(progress)
        self._numbers.setText(text)
        self.bar.setAccessibleDescription(text)

    def _fill(self, done: int, total: int) -> None:
        self.bar.setRange(0, STEPS)
        self.bar.setValue(round(STEPS * done / total) if total else 0)

    def _progress_text(self, progress: DownloadProgress | None) -> str:
        phase = progress.phase if progress is not None else "starting"
        words = {
            "verifying": self.tr("Checking"),
            "unpacking": self.tr("Unpacking"),
            "testing": self.tr("Trying it out on the card"),
            "switching": self.tr("Almost done"),
        }.get(phase, self.tr("Looking for the files"))
        if progress is None or phase in ("starting", "looking", "testing", "switching"):
            return f"{words}…"
        share = self.tr("{0} of {1}").format(
            size_text(progress.received), size_text(progress.total)
        )
        parts = [share if phase == "downloading" else f"{words}: {share}"]
        if phase == "downloading" and progress.bytes_per_s > 0:
            parts.append(rate_text(progress.bytes_per_s))
        if progress.remaining_s is not None:
            parts.append(remaining_text(progress.remaining_s))
        return " · ".join(parts)

    # ---- removing -------------------------------------------------------------------------

    def _ask_remove(self) -> None:
        size = self._packs.facts.usage_bytes if self._packs.facts else 0
        box = QMessageBox(self)
        box.setObjectName("remove_pack_dialog")
        box.setIconPixmap(self._theme.pixmap("warning", 32, "danger", self))
        box.setWindowTitle(self.tr("Remove GPU pack"))
        box.setText(self.tr("Remove the GPU pack and free {0}?").format(size_text(size)))
        box.setInformativeText(
            self.tr("The processor does the work then. The pack can be downloaded again.")
        )
        button = box.addButton(self.tr("Remove"), QMessageBox.ButtonRole.DestructiveRole)
        button.setObjectName("confirm_remove_pack")
        restyle(button, kind="danger")
        keep = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(keep)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        button.clicked.connect(lambda: self._packs.remove())
        box.open()


def guessed_minutes(download_bytes: int, installed_bytes: int) -> int:
    """Return about how long a pack takes, at least a minute."""
    seconds = download_bytes / GUESSED_LINE + installed_bytes / GUESSED_DISK
    return max(1, round(seconds / 60))


def _is_of_use(facts: PackFacts) -> bool:
    """Whether there is anything to say: a card without its PyTorch, or a pack on the disk."""
    if facts.active is not None or facts.used or facts.problem or facts.usage_bytes:
        return True
    return facts.choice.verdict not in ("no_card", "has_cuda")


def _is_here(facts: PackFacts) -> bool:
    """Whether the pack that can be fetched is the one that is here."""
    return facts.active is not None and facts.row is not None and facts.active.is_of(facts.row)


def why_left_alone(facts: PackFacts) -> str:
    """Return why no card is used though a pack for one is laid over PyTorch."""
    gpu = facts.choice.gpu
    return why_none(facts.choice) or (gpu.why_not if gpu else "")


def why_none(choice: "PackChoice") -> str:
    """Return why there is no pack for this computer, and what to do."""
    driver = choice.gpu.driver if choice.gpu else ""
    sentences = {
        "driver": translate(
            "GpuPackPanel",
            "The NVIDIA driver {0} is too old for every GPU pack. Install a newer driver, then "
            "look again.",
        ).format(driver),
        "card_old": translate(
            "GpuPackPanel",
            "This card is too old for PyTorch: the processor does the work.",
        ),
        "card_new": translate(
            "GpuPackPanel", "This card is newer than the packs that Skein knows. Update Skein."
        ),
        "unpinned": translate(
            "GpuPackPanel",
            "A GPU pack suits this card, but this version of Skein does not list its files yet. "
            "Update Skein.",
        ),
        "version": translate(
            "GpuPackPanel",
            "The GPU packs that Skein knows are for another version of PyTorch. Update Skein.",
        ),
        "system": translate("GpuPackPanel", "There is no PyTorch for NVIDIA cards on this system."),
        "no_card": translate("GpuPackPanel", "There is no NVIDIA card in this computer."),
    }
    return sentences.get(choice.verdict, choice.reason)
