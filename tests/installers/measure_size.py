#!/usr/bin/env python3
"""What each part of an installed tree costs, on disk and in a download.

    python tests/installers/measure_size.py ROOT [--no-download]

The download column is each part packed by itself as updates are (xz): minutes for all of it.
"""

import argparse
import json
import lzma
from collections import defaultdict
from pathlib import Path

SITE = ("lib/python3.11/site-packages/", "Lib/site-packages/")
PARTS = {
    "torch, libraries": ("torch/lib/",),
    "torch, Python": ("torch/", "torchgen/", "functorch/"),
    "Qt": ("PySide6/", "shiboken6/"),
    "numpy": ("numpy",),
    "sympy (torch's optimizers import it)": ("sympy/", "mpmath/"),
    "Gosling": ("resources/models/",),
    "Skein": ("app/", "engine/", "kernels/", "resources/", "skein-"),
    "other packages": ("",),
}


def main() -> int:
    """Print a table: part, megabytes on disk, megabytes packed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--no-download", action="store_true")
    given = parser.parse_args()
    version = (given.root / "current").read_text("utf-8").strip()
    tree = given.root / "versions" / version
    files = json.loads((tree / "manifest.json").read_text("utf-8"))["files"]
    parts: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        parts[part_of(file["path"])].append(tree / file["path"])
    parts["manifest"] = [tree / "manifest.json"]
    total = [0, 0]
    for name, paths in sorted(parts.items(), key=lambda part: -sum_of(part[1])):
        packed = 0 if given.no_download else packed_size(paths)
        total = [total[0] + sum_of(paths), total[1] + packed]
        row(name, len(paths), sum_of(paths), packed)
    row("all", len(files) + 1, *total)
    return 0


def part_of(path: str) -> str:
    """Return the part that a path of a manifest belongs to."""
    inner = path.removeprefix("python/")
    for site in SITE:
        if inner.startswith(site):
            below = inner.removeprefix(site)
            return next(name for name, starts in PARTS.items() if below.startswith(starts))
    return "CPython and its libraries" if path != inner else "licences"


def sum_of(paths: list[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def packed_size(paths: list[Path]) -> int:
    """Return the bytes of all files packed one after the other."""
    packer = lzma.LZMACompressor(filters=[{"id": lzma.FILTER_LZMA2, "preset": 6}])
    return sum(len(packer.compress(path.read_bytes())) for path in paths) + len(packer.flush())


def row(name: str, files: int, size: int, packed: int) -> None:
    print(f"{name:40} {files:6} files {size / 1e6:8.1f} MB {packed / 1e6:8.1f} MB", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
