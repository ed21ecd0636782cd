"""A streamed reply ends as the same document as the finished text, whatever the chunks were."""

from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtGui import QTextCursor, QTextDocument, QTextFormat

from app.chat.document_style import CODE_ID, KIND, QUOTE
from app.chat.document_text import document_text, selected_text
from app.chat.rendering import MarkdownRenderer

LINES = st.sampled_from(
    [
        "",
        "",
        "",
        "word and **bold** and `code`",
        "a line with a [link](https://a.b) and <b>html</b>",
        "中文，没有空格。",
        "> **云**，",
        "long " * 130,
        "- item " + "x" * 400,
        "- item",
        "  - nested",
        "1. first",
        "   more",
        "# head",
        "```py",
        "x = 1  # 𝄞",
        "```",
        "   ```",
        "> quote",
        "| a | b |",
        "|---|--:|",
        "---",
        "see [x]",
        "[x]: http://a.b",
        "$$",
        "a $x_1$ b",
        "![alt](http://x/y.png)",
    ]
)
TEXTS = st.lists(LINES, max_size=20).map("\n".join)
CUTS = st.lists(st.integers(0, 600), max_size=10)


def picture(document: QTextDocument) -> list[object]:
    """Everything that can be seen of a document."""
    found: list[object] = []
    numbers: dict[object, int] = {}
    lists: dict[int, int] = {}
    block = document.begin()
    while block.isValid():
        format_ = block.blockFormat()
        code = format_.property(CODE_ID)
        list_ = block.textList()
        place = None
        if list_ is not None:
            order = lists.setdefault(list_.objectIndex(), len(lists))
            made = list_.format()
            place = (order, made.style(), made.indent(), made.start(), list_.itemNumber(block))
        cell = None
        table = QTextCursor(block).currentTable()
        if table is not None:
            at = table.cellAt(block.position())
            cell = (at.row(), at.column(), table.rows(), table.columns())
        runs = []
        iterator = block.begin()
        while not iterator.atEnd():
            fragment = iterator.fragment()
            chars = fragment.charFormat()
            look = (chars.font().toString(), chars.foreground().color().name(), chars.anchorHref())
            runs.append((fragment.text(), look))
            iterator += 1
        found.append(
            (
                format_.headingLevel(),
                format_.property(KIND),
                format_.property(QUOTE),
                numbers.setdefault(code, len(numbers)) if code else None,
                (format_.leftMargin(), format_.indent(), format_.marker()),
                (format_.topMargin(), format_.bottomMargin()),
                format_.lineHeight(),
                place,
                cell,
                runs,
            )
        )
        block = block.next()
    return found


def blocks(document: QTextDocument) -> Iterator[str]:
    block = document.begin()
    while block.isValid():
        yield block.text()
        block = block.next()


def whole(make_writer, text: str) -> QTextDocument:
    writer = make_writer()
    renderer = MarkdownRenderer(writer)
    renderer.set_text(text, final=True)
    while renderer.work():
        pass
    return writer.document


def streamed(make_writer, text: str, cuts: list[int], budget: float) -> QTextDocument:
    writer = make_writer()
    renderer = MarkdownRenderer(writer)
    for cut in sorted({cut for cut in cuts if cut < len(text)}):
        renderer.set_text(text[:cut], final=False)
        renderer.work(budget)
    renderer.set_text(text, final=True)
    while renderer.work(budget):
        pass
    assert renderer.complete
    return writer.document


@given(TEXTS, CUTS, st.sampled_from([0.0, 1.0]))
@settings(
    deadline=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_streamed_equals_whole(make_writer, text, cuts, budget):
    streaming = streamed(make_writer, text, cuts, budget)
    assert picture(streaming) == picture(whole(make_writer, text))


def test_line_ends_show_as_line_breaks(make_writer):
    document = whole(
        make_writer, "> 秋空**一线。**\n> 云影\n\n- a\n  b\n- c\n\none\n`x\ny` z\n**b**"
    )
    assert list(blocks(document)) == [
        "秋空一线。\u2028云影",
        "a\u2028b",
        "c",
        "one\u2028x y z\u2028b",
    ]
    assert document_text(document) == "秋空一线。\n云影\n\n• a\nb\n• c\n\none\nx y z\nb"


def test_line_ends_of_code_tables_headings_and_formulas_are_theirs(make_writer, settle):
    text = "# h\nT\n===\n\n| a |\n|---|\n| 1 |\n\n    code\n    more\n\na\n$$x\ny$$\nb"
    document = whole(make_writer, text)
    settle()
    assert [text for text in blocks(document) if text] == [
        *("h", "T", "a", "1", "code", "more", "a", "\ufffc", "b")
    ]


def test_lines_join_the_tail_without_rendering_it_again(make_writer, monkeypatch):
    writer = make_writer()
    renderer = MarkdownRenderer(writer)
    renderer.set_text("秋空", final=False)
    renderer.work()
    monkeypatch.setattr(writer, "write_markdown", None)
    for text in ("秋空\n", "秋空\n云", "秋空\n云影\n莫道"):
        renderer.set_text(text, final=False)
        renderer.work()
    assert writer.document.toPlainText() == "秋空\n云影\n莫道"


def test_a_long_paragraph_is_written_in_pieces_without_gaps(make_writer):
    lines = [f"line {i} **{'x' * 60}**" for i in range(60)]
    document = whole(make_writer, "\n".join(lines))
    assert len(list(blocks(document))) > 1
    assert document_text(document) == "\n".join(lines).replace("*", "")


def test_a_list_cut_in_pieces_counts_on(make_writer):
    text = "\n".join(f"{i}. {'x' * 60}" for i in range(1, 61))
    assert document_text(whole(make_writer, text)) == text


def test_every_letter_is_a_chunk(make_writer):
    text = "# T\n\n*Some*, 中文。\n\n- a\n- b\n\n```py\nx = 1\n```\n\n| a |\n|---|\n| 1 |\n\nend"
    assert picture(streamed(make_writer, text, list(range(200)), 1.0)) == picture(
        whole(make_writer, text)
    )


def test_plain_words_join_the_tail_without_rendering_it_again(make_writer, monkeypatch):
    writer = make_writer()
    renderer = MarkdownRenderer(writer)
    renderer.set_text("Some text", final=False)
    renderer.work()
    monkeypatch.setattr(writer, "write_markdown", None)
    for text in ("Some text ", "Some text and", "Some text and more words"):
        renderer.set_text(text, final=False)
        renderer.work()
    assert writer.document.toPlainText() == "Some text and more words"


def test_code_lines_are_appended(make_writer, monkeypatch):
    writer = make_writer()
    renderer = MarkdownRenderer(writer)
    renderer.set_text("```py\nx", final=False)
    renderer.work()
    monkeypatch.setattr(writer, "truncate", None)
    for text in ("```py\nx = 1\ny", "```py\nx = 1\ny = 2\n``", "```py\nx = 1\ny = 2\n```\n"):
        renderer.set_text(text, final=False)
        renderer.work()
    assert writer.document.toPlainText() == "x = 1\ny = 2"


def test_a_selection_in_the_head_survives_the_stream(make_writer):
    writer = make_writer()
    renderer = MarkdownRenderer(writer)
    renderer.set_text("First paragraph.\n\nSecond *one", final=False)
    renderer.work()
    cursor = QTextCursor(writer.document)
    cursor.setPosition(0)
    cursor.setPosition(5, QTextCursor.MoveMode.KeepAnchor)
    renderer.set_text("First paragraph.\n\nSecond *one*\n\n- a", final=False)
    renderer.work()
    assert cursor.selectedText() == "First"


def test_html_and_images_and_odd_links_stay_harmless(make_writer):
    document = whole(
        make_writer, "<img src=x> ![a cat](file:///etc/x.png) [run](javascript:alert(1)) [f](a.md)"
    )
    assert document.toPlainText() == "<img src=x> a cat run f"
    block = document.begin().begin()
    while not block.atEnd():
        format_ = block.fragment().charFormat()
        assert not format_.isImageFormat()
        assert not format_.isAnchor()
        block += 1


def test_replacing_the_text_starts_again(make_writer):
    writer = make_writer()
    renderer = MarkdownRenderer(writer)
    for text in ("one\n\ntwo", "other"):
        renderer.set_text(text, final=True)
        while renderer.work():
            pass
    assert writer.document.toPlainText() == "other"


def test_continuing_a_finished_reply(make_writer):
    writer = make_writer()
    renderer = MarkdownRenderer(writer)
    renderer.set_text("one\n\ntwo", final=True)
    renderer.work()
    renderer.set_text("one\n\ntwo and three", final=False)
    renderer.work()
    assert document_text(writer.document) == "one\n\ntwo and three"


def test_formulas_are_drawn_and_copied_as_tex(make_writer, settle):
    document = whole(make_writer, r"Energy $E = mc^2$ and \[\frac{a}{b}\] done")
    assert "$E = mc^2$" in document.toPlainText()
    settle()
    assert document.toPlainText().count("\ufffc") == 2
    assert document_text(document) == "Energy $E = mc^2$ and \n\n$$\\frac{a}{b}$$\n\ndone"
    assert document.size().height() > 20


def test_bad_tex_shows_as_code(make_writer, settle):
    document = whole(make_writer, r"so $\frac{a$ then")
    settle()
    assert document.toPlainText() == r"so $\frac{a$ then"


def test_code_is_coloured_with_its_language(make_writer, settle):
    document = whole(make_writer, "```python\nimport os\n\ndef f(): pass\n```")
    settle()
    formats = document.begin().layout().formats()
    assert formats[0].length == len("import")
    assert formats[0].format.foreground().color().isValid()
    assert (
        not document.findBlockByNumber(0)
        .charFormat()
        .hasProperty(QTextFormat.Property.BackgroundBrush.value)
    )


def test_unknown_language_is_left_plain(make_writer, settle):
    document = whole(make_writer, "```nonsense\nx\n```")
    settle()
    assert document.begin().layout().formats() == []


def test_copied_text_keeps_lists_and_tables(make_writer):
    document = whole(make_writer, "Hi\n\n1. a\n2. b\n   - c\n\n| x | y |\n|---|---|\n| 1 | 2 |")
    assert document_text(document) == "Hi\n\n1. a\n2. b\n  • c\n\nx\ty\n1\t2"


def test_part_of_a_line_is_copied(make_writer):
    document = whole(make_writer, "𝄞 music **bold** end")
    cursor = QTextCursor(document)
    cursor.setPosition(3)
    cursor.setPosition(13, QTextCursor.MoveMode.KeepAnchor)
    assert selected_text(cursor) == "music bold"
