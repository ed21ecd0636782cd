"""A built ROOT, as the packers of this folder read it: its version, its manifest, its files."""

import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

MACHINES = {"linux-x86_64": ("x86_64", "amd64"), "linux-aarch64": ("aarch64", "arm64")}
"""What ``uname -m`` and Debian call a target."""


class NotPacked(Exception):
    """Why a package cannot be made: a sentence for whoever builds."""


@dataclass(frozen=True)
class Tree:
    """ROOT of one finished version: what ``build.py`` leaves behind."""

    root: Path

    @cached_property
    def version(self) -> str:
        """The version that ``current`` names."""
        try:
            return (self.root / "current").read_text("utf-8").strip()
        except OSError as error:
            raise NotPacked(f"{self.root} is not a tree: it has no file current.") from error

    @property
    def folder(self) -> Path:
        """versions/<version>."""
        return self.root / "versions" / self.version

    @property
    def python(self) -> Path:
        """The tree's own interpreter."""
        return self.folder / "python" / "bin" / "python3"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Its manifest. Raises NotPacked when there is none, or it is another system's."""
        try:
            manifest = json.loads((self.folder / "manifest.json").read_text("utf-8"))
        except OSError as error:
            raise NotPacked(f"{self.folder} has no manifest.json: build the tree again.") from error
        if manifest["target"] not in MACHINES:
            raise NotPacked(f"{self.root} is a tree for {manifest['target']}, not for Linux.")
        return manifest

    @property
    def machine(self) -> str:
        """What ``uname -m`` says where it runs."""
        return MACHINES[self.manifest["target"]][0]

    @property
    def debian_machine(self) -> str:
        """What Debian calls that."""
        return MACHINES[self.manifest["target"]][1]

    def paths(self) -> list[str]:
        """Return what the manifest lists, below ``folder``."""
        return [file["path"] for file in self.manifest["files"]]

    def copy_to(self, root: Path, channel: str) -> None:
        """Make another ROOT of it, of what the manifest lists: nothing else that lies about.

        No hard links: who makes or removes another one meanwhile would change these files' times.
        """
        version = root / "versions" / self.version
        for path in (*self.paths(), "manifest.json"):
            target = version / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.folder / path, target)
        shutil.copy(self.root / "skein", root / "skein")
        (root / "skein").chmod(0o755)
        (root / "current").write_text(f"{self.version}\n", "utf-8")
        (root / "channel").write_text(f"{channel}\n", "utf-8")
