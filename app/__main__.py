"""``skein``, ``python -m app``: the way from a process to a window, and back out.

With a command behind it (``skein bench ...``) it is the command line of the engine instead.

Order matters here: first what records failures, then who is first, then the window; what is
heavy is imported by app.application when the window is up.
"""

import contextlib
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from app.collector import uncollected
from app.crash import CrashLog
from app.display_check import NoDisplay, display_problem, say_without_qt
from app.logs import start_log, stop_log
from app.restart import SAFE, run_again
from engine.errors import EngineError
from engine.folders import Folders
from engine.gpu_pack.overlay import use_pack
from engine.installation import Installation
from engine.settings import load

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from app.application import Application
    from app.safe_dialog import Answer
    from app.safe_start import StartNote
    from app.single_instance import SingleInstance

COUNTED = "SKEIN_COUNTED"
"""The launcher sets it for a start that it counts as a trial of this version."""
log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Run the window; return the exit code (0 also when an earlier window was raised instead).

    argv: the program's name, then nothing, files and folders to open, or a command; ``--safe``
    anywhere.
    """
    arguments = list(sys.argv if argv is None else argv)
    safe = SAFE in arguments
    arguments = [argument for argument in arguments if argument != SAFE]
    if len(arguments) > 1 and _is_command(arguments[1]):
        from engine.cli.main import main as run_command

        _uncount_start()
        return run_command(arguments[1:])
    if problem := display_problem():
        if isinstance(problem, NoDisplay):
            _uncount_start()
        say_without_qt(problem)
        return 1
    folders = Folders.standard()
    try:
        folders.create()
    except OSError as error:
        _uncount_start()
        message = f"Skein cannot write to {error.filename or folders.data}: {error.strerror}."
        hint = "Make that folder writable, or name another one with SKEIN_HOME."
        return _cannot_start(EngineError(message, hint))
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.callback(stop_log, start_log(folders.logs))
        code, again = _run(arguments, safe, folders, stack)
    return _run_again(again) if again else code


def _is_command(word: str) -> bool:
    """Whether it is no path: a desktop hands over folders, too, and files that are gone by now."""
    is_path = os.path.dirname(word) and not word.startswith("-")
    return not (is_path or os.path.isfile(word))


def _run(
    arguments: list[str], safe: bool, folders: Folders, stack: contextlib.ExitStack
) -> tuple[int, list[str] | None]:
    """Return the exit code, and the command that shall run after this process."""
    from app.single_instance import SingleInstance

    instance = SingleInstance(folders.data)
    if not instance.acquire():
        heard = instance.ask_to_raise([Path(name) for name in arguments[1:]])
        if heard or not instance.acquire():  # it may have ended meanwhile
            _uncount_start()
            return (0 if heard else _cannot_start(instance.silence())), None
    stack.callback(instance.close)
    crash = CrashLog(folders.logs)
    crash.install()
    stack.callback(crash.close)

    from app.safe_start import StartNote
    from app.termination import ended_early

    note = StartNote(folders.data)
    if not safe and _is_to_ask(note):
        qt_app = _qt_app(arguments)  # held here: the window goes on with it
        answer = _how_to_start(qt_app, folders, note, crash)
        if answer == "quit":
            _uncount_start()
            return 0, None
        if safe := answer == "safe":
            arguments = arguments[:1]  # a file may be what ended the last start
    note.write()
    stack.enter_context(ended_early(lambda: (note.remove(), _uncount_start())))
    try:
        application = _window(arguments, safe, folders, stack)
    except EngineError as error:  # chats of a newer Skein, a full or a read-only disk
        note.remove()
        return _cannot_start(error), None
    except Exception as error:  # the note stays: the next start asks how, and has this report
        crash.write("Skein could not start", traceback.format_exc())
        hint = "Start it again: it then offers a safe start, and shows a report of this."
        return _cannot_start(EngineError(f"Skein could not start: {error}.", hint)), None
    _connect(application, instance, crash, note, stack)
    application.window.show()
    code = application.qt_app.exec()
    note.remove()  # it was closed before it was through
    return code, application.restart.command


def _is_to_ask(note: "StartNote") -> bool:
    """Whether the last start did not get through, and what ended it is still there."""
    here = Installation.find()
    went_back = here is not None and here.went_back  # the launcher did, to this version
    return note.found() and not went_back


def _how_to_start(
    qt_app: "QApplication", folders: Folders, note: "StartNote", crash: CrashLog
) -> "Answer":
    from app.safe_dialog import ask_how

    report, crash.previous = crash.previous, ""  # what the question shows is not told again
    return ask_how(qt_app, load(folders.settings_file), note.model(), report)


def _window(
    arguments: list[str], safe: bool, folders: Folders, stack: contextlib.ExitStack
) -> "Application":
    """Build all of it; ``stack`` ends it. Raises StoreError, and what faults of ours raise."""
    if problem := use_pack(folders, safe=safe):
        log.warning("%s", problem)
    with uncollected():
        from app.application import build

        application = build(arguments, safe=safe)
    stack.callback(application.close)
    return application


def _connect(
    application: "Application",
    instance: "SingleInstance",
    crash: CrashLog,
    note: "StartNote",
    stack: contextlib.ExitStack,
) -> None:
    """Connect the window with the process around it."""
    from app.opened_files import OpenedFiles
    from app.safe_start import StartWatch
    from app.termination import Termination

    window = application.window
    instance.listen()
    instance.raise_requested.connect(window.bring_to_front)
    instance.files_requested.connect(application.open_files)
    OpenedFiles(application.qt_app).requested.connect(application.open_files)
    window.watch_crashes(crash)
    StartWatch(note, window, application.engine)
    stack.callback(Termination(window.close).end)


def _uncount_start() -> None:
    """Tell the launcher that this start, which shows no window, says nothing of the version.

    One beside a Skein that runs was not counted, so there is nothing to take back.
    """
    here = Installation.find()
    if here is not None and os.environ.get(COUNTED):
        here.uncount_start()


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
