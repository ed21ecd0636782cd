"""The files of one model as a list to choose from: the newest release at once, older ones below.

Shows a ModelGroup and says which file was chosen; does nothing itself.
"""

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from app.models.format_words import file_words, reason_text
from app.models.grouping import ModelGroup
from app.models.units import date_text
from app.services.offers import AvailableModel
from app.theme import Theme
from app.widgets.parts import label, menu, row


class VariantChooser(QWidget):
    """A button that says which file is on top, and why; hidden where a model has only one."""

    chosen = Signal(str)  # id

    def __init__(self, theme: Theme, title: str) -> None:
        super().__init__()
        self._title = title
        self._group: ModelGroup | None = None
        self.button = QToolButton()
        self.button.setObjectName("variant_button")
        self.button.setProperty("kind", "field")
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the arrow comes behind
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        theme.set_icon(self.button, "chevron_down")
        self.reason = label("", "faint", wrap=True)
        self.reason.setObjectName("variant_reason")
        beside = row(self.button, self.reason, spacing=12)
        beside.setStretch(1, 1)
        self.setLayout(beside)
        self.button.clicked.connect(self.open_menu)

    def show_group(self, group: ModelGroup) -> None:
        """Show which of the files is on top."""
        self._group = group
        best = group.best
        self.setVisible(len(group.variants) > 1)
        text = file_words(best.remote)
        count = len(group.variants)
        self.button.setText(self.tr("{0}   (1 of {1})").format(text, count))
        self.button.setAccessibleName(
            self.tr("File of {0}: {1}, one of {2}").format(self._title, text, count)
        )
        self.button.setProperty("model_id", best.id)
        reason = reason_text(group.reason) if best.id == group.suited else ""
        self.reason.setText(reason)

    def open_menu(self) -> None:
        """Open the list under the button."""
        assert self._group is not None
        made = menu(self, "variant_menu", self.tr("Files of {0}").format(self._title))
        releases = _by_release(self._group.variants, self._group.suited)
        for place, files in enumerate(releases):
            target = made if place == 0 else self._older(made, files[0])
            if place == 0:
                self._add_caption(made, self._release_words(files[0]))
            for model in files:
                self._add(target, model)
        made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        made.popup(self.button.mapToGlobal(QPoint(0, self.button.height())))

    def _older(self, made: QMenu, model: AvailableModel) -> QMenu:
        below = menu(made, "release_menu", self._release_words(model))
        below.setTitle(self._release_words(model))
        made.addMenu(below)
        return below

    def _add_caption(self, made: QMenu, words: str) -> None:
        caption = made.addAction(words)
        caption.setEnabled(False)

    def _add(self, made: QMenu, model: AvailableModel) -> None:
        action = made.addAction(self._words(model), lambda: self._on_chosen(model.id))
        action.setObjectName(model.id)
        action.setCheckable(True)
        action.setToolTip(model.remote.name)
        assert self._group is not None
        action.setChecked(model.id == self._group.best.id)

    def _on_chosen(self, key: str) -> None:
        if self._group is not None and key != self._group.best.id:
            self.chosen.emit(key)

    def _release_words(self, model: AvailableModel) -> str:
        remote = model.remote
        release = self.tr("release {0}").format(remote.release) if remote.release else ""
        words = " · ".join(part for part in (release, date_text(remote.date)) if part)
        return words or self.tr("Others")

    def _words(self, model: AvailableModel) -> str:
        assert self._group is not None
        words = [file_words(model.remote), model.remote.repo.partition("/")[0]]
        if model.path is not None:
            words.append(self.tr("on this computer"))
        elif not model.remote.supported:
            words.append(self.tr("cannot be run"))
        elif model.id == self._group.suited:
            words.append(self.tr("suits this computer"))
        return " · ".join(words)


def _by_release(variants: Sequence[AvailableModel], suited: str) -> list[list[AvailableModel]]:
    """Return the files by release: that of the suited file first, the others as they come."""
    releases: dict[str, list[AvailableModel]] = {}
    first = next((m.remote.release for m in variants if m.id == suited), "")
    releases[first] = []
    for model in sorted(variants, key=lambda m: m.remote.release, reverse=True):
        releases.setdefault(model.remote.release, []).append(model)
    return [sorted(files, key=_order) for files in releases.values() if files]


def _order(model: AvailableModel) -> tuple[bool, int, int]:
    remote = model.remote
    return not remote.supported, -(remote.bits or 16), -remote.size_bytes
