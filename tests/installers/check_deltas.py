"""An update of a real tree, measured: sizes of deltas, seconds of each phase, a disk that is full.

    nice -n 15 python -m tests.installers.check_deltas /work/tree/skein [--full]

Makes two next versions of the tree in a temporary folder (hard links; the tree itself is only
read): "line", one line of one module of app/ changed, and "layer", every Python file of app/,
engine/, kernels/ and resources/ changed. Publishes both with installers/release.py, serves them
over HTTP on this machine, updates a copy by the delta (--full: by the whole archive, too), and
starts it by the launcher. As root also on a file system of 2 MB that runs full.
"""

import argparse
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from engine.errors import UpdateFailed
from engine.folders import Folders
from engine.installation import Installation
from engine.settings import Settings
from engine.updates.check import Update, check
from engine.updates.install import UpdateInstall
from engine.updates.source import UpdateSource
from installers import release
from installers.builder.archive import write_archive
from installers.builder.manifest import Facts, write_manifest
from tests.hub_server import HubServer
from tests.installers.tree_kit import make_root, make_tree

FAST = [{"id": 0x21, "preset": 0}]
REPO = "skein/updates"
SITE = Path("python/lib/python3.11/site-packages")
PRIVATE = "07" * 32
OURS = ("app", "engine", "kernels", "resources")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("tree", type=Path)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    os.environ[release.KEY] = PRIVATE
    place = Path(tempfile.mkdtemp(prefix="skein-updates-", dir=options.tree.parent))
    try:
        with HubServer() as server:
            for what in ("line", "layer"):
                _measure(what, options.tree, place / what, server, with_full=options.full)
                options.full = False
            if os.geteuid() == 0:
                _fill_a_disk(place / "disk", server)
    finally:
        shutil.rmtree(place)
    return 0


def _measure(what: str, root: Path, place: Path, server: HubServer, *, with_full: bool) -> None:
    """Publish a next version of the tree and bring a copy of it there."""
    place.mkdir()
    version = (root / "current").read_text().strip()
    tree = root / "versions" / version
    new = _next_tree(what, tree, place / "tree")
    out, old = place / "out", place / "old"
    out.mkdir()
    old.mkdir()
    facts = json.loads((tree / "manifest.json").read_bytes())
    shutil.copy(tree / "manifest.json", old / f"skein-{version}-{facts['target']}.manifest.json")
    began = time.monotonic()
    archive = out / f"skein-9.9.9-{facts['target']}.tar.xz"
    write_archive(new, archive, FAST)
    _say(what, "archive", f"{archive.stat().st_size / 1e6:.1f} MB", began)
    began = time.monotonic()
    arguments = ["publish", "--archives", str(out), "--previous", str(old), "--out", str(out)]
    assert release.main(arguments) == 0
    _say(what, "release.py", "", began)
    server.repos.clear()
    for path in out.iterdir():
        server.add(REPO, path.name, path.read_bytes())
    copy = _copy_of(root, version, place / "installed")
    update = _offered(server, copy, Folders.below(place / "home"))
    assert update is not None
    assert update.delta is not None
    print(f"{what}: delta {update.delta.size_bytes / 1e6:.2f} MB, {_changed(tree, new)} files")
    _install(what, update, copy, place)
    if with_full:
        fresh = _copy_of(root, version, place / "fresh")
        _install(f"{what}, whole", _without_delta(update), fresh, place)


def _next_tree(what: str, tree: Path, to: Path) -> Path:
    """Return version 9.9.9: links to the tree's files, but for what is changed."""
    shutil.copytree(tree, to, copy_function=os.link)
    python = to / "python" / "bin" / "python3.11"
    sources = sorted(p for name in OURS for p in (to / SITE / name).rglob("*.py"))
    chosen = sources if what == "layer" else [to / SITE / "app" / "window.py"]
    for path in chosen:
        text = path.read_bytes() + b"\n_CHANGED = 'in 9.9.9'\n"
        path.unlink()
        path.write_bytes(text)
        _compile(python, path)
    (to / "manifest.json").unlink()
    was = json.loads((tree / "manifest.json").read_bytes())
    write_manifest(to, Facts("9.9.9", was["target"], was["python"], was["torch"], was["glibc"]))
    return to


def _compile(python: Path, path: Path) -> None:
    """Compile as the build does; the same Python, or the file would be another."""
    for cached in (path.parent / "__pycache__").glob(f"{path.stem}.cpython-3*.pyc"):
        cached.unlink()
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(path), str(cached), dfile=path.name, invalidation_mode=mode)


def _copy_of(root: Path, version: str, to: Path) -> Installation:
    """Install a copy of the tree by hard links, as the user's own."""
    to.mkdir()
    shutil.copytree(root / "versions", to / "versions", copy_function=os.link)
    shutil.copy(root / "skein", to / "skein")
    (to / "current").write_text(f"{version}\n")
    (to / "channel").write_text("run\n")
    found = Installation.find(to / "versions" / version / "python")
    assert found is not None
    return found


def _offered(server: HubServer, copy: Installation, folders: Folders) -> Update | None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(PRIVATE))
    address = f"{server.endpoint}/{REPO}/resolve/main/feed.json"
    source = UpdateSource(address, (key.public_key().public_bytes_raw().hex(),))
    return check(source, copy, folders, Settings())


def _without_delta(update: Update) -> Update:
    from dataclasses import replace

    return replace(update, delta=None)


def _install(what: str, update: Update, copy: Installation, place: Path) -> None:
    """Run the update, print the seconds of each phase and what it took, start what it made."""
    times: list[tuple[str, float]] = []
    began = time.monotonic()

    def note(progress) -> None:
        if not times or times[-1][0] != progress.phase:
            times.append((progress.phase, time.monotonic()))

    UpdateInstall(update, copy, place / "home" / "updates").run(note, threading.Event())
    ends = [start for _phase, start in times[1:]] + [time.monotonic()]
    spent = [f"{phase} {end - start:.1f}" for (phase, start), end in zip(times, ends, strict=True)]
    _say(what, "update", ", ".join(spent), began)
    print(f"{what}: room taken {_own_bytes(copy.versions / '9.9.9') / 1e6:.1f} MB")
    _start(what, copy)


def _start(what: str, copy: Installation) -> None:
    """Start by the launcher: the new version says who it is."""
    began = time.monotonic()
    answer = subprocess.run(
        [copy.root / "skein", "hardware"],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ, QT_QPA_PLATFORM="offscreen"),
    )
    current = (copy.root / "current").read_text().strip()
    _say(what, f"start (exit {answer.returncode})", f"current {current}", began)
    assert (current, answer.returncode) == ("9.9.9", 0), answer.stderr
    assert (copy.root / "previous").read_text().strip() == copy.version


def _fill_a_disk(place: Path, server: HubServer) -> None:
    """Update on a file system that is full in the middle of it: the old version still starts."""
    place.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if subprocess.run(mounted, check=False).returncode:
        print("disk: no file system could be mounted, not tried")
        return
    try:
        root = make_root(place / "skein", "0.1.0", {"python/same": b"x" * 500_000})
        copy = Installation.find(root / "versions" / "0.1.0" / "python")
        assert copy is not None
        with tempfile.TemporaryDirectory() as elsewhere:
            _try_to_fill(copy, Path(elsewhere), server)
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _try_to_fill(copy: Installation, elsewhere: Path, server: HubServer) -> None:
    new = make_tree(elsewhere / "tree", "9.9.9", {"python/zeros": bytes(1_800_000)})
    out = elsewhere / "out"
    out.mkdir()
    write_archive(new, out / "skein-9.9.9-linux-x86_64.tar.xz", FAST)
    assert release.main(["publish", "--archives", str(out), "--out", str(out)]) == 0
    server.repos.clear()
    for path in out.iterdir():
        server.add(REPO, path.name, path.read_bytes())
    folders = Folders.below(elsewhere / "home")
    update = _offered(server, copy, folders)
    assert update is not None
    for free in (None, lambda _folder: 10**9):  # seen before it begins, and met in the middle
        job = UpdateInstall(update, copy, folders.updates, free_bytes=free)
        with pytest.raises(UpdateFailed) as caught:
            job.run(lambda _progress: None, threading.Event())
        error = caught.value
        print(f"disk: {error.kind}: {error.message} {error.hint}")
        assert error.kind == "full"
        assert [path.name for path in copy.versions.iterdir()] == ["0.1.0"]
        answer = subprocess.run(
            [copy.root / "skein", "x"], capture_output=True, text=True, check=True
        )
        assert answer.stdout.strip() == "0.1.0|x"
        assert not (copy.root / "next").exists()


def _changed(tree: Path, new: Path) -> int:
    old = {
        f["path"]: f["sha256"] for f in json.loads((tree / "manifest.json").read_bytes())["files"]
    }
    files = json.loads((new / "manifest.json").read_bytes())["files"]
    return sum(old.get(f["path"]) != f["sha256"] for f in files)


def _own_bytes(tree: Path) -> int:
    """Return the bytes on the disk of files that only this version has."""
    found = [path.stat() for path in tree.rglob("*") if path.is_file()]
    return sum(status.st_blocks * 512 for status in found if status.st_nlink == 1)


def _say(what: str, step: str, result: str, began: float) -> None:
    print(f"{what}: {step}: {time.monotonic() - began:.1f} s {result}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
