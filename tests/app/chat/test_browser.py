"""The browser is as high as its content, whatever the content ends with."""

import pytest
from PySide6.QtCore import QRectF

from app.chat.browser import MessageBrowser
from app.chat.document_style import StyleShelf
from app.chat.formulas import FormulaShelf
from app.chat.highlight import Highlighter
from app.chat.rendering import MarkdownRenderer


@pytest.fixture
def make_browser(qtbot, theme, workshop):
    def make(text: str, *, streamed: bool = False) -> MessageBrowser:
        tools = (StyleShelf(theme), FormulaShelf(workshop, theme), Highlighter(workshop, theme))
        browser = MessageBrowser(theme, *tools)
        qtbot.addWidget(browser)
        browser.resize(400, 10)
        renderer = MarkdownRenderer(browser.writer)
        for end in range(1, len(text)) if streamed else ():
            renderer.set_text(text[:end], final=False)
            renderer.work()
            browser.refresh()
        renderer.set_text(text, final=True)
        while renderer.work():
            pass
        browser.refresh()
        return browser

    return make


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "text", ["```py\nx\ny\n```", "a\n\n```\nx\n```\n", "- a\n  ```\n  x\n  ```"]
)
def test_code_at_the_end_keeps_its_lower_edge(make_browser, text, streamed):
    browser = make_browser(text, streamed=streamed)
    layout = browser.document().lastBlock().layout()
    last = layout.boundingRect().translated(layout.position())
    assert browser.height() >= last.bottom() + browser.writer.style.code_pad + 1


@pytest.mark.parametrize("text", ["a\n\n> b", "- a\n- b", "a\n\n| a |\n|---|\n| 1 |", "$$x$$", "a"])
def test_other_ends_are_inside(make_browser, settle, text):
    browser = make_browser(text)
    settle()
    document = browser.document()
    frames = document.rootFrame().childFrames()
    layout = document.documentLayout()
    parts = [layout.blockBoundingRect(document.lastBlock()), *map(layout.frameBoundingRect, frames)]
    assert QRectF(browser.rect()).bottom() >= max(part.bottom() for part in parts) - 1


def test_a_rule_at_the_end_is_inside(make_browser, theme):
    browser = make_browser("a\n\n---")
    image = browser.grab().toImage()
    colors = [image.pixelColor(200, y).name() for y in range(image.height())]
    border = theme.colors.border
    assert border in colors
