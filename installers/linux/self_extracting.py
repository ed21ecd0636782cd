#!/usr/bin/env python3
"""A self-extracting .run out of a finished tree, for one user on any Linux that is new enough.

    python3 installers/linux/self_extracting.py --tree ROOT --out DIR

head.sh, a tar.gz with Python alone and the installer, and a tar.xz with the rest. Needs xz.
"""

import argparse
import datetime
import gzip
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from installers.linux.desktop import HERE, write_desktop_files
from installers.linux.shared_libraries import measure, reached
from installers.linux.tree import NotPacked, Tree

HEAD_BLOCK = 4096
SPARE_KB = 30_000
"""What must stay free after the installation: folders, icons, the first chats."""
EVERYWHERE = ("libz.so.1",)
"""What Python may want of the system before the rest is unpacked."""


def build_run(tree: Tree, out: Path, *, preset: str = "9", python: Path | None = None) -> Path:
    """Make the installer in ``out`` and return its path.

    preset: xz's, "0" to "9e". python: what draws the icons; None stands for the tree's own.
    Raises NotPacked.
    """
    first = [path for path in tree.paths() if is_first(path)]
    alone = reached(tree.folder, first, "python/bin/")
    alone += reached(tree.folder, first, "python/lib/python3.11/lib-dynload/")
    lacking = measure(tree.folder, alone).libraries.keys() - set(EVERYWHERE)
    if lacking:
        raise NotPacked(f"Python alone would not start everywhere: it wants {sorted(lacking)}.")
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"skein-{tree.version}-linux-{tree.machine}.run"
    with tempfile.TemporaryDirectory(dir=out, prefix=".run-") as name:
        folder = Path(name)
        _write_first(folder / "first.tar.gz", tree, first, python or tree.python, folder)
        rest = sorted(set(tree.paths()) - set(first), key=_alike)
        _write_rest(folder / "rest.tar.xz", tree, rest, preset)
        _join(folder, tree, target)
    return target


def is_first(path: str) -> bool:
    """Say whether a file belongs to Python alone, which unpacks everything else."""
    return path.startswith("python/") and "/site-packages/" not in path


def _alike(path: str) -> tuple[str, str]:
    """Sort files of one kind beside each other: xz finds more that repeats."""
    return (path.rpartition(".")[2] if "." in path.rpartition("/")[2] else "", path)


def _write_first(
    archive: Path, tree: Tree, paths: Iterable[str], python: Path, folder: Path
) -> None:
    day = datetime.datetime.fromisoformat(tree.manifest["built"]).date()
    write_desktop_files(folder / "share", tree.version, python, day)
    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", 9, file, 0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in (*paths, "manifest.json"):
            _add(tar, tree.folder / path, path)
        for path in sorted((HERE / "install").glob("*.py")):
            _add(tar, path, f"installer/install/{path.name}")
        for path in sorted(p for p in (folder / "share").rglob("*") if p.is_file()):
            _add(tar, path, f"installer/{path.relative_to(folder).as_posix()}")
        _add(tar, tree.root / "skein", "installer/skein")
        _add(tar, HERE / "uninstall", "installer/uninstall")


def _write_rest(archive: Path, tree: Tree, paths: Iterable[str], preset: str) -> None:
    command = ["xz", f"-{preset}", "-T0", "--stdout"]
    with archive.open("wb") as file:
        xz = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file)
        assert xz.stdin is not None
        with (
            xz.stdin as pipe,
            tarfile.open(fileobj=pipe, mode="w|", format=tarfile.GNU_FORMAT) as tar,
        ):
            for path in paths:
                _add(tar, tree.folder / path, path)
        if xz.wait():
            raise NotPacked("xz failed: is there room for the archive?")


def _add(tar: tarfile.TarFile, source: Path, name: str) -> None:
    """Add a file as root's, of no date: the same tree makes the same archive."""
    status = source.stat()
    entry = tarfile.TarInfo(name)
    entry.size = status.st_size
    entry.mode = 0o755 if status.st_mode & 0o100 else 0o644
    with source.open("rb") as content:
        tar.addfile(entry, content)


def _join(folder: Path, tree: Tree, target: Path) -> None:
    first, rest = folder / "first.tar.gz", folder / "rest.tar.xz"
    joined = folder / "joined"
    with joined.open("wb") as out:
        out.write(_head(tree, first.stat().st_size, rest.stat().st_size))
        for part in (first, rest):
            with part.open("rb") as content:
                _copy(content, out)
    joined.chmod(0o755)
    joined.replace(target)


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while block := source.read(io.DEFAULT_BUFFER_SIZE * 64):
        target.write(block)


def _head(tree: Tree, first: int, rest: int) -> bytes:
    """Return head.sh with this tree's figures, filled up with empty lines to whole blocks."""
    size = int(tree.manifest["size_bytes"])
    # Files end in the middle of a block: half a block each is what that costs.
    need_kb = size // 1000 + 2 * len(tree.paths()) + SPARE_KB
    text = (HERE / "head.sh").read_text("utf-8")
    for name, value in {
        "VERSION": tree.version,
        "MACHINE": tree.machine,
        "GLIBC": tree.manifest["glibc"],
        "FIRST": str(first),
        "REST": str(rest),
        "NEED": str(need_kb),
    }.items():
        text = text.replace(f"@{name}@", value)
    length = -(-(len(text.encode()) + 16) // HEAD_BLOCK) * HEAD_BLOCK
    head = text.replace("@HEAD@", str(length)).encode()
    return head + b"\n" * (length - len(head))


def main() -> int:
    """Build; return 1 with a sentence when it cannot be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tree", type=Path, required=True, help="a ROOT that build.py made")
    parser.add_argument("--out", type=Path, default=Path("build/packages"))
    parser.add_argument("--preset", default="9", help="xz's preset, 0 to 9e")
    options = parser.parse_args()
    try:
        path = build_run(Tree(options.tree), options.out, preset=options.preset)
    except NotPacked as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
