"""The window in Chinese and Japanese: nothing is missing, stale or broken, and it shows."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QLocale, QTranslator
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QTabBar,
    QWidget,
)

from app.application import Application, build
from app.translation import LANGUAGES, install_translation
from engine.folders import Folders
from installers import translate
from installers.translate import Message

W = TypeVar("W", bound=QWidget)


@pytest.fixture(autouse=True)
def english_afterwards(qapp: QApplication) -> Iterator[None]:
    """Other tests read English."""
    locale, before = QLocale(), set(qapp.findChildren(QTranslator))
    yield
    for translator in set(qapp.findChildren(QTranslator)) - before:
        qapp.removeTranslator(translator)
        translator.deleteLater()
    QLocale.setDefault(locale)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def start(qapp: QApplication, folders: Folders) -> Iterator[Callable[[str], Application]]:
    made: list[Application] = []

    def begin(language: str) -> Application:
        folders.settings_file.parent.mkdir(parents=True, exist_ok=True)
        folders.settings_file.write_text(f'language = "{language}"\n', encoding="utf-8")
        made.append(build(["skein"], built_in=lambda: None))
        return made[-1]

    yield begin
    for application in made:
        application.close()
        application.window.deleteLater()


def find(application: Application, kind: type[W], name: str) -> W:
    found = application.window.findChild(kind, name)
    assert found is not None, name
    return found


# ---- the files --------------------------------------------------------------------------------


def test_every_string_is_translated_and_intact() -> None:
    assert translate.problems() == []


@pytest.mark.parametrize("language", translate.LANGUAGES)
def test_the_compiled_files_are_up_to_date(qapp: QApplication, language: str) -> None:
    compiled = QTranslator()
    assert compiled.load(str(translate.qm_path(language)))
    for message in translate.read_ts(translate.ts_path(language)):
        shown = compiled.translate(message.context, message.source, message.comment)
        assert shown == message.texts[0], f"{message.key}: run translate.py release"


def test_all_languages_are_offered_and_made() -> None:
    assert set(LANGUAGES) == {"en", *translate.LANGUAGES}


# ---- the tool ---------------------------------------------------------------------------------


def message(source: str, *texts: str, finished: bool = True) -> Message:
    return Message("Page", source, "", texts, finished, len(texts) > 1)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (message("Load", ""), "is not translated"),
        (message("Load", "加载", finished=False), "is not translated"),
        (message("{0} of {1}", "共 {1}"), "lost {0}"),
        (message("{0} of {1}", "{0} {1} {2}"), "made up {2}"),
        (message("%n files", "%n 個", "個"), "lost %n"),
        (message("&Save", "保存"), "lost &"),
        (message("Enter (Shift+Enter breaks the line)", "Enter"), "lost Shift+"),
        (message("{0}\n{1}", "{0} {1}"), "has other line breaks"),
        (message("Load", "加载 "), "has blanks at an end"),
    ],
)
def test_check_finds(broken: Message, why: str) -> None:
    assert list(translate.faults(broken)) == [why]


def test_check_lets_pass() -> None:
    for good in (message("&Save {0}", "保存 {0}(&S)"), message("%n files", "%n 個のファイル")):
        assert list(translate.faults(good)) == []


def test_strings_that_lupdate_cannot_see_are_found(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text(
        "class Page:\n"
        "    def words(self, text):\n"
        "        self.tr(text)\n"
        "        self.tr(f'{text} files')\n"
        "        translate(self.context, 'Load')\n"
        "        translate('Keys', text)\n"
        "        translate('Nothing', text)\n"
        "        return self.tr('Long ' 'words'), QT_TRANSLATE_NOOP('Keys', 'Quit')\n",
        encoding="utf-8",
    )
    found = translate.find_strings(tmp_path)
    assert found.keys == {("Page", "Long words", ""), ("Keys", "Quit", "")}
    lines = [place.rpartition(":")[2] for place in found.unreadable]
    assert lines == ["3", "4", "5", "7"]


def test_update_and_release_keep_what_is_translated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    sources = tmp_path / "app"
    sources.mkdir()
    page = sources / "page.py"
    page.write_text("class Page:\n    words = self.tr('Load')\n", encoding="utf-8")
    monkeypatch.setattr(translate, "PROJECT", tmp_path)
    monkeypatch.setattr(translate, "SOURCES", sources)
    monkeypatch.setattr(translate, "TRANSLATIONS", tmp_path / "translations")
    monkeypatch.setattr(translate, "LANGUAGES", ("ja",))
    assert translate.main(["update"]) == 0
    ts = translate.ts_path("ja")
    text = ts.read_text(encoding="utf-8")
    ts.write_text(
        text.replace(
            '<translation type="unfinished"></translation>', "<translation>読</translation>"
        ),
        encoding="utf-8",
    )
    page.write_text(
        "class Page:\n    words = self.tr('Load'), self.tr('Eject')\n", encoding="utf-8"
    )
    assert translate.main(["update"]) == 0
    assert translate.main(["release"]) == 0
    assert {m.source: m.texts for m in translate.read_ts(ts)} == {"Load": ("読",), "Eject": ("",)}
    assert translate.main(["check"]) == 1
    assert "skein_ja.ts: Page 'Eject' is not translated" in capfd.readouterr().err


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(translate.shutil, "which", lambda *_args, **_named: None)
    assert translate.main(["release"]) == 1
    assert "PySide6-Essentials" in capsys.readouterr().err


# ---- the window -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "compose", "tabs", "quit_", "eject", "language_name"),
    [
        ("zh_CN", "输入消息", ["常规", "模型与存储"], "退出", "卸载", "简体中文"),
        ("ja", "メッセージを入力", ["一般", "モデルと保存先"], "終了", "アンロード", "日本語"),
    ],
)
def test_the_window_speaks(
    start: Callable[[str], Application],
    language: str,
    compose: str,
    tabs: list[str],
    quit_: str,
    eject: str,
    language_name: str,
) -> None:
    application = start(language)
    assert find(application, QPlainTextEdit, "composer").placeholderText() == compose
    sections = find(application, QTabBar, "settings_tabs")
    assert [sections.tabText(place) for place in range(2)] == tabs
    commands = {action.objectName(): action.text() for action in application.window.actions()}
    assert commands["command_quit"] == quit_
    assert application.chat_page.picker.eject.text() == eject
    application.settings_page.show_section("general")
    box = find(application, QComboBox, "language_choice")
    assert (box.currentData(), box.currentText()) == (language, language_name)
    assert QLocale() == QLocale(language)
    # Qt's own words, too: the buttons of its dialogs.
    assert QCoreApplication.translate("QPlatformTheme", "Cancel") not in ("", "Cancel")


@pytest.mark.parametrize("language", ["xx", "en"])
def test_other_languages_fall_back_to_english(
    start: Callable[[str], Application], language: str
) -> None:
    application = start(language)
    assert find(application, QPlainTextEdit, "composer").placeholderText() == "Write a message"


def test_what_is_used_is_told(qapp: QApplication) -> None:
    assert install_translation(qapp, "xx") == "en"
    assert install_translation(qapp, "en") == "en"
    assert install_translation(qapp, "ja") == "ja"


def test_the_language_box_is_heard_at_the_next_start(
    start: Callable[[str], Application], folders: Folders
) -> None:
    application = start("en")
    application.settings_page.show_section("general")
    box = find(application, QComboBox, "language_choice")
    choices = {box.itemData(place): box.itemText(place) for place in range(box.count())}
    assert choices == {"": "As the system", **LANGUAGES}
    box.setCurrentIndex(box.findData("zh_CN"))
    box.activated.emit(box.currentIndex())
    application.close()
    assert 'language = "zh_CN"' in folders.settings_file.read_text(encoding="utf-8")
    again = build(["skein"], built_in=lambda: None)
    try:
        again.settings_page.show_section("general")
        words = [label.text() for label in again.settings_page.findChildren(QLabel)]
        assert "语言" in words
        assert find(again, QPushButton, "all_models_button").text() == "所有模型"
    finally:
        again.close()
        again.window.deleteLater()
