"""The folded thoughts of a reply: "Thinking…" with live seconds, then "Thought for 12 s".

Knows how to show thoughts, not how they are told from the answer.
"""

import time
from collections.abc import Callable

from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QToolButton, QVBoxLayout, QWidget

from app.chat.browser import MessageBrowser
from app.chat.rendering import MarkdownRenderer
from app.theme import Theme
from app.widgets.parts import on_theme

TICK_MS = 250


class ThinkingClock:
    """How long each reply has been thinking, by node; outlives the widgets that show it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._started: dict[int, float] = {}
        self._ended: dict[int, float] = {}

    def watch(self, node: int, *, thinking: bool) -> None:
        """Tell whether the reply of ``node`` is thinking at this moment."""
        if thinking:
            self._started.setdefault(node, self._now())
            self._ended.pop(node, None)
        elif node in self._started:
            self._ended.setdefault(node, self._now())

    def seconds(self, node: int) -> float | None:
        """Return how long it thought, so far or at all; None when nobody watched."""
        if node not in self._started:
            return None
        return self._ended.get(node, self._now()) - self._started[node]


class ThinkingBlock(QWidget):
    """A button with the time, and the thoughts under it when it is unfolded."""

    height_changed = Signal()
    toggled = Signal(bool)

    def __init__(
        self,
        theme: Theme,
        make_browser: Callable[[], MessageBrowser],
        seconds: Callable[[], float | None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._make_browser = make_browser
        self._seconds = seconds
        self._thought = ""
        self._closed = False
        self._done = False
        self.browser: MessageBrowser | None = None
        self.renderer: MarkdownRenderer | None = None
        self.button = QToolButton()
        self.button.setObjectName("thinking_button")
        self.button.setCheckable(True)
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setProperty("kind", "fold")
        self.button.toggled.connect(self._on_toggled)
        self.body = _Barred(theme)
        self.body.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 6)
        column.setSpacing(4)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.body)
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._say)
        on_theme(theme, self._dress)

    @property
    def unfolded(self) -> bool:
        """Whether the thoughts are shown."""
        return self.button.isChecked()

    def show_thought(self, thought: str, *, closed: bool, done: bool) -> None:
        """Give the thoughts as they are now. closed: thinking is over; done: the reply is."""
        self._thought, self._closed, self._done = thought, closed or done, done
        if self._closed:
            self._timer.stop()
        elif not self._timer.isActive():
            self._timer.start()
        self._say()
        if self.renderer is not None:
            self.renderer.set_text(thought, final=self._closed)

    def focus_chain(self) -> list[QWidget]:
        """What Tab visits here, in order."""
        if self.browser is None:
            return [self.button]
        return [self.button, self.browser, *self.browser.code_buttons()]

    def work(self, budget_s: float) -> bool:
        """Write what is not written yet; return whether something is left."""
        if self.renderer is None or self.browser is None or not self.unfolded:
            return False
        left = self.renderer.work(budget_s)
        self.browser.refresh()
        return left

    def _on_toggled(self, unfolded: bool) -> None:
        if unfolded and self.browser is None:
            self.browser = self._make_browser()
            self.browser.setObjectName("thought")
            self.browser.setAccessibleName(self.tr("Thoughts"))
            self.browser.height_changed.connect(self.height_changed)
            self.renderer = MarkdownRenderer(self.browser.writer)
            self.body.column.addWidget(self.browser)
            self.renderer.set_text(self._thought, final=self._closed)
        self.body.setVisible(unfolded)
        self._dress()
        self.toggled.emit(unfolded)
        self.height_changed.emit()

    def _say(self) -> None:
        seconds = self._seconds()
        if not self._closed:
            text = self.tr("Thinking… {0} s").format(round(seconds or 0))
        elif seconds is None:
            text = self.tr("Thought")
        elif seconds >= 60:
            minutes, rest = divmod(round(seconds), 60)
            text = self.tr("Thought for {0} min {1} s").format(minutes, rest)
        else:
            text = self.tr("Thought for {0} s").format(max(1, round(seconds)))
        self.button.setText(text)
        self.button.setAccessibleName(text)

    def _dress(self) -> None:
        icon = "chevron_down" if self.button.isChecked() else "chevron_right"
        self._theme.set_icon(self.button, icon, "faint")
        self.button.setFont(self._theme.font(13))


class _Barred(QFrame):
    """A column with a bar at its left."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(theme.px(26), 2, 8, 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self._theme.px(14), 0, 2, self.height(), self._theme.colors.border)
        for browser in self.findChildren(MessageBrowser):
            browser.paint_ring(painter, QRectF(browser.geometry()))
        painter.end()
