"""Releases of tiny trees on a real server: built, signed and published by the release's tool."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.installation import Installation
from engine.settings import Settings
from engine.updates.source import UpdateSource
from installers import release
from installers.builder.archive import write_archive
from tests.hub_server import HubServer
from tests.installers.tree_kit import SITE, add_version, make_root, make_tree

FAST = [{"id": 0x21, "preset": 0}]
REPO = "skein/updates"
SETTINGS = Settings()
NOTES = {"en": "Better.", "zh": "更好。", "ja": "よくなりました。"}
APP = f"{SITE}/app/__main__.py"
SHARED = {f"{SITE}/numpy/part{n}.so": Random(n).randbytes(100_000) for n in range(5)}


@dataclass
class Publisher:
    """Builds versions, publishes them, and is the source that the app is told of."""

    folder: Path
    server: HubServer
    private: str
    public: str
    trees: dict[str, Path] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"{self.server.endpoint}/{REPO}/resolve/main/feed.json"

    @property
    def source(self) -> UpdateSource:
        return UpdateSource(self.address, (self.public,))

    def publish(
        self,
        version: str,
        files: Mapping[str, str | bytes] | None = None,
        *options: str,
        change: Mapping[str, Any] | None = None,
        target: str = "linux-x86_64",
    ) -> Path:
        """Make a version of these files and offer it; change: put into the feed, signed again."""
        tree = make_tree(self.folder / f"tree-{version}", version, files, target=target)
        self.trees[version] = tree
        out = self.folder / f"out-{version}"
        out.mkdir()
        write_archive(tree, out / f"skein-{version}-{target}.tar.xz", FAST)
        notes = self.folder / "notes"
        notes.mkdir(exist_ok=True)
        for language, words in NOTES.items():
            text = f"## {version}\n\n{words}\n"
            (notes / f"{language}.md").write_text(text, "utf-8")
        arguments = ["publish", "--archives", str(out), "--previous", str(self._old())]
        arguments += ["--out", str(out), "--notes", str(notes), "--fast", *options]
        os.environ[release.KEY] = self.private
        try:
            assert release.main(arguments) == 0
        finally:
            del os.environ[release.KEY]
        for path in out.iterdir():
            self.server.add(REPO, path.name, path.read_bytes())
        if change is not None:
            self.sign(json.loads((out / "feed.json").read_bytes()) | change)
        return out

    def sign(self, values: Any) -> None:
        """Offer this feed, signed."""
        data = values if isinstance(values, bytes) else json.dumps(values).encode()
        self.offer(data, signature(self.private, data))

    def offer(self, data: bytes, signed: bytes) -> None:
        self.server.add(REPO, "feed.json", data)
        self.server.add(REPO, "feed.json.sig", signed)

    def feed(self) -> dict[str, Any]:
        return json.loads(self.server.repos[REPO]["feed.json"])

    def _old(self) -> Path:
        folder = self.folder / "previous"
        folder.mkdir(exist_ok=True)
        for version, tree in self.trees.items():
            target = json.loads((tree / "manifest.json").read_bytes())["target"]
            path = folder / f"skein-{version}-{target}.manifest.json"
            path.write_bytes((tree / "manifest.json").read_bytes())
        return folder


def signature(private: str, data: bytes) -> bytes:
    import base64

    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private))
    return base64.b64encode(key.sign(data))


def new_publisher(folder: Path, server: HubServer) -> Publisher:
    folder.mkdir(parents=True)
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw().hex()
    return Publisher(folder, server, key.private_bytes_raw().hex(), public)


def installed(folder: Path, files: Mapping[str, str | bytes] | None = None) -> Installation:
    """Install 0.1.0 there, with some files that no later version changes."""
    return installation_of(make_root(folder, files={**SHARED, **(files or {})}), "0.1.0")


def installation_of(root: Path, version: str) -> Installation:
    found = Installation.find(root / "versions" / version / "python")
    assert found is not None
    return found


def add_newer(installation: Installation, version: str) -> Path:
    """Lay another version beside it, which prints its name; return its folder."""
    app = f"print('{version}')\n"
    return add_version(installation.root, version, {**SHARED, APP: app})


def start(root: Path, *arguments: str) -> str:
    """Start Skein as a double click does; return what its app printed."""
    done = subprocess.run(
        [str(root / "skein"), *arguments], capture_output=True, text=True, check=False, timeout=20
    )
    return done.stdout.strip()


def line(path: Path) -> str:
    return path.read_text("utf-8").strip() if path.exists() else ""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
