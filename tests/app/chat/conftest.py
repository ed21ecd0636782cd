"""Fixtures for the chat's widgets: a theme and the background workshop, closed afterwards."""

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QApplication

from app.chat.document import DocumentWriter
from app.chat.document_style import DocumentStyle
from app.chat.formulas import FormulaShelf
from app.chat.highlight import Highlighter
from app.chat.workshop import Workshop
from app.theme import Theme


@pytest.fixture
def theme(qapp: QApplication) -> Theme:
    made = Theme()
    made.apply(qapp, "light")
    return made


@pytest.fixture
def workshop(qapp: QApplication) -> Iterator[Workshop]:
    made = Workshop()
    yield made
    made.close()


@pytest.fixture
def settle(qtbot, workshop: Workshop) -> Callable[[], None]:
    return lambda: qtbot.waitUntil(lambda: workshop.idle)


@pytest.fixture
def make_writer(theme: Theme, workshop: Workshop) -> Callable[[], DocumentWriter]:
    shelf, highlighter = FormulaShelf(workshop, theme), Highlighter(workshop, theme)

    def make() -> DocumentWriter:
        document = QTextDocument(theme)
        return DocumentWriter(lambda: document, DocumentStyle(theme), shelf, highlighter, theme)

    return make
