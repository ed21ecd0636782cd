"""The panel in which a model gets its LoRAs: which model, which files, how strong, in what order.

Asks and tells by ``applied``; the settings keep the answer, the engine applies it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QScrollArea, QWidget

from app.theme import Theme
from app.widgets.lora_rows import LoraRows
from app.widgets.overlay import Overlay
from app.widgets.parts import label, push_button, row
from engine.lora_use import LoraUse

UsesOf = Callable[[Path], Sequence[LoraUse]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may get LoRAs, as it is called in the window."""

    path: Path
    title: str


class LoraDialog(Overlay):
    """``open_for`` shows it; ``applied`` carries the model's path and its LoRAs."""

    applied = Signal(object, object)  # Path, tuple[LoraUse, ...]

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(theme, parent, "lora_dialog", "")
        self.setAccessibleName(self.tr("LoRAs of a model"))
        self.wanted_width = 560
        self._uses_of: UsesOf = lambda _path: ()
        self._added: list[LoraUse] = []
        self.loads = False
        self.models = QComboBox()
        self.models.setObjectName("lora_model")
        self.models.setAccessibleName(self.tr("Model"))
        self.models.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.about = label("", "muted", wrap=True)
        self.about.setObjectName("lora_about")
        self.rows = LoraRows(theme)
        self.add = push_button(self.tr("Add LoRA…"), "lora_add", clicked=self._choose)
        self.apply = push_button("", "lora_apply", kind="primary", clicked=self._on_apply)
        self._lay_out()
        self.models.activated.connect(lambda _place: self._show_model())
        self.rows.changed.connect(self._fit)

    def open_for(
        self,
        models: Sequence[Candidate],
        chosen: Path,
        uses_of: UsesOf,
        *,
        added: Sequence[LoraUse] = (),
        about: str = "",
        loads: bool = False,
    ) -> None:
        """Ask about the LoRAs of one of ``models``; ``added`` come behind those that it has.

        about: what is known of the added files. loads: the model is loaded with them at once.
        """
        self._uses_of, self._added, self.loads = uses_of, list(added), loads
        self.models.clear()
        for model in models:
            self.models.addItem(model.title, str(model.path))
        self.models.setCurrentIndex(max(0, self.models.findData(str(chosen))))
        self.about.setText(about)
        self.about.setVisible(bool(about))
        self._show_model()
        self.open_over(self.apply)
        self._fit()

    @property
    def model(self) -> Path:
        """The model that is chosen."""
        return Path(self.models.currentData())

    def _show_model(self) -> None:
        own = list(self._uses_of(self.model))
        known = {use.path for use in own}
        self.rows.show_uses([*own, *(use for use in self._added if use.path not in known)])
        self.apply.setText(self.tr("Apply and load") if self.loads else self.tr("Apply"))
        self.apply.setAccessibleName(self.apply.text())

    def _choose(self) -> None:
        dialog = QFileDialog(self, self.tr("Add LoRA files"))
        dialog.setObjectName("lora_file_dialog")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setNameFilters(
            [self.tr("LoRAs (*.pth *.safetensors *.st)"), self.tr("All files (*)")]
        )
        dialog.filesSelected.connect(self.add_files)
        dialog.open()

    def add_files(self, names: Sequence[str]) -> None:
        """Add files behind those that are there."""
        known = {use.path for use in self.rows.uses}
        new = [LoraUse(Path(name)) for name in names if Path(name) not in known]
        self.rows.show_uses([*self.rows.uses, *new])

    def _on_apply(self) -> None:
        self.dismiss()
        self.applied.emit(self.model, self.rows.uses)

    def _fit(self) -> None:
        """As high as its content; with many rows those scroll."""
        self.rows.adjustSize()
        wanted = min(self.rows.sizeHint().height() + 4, self.theme.px(300))
        self._scroll.setFixedHeight(wanted)
        if not self.isHidden():
            self._place()

    def _lay_out(self) -> None:
        self.column.setContentsMargins(24, 20, 24, 16)
        self.column.setSpacing(12)
        self.column.addWidget(label(self.tr("LoRAs"), "heading"))
        self.column.addWidget(self.about)
        across = row(label(self.tr("Model")), self.models)
        across.setStretch(1, 1)
        self.column.addLayout(across)
        self._scroll = QScrollArea()
        self._scroll.setObjectName("lora_list")
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setWidget(self.rows)
        self.column.addWidget(self._scroll)
        words = self.tr(
            "They change the weights while the model is loaded, in this order. 1 is as trained, 0 "
            "switches one off, 2 doubles it. Skein remembers them for this model."
        )
        self.column.addWidget(label(words, "faint", wrap=True))
        cancel = push_button(self.tr("Cancel"), "lora_cancel", kind="quiet", clicked=self.dismiss)
        buttons = row(self.add)
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.apply)
        self.column.addLayout(buttons)
