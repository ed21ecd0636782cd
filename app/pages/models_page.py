"""The Models pane: what is on this computer, what can be had, and what fits.

Connects lists, cards and the two services; loading is asked for by signal (``load_requested``)
and told back through slots (``set_loaded``, ``set_loading``, ``show_load_error``).
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal, cast

from PySide6.QtCore import Qt, QTimer, QUrl, Signal, Slot
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QDesktopServices,
    QKeyEvent,
    QKeySequence,
)
from PySide6.QtWidgets import (
    QTabBar,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from app.models.model_list import AvailableList, AvailableRow, Filter, ReadyList, ReadyRow
from app.pages.models_dialogs import ask_delete, choose_files
from app.pages.models_words import catalogue_age, machine_text
from app.services.downloads import DownloadService
from app.services.library import ModelLibrary
from app.theme import Theme
from app.widgets.add_panel import AddPanel
from app.widgets.card_column import CardColumn
from app.widgets.empty import EmptyState
from app.widgets.filter_chips import FilterChips
from app.widgets.flow_layout import FlowLayout
from app.widgets.model_card import ModelCard
from app.widgets.notice import Notice
from app.widgets.parts import icon_button, label, on_theme, push_button
from app.widgets.ready_card import ReadyCard
from app.widgets.scroll_column import ScrollColumn
from app.widgets.search_field import SearchField
from engine.errors import EngineError

Tab = Literal["ready", "available"]
_TABS: tuple[Tab, Tab] = ("ready", "available")


class ModelsPage(QWidget):
    """Cards of models in two tabs, with search, filters, downloads and local files."""

    load_requested = Signal(object)
    """The Path of a file to load."""
    load_with_requested = Signal(object, str)
    """The Path of a file and the strategy to load it with."""
    eject_requested = Signal()
    file_opened = Signal(object)
    """The Path of a file outside the known folders; it is listed until the app ends."""
    files_given = Signal(list)
    """Paths that somebody chose, of whatever they are."""
    loras_requested = Signal(object, str)
    """The Path and the title of a model whose LoRAs shall be shown."""

    def __init__(
        self,
        theme: Theme,
        library: ModelLibrary,
        downloads: DownloadService,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme, self._library, self._downloads = theme, library, downloads
        self._loaded: Path | None = None
        self._looked_up = ""
        self._tab_chosen = False
        self.ready = ReadyList(library, self)
        self.available = AvailableList(library, downloads, self)
        self.setObjectName("models_page")
        self.setAccessibleName(self.tr("Models"))
        self.setProperty("surface", "surface")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._make_head()
        self._make_lists()
        self._build()
        self._connect()
        self._on_status()
        self._on_hardware()
        self._show_tab()
        on_theme(self._theme, self._dress)
        self.setFocusProxy(self._search)

    # What the application says

    @Slot(object)
    def set_loaded(self, path: Path | None) -> None:
        """Mark the file that the engine holds; None after an eject."""
        self._loaded = path
        self.ready.set_loaded(path)
        self._available_cards.refresh()

    @Slot(object, float)
    def set_loading(self, path: Path, fraction: float) -> None:
        """Show how far the engine is with a file (0 to 1)."""
        self.ready.set_loading(path, fraction)

    @Slot(object, str, str, str)
    def show_load_error(
        self, path: Path, message: str, hint: str = "", suggestion: str = ""
    ) -> None:
        """Show on its card why a file was not loaded; ``suggestion`` is a strategy that would."""
        self.ready.set_error(path, message, hint, suggestion)
        self.show_file(path)
        self._announce(f"{message} {hint}")

    def show_tab(self, tab: Tab) -> None:
        """Show what is ready or what is available."""
        self._tabs.setCurrentIndex(_TABS.index(tab))

    def show_file(self, path: Path) -> None:
        """Scroll to the card of a file on this computer and give it the keyboard."""
        self.show_tab("ready")
        card = self._ready_cards.card(str(path))
        if isinstance(card, ReadyCard):
            self._scroll_to(card)
            card.take_focus()

    @Slot(list)
    def open_files(self, paths: Sequence[Path]) -> None:
        """List models where they are, whoever dropped or chose them."""
        for path in paths:
            self._library.open_file(path)
            self.file_opened.emit(path)
        if paths:
            self.show_tab("ready")
            self._wanted = paths[-1]
            self._show_wanted()

    def look_up(self, address: str) -> None:
        """Ask the hub for a repository or a file, as if its address had been typed."""
        self._open_panel()
        self._panel.ask(address)

    # Making

    def _make_head(self) -> None:
        self._machine = label("", "faint", wrap=True)
        self._machine.setObjectName("machine_line")
        self._refresh = icon_button(
            self._theme, "refresh", "refresh_button", self.tr("Refresh the lists"), keys="F5"
        )
        self._add = push_button(self.tr("Add from address"), "add_button")
        self._open = push_button(self.tr("Open file…"), "open_file_button")
        self._tabs = QTabBar()
        self._tabs.setObjectName("models_tabs")
        self._tabs.setAccessibleName(self.tr("Which models"))
        self._tabs.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._tabs.setExpanding(False)
        for _ in _TABS:
            self._tabs.addTab("")
        self._search = SearchField(self._theme, "models_search", self.tr("Search models"))
        self._chips = FilterChips()
        self._notice = Notice(self._theme)
        self._panel = AddPanel(self._theme)
        self._wanted: Path | None = None  # to be shown as soon as the scan has found it

    def _make_lists(self) -> None:
        self._ready_cards = CardColumn(
            self.ready,
            self.ready.rows,
            lambda shown: shown.model.id,
            self._make_ready,
            self._show_ready,
            self.ready.keys,
        )
        self._available_cards = CardColumn(
            self.available,
            self.available.rows,
            lambda shown: shown.group.card_key,
            self._make_available,
            self._show_available,
            self.available.keys,
        )
        self._empty_button = push_button("", "empty_action", kind="primary")
        self._empty = EmptyState(self._theme, "models", "", action=self._empty_button)
        # All that can be long scrolls: a small window with large text still shows the cards.
        self._scroll = ScrollColumn("model_list", (24, 8, 24, 24))
        self._scroll.setAccessibleName(self.tr("List of models"))

    def _build(self) -> None:
        top, tabs = FlowLayout(), FlowLayout()
        top.addWidget(label(self.tr("Models"), "title"))
        for button in (self._add, self._open, self._refresh):
            top.add_right(button)
        tabs.addWidget(self._tabs)
        tabs.add_right(self._search)
        head = QVBoxLayout()
        head.setContentsMargins(24, 20, 24, 4)
        head.setSpacing(10)
        head.addLayout(top)
        head.addLayout(tabs)
        column = self._scroll.body
        column.setSpacing(12)
        for widget in (self._panel, self._notice, self._machine, self._chips):
            column.addWidget(widget)
        for widget in (self._ready_cards, self._available_cards, self._empty):
            column.addWidget(widget, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(head)
        whole.addWidget(self._scroll, 1)

    def _connect(self) -> None:
        self._tabs.currentChanged.connect(self._on_tab)
        self._search.textChanged.connect(self._on_filter)
        self._chips.changed.connect(self._on_filter)
        self._refresh.clicked.connect(self.refresh)
        self._add.clicked.connect(self._open_panel)
        self._open.clicked.connect(self._choose_file)
        self._panel.asked.connect(self._library.look_up)
        self._panel.closed.connect(self._add.setFocus)
        self._empty_button.clicked.connect(self._on_empty_action)
        for cards in (self._ready_cards, self._available_cards):
            cards.count_changed.connect(self._on_counts)
        library = self._library
        library.status_changed.connect(self._on_status)
        library.hardware_changed.connect(self._on_hardware)
        library.lookup_done.connect(self._on_lookup_done)
        library.lookup_failed.connect(self._on_lookup_failed)
        library.deleted.connect(self._on_deleted)
        library.delete_failed.connect(self._on_delete_failed)
        self._downloads.finished.connect(self._on_finished)
        self._downloads.failed.connect(self._on_failed)

    def _make_ready(self, shown: ReadyRow) -> QWidget:
        card = ReadyCard(self._theme, shown)
        card.load_clicked.connect(self.load_requested)
        card.load_with_clicked.connect(self.load_with_requested)
        card.eject_clicked.connect(self.eject_requested)
        card.reveal_clicked.connect(self._reveal)
        card.delete_clicked.connect(self._ask_delete)
        card.loras_clicked.connect(self.loras_requested)
        card.use_clicked.connect(lambda path: self.files_given.emit([path]))
        return card

    def _show_ready(self, card: QWidget, shown: ReadyRow) -> None:
        cast("ReadyCard", card).show_row(shown, waiting=self._library.hardware is None)

    def _make_available(self, shown: AvailableRow) -> QWidget:
        card = ModelCard(self._theme, shown)
        card.download_clicked.connect(self._download)
        card.pause_clicked.connect(self._downloads.pause)
        card.resume_clicked.connect(self._resume)
        card.cancel_clicked.connect(self._downloads.cancel)
        card.load_clicked.connect(self.load_requested)
        card.free_space_clicked.connect(lambda: self.show_tab("ready"))
        card.variant_chosen.connect(self._on_variant)
        return card

    def _show_available(self, card: QWidget, shown: AvailableRow) -> None:
        waiting = self._library.hardware is None
        cast("ModelCard", card).show_row(shown, self._loaded, waiting=waiting)

    # What the user does

    @Slot()
    def refresh(self) -> None:
        """Look at the disk and at the hub again."""
        self._library.rescan()
        self._library.refresh()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_F5:
            self.refresh()
        elif event.matches(QKeySequence.StandardKey.Find):
            self._search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            super().keyPressEvent(event)

    def _download(self, key: str) -> None:
        model = next((m for m in self._library.available if m.id == key), None)
        if model is not None:
            self._downloads.start(model.remote)

    def _on_variant(self, title: str, key: str) -> None:
        self.available.choose(title, key)
        for shown in self.available.rows():
            card = self._available_cards.card(shown.group.card_key)
            if shown.group.key == title and isinstance(card, ModelCard):
                self._scroll_to(card)
                card.take_focus()

    def _resume(self, key: str) -> None:
        if any(model.id == key for model in self._library.available):
            self._download(key)
        else:
            self._downloads.resume(key)

    def _on_filter(self) -> None:
        wanted = Filter(self._search.text(), self._chips.fits, self._chips.form)
        self.ready.set_filter(wanted)
        self.available.set_filter(wanted)

    def _open_panel(self) -> None:
        self._scroll.verticalScrollBar().setValue(0)
        self._panel.open_()

    def _choose_file(self) -> None:
        choose_files(self, self.files_given.emit)

    def _reveal(self, path: Path) -> None:
        folder = path if path.is_dir() else path.parent
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _ask_delete(self, path: Path) -> None:
        shown = next((r for r in self.ready.rows() if r.path == path), None)
        if shown is not None:
            delete = partial(self._library.delete, path)
            ask_delete(self, self._theme, shown.title, path, shown.size_bytes, delete)

    def _on_empty_action(self) -> None:
        if not self._filter_is_empty():
            self._search.clear()
            self._chips.reset()
        elif self._tab == "ready":
            self.show_tab("available")
        else:
            self.refresh()

    # What the services say

    def _on_status(self) -> None:
        library = self._library
        self._refresh.setEnabled(not (library.refreshing or library.scanning))
        own = any(not model.built_in for model in library.ready)
        if not (self._tab_chosen or library.scanning or own) and library.available:
            self.show_tab("available")  # the first start: what can be had
        if library.offline is None:
            self._notice.hide()
        elif not library.refreshing:
            self._show_offline(library.offline)
        self._show_empty()

    def _show_offline(self, error: EngineError) -> None:
        age = catalogue_age(self._library.catalogue_time)
        self._notice.show_notice(
            error.message,
            age or error.hint,
            tone="warning",
            actions=((self.tr("Try again"), self._library.refresh),),
        )

    def _on_hardware(self) -> None:
        self._machine.setText(machine_text(self._library.hardware))
        for cards in (self._ready_cards, self._available_cards):
            cards.refresh()

    def _on_lookup_done(self, address: str, keys: tuple[str, ...]) -> None:
        self._panel.say(self.tr("Found {0}: see the list below.").format(len(keys)))
        self._search.clear()
        self._chips.reset()
        self.show_tab("available")
        for shown in self.available.rows():
            if any(variant.id in keys for variant in shown.group.variants):
                card = self._available_cards.card(shown.group.card_key)
                if card is not None:
                    self._scroll_to(card)
                break

    def _on_lookup_failed(self, address: str, error: EngineError) -> None:
        self._panel.say(f"{error.message} {error.hint}".strip(), problem=True)

    def _on_deleted(self, path: str) -> None:
        self._announce(self.tr("Deleted {0}").format(Path(path).name))

    def _on_delete_failed(self, path: str, error: EngineError) -> None:
        self._notice.show_notice(error.message, error.hint, tone="danger")

    def _on_finished(self, key: str, path: Path) -> None:
        self._library.rescan()
        self._announce(self.tr("Download of {0} is complete").format(path.name))

    def _on_failed(self, key: str, error: EngineError) -> None:
        self._announce(f"{error.message} {error.hint}")

    def _dress(self) -> None:
        self._search.setFixedWidth(self._theme.px(220))

    def _announce(self, text: str) -> None:
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))

    def _show_wanted(self) -> None:
        wanted = self._wanted
        if wanted is not None and self._ready_cards.card(str(wanted)) is not None:
            self._wanted = None
            self.show_file(wanted)

    def _scroll_to(self, card: QWidget) -> None:
        """Bring a card into view, as soon as a new one has its place."""

        def scroll() -> None:
            if isValid(card):
                self._scroll.ensureWidgetVisible(card, 0, 24)

        QTimer.singleShot(0, self, scroll)

    # What is on show

    @property
    def _tab(self) -> Tab:
        return _TABS[max(0, self._tabs.currentIndex())]

    def _filter_is_empty(self) -> bool:
        return Filter(self._search.text(), self._chips.fits, self._chips.form).is_empty

    def _on_tab(self) -> None:
        self._tab_chosen = True
        self._show_tab()

    def _show_tab(self) -> None:
        ready = self._tab == "ready"
        self._ready_cards.setVisible(ready)
        self._available_cards.setVisible(not ready)
        self._on_counts()

    def _on_counts(self) -> None:
        counts = self.ready.total, self.available.total
        names = self.tr("Ready"), self.tr("Available")
        for place, (name, count) in enumerate(zip(names, counts, strict=True)):
            self._tabs.setTabText(place, f"{name}  {count}" if count else name)
        self._chips.set_formats(self.available.formats)
        self._chips.setVisible(any(counts))
        self._show_empty()
        self._show_wanted()

    def _show_empty(self) -> None:
        shown = self.ready.rowCount() if self._tab == "ready" else self.available.rowCount()
        self._empty.setVisible(not shown)
        if shown:
            return
        title, hint, action = self._empty_words()
        self._empty.say(title, hint)
        self._empty_button.setText(action)
        self._empty_button.setAccessibleName(action)
        self._empty_button.setVisible(bool(action))

    def _empty_words(self) -> tuple[str, str, str]:
        """Return a title, a hint and the next step's button ("" for none)."""
        if not self._filter_is_empty():
            return (
                self.tr("No model matches"),
                self.tr("Try fewer words, or show all sizes and formats."),
                self.tr("Show all"),
            )
        if self._tab == "ready":
            if self._library.scanning:
                return self.tr("Looking for models…"), "", ""
            return (
                self.tr("No models on this computer yet"),
                self.tr("Download one that fits, open a file, or drop one here."),
                self.tr("See what fits"),
            )
        if self._library.refreshing:
            return self.tr("Asking the hub what there is…"), "", ""
        return (
            self.tr("The list of models is empty"),
            self.tr("It is read from the hub: connect to the network, then refresh."),
            self.tr("Refresh"),
        )
