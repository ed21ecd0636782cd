"""How long from the start of a process until its window is visible; and how heavy the way is.

    python -m tests.benchmarks.startup [--runs 5] [--imports]

A child process runs ``app.__main__.main`` and prints the time when its window has been exposed
and painted. The first run also reads what is not yet in the page cache.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.conditions import median, print_conditions

CHILD = """
import sys, time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
enter = QApplication.exec
def enter_and_look(*_):
    built = time.time()
    def look():
        for window in QApplication.topLevelWindows():
            if window.isExposed():
                QApplication.processEvents()
                print(built, time.time(), "torch" in sys.modules, flush=True)
                QApplication.quit()
    timer = QTimer(interval=1)
    timer.timeout.connect(look)
    timer.start()
    return enter()
QApplication.exec = enter_and_look
from app.__main__ import main
main(["skein"])
"""


def one(home: Path) -> tuple[float, float]:
    """Return the seconds until all is built, and until it is seen."""
    environment = os.environ | {"SKEIN_HOME": str(home), "HF_ENDPOINT": "http://127.0.0.1:9"}
    if not environment.get("DISPLAY"):
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-c", CHILD], env=environment, check=True, capture_output=True, text=True
    )
    built, seen, had_torch = done.stdout.split()[:3]
    assert had_torch == "False", "torch was imported before the window was up"
    return float(built) - began, float(seen) - began


def print_imports() -> None:
    """Print the twenty modules whose own import takes longest."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import app.application"],
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        check=True,
        capture_output=True,
        text=True,
    )
    rows = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines()[1:]]
    for own, _all, name in sorted(rows, key=lambda row: -int(row[0]))[:20]:
        print(f"{int(own) / 1000:8.1f} ms  {name.strip()}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description="Process start to window.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--imports", action="store_true", help="name the slowest imports")
    options = parser.parse_args()
    platform = "desktop" if os.environ.get("DISPLAY") else "offscreen"
    print_conditions(f"Qt platform: {platform}; goal: under 1 s")
    with tempfile.TemporaryDirectory(prefix="skein-startup-") as home:
        runs = [one(Path(home)) for _ in range(options.runs)]
    for name, values in zip(("built", "visible"), zip(*runs, strict=True), strict=True):
        times = "  ".join(f"{value * 1000:.0f}" for value in values)
        print(f"{name:9} median {median(list(values)) * 1000:5.0f} ms   ({times})")
    if options.imports:
        print_imports()


if __name__ == "__main__":
    main()
