#!/usr/bin/env python3
"""How long an installed Skein takes from the double click to its window and to its engine.

    xvfb-run -s "-screen 0 1280x800x24" python tests/installers/measure_start.py ROOT [--runs 5]
        [--cold]

Each start gets a home folder of its own. The window counts from the moment the X server has
mapped it (xdotool asks every few milliseconds), the engine from the moment Gosling is loaded: the
settings name the model then, and are written 0.3 s later (app/settings.py). --cold drops the page
cache before each start (root only). Ends what it started.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SAVE_DELAY_S = 0.3
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
    if "DISPLAY" not in os.environ:
        print("There is no display: start this under xvfb-run.", file=sys.stderr)
        return 2
    measured = [_measured(options.root.resolve(), cold=options.cold) for _ in range(options.runs)]
    kind = "cold" if options.cold else "warm"
    window, engine = (statistics.median(column) for column in zip(*measured, strict=True))
    print(f"{kind}, median of {options.runs}: window {window:.2f} s, engine {engine:.2f} s")
    return 0


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
            window = _waited(process, _window_visible) - began
            settings = Path(home, "config", "settings.toml")
            _waited(process, lambda: _names_model(settings))
            engine = settings.stat().st_mtime - SAVE_DELAY_S - began
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


def _names_model(settings: Path) -> bool:
    return settings.exists() and "gosling" in settings.read_text("utf-8")


if __name__ == "__main__":
    sys.exit(main())
