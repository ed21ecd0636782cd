"""One download as it is seen: bar, numbers, Pause, Resume, Cancel, and what went wrong.

Shows a DownloadEntry and says which button was pressed; does nothing itself.
"""

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtWidgets import QLabel, QProgressBar, QToolButton, QVBoxLayout, QWidget

from app.models.units import rate_text, remaining_text, size_text
from app.services.downloads import DownloadEntry
from app.theme import Theme
from app.widgets.parts import icon_button, label, on_theme, push_button, restyle, row
from engine.errors import DownloadFailed, EngineError

STEPS = 1000


class ProblemLine(QWidget):
    """A sentence about a failure, what to do, and the buttons that do it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("problem_line")
        self._theme = theme
        self._icon = QLabel()
        self.message = label("", "danger", wrap=True, select=True)
        self.message.setObjectName("problem_message")
        self.hint = label("", "muted", wrap=True, select=True)
        self.hint.setObjectName("problem_hint")
        self.buttons = row(stretch=True)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.message)
        words.addWidget(self.hint)
        words.addSpacing(4)
        words.addLayout(self.buttons)
        across = row()
        across.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        across.addLayout(words, 1)
        self.setLayout(across)
        on_theme(theme, self._dress)
        self.hide()

    def say(self, message: str, hint: str = "") -> None:
        """Show both sentences; an empty message hides the line."""
        self.message.setText(message)
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        self.setAccessibleName(f"{message} {hint}".strip())
        self.setVisible(bool(message))

    def add_button(self, button: QWidget) -> None:
        """Put a button below the sentences."""
        self.buttons.insertWidget(self.buttons.count() - 1, button)

    def _dress(self) -> None:
        self._icon.setPixmap(self._theme.pixmap("warning", 18, "danger", self))


class DownloadBar(QWidget):
    """Hidden while there is no download."""

    pause_clicked = Signal()
    resume_clicked = Signal()
    cancel_clicked = Signal()
    free_space_clicked = Signal()

    def __init__(self, theme: Theme, model_id: str, name: str) -> None:
        super().__init__()
        self._name = name
        self.bar = QProgressBar(minimum=0, maximum=STEPS, textVisible=False)
        self.bar.setObjectName("download_progress")
        self.bar.setAccessibleName(self.tr("Download of {0}").format(name))
        self.numbers = label("", "muted")
        self.numbers.setObjectName("download_numbers")
        self.numbers.setWordWrap(True)
        self.pause = icon_button(
            theme, "pause", "pause_button", self.tr("Pause download of {0}").format(name)
        )
        self.resume = icon_button(
            theme, "play", "resume_button", self.tr("Resume download of {0}").format(name)
        )
        self.cancel = icon_button(
            theme, "close", "cancel_button", self.tr("Cancel download of {0}").format(name)
        )
        self.problem = ProblemLine(theme)
        self.retry = push_button(
            self.tr("Try again"), "retry_button", name=self.tr("Try again: {0}").format(name)
        )
        self.free_space = push_button(
            self.tr("Free space"), "free_space_button", name=self.tr("Free space on the disk")
        )
        self._connect()
        self._build()
        for widget in (self, self.bar, *self._buttons()):
            widget.setProperty("model_id", model_id)
        self.hide()

    def show_entry(self, entry: DownloadEntry | None) -> None:
        """Show how the download is doing; None hides everything."""
        had_focus = any(button.hasFocus() for button in self._buttons())
        self.setVisible(entry is not None)
        if entry is None:
            return
        failed = entry.status == "failed"
        self.pause.setVisible(entry.status in ("running", "waiting"))
        self.resume.setVisible(entry.status == "paused")
        self._show_progress(entry)
        self._show_problem(entry.error if failed else None)
        if had_focus:
            self._keep_focus()

    def take_focus(self) -> None:
        """Give the keyboard to the button that comes next."""
        self._keep_focus()

    def _buttons(self) -> tuple[QWidget, ...]:
        return self.pause, self.resume, self.cancel, self.retry, self.free_space

    def _keep_focus(self) -> None:
        for button in (self.pause, self.resume, self.retry, self.cancel):
            if button.isVisibleTo(self):
                button.setFocus(Qt.FocusReason.OtherFocusReason)
                return

    def _show_progress(self, entry: DownloadEntry) -> None:
        total = entry.progress.total if entry.progress and entry.progress.total else 0
        total = total or entry.model.size_bytes
        share = min(1.0, entry.received / total) if total else 0.0
        unknown = entry.status == "running" and not total
        self.bar.setRange(0, 0 if unknown else STEPS)
        self.bar.setValue(int(share * STEPS))
        tone = {"failed": "danger", "paused": "warning"}.get(entry.status, "")
        if self.bar.property("tone") != tone:
            restyle(self.bar, tone=tone)
        self.numbers.setText(" · ".join(self._words(entry, share, total)))

    def _words(self, entry: DownloadEntry, share: float, total: int) -> list[str]:
        percent = self.tr("{0} %").format(QLocale().toString(int(share * 100)))
        amount = self.tr("{0} of {1}").format(size_text(entry.received), size_text(total))
        match entry.status:
            case "waiting":
                return [self.tr("Waiting for another download"), percent]
            case "paused":
                return [self.tr("Paused"), percent, amount]
            case "failed":
                return [self.tr("Stopped"), percent, amount]
        progress = entry.progress
        if progress is None or progress.phase == "starting":
            return [self.tr("Starting…")]
        if progress.phase == "verifying":
            return [self.tr("Checking the file…"), percent]
        words = [percent, amount]
        if progress.bytes_per_s:
            words.append(rate_text(progress.bytes_per_s))
        if progress.remaining_s is not None:
            words.append(remaining_text(progress.remaining_s))
        return words

    def _show_problem(self, error: EngineError | None) -> None:
        if error is None:
            self.problem.say("")
            return
        self.problem.say(error.message, error.hint)
        kind = error.kind if isinstance(error, DownloadFailed) else ""
        self.free_space.setVisible(kind == "full")

    def _connect(self) -> None:
        self.pause.clicked.connect(self.pause_clicked)
        self.resume.clicked.connect(self.resume_clicked)
        self.retry.clicked.connect(self.resume_clicked)
        self.cancel.clicked.connect(self.cancel_clicked)
        self.free_space.clicked.connect(self.free_space_clicked)

    def _build(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(6)
        left.addWidget(self.bar)
        left.addWidget(self.numbers)
        across = row(spacing=4)
        across.addLayout(left, 1)
        across.addSpacing(8)
        buttons: tuple[QToolButton, ...] = (self.pause, self.resume, self.cancel)
        for button in buttons:
            across.addWidget(button)
        self.problem.add_button(self.retry)
        self.problem.add_button(self.free_space)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(across)
        column.addWidget(self.problem)
