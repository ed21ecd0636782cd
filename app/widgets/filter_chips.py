"""Chips that narrow a list of models: what fits, and which format."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QPushButton, QWidget

from app.widgets.flow_layout import FlowLayout
from app.widgets.parts import push_button

_NAMES = {"pth": ".pth", "safetensors": "safetensors", "gguf": "GGUF"}


class FilterChips(QWidget):
    """One chip of each kind is on; "all" is the default."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("models_filter")
        self.setAccessibleName(self.tr("Filter"))
        self._flow = FlowLayout(self)
        self._sizes, self._forms = QButtonGroup(self), QButtonGroup(self)
        self._all_sizes = self._chip(self.tr("All sizes"), "filter_all_sizes", self._sizes)
        self._fits = self._chip(self.tr("Fits this computer"), "filter_fits", self._sizes)
        self._gap = QWidget()
        self._gap.setFixedSize(8, 1)
        self._flow.addWidget(self._gap)
        self._all_forms = self._chip(self.tr("All formats"), "filter_all_formats", self._forms)
        self._by_form: dict[str, QPushButton] = {}
        self.reset()

    @property
    def fits(self) -> bool:
        """Whether what is too large is left out."""
        return self._fits.isChecked()

    @property
    def form(self) -> str:
        """The one format on show, or "" for all."""
        chosen = (form for form, chip in self._by_form.items() if chip.isChecked())
        return next(chosen, "")

    def reset(self) -> None:
        """Show everything."""
        self._all_sizes.setChecked(True)
        self._all_forms.setChecked(True)

    def set_formats(self, forms: Sequence[str]) -> None:
        """Offer a chip for each of these formats."""
        for form in forms:
            if form not in self._by_form:
                name = _NAMES.get(form, self.tr("Folder"))
                self._by_form[form] = self._chip(name, f"filter_{form}", self._forms)
        for form, chip in self._by_form.items():
            chip.setVisible(form in forms and len(forms) > 1)
        self._all_forms.setVisible(len(forms) > 1)
        self._gap.setVisible(len(forms) > 1)

    def _chip(self, text: str, object_name: str, group: QButtonGroup) -> QPushButton:
        chip = push_button(text, object_name, kind="chip")
        chip.setCheckable(True)
        chip.toggled.connect(self._on_toggled)
        group.addButton(chip)
        self._flow.addWidget(chip)
        return chip

    def _on_toggled(self, on: bool) -> None:
        if on:
            self.changed.emit()
