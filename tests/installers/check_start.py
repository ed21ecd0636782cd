#!/usr/bin/env python3
"""Starts an installed Skein and waits until its engine has a model; for clean machines.

    xvfb-run -a python3 tests/installers/check_start.py COMMAND [ARGUMENT ...]

With a home folder of its own. Ready is when the note of a start that is under way is gone
(app/safe_start.py) and the log has no error. A launcher may end before, in peace, as Windows' does:
Skein is then who holds the lock of its folder. Works wherever Python does, of whatever version is
there; ends what it started.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_S = 180


def main():
    """Return 0 when it became ready, else 1 with a sentence."""
    command = sys.argv[1:]
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(
        prefix="skein start ü 中 ", ignore_cleanup_errors=True
    ) as home:
        environ = dict(os.environ, SKEIN_HOME=home, HF_ENDPOINT="http://127.0.0.1:9")
        began = time.time()
        process = subprocess.Popen(command, env=environ)
        try:
            problem = wait(process, Path(home), began + LIMIT_S)
        finally:
            end(process, Path(home))
        if problem:
            print(problem, file=sys.stderr)
            for log in sorted(Path(home).rglob("*.log")):
                print("--", log.name, log.read_text("utf-8", "replace")[-4000:], file=sys.stderr)
            return 1
    print(f"ready after {time.time() - began:.1f} s")
    return 0


def wait(process, home, until):
    """Return "" when the window stands and a model is loaded, else what happened instead."""
    note, was_there = home / "data" / "starting", False
    while time.time() < until:
        was_there = was_there or note.exists()
        if was_there and not note.exists():
            return failures(home / "logs" / "skein.log")
        if process.poll() is not None and (process.returncode or not holder(home)):
            return f"Skein ended with {process.returncode} before it was ready."
        time.sleep(0.01)
    return f"Not ready after {LIMIT_S} s."


def failures(log):
    """Return what the log has of errors."""
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    return "\n".join(line for line in lines if " ERROR " in line or " CRITICAL " in line)


def holder(home):
    """Return the number of the process that holds the folder, 0 if there is none."""
    try:
        return int((home / "data" / "skein.lock").read_text("utf-8").splitlines()[0])
    except (OSError, ValueError, IndexError):
        return 0


def end(process, home):
    """End the process, those that it started, and the Skein that it left alone."""
    found = holder(home)
    if os.name == "nt":
        for number in {process.pid, found} - {0}:
            subprocess.call(["taskkill", "/F", "/T", "/PID", str(number)])
        time.sleep(2)  # until Windows lets go of its files, which an uninstaller looks at next
        return
    if found not in (0, process.pid):
        try:
            os.kill(found, signal.SIGTERM)
        except ProcessLookupError:
            pass
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    sys.exit(main())
