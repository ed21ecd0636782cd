"""The card of one model on this computer: Load, Eject, show in its folder, delete.

Shows a ReadyRow and says what was asked for; does nothing itself.
"""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QProgressBar, QVBoxLayout, QWidget

from app.models.format_words import generation_text, local_form
from app.models.model_list import ReadyRow
from app.models.model_names import built_in_line
from app.models.units import date_text, parameters_text, size_text
from app.theme import Theme
from app.widgets.download_bar import STEPS, ProblemLine
from app.widgets.elided_label import ElidedLabel
from app.widgets.flow_layout import FlowLayout
from app.widgets.parts import icon_button, label, push_button, row
from app.widgets.plan_line import PlanLine


class ReadyCard(QWidget):
    """One file that can be loaded, or that says why it cannot."""

    load_clicked = Signal(object)  # Path
    load_with_clicked = Signal(object, str)  # Path, strategy
    eject_clicked = Signal()
    reveal_clicked = Signal(object)  # Path
    delete_clicked = Signal(object)  # Path
    loras_clicked = Signal(object, str)  # Path, title
    use_clicked = Signal(object)  # Path of a LoRA or a state, to be offered
    free_space_clicked = Signal()

    def __init__(self, theme: Theme, first: ReadyRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row = first
        title = first.title
        self.setObjectName("ready_card")
        self.setAccessibleName(title)
        self._name = ElidedLabel(title, "heading")
        self._name.setObjectName("model_name")
        self._loaded = label(self.tr("Loaded"), "badge")
        self._loaded.setObjectName("loaded_badge")
        self._loaded.setProperty("tone", "accent")
        self._generation = label("", "badge")
        self._generation.setObjectName("generation_badge")
        self._loras = label("", "muted", wrap=True)
        self._loras.setObjectName("model_loras")
        self._facts = label("", "muted", wrap=True)
        self._facts.setObjectName("model_facts")
        self._path = ElidedLabel(first.place, "faint")
        self._path.setObjectName("model_path")
        self.plan = PlanLine()
        self.load = push_button(
            self.tr("Load"), "load_button", name=self.tr("Load {0}").format(title)
        )
        self.eject = push_button(
            self.tr("Eject"), "eject_button", name=self.tr("Eject {0}").format(title)
        )
        self.use = push_button("", "use_button")
        self.loras = icon_button(
            theme, "blend", "loras_button", self.tr("LoRAs of {0}").format(title)
        )
        self.reveal = icon_button(
            theme, "folder", "reveal_button", self.tr("Show {0} in its folder").format(title)
        )
        self.delete = icon_button(
            theme, "trash", "delete_button", self.tr("Delete {0}").format(title)
        )
        self._bar = QProgressBar(minimum=0, maximum=STEPS, textVisible=False)
        self._bar.setObjectName("load_progress")
        self._bar.setAccessibleName(self.tr("Loading of {0}").format(title))
        self._note = label("", "muted")
        self._note.setObjectName("load_numbers")
        self.problem = ProblemLine(theme)
        self._retry = push_button(
            self.tr("Try again"), "retry_button", name=self.tr("Try again: {0}").format(title)
        )
        self._other = push_button("", "load_with_button")
        self._build()
        self._connect()
        for widget in (self, *self._buttons()):
            widget.setProperty("model_id", first.model.id)

    def show_row(self, shown: ReadyRow, *, waiting: bool) -> None:
        """Show how the file is now; ``waiting``: the machine is not known yet."""
        self._row = shown
        local, status = shown.model.local, shown.load.status
        had_focus = any(button.hasFocus() for button in self._buttons())
        sound = not local.problem
        self._facts.setText(" · ".join(self._words()))
        self._facts.setVisible(bool(self._facts.text()))
        self.plan.setVisible(sound)
        self.plan.show_plan(shown.model.plan, waiting=waiting)
        self._loaded.setVisible(status == "loaded")
        self.load.setVisible(sound and status != "loaded")
        self.load.setEnabled(status != "loading")
        self.load.setText(self.tr("Loading…") if status == "loading" else self.tr("Load"))
        self.eject.setVisible(status == "loaded")
        self.delete.setEnabled(status not in ("loading", "loaded"))
        self.delete.setVisible(not shown.built_in)
        self.loras.setVisible(sound and shown.takes_loras)
        self.loras.setEnabled(status != "loading")
        self._show_labels()
        self._show_loading()
        self._show_problem()
        self.setAccessibleDescription(f"{self._facts.text()}. {self.plan.text}")
        self.load.setAccessibleDescription(self.accessibleDescription())
        if had_focus and not any(button.hasFocus() for button in self._buttons()):
            self.take_focus()

    def take_focus(self) -> None:
        """Give the keyboard to the button that comes next."""
        for button in (self.load, self.eject, self.use, self.reveal):
            if button.isVisibleTo(self) and button.isEnabled():
                button.setFocus(Qt.FocusReason.OtherFocusReason)
                return

    def _buttons(self) -> tuple[QWidget, ...]:
        card = self.load, self.eject, self.use, self.loras, self.reveal, self.delete
        return *card, self._retry, self._other

    def _words(self) -> list[str]:
        info, name = self._row.model.local.info, self._row.name
        if info is None:
            return [self._row.model.local.problem] if self._row.kind else []
        words = [
            built_in_line() if self._row.built_in else "",
            self.tr("{0} parameters").format(parameters_text(info.parameters)),
            size_text(info.size_bytes),
            date_text(name.date),
            self.tr("release {0}").format(name.release) if name.release else "",
            local_form(info),
            self.tr("starts from its own state") if info.has_state else "",
        ]
        return [word for word in words if word]

    def _show_labels(self) -> None:
        """Show its generation, its LoRAs, and what else can be done with a file."""
        info, row = self._row.model.local.info, self._row
        self._generation.setText(generation_text(info) if info is not None else "")
        self._generation.setVisible(bool(self._generation.text()))
        uses = ", ".join(f"{use.path.stem} × {use.strength:g}" for use in row.loras)
        self._loras.setText(self.tr("With {0}").format(uses) if uses else "")
        self._loras.setVisible(bool(uses))
        words = {"lora": self.tr("Apply to a model…"), "state": self.tr("Keep as persona…")}
        self.use.setVisible(bool(row.kind))
        self.use.setText(words.get(row.kind, ""))
        self.use.setAccessibleName(f"{self.use.text()} {row.title}")

    def _show_loading(self) -> None:
        loading = self._row.load.status == "loading"
        fraction = self._row.load.fraction
        self._bar.setVisible(loading)
        self._note.setVisible(loading)
        self._bar.setValue(int(fraction * STEPS))
        self._note.setText(self.tr("Loading… {0} %").format(int(fraction * 100)))

    def _show_problem(self) -> None:
        load = self._row.load
        if self._row.kind:  # no fault: something else can be done with it
            self.problem.say("")
        elif self._row.model.local.problem:
            self.problem.say(self._row.model.local.problem)
        elif load.status == "failed":
            self.problem.say(load.message, load.hint)
        else:
            self.problem.say("")
        self._retry.setVisible(load.status == "failed")
        self._other.setVisible(bool(load.suggestion))
        self._other.setText(self.tr("Load as {0}").format(load.suggestion))
        self._other.setAccessibleName(f"{self._other.text()}: {self._row.title}")

    def _connect(self) -> None:
        self.load.clicked.connect(lambda: self.load_clicked.emit(self._row.path))
        self._retry.clicked.connect(lambda: self.load_clicked.emit(self._row.path))
        self._other.clicked.connect(self._on_other)
        self.eject.clicked.connect(self.eject_clicked)
        self.use.clicked.connect(lambda: self.use_clicked.emit(self._row.path))
        self.loras.clicked.connect(lambda: self.loras_clicked.emit(self._row.path, self._row.title))
        self.reveal.clicked.connect(lambda: self.reveal_clicked.emit(self._row.path))
        self.delete.clicked.connect(lambda: self.delete_clicked.emit(self._row.path))

    def _on_other(self) -> None:
        path: Path = self._row.path
        self.load_with_clicked.emit(path, self._row.load.suggestion)

    def _build(self) -> None:
        head = FlowLayout()
        head.addWidget(self._name)
        head.addWidget(self._loaded)
        head.addWidget(self._generation)
        words = QVBoxLayout()
        words.setSpacing(6)
        words.addLayout(head)
        words.addWidget(self._facts)
        words.addWidget(self._loras)
        across = row(spacing=4)
        across.addLayout(words, 1)
        across.addSpacing(12)
        for button in (self.loras, self.reveal, self.delete, self.use, self.load, self.eject):
            across.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        self.problem.add_button(self._other)
        self.problem.add_button(self._retry)
        frame = QFrame()
        frame.setProperty("surface", "card")
        column = QVBoxLayout(frame)
        column.setContentsMargins(16, 14, 16, 12)
        column.setSpacing(8)
        column.addLayout(across)
        for widget in (self.plan, self._bar, self._note, self.problem, self._path):
            column.addWidget(widget)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(frame)
