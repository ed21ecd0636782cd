"""The card of one model on the hub: what it is, whether it fits, which of its files, its download.

Shows an AvailableRow and says what was asked for; does nothing itself.
"""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.models.format_words import file_words, older_text
from app.models.model_list import AvailableRow
from app.models.units import date_text, parameters_text, speed_text
from app.services.downloads import DownloadEntry
from app.services.offers import AvailableModel
from app.theme import Theme
from app.widgets.download_controls import DownloadControls
from app.widgets.elided_label import ElidedLabel
from app.widgets.flow_layout import FlowLayout
from app.widgets.parts import label, row
from app.widgets.plan_line import PlanLine
from app.widgets.variant_chooser import VariantChooser


class _Asking(QWidget):
    """A part of a card that passes on what its controls ask for."""

    download_clicked = Signal(str)
    pause_clicked = Signal(str)
    resume_clicked = Signal(str)
    cancel_clicked = Signal(str)
    load_clicked = Signal(object)  # Path
    free_space_clicked = Signal()

    def pass_on(self, source: "DownloadControls | _Asking") -> None:
        """Emit again whatever ``source`` emits."""
        source.download_clicked.connect(self.download_clicked)
        source.pause_clicked.connect(self.pause_clicked)
        source.resume_clicked.connect(self.resume_clicked)
        source.cancel_clicked.connect(self.cancel_clicked)
        source.load_clicked.connect(self.load_clicked)
        source.free_space_clicked.connect(self.free_space_clicked)


class FileRow(_Asking):
    """One more file of the same model that is here or on its way."""

    def __init__(self, theme: Theme, model: AvailableModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("file_row")
        self.setProperty("model_id", model.id)
        self._name = ElidedLabel(model.remote.name)
        self._facts = label("", "faint", wrap=True)
        self.controls = DownloadControls(theme, model, model.remote.name, self)
        self.pass_on(self.controls)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self._name)
        words.addWidget(self._facts)
        across = row()
        across.addLayout(words, 1)
        across.addWidget(self.controls.buttons)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 4)
        column.setSpacing(6)
        column.addLayout(across)
        column.addWidget(self.controls.place)

    def show_file(
        self, model: AvailableModel, entry: DownloadEntry | None, loaded: Path | None
    ) -> None:
        """Show how it is now."""
        self._facts.setText(" · ".join(self._words(model)))
        is_loaded = loaded is not None and model.path == loaded
        self.controls.show_state(model, entry, primary=False, loaded=is_loaded)

    def _words(self, model: AvailableModel) -> list[str]:
        remote = model.remote
        words = [file_words(remote), date_text(remote.date), remote.repo]
        if not remote.supported:
            words.append(remote.note)
        elif model.plan is not None and model.plan.verdict == "too_large":
            words.append(self.tr("too large for this computer"))
        elif model.plan is not None and model.plan.write_tokens_per_s:
            words.append(speed_text(model.plan.write_tokens_per_s))
        return [word for word in words if word]


class ModelCard(_Asking):
    """One model: the file to take, a list of the others, and below what of those comes in."""

    variant_chosen = Signal(str, str)  # the model's title, the id of the file

    def __init__(self, theme: Theme, first: AvailableRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        best = first.group.best
        self._theme, self._row, self._loaded = theme, first, None
        self._files: dict[str, FileRow] = {}
        title = best.remote.title
        self.setObjectName("model_card")
        self.setProperty("model_id", best.id)
        self.setAccessibleName(title)
        self._name = ElidedLabel(title, "heading")
        self._name.setObjectName("model_name")
        self._recommended = label(self.tr("Recommended"), "badge")
        self._recommended.setObjectName("recommended_badge")
        self._recommended.setProperty("tone", "accent")
        self._here = label(self.tr("On this computer"), "badge")
        self._here.setObjectName("here_badge")
        self._facts = label("", "muted", wrap=True)
        self._facts.setObjectName("model_facts")
        self.plan = PlanLine()
        self.controls = DownloadControls(theme, best, title, self)
        self.pass_on(self.controls)
        self.variants = VariantChooser(theme, title)
        self.variants.chosen.connect(lambda key: self.variant_chosen.emit(title, key))
        self._older = label("", "badge")
        self._older.setObjectName("generation_badge")
        self._list = QWidget()
        self._list_column = QVBoxLayout(self._list)
        self._build()

    @property
    def best_id(self) -> str:
        """The id of the file that the card offers first."""
        return self._row.group.best.id

    def show_row(self, shown: AvailableRow, loaded: Path | None, *, waiting: bool) -> None:
        """Show how the model is now; ``waiting``: the machine is not known yet."""
        self._row, self._loaded = shown, loaded
        best = shown.group.best
        is_recommended = bool(shown.recommended) and best.id == shown.recommended
        self._recommended.setVisible(is_recommended)
        self._here.setVisible(best.path is not None)
        self._facts.setText(" · ".join(self._words(best)))
        remote = best.remote
        self._older.setText(older_text(f"RWKV-{remote.version}") if remote.is_older else "")
        self._older.setVisible(remote.is_older)
        self.variants.show_group(shown.group)
        note = "" if best.remote.supported else best.remote.note
        self.plan.show_plan(best.plan, note=note, waiting=waiting)
        self.controls.show_state(
            best,
            shown.downloads[0],
            primary=is_recommended,
            loaded=loaded is not None and best.path == loaded,
        )
        self.setAccessibleDescription(f"{self._facts.text()}. {self.plan.text}")
        self.controls.download.setAccessibleDescription(self.accessibleDescription())
        self._show_others()

    def _words(self, best: AvailableModel) -> list[str]:
        remote = best.remote
        words: list[str] = []
        if best.parameters:
            words.append(self.tr("{0} parameters").format(parameters_text(best.parameters)))
        words.append(date_text(remote.date))
        words.append(self.tr("release {0}").format(remote.release) if remote.release else "")
        words.append(file_words(remote) if len(self._row.group.variants) == 1 else "")
        words.append(remote.repo if best.added else "")
        return [word for word in words if word]

    # The other files

    def take_focus(self) -> None:
        """Give the keyboard to the list of files."""
        self.variants.button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_others(self) -> None:
        """Show a row for each other file that is here or on its way."""
        pairs = zip(self._row.group.variants, self._row.downloads, strict=True)
        others = [pair for pair in list(pairs)[1:] if pair[1] is not None or pair[0].path]
        self._sync_files(others)
        self._list.setVisible(bool(others))

    def _sync_files(self, others: list[tuple[AvailableModel, DownloadEntry | None]]) -> None:
        wanted = [model.id for model, _ in others]
        for key in [key for key in self._files if key not in wanted]:
            self._files.pop(key).deleteLater()
        for place, (model, entry) in enumerate(others):
            found = self._files.get(model.id)
            if found is None:
                found = self._files[model.id] = FileRow(self._theme, model)
                self.pass_on(found)
            # Before it is in sight: what changes there is laid out again each time.
            found.show_file(model, entry, self._loaded)
            if self._list_column.indexOf(found) != place:
                self._list_column.insertWidget(place, found)
                found.show()

    def _build(self) -> None:
        head = FlowLayout()
        for widget in (self._name, self._recommended, self._here, self._older):
            head.addWidget(widget)
        words = QVBoxLayout()
        words.setSpacing(6)
        words.addLayout(head)
        words.addWidget(self._facts)
        across = row(spacing=16)
        across.addLayout(words, 1)
        across.addWidget(self.controls.buttons, 0, Qt.AlignmentFlag.AlignTop)
        self._list_column.setContentsMargins(0, 0, 0, 0)
        self._list_column.setSpacing(0)
        self._list.hide()
        frame = QFrame()
        frame.setProperty("surface", "card")
        column = QVBoxLayout(frame)
        column.setContentsMargins(16, 14, 16, 12)
        column.setSpacing(8)
        column.addLayout(across)
        column.addWidget(self.plan)
        column.addWidget(self.variants)
        column.addWidget(self.controls.place)
        column.addWidget(self._list)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(frame)
