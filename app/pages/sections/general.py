"""General settings: language, theme, text size, how a message is sent, the start."""

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QSlider, QWidget

from app.pages.sections.section import Section
from app.settings import SettingsStore
from app.theme import LARGEST_SCALE, SMALLEST_SCALE, Theme
from app.translation import LANGUAGES
from app.widgets.parts import label, row
from app.widgets.setting_row import check_box, combo_box


class GeneralSection(Section):
    """What concerns the window as a whole."""

    def __init__(self, theme: Theme, settings: SettingsStore) -> None:
        super().__init__(theme, "settings_general", "")
        self.setAccessibleName(self.tr("General"))
        self._settings = settings
        self._add_look()
        self._add_chat()
        self._add_start()

    def _add_look(self) -> None:
        look = self.card(self.tr("Look"))
        language = combo_box(
            self._settings,
            "language",
            "language_choice",
            self.tr("Language"),
            (("", self.tr("As the system")), *LANGUAGES.items()),
        )
        look.setting(
            self.tr("Language"), self.tr("Takes effect when Skein is started again."), language
        )
        modes = combo_box(
            self._settings,
            "theme",
            "theme_choice",
            self.tr("Theme"),
            (
                ("system", self.tr("As the system")),
                ("light", self.tr("Light")),
                ("dark", self.tr("Dark")),
            ),
        )
        look.setting(self.tr("Theme"), "", modes)
        look.setting(self.tr("Text size"), self.tr("Also Ctrl+Plus and Ctrl+Minus."), self._size())

    def _size(self) -> QWidget:
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setObjectName("text_size")
        self._slider.setAccessibleName(self.tr("Text size"))
        self._slider.setRange(round(SMALLEST_SCALE * 10), round(LARGEST_SCALE * 10))
        self._slider.setPageStep(2)
        self._slider.setMinimumWidth(140)
        self._slider.wheelEvent = lambda event: event.ignore()
        # While it is dragged the whole window would jump under the pointer.
        self._slider.setTracking(False)
        self._percent = label("")
        self._percent.setObjectName("text_size_percent")
        self._slider.valueChanged.connect(
            lambda tenths: self._settings.set("text_scale", tenths / 10)
        )
        self._slider.sliderMoved.connect(self._show_percent)
        self._settings.changed.connect(self._on_setting)
        self._show_size()
        holder = QWidget()
        holder.setLayout(row(self._slider, self._percent, spacing=12))
        return holder

    def _on_setting(self, name: str) -> None:
        if name == "text_scale":
            self._show_size()

    def _show_size(self) -> None:
        tenths = round(self._settings.get("text_scale") * 10)
        with QSignalBlocker(self._slider):
            self._slider.setValue(tenths)
        self._show_percent(tenths)

    def _show_percent(self, tenths: int) -> None:
        self._percent.setText(f"{tenths * 10} %")

    def _add_chat(self) -> None:
        chat = self.card(self.tr("Chat"))
        keys = combo_box(
            self._settings,
            "send_with",
            "send_choice",
            self.tr("Send with"),
            (
                ("enter", self.tr("Enter (Shift+Enter breaks the line)")),
                ("ctrl+enter", self.tr("Ctrl+Enter (Enter breaks the line)")),
            ),
        )
        chat.setting(self.tr("Send with"), "", keys)

    def _add_start(self) -> None:
        start = self.card(self.tr("Start"))
        load = check_box(
            self._settings, "load_last_model", "load_last_model", self.tr("Load the last model")
        )
        start.setting(
            self.tr("Load the last model"),
            self.tr("When Skein starts, the model of last time is made ready."),
            load,
        )
