"""The controls of one downloadable file: Download, then its progress, then Load.

Two widgets that a card places where it likes: ``buttons`` and ``place`` (of the bar). Says what
was asked for, does nothing itself.
"""

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.services.downloads import DownloadEntry
from app.services.offers import AvailableModel
from app.theme import Theme
from app.widgets.download_bar import DownloadBar
from app.widgets.parts import push_button, restyle, row


class DownloadControls(QObject):
    """What can be done with one file on the hub."""

    download_clicked = Signal(str)
    pause_clicked = Signal(str)
    resume_clicked = Signal(str)
    cancel_clicked = Signal(str)
    load_clicked = Signal(object)  # Path
    free_space_clicked = Signal()

    def __init__(self, theme: Theme, model: AvailableModel, name: str, parent: QObject) -> None:
        super().__init__(parent)
        self._model = model
        self.download = push_button(
            self.tr("Download"), "download_button", name=self.tr("Download {0}").format(name)
        )
        self.load = push_button(
            self.tr("Load"), "load_button", name=self.tr("Load {0}").format(name)
        )
        self.buttons = QWidget()
        self.buttons.setLayout(row(self.download, self.load))
        self.place = QWidget()  # of the bar, which is only made when there is a download
        self._theme, self._name = theme, name
        self._bar: DownloadBar | None = None
        self.place.hide()
        for button in (self.download, self.load):
            button.setProperty("model_id", model.id)
        self._connect()

    @property
    def model_id(self) -> str:
        """The id of the file."""
        return self._model.id

    def show_state(
        self, model: AvailableModel, entry: DownloadEntry | None, *, primary: bool, loaded: bool
    ) -> None:
        """Show the buttons that make sense now."""
        had_focus = self.download.hasFocus()
        self._model = model
        here = model.path is not None
        self.download.setVisible(entry is None and not here)
        self.download.setEnabled(model.remote.supported)
        self.load.setVisible(here and entry is None)
        self.load.setEnabled(here and not loaded)
        self.load.setText(self.tr("Loaded") if loaded else self.tr("Load"))
        kind = "primary" if primary else ""
        if self.download.property("kind") != kind:
            restyle(self.download, kind=kind)
        self.place.setVisible(entry is not None)
        if entry is not None and self._bar is None:
            self._bar = self._make_bar()
        if self._bar is not None:
            self._bar.show_entry(entry)
            if had_focus and entry is not None:
                self._bar.take_focus()

    def _make_bar(self) -> DownloadBar:
        bar = DownloadBar(self._theme, self.model_id, self._name)
        bar.pause_clicked.connect(lambda: self.pause_clicked.emit(self.model_id))
        bar.resume_clicked.connect(lambda: self.resume_clicked.emit(self.model_id))
        bar.cancel_clicked.connect(lambda: self.cancel_clicked.emit(self.model_id))
        bar.free_space_clicked.connect(self.free_space_clicked)
        column = QVBoxLayout(self.place)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(bar)
        return bar

    def _connect(self) -> None:
        self.download.clicked.connect(lambda: self.download_clicked.emit(self.model_id))
        self.load.clicked.connect(self._on_load)

    def _on_load(self) -> None:
        path: Path | None = self._model.path
        if path is not None:
            self.load_clicked.emit(path)
