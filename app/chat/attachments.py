"""Text files that are dropped into the composer. Reads small files; knows no widget."""

from pathlib import Path

from PySide6.QtCore import QCoreApplication

translate = QCoreApplication.translate

LARGEST_BYTES = 4_000_000
"""Beyond this a file is refused: nobody wants to read it in the composer."""


class NotText(Exception):
    """The file cannot be read as text; the message says why."""


def read_text(path: Path) -> str:
    """Return a file's text, with its name above it. Raises NotText."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            limit = LARGEST_BYTES // 1_000_000
            words = translate("Attachments", "{0} is larger than {1} MB.")
            raise NotText(words.format(path.name, limit))
        data = path.read_bytes()
    except OSError as error:
        words = translate("Attachments", "{0} could not be read: {1}.")
        raise NotText(words.format(path.name, error.strerror or error)) from error
    if b"\0" in data[:8192] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise NotText(translate("Attachments", "{0} is not a text file.").format(path.name))
    return f"{path.name}:\n{_decoded(data).strip()}\n"


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace").replace("\r\n", "\n")
    return data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
