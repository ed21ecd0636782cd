"""What is dropped on the window: which drags are taken, and the sheet that says so meanwhile.

Knows addresses of files and of web pages, not what is in them.
"""

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QWidget

from app.theme import Theme

_OTHERS = (".state",)


def dropped_files(data: QMimeData) -> list[Path]:
    """Return the local files and folders of a drag."""
    urls = data.urls() if data.hasUrls() else []
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]


def dropped_address(data: QMimeData) -> str:
    """Return the first web address of a drag; "" when there is none."""
    urls = data.urls() if data.hasUrls() else []
    return next((url.toString() for url in urls if url.scheme() in ("http", "https")), "")


def may_hold_a_model(path: Path) -> bool:
    """Say whether a name is that of a model, a LoRA or a state; folders may hold all of them."""
    from engine.hub.file_names import model_format

    return bool(model_format(path.name)) or path.suffix.lower() in _OTHERS or path.is_dir()


class DropArea(QWidget):
    """Lets its parent take what is dropped; lies over it, to be seen, while something hovers."""

    files_dropped = Signal(list)  # Path
    address_dropped = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("drop_area")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._theme = theme
        self._outer = parent
        parent.setAcceptDrops(True)
        parent.installEventFilter(self)
        self.hide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if isinstance(event, QDropEvent) and kind == QEvent.Type.Drop:
            self._on_drop(event)
            return True
        if isinstance(event, QDragEnterEvent | QDragMoveEvent):
            return self._on_drag(event)
        if kind == QEvent.Type.DragLeave:
            self.hide()
        elif kind == QEvent.Type.Resize:
            self.setGeometry(self._outer.rect())
        return super().eventFilter(watched, event)

    def _on_drag(self, event: QDragMoveEvent) -> bool:
        data = event.mimeData()
        if not dropped_files(data) and not dropped_address(data):
            return False
        event.acceptProposedAction()
        self.setGeometry(self._outer.rect())
        self.show()
        self.raise_()
        return True

    def _on_drop(self, event: QDropEvent) -> None:
        self.hide()
        files, address = dropped_files(event.mimeData()), dropped_address(event.mimeData())
        if files:
            event.acceptProposedAction()
            self.files_dropped.emit(files)
        elif address:
            event.acceptProposedAction()
            self.address_dropped.emit(address)

    def paintEvent(self, event: QPaintEvent) -> None:
        colors, px = self._theme.colors, self._theme.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QColor(colors.surface)
        veil.setAlphaF(0.95)
        painter.fillRect(self.rect(), veil)
        margin = px(16)
        painter.setPen(QPen(QColor(colors.accent), 2, Qt.PenStyle.DashLine))
        frame = QRectF(self.rect()).adjusted(margin, margin, -margin, -margin)
        painter.drawRoundedRect(frame, 12, 12)
        painter.setPen(QColor(colors.text))
        painter.setFont(self._theme.font(18, 600))
        middle = self.rect().center().y()
        across = Qt.AlignmentFlag.AlignHCenter
        top = self.rect().adjusted(0, middle - px(34), 0, 0)
        painter.drawText(top, across, self.tr("Drop it to open it"))
        painter.setPen(QColor(colors.muted))
        painter.setFont(self._theme.font(14))
        words = self.tr("A model in any format, a folder, a LoRA, a state, or a page of the hub")
        painter.drawText(self.rect().adjusted(0, middle + px(2), 0, 0), across, words)
        painter.end()
