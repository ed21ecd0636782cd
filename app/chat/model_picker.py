"""The model at the top of the chat: a button that says what is loaded, a list to choose another.

Shows the rows of the ready list; asks for Load and Eject by signals. Loads nothing.
"""

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.models.format_words import generation_text, local_form
from app.models.model_names import built_in_line
from app.models.units import size_text, speed_text
from app.theme import Theme
from app.widgets.parts import label, on_theme, push_button

if TYPE_CHECKING:
    from app.models.model_list import ReadyRow

WIDTH = 420
_ROWS_SHOWN = 7
_AnyIndex: TypeAlias = QModelIndex | QPersistentModelIndex


class ModelButton(QToolButton):
    """What is loaded, in one line; a click opens the picker."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setObjectName("model_button")
        self.setProperty("kind", "model")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the arrow comes behind the name
        theme.set_icon(self, "chevron_down")
        self.say(self.tr("Choose a model"))

    def say(self, name: str, detail: str = "") -> None:
        """Show a name, and after it what it runs as."""
        text = f"{name}  ·  {detail}" if detail else name
        self.setText(text)
        self.setAccessibleName(self.tr("Model: {0}").format(text))
        self.setToolTip(self.tr("{0}  (Ctrl+L)").format(text))


class _RowPainter(QStyledItemDelegate):
    """Two lines: the title, then size, verdict and speed."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(self._theme.px(WIDTH) - 32, self._theme.px(54))

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        row = _row_of(index)
        if row is None:
            return
        colors, px = self._theme.colors, self._theme.px
        rect: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        state = option.state  # pyright: ignore[reportAttributeAccessIssue]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.selection))
            painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), 8, 8)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.hover))
            painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), 8, 8)
        inner = rect.adjusted(px(10), px(7), -px(10), -px(7))
        first = QRect(inner.left(), inner.top(), inner.width(), inner.height() // 2)
        second = first.translated(0, inner.height() // 2)
        badge = {"loaded": self.tr("In use"), "loading": self.tr("Loading…")}.get(
            row.load.status, ""
        )
        painter.setFont(self._theme.font(12, 500))
        painter.setPen(QColor(colors.accent))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(first, right, badge)
        room = first.width() - painter.fontMetrics().horizontalAdvance(badge) - px(12)
        painter.setFont(self._theme.font(14, 500))
        painter.setPen(QColor(colors.faint if row.model.local.problem else colors.text))
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        metrics = painter.fontMetrics()
        title = metrics.elidedText(row.title, Qt.TextElideMode.ElideRight, room)
        painter.drawText(first, left, title)
        painter.setFont(self._theme.font(12.5))
        painter.setPen(QColor(self._tone(row)))
        words = painter.fontMetrics().elidedText(
            self.words(row), Qt.TextElideMode.ElideRight, second.width()
        )
        painter.drawText(second, left, words)
        painter.restore()

    def words(self, row: "ReadyRow") -> str:
        """The second line."""
        if row.model.local.problem:
            return row.model.local.problem
        if row.load.status == "failed":
            return row.load.message
        plan = row.model.plan
        info = row.model.local.info
        parts = [built_in_line() if row.built_in else size_text(row.size_bytes)]
        if info is not None and not row.built_in:
            parts += [local_form(info), generation_text(info)]
        if plan is not None and not row.built_in:
            verdicts = {
                "fits": self.tr("fits"),
                "tight": self.tr("tight"),
                "too_large": self.tr("too large"),
            }
            parts += [verdicts[plan.verdict], str(plan.strategy)]
            if plan.verdict != "too_large" and plan.write_tokens_per_s > 0:
                parts.append(speed_text(plan.write_tokens_per_s))
        return " · ".join(part for part in parts if part)

    def _tone(self, row: "ReadyRow") -> str:
        colors, plan = self._theme.colors, row.model.plan
        if row.model.local.problem or row.load.status == "failed":
            return colors.danger
        if plan is not None and plan.verdict == "too_large":
            return colors.danger
        return colors.muted

    def accessible(self, row: "ReadyRow") -> str:
        """Both lines, to be read out."""
        return f"{row.title}. {self.words(row)}"


class _Models(QSortFilterProxyModel):
    """The rows that are models: what changes or begins one is offered elsewhere."""

    def filterAcceptsRow(self, source_row: int, source_parent: _AnyIndex) -> bool:
        row = _row_of(self.sourceModel().index(source_row, 0, source_parent))
        return row is None or not row.kind


class ModelPicker(QFrame):
    """A popup with the models on this computer: Enter or a click loads one."""

    load_requested = Signal(object)  # Path
    eject_requested = Signal()
    models_requested = Signal()

    def __init__(self, theme: Theme, rows: QAbstractItemModel, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self._theme = theme
        self.setObjectName("model_picker")
        self.setAccessibleName(self.tr("Models on this computer"))
        self.setProperty("surface", "popup")
        self.list = QListView()
        self.list.setObjectName("model_picker_list")
        self.list.setAccessibleName(self.tr("Models on this computer"))
        models = _Models(self)
        models.setSourceModel(rows)
        self.list.setModel(models)
        self.list.setMouseTracking(True)
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.painter = _RowPainter(theme, self.list)
        self.list.setItemDelegate(self.painter)
        self.nothing = label(self.tr("No model is on this computer yet."), "muted", wrap=True)
        self.eject = push_button(self.tr("Eject"), "picker_eject_button", kind="quiet")
        self.more = push_button(self.tr("All models"), "picker_models_button", kind="quiet")
        below = QHBoxLayout()
        below.addWidget(self.eject)
        below.addStretch(1)
        below.addWidget(self.more)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(4)
        column.addWidget(self.nothing)
        column.addWidget(self.list)
        column.addLayout(below)
        self.list.clicked.connect(self._on_chosen)
        self.list.activated.connect(self._on_chosen)
        self.eject.clicked.connect(self._on_eject)
        self.more.clicked.connect(self._on_more)
        on_theme(theme, self._fit)

    def open_under(self, button: QWidget) -> None:
        """Show the list centred under the button, with the model in use selected."""
        self._fit()
        place = button.mapToGlobal(QPoint(button.width() // 2, button.height() + 4))
        screen = button.screen().availableGeometry()
        left = max(screen.left(), min(place.x() - self.width() // 2, screen.right() - self.width()))
        self.move(left, place.y())
        self._select_loaded()
        self.show()
        (self.list if self._count else self.more).setFocus(Qt.FocusReason.PopupFocusReason)

    @property
    def _count(self) -> int:
        return self.list.model().rowCount()

    def _fit(self) -> None:
        count = self._count
        self.nothing.setVisible(count == 0)
        self.list.setVisible(count > 0)
        self.list.setFixedHeight(self._theme.px(54) * min(max(count, 1), _ROWS_SHOWN) + 4)
        self.setFixedWidth(self._theme.px(WIDTH))
        self.adjustSize()

    def _select_loaded(self) -> None:
        model = self.list.model()
        loaded = [i for i in range(self._count) if self._status(model.index(i, 0)) == "loaded"]
        self.eject.setVisible(bool(loaded))
        if self._count:
            self.list.setCurrentIndex(model.index(loaded[0] if loaded else 0, 0))

    def _status(self, index: QModelIndex) -> str:
        row = _row_of(index)
        return row.load.status if row is not None else ""

    def _on_chosen(self, index: QModelIndex) -> None:
        row = _row_of(index)
        if row is None or row.model.local.problem:
            return
        self.hide()
        if row.load.status not in ("loaded", "loading"):
            path: Path = row.path
            self.load_requested.emit(path)

    def _on_eject(self) -> None:
        self.hide()
        self.eject_requested.emit()

    def _on_more(self) -> None:
        self.hide()
        self.models_requested.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.list.hasFocus():
            self._on_chosen(self.list.currentIndex())
        elif event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)


def _row_of(index: _AnyIndex) -> "ReadyRow | None":
    from app.models.model_list import Role

    return index.data(Role.ENTRY)
