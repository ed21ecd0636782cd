"""Where the next question is written: text, thinking mode, Send that becomes Stop.

Tells what is wanted by signals; the text stays until the chat took it. Knows no chat.
"""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, QTimer, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QResizeEvent,
    QTextCursor,
)
from PySide6.QtWidgets import QComboBox, QFileDialog, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.chat.attachments import NotText, read_text
from app.chat.text_input import TextInput
from app.theme import Theme
from app.widgets.drop_area import dropped_files, may_hold_a_model
from app.widgets.parts import icon_button, label, on_theme, restyle

COUNTED_FROM = 200
"""Characters from which on the length is shown."""

COUNTED_TO = 100_000
"""Characters up to which tokens are counted; counting more would be felt."""

_COUNT_DELAY_MS = 250


class ComposerField(TextInput):
    """The field, which also takes dropped files and tells when it has the keyboard."""

    files_given = Signal(list)
    focus_changed = Signal(bool)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return bool(_files(source)) or super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        files = _files(source)
        if files:
            self.files_given.emit(files)
        else:
            self.insertPlainText(source.text())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _is_for_window(event.mimeData()):
            event.ignore()
        elif _files(event.mimeData()):
            event.acceptProposedAction()
        else:
            super().dragEnterEvent(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if _is_for_window(event.mimeData()):
            event.ignore()
        elif _files(event.mimeData()):
            event.acceptProposedAction()
        else:
            super().dragMoveEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        files = _files(event.mimeData())
        if files:
            event.acceptProposedAction()
            self.files_given.emit(files)
        else:
            super().dropEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit(False)


class Composer(QFrame):
    """``send_requested`` carries the text; ``clear`` empties the field once it was taken."""

    send_requested = Signal(str)
    stop_requested = Signal()
    think_changed = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._busy = False
        self.count_tokens: Callable[[str], int] | None = None
        self.setObjectName("composer_frame")
        self.setProperty("surface", "composer")
        self.field = ComposerField()
        self.field.setObjectName("composer")
        self.field.setAccessibleName(self.tr("Message"))
        self.field.setPlaceholderText(self.tr("Write a message"))
        self.think = QComboBox()
        self.think.setObjectName("think_mode")
        self.think.setAccessibleName(self.tr("Thinking"))
        self.think.setToolTip(self.tr("How long the model thinks before it answers"))
        self.think.hide()
        self.attach = icon_button(theme, "attach", "attach_button", self.tr("Insert a text file"))
        self.hint = label("", "faint")
        self.hint.setObjectName("composer_hint")
        self.send = icon_button(
            theme, "send", "send_button", self.tr("Send"), keys="Enter", color="on_accent"
        )
        self.stop = icon_button(
            theme, "stop", "stop_button", self.tr("Stop"), keys="Esc", color="on_accent"
        )
        self._count_timer = QTimer(self)
        self._count_timer.setSingleShot(True)
        self._count_timer.setInterval(_COUNT_DELAY_MS)
        self._lay_out()
        self._connect()
        self.set_busy(False)
        on_theme(theme, self._dress)

    def _lay_out(self) -> None:
        for button in (self.send, self.stop):
            button.setProperty("kind", "round")
        below = QHBoxLayout()
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(6)
        below.addWidget(self.attach)
        below.addWidget(self.think)
        below.addWidget(self.hint, 1)
        below.addWidget(self.send)
        below.addWidget(self.stop)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 8, 8)
        column.setSpacing(6)
        column.addWidget(self.field)
        column.addLayout(below)
        order = (self.field, self.send, self.stop, self.think, self.attach)
        for before, after in itertools.pairwise(order):
            self.setTabOrder(before, after)

    def _connect(self) -> None:
        self.field.submitted.connect(self._on_submitted)
        self.field.textChanged.connect(self._on_text)
        self.field.files_given.connect(self.insert_files)
        self.field.focus_changed.connect(lambda focused: restyle(self, focused=focused))
        self.send.clicked.connect(self._on_submitted)
        self.stop.clicked.connect(self.stop_requested)
        self.attach.clicked.connect(self._choose_files)
        self.think.activated.connect(
            lambda index: self.think_changed.emit(self.think.itemData(index))
        )
        self._count_timer.timeout.connect(self._count)

    # ---- what others use ------------------------------------------------------------------

    @property
    def last_in_tab_order(self) -> QWidget:
        """What the keyboard leaves last."""
        return self.attach

    @property
    def text(self) -> str:
        """What is written."""
        return self.field.toPlainText()

    def set_text(self, text: str) -> None:
        """Replace what is written, with the caret at its end."""
        self.field.setPlainText(text)
        self.field.moveCursor(QTextCursor.MoveOperation.End)

    def clear(self) -> None:
        """Empty the field."""
        self.field.clear()
        self.hint.clear()

    def take_focus(self) -> None:
        """Give the keyboard to the field."""
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def set_busy(self, busy: bool) -> None:
        """Show Stop instead of Send while a reply is being written."""
        had_focus = self.send.hasFocus() or self.stop.hasFocus()
        self._busy = busy
        self.send.setVisible(not busy)
        self.stop.setVisible(busy)
        if had_focus:
            (self.stop if busy else self.send).setFocus(Qt.FocusReason.OtherFocusReason)
        self._on_text()

    def set_think_modes(self, modes: Sequence[str], current: str) -> None:
        """Offer the thinking modes of the template; hidden where there is nothing to choose."""
        words = self.think_words()
        self.think.clear()
        for mode in modes:
            self.think.addItem(words.get(mode, mode), mode)
        self.think.setVisible(len(modes) > 1)
        self.show_think(current)

    def show_think(self, mode: str) -> None:
        """Show which mode is in use."""
        self.think.setCurrentIndex(max(0, self.think.findData(mode)))

    def think_words(self) -> dict[str, str]:
        """The names of the modes."""
        return {
            "off": self.tr("No thinking"),
            "fast": self.tr("Fast"),
            "think": self.tr("Think"),
            "think_a_lot": self.tr("Think a lot"),
        }

    def set_window_height(self, height: int) -> None:
        """Grow to at most a third of the window."""
        self.field.set_highest(height // 3)

    def insert_files(self, paths: Sequence[Path]) -> None:
        """Insert text files with their names at the caret."""
        problems = []
        for path in paths:
            try:
                text = read_text(path)
            except NotText as error:
                problems.append(str(error))
                continue
            cursor = self.field.textCursor()
            break_ = "" if cursor.atBlockStart() else "\n"
            cursor.insertText(break_ + text)
        self.field.ensureCursorVisible()
        self.take_focus()
        if problems:
            self._count_timer.stop()
            self.hint.setText(" ".join(problems))

    # ---- inside ---------------------------------------------------------------------------

    def _on_submitted(self) -> None:
        if not self._busy and self.text.strip() and not self.field.composing:
            self.send_requested.emit(self.text)

    def _on_text(self) -> None:
        document = self.field.document()
        self.send.setEnabled(document.characterCount() > 1 and bool(self.text.strip()))
        self._count_timer.start()

    def _count(self) -> None:
        text = self.text
        if len(text) < COUNTED_FROM:
            self.hint.clear()
        elif self.count_tokens is not None and len(text) <= COUNTED_TO:
            self.hint.setText(self.tr("{0} tokens").format(f"{self.count_tokens(text):,}"))
        else:
            self.hint.setText(self.tr("{0} characters").format(f"{len(text):,}"))

    def _choose_files(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(self, self.tr("Insert text files"))
        self.insert_files([Path(name) for name in chosen])

    def _dress(self) -> None:
        for part in (self.field, self.field.viewport()):  # the placeholder has the viewport's
            part.setFont(self._theme.font(15))
        side = self._theme.px(34)
        for button in (self.send, self.stop):
            button.setFixedSize(side, side)
        self.field.fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.field.fit()


def _files(data: QMimeData) -> list[Path]:
    """Return the files that go into the text; none when the window takes them."""
    return [] if _is_for_window(data) else dropped_files(data)


def _is_for_window(data: QMimeData) -> bool:
    """Say whether a model or a folder is among what is dropped."""
    return any(map(may_hold_a_model, dropped_files(data)))
