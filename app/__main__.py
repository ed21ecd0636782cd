"""``skein``, ``python -m app``: the way from a process to a window, and back out.

With a command behind it (``skein bench ...``) it is the command line of the engine instead.

Order matters here: first what records failures, then who is first, then the window; what is
heavy is imported by app.application when the window is up.
"""

import contextlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.collector import uncollected
from app.crash import CrashLog
from app.display_check import display_problem, say_without_qt
from app.logs import start_log, stop_log
from app.restart import SAFE, run_again
from engine.errors import EngineError
from engine.folders import Folders
from engine.gpu_pack.overlay import use_pack
from engine.installation import Installation
from engine.settings import load

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Run the window; return the exit code (0 also when an earlier window was raised instead).

    argv: the program's name, then nothing, files to open, or a command; ``--safe`` anywhere.
    """
    arguments = list(sys.argv if argv is None else argv)
    safe = SAFE in arguments
    arguments = [argument for argument in arguments if argument != SAFE]
    if len(arguments) > 1 and not Path(arguments[1]).is_file():
        from engine.cli.main import main as run_command

        if (here := Installation.find()) is not None:
            here.uncount_start()
        return run_command(arguments[1:])
    if problem := display_problem():
        say_without_qt(problem)
        return 1
    folders = Folders.standard()
    try:
        folders.create()
    except OSError as error:
        message = f"Skein cannot write to {error.filename or folders.data}: {error.strerror}."
        hint = "Make that folder writable, or name another one with SKEIN_HOME."
        return _cannot_start(EngineError(message, hint))
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.callback(stop_log, start_log(folders.logs))
        code, again = _run(arguments, safe, folders, stack)
    return _run_again(again) if again else code


def _run(
    arguments: list[str], safe: bool, folders: Folders, stack: contextlib.ExitStack
) -> tuple[int, list[str] | None]:
    """Return the exit code, and the command that shall run after this process."""
    from app.single_instance import SingleInstance

    instance = SingleInstance(folders.data)
    here = Installation.find()
    if not instance.acquire():
        instance.ask_to_raise([Path(name) for name in arguments[1:]])
        if here is not None:
            here.started_well()
        return 0, None
    stack.callback(instance.close)
    crash = CrashLog(folders.logs)
    crash.install()
    stack.callback(crash.close)

    from app.safe_dialog import ask_how
    from app.safe_start import StartNote, StartWatch
    from app.termination import Termination, ended_early

    note = StartNote(folders.data)
    # Where the launcher went back to this version, what ended the last start is gone: no question.
    if note.found() and not safe and not (here is not None and here.went_back):
        qt_app = _qt_app(arguments)
        report, crash.previous = crash.previous, ""  # what the question shows is not told again
        answer = ask_how(qt_app, load(folders.settings_file), note.model(), report)
        if answer == "quit":
            return 0, None
        if safe := answer == "safe":
            arguments = arguments[:1]  # a file may be what ended the last start
    note.write()
    stack.enter_context(ended_early(note.remove))
    if problem := use_pack(folders, safe=safe):
        log.warning("%s", problem)

    from app.opened_files import OpenedFiles

    try:
        with uncollected():
            from app.application import build

            application = build(arguments, safe=safe)
    except EngineError as error:  # chats of a newer Skein, a full or a read-only disk
        note.remove()
        return _cannot_start(error), None
    stack.callback(application.close)
    instance.listen()
    instance.raise_requested.connect(application.window.bring_to_front)
    instance.files_requested.connect(application.open_files)
    OpenedFiles(application.qt_app).requested.connect(application.open_files)
    application.window.watch_crashes(crash)
    StartWatch(note, application.window, application.engine)
    termination = Termination(application.window.close)
    stack.callback(termination.end)
    application.window.show()
    code = application.qt_app.exec()
    note.remove()  # it was closed before it was through
    return code, application.restart.command


def _qt_app(arguments: list[str]) -> "QApplication":
    """Return the one QApplication, made if need be; it lives as long as somebody holds it."""
    from PySide6.QtWidgets import QApplication

    found = QApplication.instance()
    return found if isinstance(found, QApplication) else QApplication(arguments[:1] or ["skein"])


def _run_again(command: list[str]) -> int:
    try:
        return run_again(command)
    except OSError as error:
        message = f"Skein could not start again: {error.strerror or error}."
        return _cannot_start(EngineError(message, "Start it as usual."))


def _cannot_start(error: EngineError) -> int:
    """Say in a dialog why there is no window, since there is no other place for it."""
    from PySide6.QtWidgets import QApplication, QMessageBox

    print(f"{error.message} {error.hint}", file=sys.stderr)
    qt_app = QApplication.instance() or QApplication(sys.argv[:1])
    box = QMessageBox(QMessageBox.Icon.Critical, "Skein", error.message)
    box.setInformativeText(error.hint)
    box.setObjectName("cannot_start")
    box.exec()
    del qt_app
    return 1


if __name__ == "__main__":
    sys.exit(main())
