#!/usr/bin/env python3
"""A .deb out of a finished tree: /opt/skein, and what a desktop reads in /usr/share.

    python3 installers/linux/deb.py --tree ROOT --out DIR

What it depends on is measured: each library that some file wants and the tree does not have, by
its Debian package, and the C library that the manifest names. Needs dpkg-deb.
"""

import argparse
import datetime
import gzip
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from installers.linux.desktop import write_desktop_files
from installers.linux.shared_libraries import measure, packages
from installers.linux.tree import NotPacked, Tree

FONTS = "fonts-dejavu-core | fonts-noto-core | fonts-liberation | fonts-freefont-ttf"
RECOMMENDS = ("fonts-noto-cjk", "fonts-noto-color-emoji")
SUGGESTS = ("gnome-keyring | kwalletmanager",)
OPTIONAL = (
    "libqgtk3.so",  # file dialogs as GNOME has them: where GTK is, it is whole
    "libcupsprintersupport.so",
)
"""Plug-ins that Qt does without."""

_CONTROL = """Package: skein
Version: {version}
Architecture: {machine}
Maintainer: {maintainer}
Installed-Size: {size_kb}
Depends: {depends}
Recommends: {recommends}
Suggests: {suggests}
Section: utils
Priority: optional
Description: chats with RWKV-7 that can always be picked up again
 RWKV-7 is a language model that is a recurrent network: all that it remembers
 of a chat is one small state of constant size. Skein runs it on this computer:
 a chat has no length limit, nothing is read twice, and it goes on from a saved
 state with the very next token.
 .
 A small model is built in; larger ones are downloaded from within the program.
 It brings its own Python and all libraries that it computes with.
"""

_POSTRM = """#!/bin/sh
# What Python or a switch of versions wrote beside the package's files. No user's data is here.
set -e
case "$1" in
  remove | purge) rm -rf /opt/skein ;;
esac
"""

_COPYRIGHT = """Skein {version}

Licensed under the Apache License, Version 2.0; on Debian systems its text is in
/usr/share/common-licenses/Apache-2.0.

The programs and libraries that Skein brings (Python, PyTorch, Qt and PySide under the
GNU Lesser General Public License 3, and more) have licences of their own:
/opt/skein/versions/{version}/licences holds them all, with an index.
"""


def build_deb(
    tree: Tree,
    out: Path,
    *,
    compression: str = "xz",
    maintainer: str = "The Skein developers <skein@localhost>",
    python: Path | None = None,
) -> Path:
    """Make the package in ``out`` and return its path.

    compression: "xz" (small, any Debian), "zstd" or "none". python: what draws the icons; None
    stands for the tree's own. Raises NotPacked.
    """
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"skein_{tree.version}_{tree.debian_machine}.deb"
    with tempfile.TemporaryDirectory(dir=out, prefix=".deb-") as name:
        stage = Path(name) / "skein"
        stage.mkdir(mode=0o755)
        tree.copy_to(stage / "opt" / "skein", "deb")
        day = datetime.datetime.fromisoformat(tree.manifest["built"]).date()
        share = stage / "usr" / "share"
        write_desktop_files(share, tree.version, python or tree.python, day)
        _write_documents(share / "doc" / "skein", tree, maintainer, day)
        (stage / "usr" / "bin").mkdir()
        (stage / "usr" / "bin" / "skein").symlink_to("/opt/skein/skein")
        _write_control(stage, tree, maintainer)
        _pack(stage, target, compression)
    return target


def depends(tree: Tree) -> list[str]:
    """Return what the package needs: measured libraries, the C library, and one font."""
    wanted = packages(measure(tree.folder, tree.paths()), OPTIONAL)
    return [f"libc6 (>= {tree.manifest['glibc']})", *wanted, FONTS]


def _write_documents(folder: Path, tree: Tree, maintainer: str, day: datetime.date) -> None:
    folder.mkdir(parents=True)
    (folder / "copyright").write_text(_COPYRIGHT.format(version=tree.version), "utf-8")
    date = day.strftime("%a, %d %b %Y 00:00:00 +0000")
    entry = (
        f"skein ({tree.version}) stable; urgency=medium\n\n"
        f"  * Skein {tree.version}. What is new: in the program, Settings > About.\n\n"
        f" -- {maintainer}  {date}\n"
    )
    (folder / "changelog.gz").write_bytes(gzip.compress(entry.encode(), mtime=0))


def _write_control(stage: Path, tree: Tree, maintainer: str) -> None:
    size = sum(p.lstat().st_size for p in stage.rglob("*") if not p.is_dir())
    folder = stage / "DEBIAN"
    folder.mkdir(mode=0o755)
    control = _CONTROL.format(
        version=tree.version,
        machine=tree.debian_machine,
        maintainer=maintainer,
        size_kb=-(-size // 1024),
        depends=", ".join(depends(tree)),
        recommends=", ".join(RECOMMENDS),
        suggests=", ".join(SUGGESTS),
    )
    (folder / "control").write_text(control, "utf-8")
    (folder / "postrm").write_text(_POSTRM, "utf-8")
    (folder / "postrm").chmod(0o755)


def _pack(stage: Path, target: Path, compression: str) -> None:
    program = shutil.which("dpkg-deb")
    if program is None:
        raise NotPacked("dpkg-deb is missing: build the .deb on Debian or Ubuntu.")
    how = {"xz": ("-Zxz", "-z9"), "zstd": ("-Zzstd", "-z10"), "none": ("-Znone",)}[compression]
    subprocess.run(
        [program, *how, "--root-owner-group", "--build", str(stage), str(target)],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def main() -> int:
    """Build; return 1 with a sentence when it cannot be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tree", type=Path, required=True, help="a ROOT that build.py made")
    parser.add_argument("--out", type=Path, default=Path("build/packages"))
    parser.add_argument("--compression", choices=("xz", "zstd", "none"), default="xz")
    parser.add_argument("--maintainer", default="The Skein developers <skein@localhost>")
    options = parser.parse_args()
    try:
        path = build_deb(
            Tree(options.tree),
            options.out,
            compression=options.compression,
            maintainer=options.maintainer,
        )
    except NotPacked as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
