"""``python -m app``: the way from a process to a window, and back out.

Order matters here: first what records failures, then who is first, then the window; what is
heavy is imported by app.application when the window is up.
"""

import contextlib
import sys

from app.crash import CrashLog
from app.logs import start_log, stop_log
from engine.folders import Folders


def main(argv: list[str] | None = None) -> int:
    """Run the window; return the exit code (0 also when an earlier window was raised instead)."""
    arguments = sys.argv if argv is None else argv
    folders = Folders.standard()
    try:
        folders.create()
    except OSError as error:
        print(f"Skein cannot write to {folders.data}: {error.strerror}", file=sys.stderr)
        return 1
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.callback(stop_log, start_log(folders.logs))
        return _run(arguments, folders, stack)


def _run(arguments: list[str], folders: Folders, stack: contextlib.ExitStack) -> int:
    from app.single_instance import SingleInstance

    instance = SingleInstance(folders.data)
    if not instance.acquire():
        instance.ask_to_raise()
        return 0
    stack.callback(instance.close)
    crash = CrashLog(folders.logs)
    crash.install()
    stack.callback(crash.close)

    from app.application import build

    application = build(arguments)
    stack.callback(application.close)
    instance.listen()
    instance.raise_requested.connect(application.window.bring_to_front)
    application.window.watch_crashes(crash)
    application.window.show()
    return application.qt_app.exec()


if __name__ == "__main__":
    sys.exit(main())
