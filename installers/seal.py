#!/usr/bin/env python3
"""Writes a tree's manifest and archive anew, after its files were signed; or unpacks an archive.

    python installers/seal.py ROOT --out DIR                # DIR/skein-<version>-<target>.tar.xz
    python installers/seal.py --unpack ARCHIVE --to ROOT    # a complete ROOT of such an archive

Between machines a tree travels as its archive, which keeps who may be executed. Standard library
only; ARCHIVE must be our own: what is in it is compared with its manifest afterwards.
"""

import argparse
import json
import lzma
import shutil
import sys
import tarfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from installers.builder.archive import write_archive  # noqa: E402
from installers.builder.failure import BuildFailed  # noqa: E402
from installers.builder.manifest import FILE_NAME, Facts, verify, write_manifest  # noqa: E402

LAUNCHER = PROJECT / "installers" / "linux" / "skein"


def seal(root: Path, out: Path, filters: list[dict[str, int]] | None = None) -> Path:
    """Write the manifest of ROOT's version and its archive into ``out``; return the archive.

    filters: lzma's, for tests that have no minutes. Raises BuildFailed.
    """
    try:
        tree = root / "versions" / (root / "current").read_text("utf-8").strip()
        old = json.loads((tree / FILE_NAME).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BuildFailed(f"{root} is no finished tree ({error}): run build.py first.") from error
    facts = Facts(old["version"], old["target"], old["python"], old["torch"], old["glibc"])
    write_manifest(tree, facts)
    out.mkdir(parents=True, exist_ok=True)
    return write_archive(tree, out / f"skein-{facts.version}-{facts.target}.tar.xz", filters)


def unpack(archive: Path, root: Path) -> Path:
    """Make a complete ROOT (channel "tree") of an archive; return it. Raises BuildFailed."""
    beside = root.with_name(root.name + ".partial")
    shutil.rmtree(beside, ignore_errors=True)
    tree = beside / "tree"
    try:
        with tarfile.open(archive, mode="r:xz") as content:
            content.extractall(tree, filter="data")
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise BuildFailed(f"{archive} is damaged: {error}.") from error
    wrong = verify(tree)
    if wrong:
        raise BuildFailed(f"{archive} is damaged: {wrong[0]}.")
    manifest = json.loads((tree / FILE_NAME).read_text("utf-8"))
    (beside / "versions").mkdir()
    tree.rename(beside / "versions" / manifest["version"])
    (beside / "current").write_text(manifest["version"] + "\n", "utf-8")
    (beside / "channel").write_text("tree\n", "utf-8")
    if not manifest["target"].startswith("windows"):
        shutil.copy(LAUNCHER, beside / "skein")
    shutil.rmtree(root, ignore_errors=True)
    beside.rename(root)
    return root


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, nargs="?", metavar="ROOT")
    parser.add_argument("--out", type=Path, default=PROJECT / "dist", metavar="DIR")
    parser.add_argument("--unpack", type=Path, metavar="ARCHIVE")
    parser.add_argument("--to", type=Path, metavar="ROOT")
    given = parser.parse_args(arguments)
    if bool(given.unpack) == bool(given.root) or bool(given.unpack) != bool(given.to):
        parser.error("name a ROOT to seal, or --unpack ARCHIVE --to ROOT.")
    try:
        done = unpack(given.unpack, given.to) if given.unpack else seal(given.root, given.out)
    except (BuildFailed, OSError) as error:
        print(f"Not done. {error}", file=sys.stderr)
        return 2
    print(done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
