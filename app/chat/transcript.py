"""The open chat, top to bottom: builds only the messages near the view.

Every message has a height, estimated until it was built once. What is on screen stays where it
is when heights above it become known; the view goes along with a growing reply only when it
stands at the end. Knows the chat's model and message views; draws nothing itself.
"""

import math
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, QUrl, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QDesktopServices,
    QGuiApplication,
    QKeyEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QToolButton, QWidget

from app.chat.links import safe_link
from app.chat.message_places import EDGE, MessagePlaces
from app.chat.message_view import OVERHANG, MessageView, ViewTools
from app.models.message import Message
from app.widgets.parts import on_theme

if TYPE_CHECKING:
    from app.models.chat import ChatModel
    from app.theme import Colors

COLUMN = 760
"""Widest text column, pixels at 100 % text size."""

FLUSH_MS = 33
_NEAR_SCREENS = 1.0  # built ahead of the view, in screens
_FAR_SCREENS = 4.0  # given up beyond
_AHEAD_MS = 8  # between two messages that are built ahead of the view
_RESTYLE_MS = 120  # without another step in size, after which the text follows
_FRAME_S = 0.005  # after which no other message is built while something moves
_AT_END = 24  # pixels from the end that still count as the end


class Transcript(QScrollArea):
    """Shows ``chat.messages``; asks the chat for what the person wants of a message."""

    copied = Signal(str)
    link_hovered = Signal(str)
    focus_freed = Signal()  # what had the keyboard goes away
    announced = Signal(str)  # was said to screen readers
    persona_asked = Signal(int)  # the state after this message shall be kept as a persona
    export_asked = Signal(int)  # the state after this message shall be written to a file

    def __init__(self, tools: ViewTools, chat: "ChatModel", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tools = tools
        self._theme = tools.theme
        self._chat = chat
        self._places = MessagePlaces(self._theme)
        self._views: dict[int, MessageView] = {}
        self._dirty: set[int] = set()
        self._writing: set[int] = set()  # nodes whose end will be announced
        self._tab_start: QWidget | None = None
        self._placing = False
        self._following = True
        self._anchor: tuple[int, int] = (0, 0)  # message, pixels of it above the view
        self._width = 0
        self._canvas = QWidget()
        self._canvas.setObjectName("transcript_canvas")
        self.setObjectName("transcript")
        self.setAccessibleName(self.tr("Messages"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(self._canvas)
        self.verticalScrollBar().setSingleStep(40)
        self._jump = self._make_jump()
        self._address = QLabel(self)
        self._address.setObjectName("link_address")
        self._address.setProperty("role", "address")
        self._address.setTextFormat(Qt.TextFormat.PlainText)
        self._address.hide()
        self._pump = QTimer(self)
        self._pump.setSingleShot(True)
        self._pump.timeout.connect(self._on_pump)
        self._placer = QTimer(self)
        self._placer.setSingleShot(True)
        self._placer.setInterval(0)
        self._placer.timeout.connect(lambda: self._place(_FRAME_S))
        self._ahead = QTimer(self)
        self._ahead.setSingleShot(True)
        self._ahead.setInterval(_AHEAD_MS)
        self._ahead.timeout.connect(self._build_one_near)
        self._restyler = QTimer(self)
        self._restyler.setSingleShot(True)
        self._restyler.setInterval(_RESTYLE_MS)
        self._restyler.timeout.connect(self._restyle)
        self._dressed_in: Colors | None = None
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self.link_hovered.connect(self._show_address)
        self._connect_chat()
        on_theme(self._theme, self._dress)

    def _connect_chat(self) -> None:
        chat = self._chat
        chat.path_reset.connect(self._on_reset)
        chat.message_added.connect(self._on_added)
        chat.message_changed.connect(self._on_changed)
        chat.messages_truncated.connect(self._on_truncated)
        chat.busy_changed.connect(self._on_busy)
        chat.reading.connect(self._on_reading)
        self._on_reset()

    def _make_jump(self) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("jump_button")
        button.setAccessibleName(self.tr("Jump to the end"))
        button.setToolTip(self.tr("Jump to the end"))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(self.jump_to_end)
        button.hide()
        return button

    # ---- what others use ------------------------------------------------------------------

    @property
    def following(self) -> bool:
        """Whether the view stands at the end and goes along."""
        return self._following

    @property
    def built(self) -> dict[int, MessageView]:
        """The messages that exist as widgets, by index."""
        return dict(self._views)

    def set_tab_start(self, widget: QWidget) -> None:
        """Let Tab come to the messages from ``widget``."""
        self._tab_start = widget
        self._chain()

    def view(self, index: int) -> MessageView:
        """Return the widget of a message, scrolled to and built."""
        self.scroll_to(index)
        return self._views[index]

    def jump_to_end(self) -> None:
        """Go to the end and stay there."""
        self._following = True
        self._place()

    def scroll_to(self, index: int) -> None:
        """Bring the beginning of a message to the top of the view."""
        self._following = False
        self._anchor = (index, -EDGE)
        self._place()

    def edit_last(self) -> None:
        """Edit the last question."""
        for index in range(len(self._chat.messages) - 1, -1, -1):
            if self._chat.messages[index].role == "user":
                view = self._views.get(index) or self.view(index)
                view.start_edit()
                return

    def regenerate_last(self) -> None:
        """Have the last answer written anew."""
        if self._chat.messages and not self._chat.busy:
            self._chat.regenerate(len(self._chat.messages) - 1)

    # ---- the chat changed -----------------------------------------------------------------

    def _on_reset(self) -> None:
        gone = self._forget_from(0)
        self._places.reset(self._chat.messages, self._width)
        self._dirty.clear()
        self._writing = {m.node for m in self._chat.messages if m.status == "writing"}
        self._following = True
        self._end(gone)
        self._place()

    def _on_added(self, index: int) -> None:
        message = self._chat.messages[index]
        self._places.put(index, message, self._width)
        if message.role == "user":
            self._following = True
        self._note_end(message)
        if index > 0:
            self._refresh([index - 1])
        self._place()

    def _on_changed(self, index: int) -> None:
        self._dirty.add(index)
        self._note_end(self._chat.messages[index])
        self._start_pump(FLUSH_MS)

    def _note_end(self, message: Message) -> None:
        """Tell screen readers, once, that a reply has ended; politely, after what they say."""
        if message.status == "writing":
            self._writing.add(message.node)
        elif message.node in self._writing:
            self._writing.discard(message.node)
            stopped = message.status == "stopped"
            words = self.tr("Reply stopped") if stopped else self.tr("Reply finished")
            self._announce(message.error or words)

    def _announce(self, words: str) -> None:
        event = QAccessibleAnnouncementEvent(self, words)
        event.setPoliteness(QAccessible.AnnouncementPoliteness.Polite)
        QAccessible.updateAccessibility(event)
        self.announced.emit(words)

    def _on_truncated(self, index: int) -> None:
        self._end(self._forget_from(index))
        if index > 0:
            self._refresh([index - 1])
        self._place()

    def _forget_from(self, index: int) -> list[MessageView]:
        """Know nothing of the messages from ``index`` on; return their widgets, to be ended."""
        self._places.forget_from(index)
        return [self._views.pop(i) for i in sorted(self._views) if i >= index]

    def _on_busy(self, _busy: bool) -> None:
        self._refresh(self._views)

    def _on_reading(self, done: int, total: int) -> None:
        last = self._views.get(len(self._chat.messages) - 1)
        if last is not None:
            last.show_reading(done, total)

    def _refresh(self, indices: Iterable[int]) -> None:
        for index in list(indices):
            view = self._views.get(index)
            if view is not None and index < len(self._chat.messages):
                self._show(index, view)

    def _show(self, index: int, view: MessageView) -> None:
        last = index == len(self._chat.messages) - 1
        view.show_message(self._chat.messages[index], busy=self._chat.busy, last=last)

    # ---- writing --------------------------------------------------------------------------

    def _start_pump(self, delay_ms: int) -> None:
        if not self._pump.isActive():
            self._pump.start(delay_ms)

    def _on_pump(self) -> None:
        dirty, self._dirty = self._dirty, set()
        self._refresh(dirty)
        left = False
        for index in sorted(self._views, key=lambda i: not self._is_visible(i)):
            view = self._views[index]
            if view.work():
                left = True
                break
        if left:
            self._start_pump(0)
        self._place(_FRAME_S)

    def _on_height(self, view: MessageView) -> None:
        if not self._placing:
            self._placer.start()
        view.setProperty("stale", True)

    # ---- placing --------------------------------------------------------------------------

    def _place(self, budget_s: float = math.inf) -> None:
        """Build what is in view, measure it, put everything where it belongs.

        What does not get its turn within the budget follows in the next round.
        """
        if self._placing or self._width <= 0 or not self._in_step:
            return
        self._placing = True
        try:
            self._measure_stale()
            self._sum_up()
            self._aim()
            deadline = time.perf_counter() + budget_s
            for _ in range(8):
                if not self._build_visible(deadline):
                    break
                self._sum_up()
                self._aim()
            self._move_views()
        finally:
            self._placing = False
        self._drop_far()
        self._update_jump()
        if any(index not in self._views for index in self._in_view(0)):
            self._placer.start()
        elif self._next_near() is not None:
            self._ahead.start()

    @property
    def _in_step(self) -> bool:
        """Whether the chat's signal has come for each of its changes; until then all waits."""
        return len(self._places) == len(self._chat.messages)

    def _measure_stale(self) -> None:
        for index, view in self._views.items():
            if view.property("stale"):
                self._measure(index, view)

    def _measure(self, index: int, view: MessageView) -> None:
        self._places.measured(index, view.settle(self._width))
        view.setProperty("stale", False)

    def _sum_up(self) -> None:
        height = max(self._places.sum_up(self._chat.messages), self.viewport().height())
        self._canvas.resize(self.viewport().width(), height)
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, height - self.viewport().height()))

    def _aim(self) -> None:
        """Scroll so that the anchor, or the end, is where it was."""
        bar = self.verticalScrollBar()
        if self._following or not self._places.tops:
            bar.setValue(bar.maximum())
            return
        index, above = self._anchor
        index = min(index, len(self._places) - 1)
        bar.setValue(self._places.tops[index] + above)

    def _build_visible(self, deadline: float) -> bool:
        """Build and measure what is in view; return whether a height was wrong."""
        wrong = False
        for index in self._in_view(0):
            if time.perf_counter() > deadline:
                return False
            view = self._views.get(index)
            if view is None or not self._places.known[index]:
                before = self._places.heights[index]
                self._build(index)
                wrong = wrong or before != self._places.heights[index]
        return wrong

    def _build(self, index: int) -> None:
        view = self._views.get(index)
        if view is None:
            view = self._make_view(index)
        self._show(index, view)
        left = view.work()
        self._measure(index, view)
        view.show()
        if left:
            self._start_pump(0)

    def _make_view(self, index: int) -> MessageView:
        view = MessageView(self._tools, self._chat.messages[index].role, self._canvas)
        self._views[index] = view
        chat = self._chat
        asks = {
            "regenerate": chat.regenerate,
            "continue": chat.continue_reply,
            "branch": chat.branch,
            "delete": chat.delete,
            "save_persona": self.persona_asked.emit,
            "export_state": self.export_asked.emit,
        }
        view.asked.connect(lambda action: self._ask(view, asks[action]))
        view.edit_started.connect(lambda: self._show_editor(view))
        view.edited.connect(lambda text: chat.edit(self._index_of(view), text))
        view.version_asked.connect(lambda n: self._on_version(self._index_of(view), n))
        view.height_changed.connect(lambda: self._on_height(view))
        view.work_waits.connect(lambda: self._start_pump(0))
        view.copied.connect(self._on_copied)
        view.link_hovered.connect(self.link_hovered)
        view.link_asked.connect(self._open_link)
        return view

    def _ask(self, view: MessageView, ask: Callable[[int], object]) -> None:
        index = self._index_of(view)
        if view.has_focus:
            self.focus_freed.emit()  # the button will be disabled, or go
        ask(index)

    def _show_editor(self, view: MessageView) -> None:
        """Bring the whole editor into view; it stands at the beginning of its message."""
        index = self._index_of(view)
        view.setProperty("stale", True)
        self._place()
        first = self.verticalScrollBar().value()
        shown = first <= self._places.tops[index] and (
            self._places.bottom(index) <= first + self.viewport().height()
        )
        if not shown:
            self.scroll_to(index)

    def _index_of(self, view: MessageView) -> int:
        return next(index for index, known in self._views.items() if known is view)

    def _in_view(self, screens: float) -> list[int]:
        """Return the messages within so many screens of the view, nearest to its end first."""
        height = self.viewport().height()
        top = self.verticalScrollBar().value() - screens * height
        bottom = self.verticalScrollBar().value() + (1 + screens) * height
        return self._places.between(top, bottom)

    def _is_visible(self, index: int) -> bool:
        return index in self._in_view(0)

    def _move_views(self) -> None:
        # In the middle of all, as the composer is, whether there is a scroll bar or not.
        room = self.viewport().width() - self._width
        left = min((self.width() - self._width) // 2, room)
        for index, view in self._views.items():
            view.move(left, self._places.tops[index])
        self._chain()

    def _chain(self) -> None:
        """Let Tab go down the messages, whatever order they were built in."""
        before = self._tab_start
        chain = [w for index in sorted(self._views) for w in self._views[index].focus_chain()]
        for widget in [*chain, self._jump]:
            if before is not None and before.nextInFocusChain() is not widget:
                QWidget.setTabOrder(before, widget)
            before = widget

    def _next_near(self) -> int | None:
        missing = [i for i in self._in_view(_NEAR_SCREENS) if i not in self._views]
        return missing[0] if missing else None

    def _build_one_near(self) -> None:
        """Build one message ahead of the view, when there is nothing better to do."""
        index = self._next_near()
        if index is not None and not self._placing and not self._placer.isActive():
            self._build(index)
            self._place(0)

    def _drop_far(self) -> None:
        near = set(self._in_view(_FAR_SCREENS))
        for index in [i for i in self._views if i not in near and not self._views[i].pinned]:
            self._drop(index)

    def _drop(self, index: int) -> None:
        self._end([self._views.pop(index)])

    def _end(self, views: Iterable[MessageView]) -> None:
        """End widgets; the keyboard moves on from them, which scrolls and places the others."""
        for view in views:
            if view.has_focus:
                self.focus_freed.emit()
            view.hide()
            view.deleteLater()

    # ---- events ---------------------------------------------------------------------------

    def _on_scrolled(self, value: int) -> None:
        if self._placing:
            return
        self._following = value >= self.verticalScrollBar().maximum() - self._theme.px(_AT_END)
        self._remember_anchor()
        self._place(_FRAME_S)

    def _remember_anchor(self) -> None:
        value = self.verticalScrollBar().value()
        index = self._places.at(value)
        if index is not None:
            self._anchor = (index, value - self._places.tops[index])

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        side = 2 * min(self._theme.px(EDGE), self.viewport().width() // 12)
        width = min(self._theme.px(COLUMN), self.viewport().width() - side) + 2 * OVERHANG
        if width != self._width:
            self._width = width
            self._forget_heights()
        self._place()
        self._place_floating()

    def _forget_heights(self) -> None:
        """The width is new: every height is a guess again."""
        visible = set(self._in_view(0)) if self._places.tops else set()
        for index in list(self._views):
            if index not in visible and not self._views[index].pinned:
                self._drop(index)
            else:
                self._views[index].setProperty("stale", True)
        for index, message in enumerate(self._chat.messages):
            self._places.known[index] = False
            if index not in self._views:
                self._places.heights[index] = self._places.estimate(message, self._width)

    def _dress(self) -> None:
        self._theme.set_icon(self._jump, "chevron_down", "text")
        if self._dressed_in is not self._theme.colors:
            self._restyle()  # old letters could not be read on the new ground
        else:
            self._restyler.start()  # one step in size often follows another

    def _restyle(self) -> None:
        """Write in the theme's colours and sizes what can be seen; the rest is built anew."""
        self._dressed_in = self._theme.colors
        self._restyler.stop()
        self._forget_heights()
        for view in self._views.values():
            view.restyle()
        self._width = 0
        self.resizeEvent(QResizeEvent(self.size(), self.size()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        bar = self.verticalScrollBar()
        if event.key() == Qt.Key.Key_Home:
            bar.setValue(0)
        elif event.key() == Qt.Key.Key_End:
            self.jump_to_end()
        elif event.key() == Qt.Key.Key_Space:
            bar.triggerAction(bar.SliderAction.SliderPageStepAdd)
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, next_: bool) -> bool:
        moved = super().focusNextPrevChild(next_)
        focus = QGuiApplication.focusObject()
        if moved and isinstance(focus, QWidget) and self._canvas.isAncestorOf(focus):
            self.ensureWidgetVisible(focus, 0, 40)
        return moved

    # ---- floating things ------------------------------------------------------------------

    def _update_jump(self) -> None:
        bar = self.verticalScrollBar()
        away = bar.maximum() - bar.value() > self.viewport().height() // 3
        if away != self._jump.isVisibleTo(self):
            self._jump.setVisible(away)
            self._jump.raise_()

    def _place_floating(self) -> None:
        side = self._theme.px(36)
        self._jump.setFixedSize(side, side)
        self._jump.move((self.viewport().width() - side) // 2, self.height() - side - 12)
        self._address.move(0, self.height() - self._address.sizeHint().height())

    def _show_address(self, address: str) -> None:
        self._address.setText(address[:200])
        self._address.adjustSize()
        self._address.setVisible(bool(address))
        self._address.raise_()
        self._place_floating()

    def _on_copied(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.copied.emit(text)

    def _open_link(self, address: str) -> None:
        if safe_link(address):
            QDesktopServices.openUrl(QUrl(address))

    def _on_version(self, index: int, version: int) -> None:
        """Show another version; the message stays where it is on screen."""
        above = self.verticalScrollBar().value() - self._places.tops[index]
        self._chat.show_version(index, version)
        if index < len(self._chat.messages):
            self._following = False
            self._anchor = (index, above)
            self._place()
