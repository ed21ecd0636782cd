#!/usr/bin/env python3
"""Makes Skein.app out of a built tree.

    python3 installers/macos/app.py ROOT OUT/Skein.app   # the application
    python3 installers/macos/app.py --sign-list APP      # what has to be signed, inside out
    python3 installers/macos/app.py --manifest APP       # the manifest anew: signing changed files

Contents/MacOS/Skein is a small program (launcher.c); the tree lies whole in Contents/Resources.
Every program and library is reduced to the one processor that torch is made for, and none may ask
for a newer system than Info.plist does. Standard library only; needs a C compiler (CC, else cc).
"""

import json
import os
import plistlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from installers.builder.failure import BuildFailed
from installers.builder.manifest import FILE_NAME, Facts, write_manifest
from installers.linux.desktop import draw_icons
from installers.macos import macho
from installers.macos.icns import NAMES, icns

HERE = Path(__file__).resolve().parent
MINIMUM = (14, 0)
"""What Info.plist asks for, and what torch's wheel needs."""


@dataclass(frozen=True, slots=True)
class App:
    """A Skein.app and where things lie in it."""

    path: Path

    @property
    def contents(self) -> Path:
        """Return Contents."""
        return self.path / "Contents"

    @property
    def root(self) -> Path:
        """Return ROOT (installers/README.md)."""
        return self.contents / "Resources" / "skein"

    @property
    def tree(self) -> Path:
        """Return the folder of the one version."""
        return self.root / "versions" / (self.root / "current").read_text("utf-8").strip()


def make_app(root: Path, to: Path, python: Path | None = None) -> App:
    """Make the application of a finished tree; return it.

    python: what draws the icons; None stands for the tree's own. Raises BuildFailed.
    """
    app = App(to)
    if to.exists():
        shutil.rmtree(to)
    version = _current(root)
    app.root.mkdir(parents=True)
    shutil.copytree(root / "versions" / version, app.root / "versions" / version)
    (app.root / "current").write_text(version + "\n", "utf-8")
    (app.root / "channel").write_text("dmg\n", "utf-8")
    thin_all(app.tree)
    rewrite_manifest(app)
    shutil.copy(HERE.parent / "linux" / "skein", app.contents / "Resources" / "skein-launch")
    (app.contents / "Info.plist").write_bytes(information(version))
    (app.contents / "PkgInfo").write_bytes(b"APPL????")
    _draw(app, python or root / "versions" / version / "python" / "bin" / "python3")
    _compile(app.contents / "MacOS" / "Skein")
    return app


def _current(root: Path) -> str:
    try:
        version = (root / "current").read_text("utf-8").strip()
        manifest = json.loads((root / "versions" / version / FILE_NAME).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BuildFailed(f"{root} is no finished tree ({error}): run build.py first.") from error
    if manifest["target"] != "macos-arm64":
        raise BuildFailed(f"{root} is a tree for {manifest['target']}, not for a Mac.")
    return version


def information(version: str) -> bytes:
    """Return Info.plist. Apple takes three numbers for the second version and nothing else."""
    numbers = re.match(r"\d+(\.\d+){0,2}", version)
    if numbers is None:
        raise BuildFailed(f"{version!r} does not begin with a number.")
    text = (HERE / "Info.plist.in").read_text("utf-8")
    filled = text.replace("@VERSION@", version).replace("@BUNDLE_VERSION@", numbers[0])
    made = plistlib.loads(filled.encode())
    if made["LSMinimumSystemVersion"] != ".".join(map(str, MINIMUM)):
        raise BuildFailed("Info.plist.in and app.py differ in the oldest macOS.")
    return filled.encode()


def thin_all(tree: Path) -> int:
    """Leave one processor's program in each file; return the bytes set free.

    Raises BuildFailed for one that wants a newer macOS, or another processor.
    """
    freed = 0
    for path in macho.find(tree):
        try:
            freed += macho.thin(path)
            (program,) = macho.read(path)
        except macho.NotMachO as error:
            raise BuildFailed(str(error)) from error
        if program.minimum > MINIMUM:
            wanted = ".".join(map(str, program.minimum))
            raise BuildFailed(f"{path} needs macOS {wanted}, newer than Info.plist says.")
    return freed


def rewrite_manifest(app: App) -> None:
    """Write the tree's manifest from its files as they are now."""
    old = json.loads((app.tree / FILE_NAME).read_text("utf-8"))
    facts = Facts(old["version"], old["target"], old["python"], old["torch"], old["glibc"])
    write_manifest(app.tree, facts)


def _draw(app: App, python: Path) -> None:
    folder = app.contents / "drawn"
    pictures = {width: folder / f"{width}.png" for width in sorted(set(NAMES.values()))}
    draw_icons(python, pictures)
    content = icns({width: path.read_bytes() for width, path in pictures.items()})
    (app.contents / "Resources" / "skein.icns").write_bytes(content)
    shutil.rmtree(folder)


def _compile(to: Path) -> None:
    to.parent.mkdir()
    flags = ["-arch", "arm64", "-mmacosx-version-min=14.0"] if sys.platform == "darwin" else []
    compiler = os.environ.get("CC", "cc").split()
    source = str(HERE / "launcher.c")
    words = [*compiler, "-O2", "-Wall", "-Werror", *flags, source, "-o", str(to), "-ldl"]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise BuildFailed(f"launcher.c was not compiled: {answer.stderr.strip()}")


def sign_list(app: App) -> list[tuple[str, Path]]:
    """Return what is signed one by one: libraries, then programs but the main one."""
    found = [(macho.read(path)[0].kind, path) for path in macho.find(app.root)]
    kinds = {True: "program", False: "library"}
    listed = [(kinds[kind == "program"], path) for kind, path in found]
    return sorted(listed, key=lambda one: (one[0] == "program", str(one[1])))


def main(arguments: list[str]) -> int:
    """Do what the command line says; return 0, or 2 with a sentence."""
    try:
        match arguments:
            case ["--sign-list", path]:
                for kind, file in sign_list(App(Path(path))):
                    print(kind, file, sep="\t")
            case ["--manifest", path]:
                rewrite_manifest(App(Path(path)))
            case [root, to] if not root.startswith("-"):
                print(make_app(Path(root), Path(to)).path)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except BuildFailed as error:
        print(f"Not made. {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
