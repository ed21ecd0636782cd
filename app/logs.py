"""The log file: small, rotating, without a word of any chat. Knows only the standard library."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

_HTTP = ("httpx", "httpcore", "urllib3", "requests")
"""They log every address that is fetched, whole: those of a storage carry a signature that opens
the file, those of a mirror may carry a password."""

FORMAT = "%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"


def start_log(folder: Path, level: int = logging.INFO) -> logging.Handler:
    """Write what our modules log to ``folder``/skein.log, 3 x 1 MB; return the handler.

    Raises OSError when the file cannot be written.
    """
    handler = RotatingFileHandler(
        folder / "skein.log",
        maxBytes=1_000_000,
        backupCount=2,
        encoding="utf-8",
        errors="backslashreplace",  # names of files need not be Unicode
        delay=True,
    )
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    for name in _HTTP:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    return handler


def stop_log(handler: logging.Handler) -> None:
    """Take the handler away and close its file."""
    logging.getLogger().removeHandler(handler)
    handler.close()
