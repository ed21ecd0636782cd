"""``skein``, ``python -m app``: the way from a process to a window, and back out.

With a command behind it (``skein bench ...``) it is the command line of the engine instead.

Order matters here: first what records failures, then who is first, then the window; what is
heavy is imported by app.application when the window is up.
"""

import contextlib
import sys
from pathlib import Path

from app.collector import uncollected
from app.crash import CrashLog
from app.logs import start_log, stop_log
from engine.errors import EngineError
from engine.folders import Folders


def main(argv: list[str] | None = None) -> int:
    """Run the window; return the exit code (0 also when an earlier window was raised instead).

    argv: the program's name, then nothing, a model file to open, or a command.
    """
    arguments = sys.argv if argv is None else argv
    if len(arguments) > 1 and not Path(arguments[1]).is_file():
        from engine.cli.main import main as run_command

        return run_command(arguments[1:])
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
        return _run(arguments, folders, stack)


def _run(arguments: list[str], folders: Folders, stack: contextlib.ExitStack) -> int:
    from app.single_instance import SingleInstance

    instance = SingleInstance(folders.data)
    if not instance.acquire():
        instance.ask_to_raise([Path(name) for name in arguments[1:]])
        return 0
    stack.callback(instance.close)
    crash = CrashLog(folders.logs)
    crash.install()
    stack.callback(crash.close)

    from app.termination import Termination

    try:
        with uncollected():
            from app.application import build

            application = build(arguments)
    except EngineError as error:  # chats of a newer Skein, a full or a read-only disk
        return _cannot_start(error)
    stack.callback(application.close)
    instance.listen()
    instance.raise_requested.connect(application.window.bring_to_front)
    instance.files_requested.connect(application.open_files)
    application.window.watch_crashes(crash)
    termination = Termination(application.window.close)
    stack.callback(termination.end)
    application.window.show()
    return application.qt_app.exec()


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
