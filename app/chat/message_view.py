"""One message as it is seen: who speaks, thoughts, text, error, actions.

Shows a frozen Message and tells what was asked for. Knows no chat, no store, no engine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QEnterEvent,
    QGuiApplication,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.chat.browser import MessageBrowser
from app.chat.document_style import StyleShelf
from app.chat.formulas import FormulaShelf
from app.chat.highlight import Highlighter
from app.chat.message_bar import ErrorLine, MessageBar
from app.chat.question_editor import QuestionEditor
from app.chat.rendering import MarkdownRenderer
from app.chat.reply_words import stats_text, thinking_share
from app.chat.thinking import ThinkingBlock, ThinkingClock
from app.chat.waiting_line import WaitingLine
from app.models.message import Message
from app.theme import Theme, mix
from app.widgets.parts import menu

if TYPE_CHECKING:
    from engine.templates import Thinking

LONG_QUESTION = 6000
"""Characters of a question that are shown before "Show all"."""

OVERHANG = 8
"""Pixels by which a message is wider than its text, on each side."""

BUBBLE = 16
"""Pixels between the edge of a question's bubble and its text."""

_BUDGET_S = 0.008
_RESTYLE_S = 0.15


class SplitThinking(Protocol):
    """Takes a reply apart, as Template.split_thinking does."""

    def __call__(self, reply_text: str, done: bool = False) -> "Thinking":
        """done: the reply is complete."""
        ...


@dataclass(frozen=True, slots=True)
class ViewTools:
    """What all messages of a transcript share."""

    theme: Theme
    styles: StyleShelf
    shelf: FormulaShelf
    highlighter: Highlighter
    split_thinking: SplitThinking
    clock: ThinkingClock
    model_title: Callable[[str], str]


class MessageView(QFrame):
    """One message; ``show_message`` gives it, ``work`` writes it, ``settle`` measures it."""

    height_changed = Signal()
    asked = Signal(str)  # "regenerate", "continue", "branch", "delete", "save_persona", ...
    edit_started = Signal()
    edited = Signal(str)
    version_asked = Signal(int)
    link_asked = Signal(str)
    link_hovered = Signal(str)
    work_waits = Signal()
    copied = Signal(str)

    def __init__(self, tools: ViewTools, role: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tools = tools
        self._theme = tools.theme
        self._role = role
        self._message: Message | None = None
        self._answer = ""
        self._busy = False
        self._last = False
        self._thought = ""
        self._whole_question = False
        self._hovered = False
        self.thinking: ThinkingBlock | None = None
        self.editor: QuestionEditor | None = None
        self.setObjectName(f"{role}_message")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._build()

    # ---- building -------------------------------------------------------------------------

    def _build(self) -> None:
        self.header = QLabel()
        self.header.setObjectName("message_header")
        self.header.setProperty("role", "caption")
        self.header.setTextFormat(Qt.TextFormat.PlainText)
        self.browser = self._make_browser()
        self.browser.setObjectName("message_text")
        self.renderer = MarkdownRenderer(self.browser.writer)
        self._waiting = WaitingLine(
            self.tr("Starting…"),
            self.tr("Reading {0} of {1} tokens…"),
            self.tr("Another chat is being answered first…"),
        )
        self.waiting = self._waiting.label
        self.error = ErrorLine(self._theme)
        self.error.hide()
        self.bar = MessageBar(self._theme, self._role)
        self.error.retry.connect(lambda: self.asked.emit("regenerate"))
        self.bar.asked.connect(self._on_asked)
        self.bar.version_asked.connect(self.version_asked)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        # Buttons may stand out of the text's column, so that their icons align with the text.
        self._text = QVBoxLayout()
        self._text.setContentsMargins(OVERHANG, 0, OVERHANG, 0)
        self._text.setSpacing(4)
        self._column.addWidget(self.header)
        self.header.setContentsMargins(OVERHANG, 0, OVERHANG, 0)
        if self._role == "user":
            self._build_bubble()
        else:
            self._text.addWidget(self.browser)
        for widget in (self.waiting, self.error):
            self._text.addWidget(widget)
        self._column.addLayout(self._text)
        self._column.addWidget(self.bar)

    def _build_bubble(self) -> None:
        self.header.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.bubble = QFrame()
        self.bubble.setObjectName("bubble")
        self.show_all = QPushButton()
        self.show_all.setObjectName("show_all_button")
        self.show_all.setProperty("kind", "quiet")
        self.show_all.hide()
        self.show_all.clicked.connect(self._on_show_all)
        inside = self._inside = QVBoxLayout(self.bubble)
        inside.setContentsMargins(BUBBLE, 10, BUBBLE, 10)
        inside.setSpacing(4)
        inside.addWidget(self.browser)
        inside.addWidget(self.show_all, 0, Qt.AlignmentFlag.AlignLeft)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(self.bubble)
        self._text.addLayout(across)

    def _make_browser(self, *, quiet: bool = False) -> MessageBrowser:
        tools = self._tools
        made = MessageBrowser(
            tools.theme, tools.styles, tools.shelf, tools.highlighter, quiet=quiet
        )
        made.height_changed.connect(self.height_changed)
        made.link_hovered.connect(self.link_hovered)
        made.anchorClicked.connect(lambda url: self.link_asked.emit(url.toString()))
        made.menu_requested.connect(self.open_menu)
        made.code_copied.connect(self.copied)
        made.selectionChanged.connect(self.work_waits)
        return made

    # ---- showing --------------------------------------------------------------------------

    @property
    def message(self) -> Message | None:
        """What is shown."""
        return self._message

    def show_message(self, message: Message, *, busy: bool, last: bool) -> None:
        """Show a message, or how it is now; ``work`` brings its text in."""
        before, self._message = self._message, message
        self._busy, self._last = busy, last
        if before is None or before.model != message.model:
            self._name_everything(message)
        if message.role == "user":
            if before is None or before.text != message.text:
                self._show_question(message.text)
        else:
            self._show_reply(message)
        self.error.show_error(message.error, message.hint)
        self._show_bar()
        self.height_changed.emit()
        if self._has_work:
            self.work_waits.emit()

    def show_reading(self, done: int, total: int) -> None:
        """Say how far the reading is, until the reply goes on; (0, 0): it has ended."""
        self._waiting.read(done, total, self._seen)
        self._show_waiting()
        self.height_changed.emit()

    def work(self, budget_s: float = _BUDGET_S) -> bool:
        """Write text for about that long; return whether something is left that can be done."""
        if self.thinking is not None:
            self.thinking.work(budget_s)
        if self._role == "user" or self._selection_waits:
            return False
        left = self.renderer.work(budget_s)
        self.browser.refresh()
        return left

    def finish_writing(self) -> None:
        """Write everything now (somebody wants to copy it)."""
        while self.work(1.0):
            pass

    def settle(self, width: int) -> int:
        """Take a width; return the height that belongs to it."""
        self.bar.fit(width)
        if self._role == "user":
            self._fit_bubble(width)
        for _ in range(2):
            self.resize(width, self._wanted_height(width))
            self._column.activate()
        self.resize(width, self._wanted_height(width))
        self._column.activate()
        return self.height()

    def restyle(self) -> None:
        """Write everything again in the theme's new colours and sizes."""
        self.browser.restyle()
        if self._role == "user" and self._message is not None:
            self._show_question(self._message.text)
        else:
            self.renderer.render_again()
        if self.thinking is not None and self.thinking.browser and self.thinking.renderer:
            self.thinking.browser.restyle()
            self.thinking.renderer.render_again()
        # Nobody sees the document between: all of it, unless it is so long that this is felt.
        self.work(_RESTYLE_S)
        self.update()
        self.height_changed.emit()
        self.work_waits.emit()

    def _wanted_height(self, width: int) -> int:
        # Qt tells a changed height from one widget to the next by posted events; not so long.
        for inner in self._inner_widgets():
            layout = inner.layout()
            if layout is not None:
                layout.activate()
            inner.updateGeometry()
        self._column.invalidate()
        if self._column.hasHeightForWidth():
            return self._column.totalHeightForWidth(width)
        return self._column.totalSizeHint().height()

    def _inner_widgets(self) -> list[QWidget]:
        """The widgets with a layout of their own, innermost first."""
        inner: list[QWidget] = [self.error, self.bar]
        if self.thinking is not None:
            inner[:0] = [self.thinking.body, self.thinking]
        if self._role == "user":
            inner[:0] = [self.editor, self.bubble] if self.editor is not None else [self.bubble]
        return inner

    @property
    def pinned(self) -> bool:
        """Whether something here would be lost with the widget: an edit, a selection, the focus."""
        selected = self.browser.textCursor().hasSelection()
        return self.editor is not None or selected or self.has_focus

    @property
    def has_focus(self) -> bool:
        """Whether the keyboard is somewhere in this message."""
        focus = QGuiApplication.focusObject()
        return isinstance(focus, QWidget) and self.isAncestorOf(focus)

    @property
    def _has_work(self) -> bool:
        return self._role != "user" and not self.renderer.complete

    @property
    def _selection_waits(self) -> bool:
        """Whether writing now would tear a selection apart."""
        cursor = self.browser.textCursor()
        return cursor.hasSelection() and cursor.selectionEnd() > self.renderer.tail_position

    def _name_everything(self, message: Message) -> None:
        if message.role == "user":
            name = self.tr("You")
        else:
            name = self._tools.model_title(message.model) or self.tr("Model")
        self.header.setText(name)
        self.setAccessibleName(name)
        self.browser.setAccessibleName(name)
        self.bar.setAccessibleName(self.tr("Actions for the message of {0}").format(name))

    def _show_question(self, text: str) -> None:
        shown = text
        if len(text) > LONG_QUESTION and not self._whole_question:
            shown = text[:LONG_QUESTION].rstrip() + "…"
        writer = self.browser.writer
        with writer.edit():
            writer.clear()
            writer.write_plain(shown)
        self.show_all.setVisible(shown is not text)
        self.show_all.setText(self.tr("Show all {0} characters").format(f"{len(text):,}"))

    def _show_reply(self, message: Message) -> None:
        done = message.status != "writing"
        parts = self._tools.split_thinking(message.text, done)
        thinking = not parts.closed and not done
        self._answer, self._thought = parts.answer, parts.thought
        self._tools.clock.watch(message.node, thinking=thinking)
        if (parts.thought or thinking) and self.thinking is None:
            self._add_thinking()
        if self.thinking is not None:
            self.thinking.setVisible(bool(parts.thought) or thinking)
            self.thinking.show_thought(parts.thought, closed=parts.closed, done=done)
        self.browser.setVisible(bool(parts.answer.strip()))
        self.renderer.set_text(parts.answer, final=done)
        self._show_waiting()

    def _show_waiting(self) -> None:
        message = self._message
        if message is None or message.role == "user":
            return
        self._waiting.show(
            self._seen,
            writing=message.status == "writing",
            empty=not message.text.strip(),
            behind=message.waits,
        )

    @property
    def _seen(self) -> int:
        """How many characters of the reply can be seen; what opens a thought is none."""
        return len(self._answer.strip()) + len(self._thought)

    def _show_bar(self) -> None:
        message = self._message
        assert message is not None
        stats = stats_text(message) if message.role != "user" else ""
        self.bar.show_message(message, busy=self._busy, last=self._last, stats=stats)
        self._reveal()

    def _add_thinking(self) -> None:
        self.thinking = ThinkingBlock(
            self._theme, lambda: self._make_browser(quiet=True), self._thinking_seconds
        )
        self.thinking.height_changed.connect(self.height_changed)
        self.thinking.toggled.connect(self.work_waits)
        self._column.insertWidget(1, self.thinking)

    def _thinking_seconds(self) -> float | None:
        if self._message is None:
            return None
        seconds = self._tools.clock.seconds(self._message.node)
        return thinking_share(self._message, self._answer) if seconds is None else seconds

    def _fit_bubble(self, width: int) -> None:
        around = 2 * BUBBLE
        most = round((width - 2 * OVERHANG) * 0.86)
        document = self.browser.document()
        document.setTextWidth(most - around)
        wanted = most if self.editor else min(most, self.browser.natural_width + around)
        self.bubble.setFixedWidth(max(wanted, 64))

    def _on_show_all(self) -> None:
        self._whole_question = True
        if self._message is not None:
            self._show_question(self._message.text)
        self.height_changed.emit()

    # ---- actions --------------------------------------------------------------------------

    @property
    def markdown(self) -> str:
        """The source of the text, without thoughts."""
        message = self._message
        return "" if message is None else message.text if message.role == "user" else self._answer

    @property
    def plain_text(self) -> str:
        """The text as it reads, formulas as TeX."""
        if self._role == "user":
            return self.markdown
        self.finish_writing()
        return self.browser.plain_text

    def _on_asked(self, action: str) -> None:
        if action == "copy":
            self.copied.emit(self.plain_text)
        elif action == "copy_markdown":
            self.copied.emit(self.markdown)
        elif action == "edit":
            self.start_edit()
        elif action == "more":
            button = self.bar.buttons["more"]
            self.open_menu(button.mapToGlobal(QPoint(0, button.height())))
        else:
            self.asked.emit(action)

    def open_menu(self, place: QPoint) -> None:
        """Show everything that can be done with this message."""
        made = menu(self, "message_menu", self.tr("Message"))
        if self.browser.selection:
            made.addAction(
                self.tr("Copy selection"), lambda: self.copied.emit(self.browser.selection)
            )
        made.addAction(self.tr("Copy"), lambda: self._on_asked("copy"))
        made.addAction(self.tr("Copy as Markdown"), lambda: self._on_asked("copy_markdown"))
        made.addSeparator()
        for name, words in self._menu_words().items():
            button = self.bar.buttons.get(name)
            if name == "regenerate" or (button is not None and not button.isHidden()):
                action = made.addAction(words, lambda name=name: self._on_asked(name))
                action.setEnabled(not self._busy)
        if self._role != "user":
            made.addSeparator()
            action = made.addAction(
                self.tr("Save as persona…"), lambda: self._on_asked("save_persona")
            )
            action.setObjectName("save_persona_action")
            action.setEnabled(self._is_whole)
            action = made.addAction(
                self.tr("Export state…"), lambda: self._on_asked("export_state")
            )
            action.setObjectName("export_state_action")
            action.setEnabled(self._is_whole)
        made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        made.popup(place)

    @property
    def _is_whole(self) -> bool:
        """Whether the reply has ended as one that the chat can go on from."""
        return self._message is not None and self._message.status in ("done", "stopped")

    def _menu_words(self) -> dict[str, str]:
        return {
            "edit": self.tr("Edit"),
            "regenerate": self.tr("Regenerate"),
            "continue": self.tr("Continue"),
            "branch": self.tr("Branch from here"),
            "delete": self.tr("Delete"),
        }

    # ---- editing --------------------------------------------------------------------------

    def start_edit(self) -> None:
        """Let the person change the question in place."""
        if self._role != "user" or self.editor is not None or self._message is None or self._busy:
            return
        editor = QuestionEditor(self._theme, self._message.text)
        editor.sent.connect(self._on_edited)
        editor.cancelled.connect(self.cancel_edit)
        editor.height_changed.connect(self.height_changed)
        self._inside.insertWidget(0, editor)
        self.editor = editor
        self.browser.hide()
        self.height_changed.emit()
        editor.take_focus()
        self.edit_started.emit()

    def cancel_edit(self) -> None:
        """Leave the question as it was."""
        editor = self.editor
        if editor is not None:
            # First of all it is no part of this any more: moving the keyboard looks at the parts.
            self.editor = None
            self.browser.show()
            self.browser.setFocus(Qt.FocusReason.OtherFocusReason)
            editor.hide()
            editor.setParent(None)
            editor.deleteLater()
            self.height_changed.emit()

    def _on_edited(self, text: str) -> None:
        self.cancel_edit()
        if text.strip():
            self.edited.emit(text)

    # ---- pointer, keyboard, paint ---------------------------------------------------------

    def focus_chain(self) -> list[QWidget]:
        """What Tab visits here, in order."""
        chain: list[QWidget] = []
        if self.thinking is not None:
            chain.extend(self.thinking.focus_chain())
        if self.editor is not None:
            chain.extend(self.editor.focus_chain())
        chain.append(self.browser)
        chain.extend(self.browser.code_buttons())
        if self._role == "user":
            chain.append(self.show_all)
        chain.append(self.error.button)
        chain.extend(self.bar.focus_chain())
        return chain

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hovered = True
        self._reveal()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = False
        self._reveal()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.open_menu(event.globalPos())

    def _reveal(self) -> None:
        writing = self._message is not None and self._message.status == "writing"
        ended = self._last and self._role != "user" and not writing
        self.bar.reveal(self._hovered or ended)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 40)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors = self._theme.colors
        if self._role == "user":
            box = QRectF(self.bubble.geometry())
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(mix(colors.selection, colors.surface, 0.5)))
            painter.drawRoundedRect(box, 14, 14)
        if self._role == "user":
            ring = QRectF(self.bubble.geometry()).adjusted(1, 1, -1, -1)
        else:
            place = self.browser.mapTo(self, QPoint(0, 0))
            ring = QRectF(self.browser.rect()).translated(place).adjusted(-6, -1, 6, 1)
        self.browser.paint_ring(painter, ring)
        painter.end()
