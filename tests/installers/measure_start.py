#!/usr/bin/env python3
"""How long an installed Skein takes from the double click to its window and to its engine.

    python tests/installers/measure_start.py ROOT [--runs 5] [--cold]

On the display there is, else on an Xvfb of its own; each start with a home folder of its own. The
window counts from the moment the X server has mapped it (xdotool asks every few milliseconds), the
engine from the moment Gosling is loaded: the note of a start that is under way goes 1.5 s later
(app/safe_start.py). --cold drops the page cache before each start (root only). Ends what it
started.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SETTLE_S = 1.5
LIMIT_S = 120


def main() -> int:
    """Measure and print a line for each start, then the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cold", action="store_true")
    options = parser.parse_args()
    with _display() as display:
        os.environ["DISPLAY"] = display
        root = options.root.resolve()
        measured = [_measured(root, cold=options.cold) for _ in range(options.runs)]
    kind = "cold" if options.cold else "warm"
    window, engine = (statistics.median(column) for column in zip(*measured, strict=True))
    print(f"{kind}, median of {options.runs}: window {window:.2f} s, engine {engine:.2f} s")
    return 0


@contextlib.contextmanager
def _display() -> Iterator[str]:
    """Yield the name of a display; one that was made for this ends with it."""
    if given := os.environ.get("DISPLAY"):
        yield given
        return
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-noreset", "-screen", "0", "1280x800x24"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as file:
            yield f":{file.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def _measured(root: Path, *, cold: bool) -> tuple[float, float]:
    """Start once; return seconds until the window is visible, and until a model is ready."""
    with tempfile.TemporaryDirectory() as home:
        if cold:
            _drop_caches()
        environ = {**os.environ, "SKEIN_HOME": home, "HOME": home, "LC_ALL": "C.UTF-8"}
        environ |= {"HF_ENDPOINT": "http://127.0.0.1:9"}
        began = time.time()
        process = subprocess.Popen([str(root / "skein")], env=environ)
        try:
            note = Path(home, "data", "starting")
            _waited(process, note.exists)
            window = _waited(process, _window_visible) - began
            engine = _waited(process, lambda: not note.exists()) - SETTLE_S - began
        finally:
            process.terminate()
            process.wait(30)
    print(f"    window {window:.2f} s, engine {engine:.2f} s", flush=True)
    return window, engine


def _drop_caches() -> None:
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


def _waited(process: subprocess.Popen[bytes], is_so: Callable[[], bool]) -> float:
    """Return the time at which ``is_so`` became true."""
    until = time.time() + LIMIT_S
    while time.time() < until:
        if is_so():
            return time.time()
        if process.poll() is not None:
            raise SystemExit(f"Skein ended with {process.returncode} before it was ready.")
        time.sleep(0.005)
    raise SystemExit(f"Nothing after {LIMIT_S} s.")


def _window_visible() -> bool:
    asked = ["xdotool", "search", "--onlyvisible", "--name", "Skein"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
