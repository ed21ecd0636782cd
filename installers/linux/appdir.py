#!/usr/bin/env python3
"""An AppDir out of a finished tree: a folder that starts by its AppRun wherever it lies.

    python3 installers/linux/appdir.py --tree ROOT --out DIR/Skein.AppDir

appimage.sh makes the one file of it that people download.
"""

import argparse
import datetime
import shutil
import sys
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from installers.linux.desktop import ICON, write_desktop_files
from installers.linux.tree import NotPacked, Tree

_APPRUN = """#!/bin/sh
# Starts Skein out of this folder, which may lie anywhere and be read-only.
here=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)
exec "$here/opt/skein/skein" "$@"
"""


def build_appdir(tree: Tree, out: Path, *, python: Path | None = None) -> Path:
    """Make the folder ``out``, which must not be there yet, and return it.

    python: what draws the icons; None stands for the tree's own. Raises NotPacked.
    """
    if out.exists():
        raise NotPacked(f"{out} exists already: remove it, or name another folder.")
    tree.copy_to(out / "opt" / "skein", "appimage")
    share = out / "usr" / "share"
    day = datetime.datetime.fromisoformat(tree.manifest["built"]).date()
    write_desktop_files(share, tree.version, python or tree.python, day)
    shutil.copy(share / "applications" / "skein.desktop", out / "skein.desktop")
    shutil.copy(ICON, out / "skein.svg")
    shutil.copy(share / "icons" / "hicolor" / "256x256" / "apps" / "skein.png", out / ".DirIcon")
    (out / "AppRun").write_text(_APPRUN, "utf-8")
    (out / "AppRun").chmod(0o755)
    return out


def main() -> int:
    """Build; return 1 with a sentence when it cannot be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tree", type=Path, required=True, help="a ROOT that build.py made")
    parser.add_argument("--out", type=Path, default=Path("build/packages/Skein.AppDir"))
    options = parser.parse_args()
    try:
        print(build_appdir(Tree(options.tree), options.out))
    except NotPacked as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
