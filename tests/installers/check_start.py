#!/usr/bin/env python3
"""Starts an installed Skein and waits until its engine has a model; for clean machines.

    xvfb-run -a python3 tests/installers/check_start.py COMMAND [ARGUMENT ...]

With a home folder of its own. Ready is what the settings say: they name the model once it is
loaded. Works wherever Python does, of whatever version is there; ends what it started.
"""

import os
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
            problem = wait(process, Path(home, "config", "settings.toml"), began + LIMIT_S)
        finally:
            end(process)
        if problem:
            print(problem, file=sys.stderr)
            for log in sorted(Path(home).rglob("*.log")):
                print("--", log.name, log.read_text("utf-8", "replace")[-4000:], file=sys.stderr)
            return 1
    print(f"ready after {time.time() - began:.1f} s")
    return 0


def wait(process, settings, until):
    """Return "" when the settings name a model, else what happened instead."""
    while time.time() < until:
        if settings.exists() and "gosling" in settings.read_text("utf-8"):
            return ""
        if process.poll():
            return f"Skein ended with {process.returncode} before it was ready."
        time.sleep(0.1)
    return f"Not ready after {LIMIT_S} s."


def end(process):
    """End the process and, on Windows, those that it started."""
    if os.name == "nt":
        subprocess.call(["taskkill", "/F", "/T", "/PID", str(process.pid)])
        return
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    sys.exit(main())
