"""Files that come as an event, as macOS sends them."""

from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QUrl
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication

from app.opened_files import OpenedFiles


def test_a_file_that_the_system_hands_over(qapp: QApplication, tmp_path: Path):
    path = tmp_path / "Mödel 中.pth"
    opened = OpenedFiles(qapp)
    came: list[list[Path]] = []
    opened.requested.connect(came.append)
    assert QApplication.sendEvent(qapp, QFileOpenEvent(str(path)))
    QApplication.sendEvent(qapp, QFileOpenEvent(QUrl("https://example.org/x")))
    QApplication.sendEvent(QObject(), QEvent(QEvent.Type.User))
    assert came == [[path]]
    qapp.removeEventFilter(opened)
    opened.deleteLater()
