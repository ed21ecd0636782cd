"""What a model is called in the window. Knows names, not files.

A chat keeps the name of the file that wrote each reply; people read another one.
"""

from PySide6.QtCore import QCoreApplication

from engine.built_in import FILE_NAME, NAME

translate = QCoreApplication.translate

_BUILT_IN_STEM = FILE_NAME.rpartition(".")[0]


def model_title(name: str) -> str:
    """Return a model's file name (without its ending) as a person says it."""
    if name == _BUILT_IN_STEM:
        return NAME
    if not name:
        return ""
    from engine.hub.file_names import parse_file_name

    parsed = parse_file_name(f"{name}.pth")
    return parsed.title if parsed.family else name


def built_in_title() -> str:
    """Return the whole name of the model that comes with the app."""
    return translate("BuiltIn", "{0}, the built-in model").format(NAME)


def built_in_line() -> str:
    """Return in a few words what that model is."""
    return translate("BuiltIn", "small, offline, knows this app")


def built_in_place() -> str:
    """Return where that model lies: nowhere that anybody has to care about."""
    return translate("BuiltIn", "Comes with Skein")
