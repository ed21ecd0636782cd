"""Notes of a version over the window, as formatted text. Knows Markdown, no version.

Loads no picture; a link opens in the browser, and only one that leads to the web.
"""

from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from app.chat.browser import MessageBrowser
from app.chat.document_style import StyleShelf
from app.chat.formulas import FormulaShelf
from app.chat.highlight import Highlighter
from app.chat.links import safe_link
from app.chat.rendering import MarkdownRenderer
from app.chat.workshop import Workshop
from app.theme import Theme
from app.widgets.overlay import Overlay
from app.widgets.parts import label, push_button, row

LEAST_SPARE = 8


class NotesPanel(Overlay):
    """``open_notes`` shows a title and a text; ``end`` ends its thread, if it has one."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(theme, parent, "notes_panel", "")
        self.wanted_width, self.wanted_height = 640, 480
        self._workshop = Workshop(self)
        self._title = label("", "heading", wrap=True)
        self._title.setObjectName("notes_title")
        self._text = MessageBrowser(
            theme,
            StyleShelf(theme),
            FormulaShelf(self._workshop, self),
            Highlighter(self._workshop, self),
        )
        self._text.setObjectName("notes_text")
        self._renderer = MarkdownRenderer(self._text.writer)
        self._text.anchorClicked.connect(self._on_link)
        self._close = push_button(
            self.tr("Close"), "notes_close", kind="primary", clicked=self.dismiss
        )
        self._build()
        theme.changed.connect(self._on_theme)

    def _build(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 12, 0)
        column.addWidget(self._text)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setObjectName("notes_scroll")
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inner)
        buttons = row()
        buttons.addStretch(1)
        buttons.addWidget(self._close)
        self.column.setContentsMargins(24, 20, 16, 16)
        self.column.setSpacing(12)
        self.column.addWidget(self._title)
        self.column.addWidget(scroll, 1)
        self.column.addLayout(buttons)
        self._scroll = scroll

    def open_notes(self, title: str, markdown: str) -> None:
        """Show them, from their beginning."""
        self._title.setText(title)
        self.setAccessibleName(title)
        self._text.setAccessibleName(title)
        self._renderer.set_text(markdown, final=True)
        self._write()
        self.open_over(self._close)
        self._scroll.verticalScrollBar().setValue(0)
        QTimer.singleShot(0, self, self._place)  # the text knows its height in this width now

    def _place(self) -> None:
        """No higher than the text needs."""
        super()._place()
        self.column.activate()
        spare = self._scroll.viewport().height() - self._text.height() - LEAST_SPARE
        if spare > 0 and self._text.document().size().height() > 0:
            place = self.panel.geometry()
            self.panel.setGeometry(place.adjusted(0, 0, 0, -spare))

    def end(self) -> None:
        """End the thread that colours code."""
        self._workshop.close()

    def _write(self) -> None:
        while self._renderer.work():  # slices of milliseconds; notes are a page or two
            pass
        self._text.refresh()

    def _on_theme(self) -> None:
        self._text.restyle()
        self._renderer.render_again()
        self._write()

    def _on_link(self, address: QUrl) -> None:
        if link := safe_link(address.toString()):
            QDesktopServices.openUrl(QUrl(link))
