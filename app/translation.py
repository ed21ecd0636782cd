"""The window's language: Qt Linguist files in resources/translations, English without one."""

from importlib import resources

from PySide6.QtCore import QLibraryInfo, QLocale, QTranslator
from PySide6.QtWidgets import QApplication

LANGUAGES = {"en": "English", "zh_CN": "简体中文", "ja": "日本語"}
"""By the names that the settings know; "" means that of the system."""


def install_translation(qt_app: QApplication, language: str) -> str:
    """Install the translations for a language; return the one that is used ("en" for none).

    language: a key of LANGUAGES, or "" for that of the system.
    """
    for chosen in _candidates(language):
        ours = QTranslator(qt_app)
        folder = resources.files("resources").joinpath("translations")
        if chosen != "en" and not ours.load(str(folder.joinpath(f"skein_{chosen}.qm"))):
            continue
        qt_app.installTranslator(ours)
        qts = QTranslator(qt_app)
        place = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
        if qts.load(f"qtbase_{chosen}", place):
            qt_app.installTranslator(qts)
        QLocale.setDefault(QLocale(chosen))
        return chosen
    return "en"


def _candidates(language: str) -> list[str]:
    """Return which files to try: the chosen language, or those that the system prefers."""
    if language:
        return [language]
    found = []
    for name in QLocale.system().uiLanguages():
        code = name.replace("-", "_")
        if code.startswith("zh") and not any(part in code for part in ("TW", "HK", "Hant")):
            found.append("zh_CN")
        else:
            found.append(code.partition("_")[0])
        if found[-1] == "en":
            break
    return found
