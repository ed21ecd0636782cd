"""What happens when something of ours goes wrong: written to one file, shown at the next start.

Three ways lead there: exceptions on the GUI thread, exceptions on other threads, and deaths of
the whole process in native code (faulthandler). Nothing is sent anywhere. Knows no window.
"""

import contextlib
import faulthandler
import logging
import platform
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO

log = logging.getLogger(__name__)
MOST_CHARACTERS = 100_000
MOST_REPORTS = 20
"""Of one run: a fault in a paint event would otherwise fill the disk."""


class CrashLog:
    """``install`` at the start of the process, ``close`` at its end.

    previous: the report of the last run, "" when it ended well.
    """

    def __init__(self, folder: Path) -> None:
        """Take what the last run left behind and begin a new, empty file in ``folder``."""
        self.path = folder / "crash.log"
        self.last_path = folder / "crash.last.log"
        self.on_report: Callable[[str], None] | None = None
        """Called with each report, on the thread that failed."""
        self._lock = threading.Lock()
        self._written = 0
        self._file: TextIO | None = None
        self.previous = self._take_previous()

    def _take_previous(self) -> str:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
            if not text.strip():
                return ""
            self.path.replace(self.last_path)
        except FileNotFoundError:
            return ""
        except OSError as error:
            log.warning("The last crash report could not be read: %s", error)
            return ""
        return text[-MOST_CHARACTERS:]

    def last(self) -> str:
        """Return the newest report there is: of this run, or kept from an earlier one."""
        for path in (self.path, self.last_path):
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            if text.strip():
                return text[-MOST_CHARACTERS:]
        return ""

    def install(self) -> None:
        """Set the three hooks. A disk that takes no file costs the report, not the start."""
        try:
            self._file = self.path.open("w", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            log.warning("No crash report can be written: %s", error)
        else:
            faulthandler.enable(self._file)
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread

    def close(self) -> None:
        """Take the hooks away; a run without a report leaves no file."""
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__
        if self._file is None:
            return
        faulthandler.disable()
        with contextlib.suppress(OSError):
            self._file.close()
        self._file = None
        if not self._written:
            with contextlib.suppress(OSError):  # Windows: somebody reads it; it is empty
                self.path.unlink(missing_ok=True)

    def write(self, title: str, details: str) -> None:
        """Add one report to the file, the log and whoever listens."""
        log.error("%s\n%s", title, details)
        report = f"{title}\n{_circumstances()}\n\n{details}\n"
        with self._lock:
            self._written += 1
            if self._written > MOST_REPORTS:
                return
            if self._file is not None:
                with contextlib.suppress(OSError):  # a full disk: the window says it all the same
                    self._file.write(report)
                    self._file.flush()
        if self.on_report is not None:
            self.on_report(report)

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt | SystemExit):
            sys.__excepthook__(kind, error, trace)
            return
        self.write("Unexpected error", "".join(traceback.format_exception(kind, error, trace)))

    def _on_thread(self, args: threading.ExceptHookArgs) -> None:
        if issubclass(args.exc_type, SystemExit):
            return
        name = args.thread.name if args.thread is not None else "?"
        lines = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
        self.write(f"Unexpected error on thread {name}", "".join(lines))


def _circumstances() -> str:
    now = datetime.now().isoformat(sep=" ", timespec="seconds")
    return f"{now}, Python {platform.python_version()}, {platform.platform()}"
