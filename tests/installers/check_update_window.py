#!/usr/bin/env python3
"""A real tree, updated through its real window: minutes, so it is no test of the suite.

    python tests/installers/check_update_window.py /work/tree/skein [--out FOLDER]

Installs a copy of the tree (hard links, the project's own code put in), releases a version whose
app differs, and plays the user under Xvfb with xdotool: agrees, downloads, starts again; then lets
that version fail twice. Looks at the files of ROOT after each step and prints what took how long.
Screenshots go to ``--out``: look at them. Needs xvfb, xdotool, imagemagick and a tree that
``installers/build.py`` made.
"""

import argparse
import contextlib
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: E402

from installers import release  # noqa: E402
from installers.builder.archive import write_archive  # noqa: E402
from installers.builder.manifest import Facts, write_manifest  # noqa: E402

SIZE = "1180x780"
YES, DOWNLOAD, AGAIN = (375, 114), (357, 94), (375, 94)
"""Where the buttons of the banner are in a window of that size, in English."""
OURS = ("app", "engine", "kernels", "resources")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves one folder and writes down who asked for what."""

    asked: list[str]

    def log_message(self, format: str, *args: object) -> None:
        self.asked.append(f"{self.command} {self.path}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("tree", type=Path)
    parser.add_argument(
        "--out", type=Path, default=Path(tempfile.gettempdir()) / "check_update_window"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ünï 中 ") as name:
        Check(options.tree, Path(name), options.out).run()
    print("all as it should be")
    return 0


class Check:
    """One walk from 0.1.0 to 0.2.0 and back."""

    def __init__(self, tree: Path, folder: Path, out: Path) -> None:
        self.folder, self.out = folder, out
        self.root, self.feed = folder / "skein", folder / "feed"
        self.feed.mkdir()
        self.asked: list[str] = []
        subprocess.run(["cp", "-al", str(tree), str(self.root)], check=True)
        put(self.root / "channel", "run\n")
        self.old = self.root / "versions" / (self.root / "current").read_text().strip()

    def run(self) -> None:
        handler = functools.partial(Quiet, directory=str(self.feed))
        Quiet.asked = self.asked
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.release(f"http://127.0.0.1:{server.server_port}/feed.json")
        with self.display():
            self.walk()
        server.shutdown()

    def release(self, address: str) -> None:
        """Put the project's code into the copy, and offer a version that differs in one file."""
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes_raw().hex()
        site = site_of(self.old)
        for name in OURS:
            refresh(site / name, PROJECT / name)
        source = {"update_address": address, "update_keys": [public]}
        put(site / "resources/release.json", json.dumps(source))
        facts = json.loads((self.old / "manifest.json").read_bytes())
        self.version(self.old, self.old.name, facts)
        new = self.folder / "new"
        subprocess.run(["cp", "-al", str(self.old), str(new)], check=True)
        put(site_of(new) / "app/version_marker.py", '"""Only here."""\n')
        notes = site_of(new) / "resources/whats_new"
        for language in release.LANGUAGES:
            text = (notes / f"{language}.md").read_text("utf-8")
            put(notes / f"{language}.md", f"## 0.2.0\n\n- **New.**\n\n{text}")
        self.version(new, "0.2.0", facts)
        previous = self.folder / "previous"
        previous.mkdir()
        stem = f"skein-{self.old.name}-{facts['target']}"
        shutil.copy(self.old / "manifest.json", previous / f"{stem}.manifest.json")
        fast = [{"id": 0x21, "preset": 0}]
        write_archive(new, self.feed / f"skein-0.2.0-{facts['target']}.tar.xz", fast)
        os.environ[release.KEY] = key.private_bytes_raw().hex()
        command = ["publish", "--archives", str(self.feed), "--previous", str(previous)]
        command += ["--out", str(self.feed), "--notes", str(notes)]
        require(release.main(command) == 0, "the release is made")

    def version(self, tree: Path, name: str, facts: dict[str, str]) -> None:
        values = [facts[key] for key in ("target", "python", "torch", "glibc")]
        write_manifest(tree, Facts(name, *values))

    def walk(self) -> None:
        app = self.start()
        self.wait("the window", lambda: window_there(), 30)
        time.sleep(6)
        self.shot("1_question")
        require(not self.asked, "nobody was asked before the user agreed")
        self.click(YES)
        self.wait("the feed", lambda: len(self.asked) >= 2, 20)
        time.sleep(2)
        self.shot("2_offer")
        self.click(DOWNLOAD)
        self.wait("download to ready", lambda: self.line("next") == "0.2.0", 120)
        require(any("from-" in path for path in self.asked), "only what changed was fetched")
        time.sleep(1)
        self.shot("3_ready")
        self.click(AGAIN)
        self.wait("old window to new one", lambda: self.stands("0.2.0"), 30)
        time.sleep(6)
        self.shot("4_new_version")
        require(self.line("previous") == self.old.name, "the old version is kept")
        end(app)
        self.break_it()
        app = self.start()
        self.wait("the old one runs again", lambda: self.stands(self.old.name), 30)
        time.sleep(6)
        self.shot("5_rolled_back")
        end(app)

    def break_it(self) -> None:
        put(site_of(self.root / "versions/0.2.0") / "app/__main__.py", "raise SystemExit(9)\n")
        put(self.root / "trying", "0.2.0 0\n")
        for _ in range(2):
            code = subprocess.run([str(self.root / "skein")], env=self.env(), check=False)
            require(code.returncode == 9, "a version that does not start")

    # ---- hands and eyes -------------------------------------------------------------------

    @contextlib.contextmanager
    def display(self) -> Iterator[None]:
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{SIZE}x24"]
        quiet = subprocess.DEVNULL
        server = subprocess.Popen(command, pass_fds=[write], stdout=quiet, stderr=quiet)
        os.environ["DISPLAY"] = ":" + os.read(read, 20).decode().strip()
        try:
            yield
        finally:
            server.terminate()
            server.wait(10)

    def env(self) -> dict[str, str]:
        own = {"SKEIN_HOME": str(self.folder / "home"), "LANG": "C.UTF-8", "NO_PROXY": "127.0.0.1"}
        return {**os.environ, **own, "HF_ENDPOINT": "http://127.0.0.1:9", "QT_QPA_PLATFORM": "xcb"}

    def start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([str(self.root / "skein")], env=self.env())

    def click(self, place: tuple[int, int]) -> None:
        x, y = map(str, place)
        subprocess.run(["xdotool", "mousemove", x, y, "click", "1"], check=True)

    def shot(self, name: str) -> None:
        subprocess.run(["import", "-window", "root", str(self.out / f"{name}.png")], check=True)

    def line(self, name: str) -> str:
        path = self.root / name
        return path.read_text("utf-8").strip() if path.is_file() else ""

    def stands(self, version: str) -> bool:
        """Whether that version runs and was seen to stand, or needs not be."""
        waits = ("next", "trying", "failed")
        return self.line("current") == version and not any(self.line(name) for name in waits)

    def wait(self, what: str, done: Callable[[], bool], at_most_s: float) -> None:
        began = time.monotonic()
        while not done():
            require(time.monotonic() - began < at_most_s, what)
            time.sleep(0.05)
        print(f"{time.monotonic() - began:7.2f} s  {what}")


def put(path: Path, text: str) -> None:
    """Write a file that may be a hard link: its other names keep what they have."""
    path.unlink(missing_ok=True)
    path.write_text(text, "utf-8")


def site_of(tree: Path) -> Path:
    return next((tree / "python/lib").glob("python3.*/site-packages"))


def refresh(folder: Path, source: Path) -> None:
    """Put a package's newest code into the tree; compiled libraries stay those of the tree."""
    fresh = folder.with_name(f"{folder.name}.fresh")
    shutil.copytree(source, fresh, ignore=shutil.ignore_patterns("__pycache__", "*.cpp", "*.ts"))
    for library in folder.rglob("*.so"):
        shutil.copy(library, fresh / library.relative_to(folder))
    shutil.rmtree(folder)
    fresh.rename(folder)


def window_there() -> bool:
    command = ["xdotool", "search", "--onlyvisible", "--name", "Skein"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def end(app: "subprocess.Popen[bytes]") -> None:
    app.terminate()
    require(app.wait(20) == 0, "it ends in good order")


def require(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"FAILED: {what}")


if __name__ == "__main__":
    sys.exit(main())
