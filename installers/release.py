#!/usr/bin/env python3
"""Makes a release out of built archives: deltas, sums, and the signed feed that updates ask.

    python installers/release.py key                      # a new pair of keys, printed once
    SKEIN_UPDATE_KEY=... python installers/release.py publish \\
        --archives dist --previous old-manifests --notes resources/whats_new --out dist

``--archives``: ``skein-VERSION-TARGET.tar.xz`` as ``installers/build.py`` makes them, one for each
target, all of one version. ``--previous``: ``skein-VERSION-TARGET.manifest.json`` of earlier
releases; for each of them a delta is made. ``--base``: where the files will lie, that of this very
release (an address that moves on with the next one would break downloads that are under way).
Written to ``--out``: deltas, this version's manifests, ``feed.json``, ``feed.json.sig`` and
``SHA256SUMS`` (of all that lies in both folders).

The private key (32 bytes, hex) is read from the environment alone. Lay the public one into what
is built: ``installers/build.py --update-key``. Without a key ``--no-feed`` makes all but the feed.
"""

import argparse
import base64
import datetime
import hashlib
import io
import json
import lzma
import os
import re
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from engine.errors import EngineError  # noqa: E402
from engine.gpu_pack.table import parse_table  # noqa: E402
from engine.manifest import NAME, Manifest, version_key  # noqa: E402
from engine.updates.feed import FORMAT, MOST_BYTES, Feed  # noqa: E402
from engine.updates.source import is_signed  # noqa: E402

KEY = "SKEIN_UPDATE_KEY"
FEED = "feed.json"
SUMS = "SHA256SUMS"
LANGUAGES = ("en", "zh", "ja")
_ARCHIVE = re.compile(
    r"skein-(?P<version>[0-9][0-9a-z.]*)-(?P<target>[a-z0-9_]+-[a-z0-9_]+)\.tar\.xz"
)
_MANIFEST = re.compile(r"skein-[0-9][0-9a-z.]*-[a-z0-9_]+-[a-z0-9_]+\.manifest\.json")
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 64 << 20}]
_FAST = [{"id": lzma.FILTER_LZMA2, "preset": 0}]
_WORTH = 0.6
"""A delta that is not smaller than this part of the whole archive is not offered."""


class ReleaseFailed(Exception):
    """A sentence for who releases: what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Built:
    """One target's archive with its manifest, and the manifest's bytes as they are in it."""

    archive: Path
    manifest: Manifest
    manifest_bytes: bytes

    @property
    def stem(self) -> str:
        """What all files of this target begin with."""
        return f"skein-{self.manifest.version}-{self.manifest.target}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 with a sentence on stderr."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "key":
            _print_new_key()
        else:
            _publish(options)
    except (ReleaseFailed, EngineError, OSError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("key", help="print a new private and public key")
    publish = commands.add_parser("publish", help="make deltas, sums and the signed feed")
    publish.add_argument("--archives", type=Path, required=True)
    publish.add_argument("--previous", type=Path, help="folder with manifests of earlier releases")
    publish.add_argument("--notes", type=Path, help="folder: resources/whats_new")
    publish.add_argument("--out", type=Path, required=True)
    publish.add_argument("--base", default="", help="address of the files; empty: the feed's own")
    publish.add_argument("--days", type=int, default=365, help="how long the feed is good")
    publish.add_argument("--gpu-packs", type=Path, help="a later table of GPU packs")
    publish.add_argument("--public-key", default="", help="fail unless the key is this one's")
    publish.add_argument("--fast", action="store_true", help="weak compression, to try it out")
    publish.add_argument("--no-feed", action="store_true", help="no key is there: no feed")
    return parser


def _publish(options: argparse.Namespace) -> None:
    key = b"" if options.no_feed else _private_key(options.public_key)
    built = _built(options.archives)
    options.out.mkdir(parents=True, exist_ok=True)
    artifacts = {
        one.manifest.target: _artifacts(one, options, _FAST if options.fast else _FILTERS)
        for one in built
    }
    if key:
        _write_feed(_feed(built[0].manifest.version, artifacts, options), key, options.out)
    _write_sums([options.archives, options.out], options.out / SUMS)
    _print_sizes([options.archives, options.out])


def _built(folder: Path) -> list[Built]:
    found = [_read(path) for path in sorted(folder.iterdir()) if _ARCHIVE.fullmatch(path.name)]
    versions = sorted({one.manifest.version for one in found})
    if len(versions) != 1:
        what = ", ".join(versions) or "none"
        raise ReleaseFailed(f"{folder} must hold archives of one version, but holds: {what}.")
    return found


def _read(path: Path) -> Built:
    """Return an archive with its manifest, which must be what its name says, and whole."""
    members = members_of(path)
    name, data = next(members, ("", b""))
    if name != NAME:
        raise ReleaseFailed(f"{path} has no {NAME}: it was not made by installers/build.py.")
    built = Built(path, Manifest.parse(data), data)
    if path.name != f"{built.stem}.tar.xz":
        raise ReleaseFailed(f"{path} holds {built.stem}: rename or rebuild it.")
    wanted = {file.path: file.content for file in built.manifest.files}
    found = {name: (len(data), _sha256(data)) for name, data in members}
    if found != wanted:
        wrong = min(name for name, _ in found.items() ^ wanted.items())
        raise ReleaseFailed(f"{path} is not what its {NAME} says ({wrong}): build it again.")
    return built


def members_of(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the names and bytes of an archive's files, in their order. Raises ReleaseFailed."""
    try:
        with lzma.open(archive) as packed, tarfile.open(fileobj=packed, mode="r|") as members:
            for member in members:
                source = members.extractfile(member) if member.isreg() else None
                if source is not None:
                    yield member.name, source.read()
            while packed.read(1 << 20):  # the end, which tarfile does not look at
                pass
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise ReleaseFailed(f"{archive} is damaged ({error}): build it again.") from error


def _artifacts(
    one: Built, options: argparse.Namespace, filters: list[dict[str, int]]
) -> dict[str, Any]:
    """Write one target's manifest and deltas; return what the feed says of it."""
    out, base = options.out, options.base
    (out / f"{one.stem}.manifest.json").write_bytes(one.manifest_bytes)
    full = _described(one.archive, one.manifest.size_bytes + len(one.manifest_bytes), base)
    deltas: dict[str, Any] = {}
    for old, data in _earlier(one, options.previous):
        path = out / f"{one.stem}-from-{old.version}.tar.xz"
        unpacked = write_delta(one.archive, old, path, filters)
        if path.stat().st_size > _WORTH * full["size"]:
            path.unlink()
            continue
        deltas[old.version] = _described(path, unpacked, base) | {"from_manifest": _sha256(data)}
    return {
        "manifest": _sha256(one.manifest_bytes),
        "glibc": one.manifest.glibc,
        "full": full,
        "deltas": deltas,
    }


def _earlier(one: Built, previous: Path | None) -> list[tuple[Manifest, bytes]]:
    """Return the manifests of earlier versions of the same target, the newest first."""
    found: list[tuple[Manifest, bytes]] = []
    for path in previous.iterdir() if previous else ():
        if not _MANIFEST.fullmatch(path.name):
            continue
        data = path.read_bytes()
        old = Manifest.parse(data)
        if old.target != one.manifest.target:
            continue
        if version_key(old.version) < version_key(one.manifest.version):
            found.append((old, data))
    return sorted(found, key=lambda pair: version_key(pair[0].version), reverse=True)


def write_delta(archive: Path, old: Manifest, to: Path, filters: list[dict[str, int]]) -> int:
    """Write what of ``archive`` is not in an earlier version; return its bytes unpacked.

    The layout is the archive's own: manifest.json, then files by their path in the version.
    """
    here = {file.content for file in old.files}
    unpacked = 0
    beside = to.with_name(to.name + ".new")
    with (
        lzma.open(beside, "wb", filters=filters) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as delta,
    ):
        for name, data in members_of(archive):
            if name == NAME or (len(data), _sha256(data)) not in here:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                delta.addfile(entry, io.BytesIO(data))
                unpacked += len(data)
    beside.replace(to)
    return unpacked


def _described(path: Path, unpacked: int, base: str) -> dict[str, Any]:
    url = f"{base.rstrip('/')}/{path.name}" if base else path.name
    size = path.stat().st_size
    return {"url": url, "size": size, "sha256": _file_sha256(path), "unpacked": unpacked}


def _feed(
    version: str, artifacts: Mapping[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    feed: dict[str, Any] = {
        "format": FORMAT,
        "version": version,
        "date": now.isoformat(),
        "expires": (now + datetime.timedelta(days=options.days)).isoformat(),
        "notes": _notes(options.notes, version),
        "artifacts": dict(artifacts),
    }
    if options.gpu_packs:
        feed["gpu_packs"] = _gpu_packs(options.gpu_packs)
    return feed


def _gpu_packs(path: Path) -> dict[str, Any]:
    """Return a table of GPU packs, which must be one that copies do not pass over."""
    data = path.read_bytes()
    try:
        parse_table(data)
    except ValueError as error:
        raise ReleaseFailed(f"{path} is no table of GPU packs: {error}.") from error
    return json.loads(data)


def _notes(folder: Path | None, version: str) -> dict[str, str]:
    """Return the version's section of each language's file, Markdown below "## VERSION"."""
    if folder is None:
        return {}
    notes = {name: _section(folder / f"{name}.md", version) for name in LANGUAGES}
    missing = [f"{language}.md" for language, text in notes.items() if not text]
    if missing:
        raise ReleaseFailed(f"{folder} has no notes for {version} in: {', '.join(missing)}.")
    return notes


def _section(path: Path, version: str) -> str:
    parts = re.split(r"^## +(\S+) *$", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True)).get(version, "").strip()


def _write_feed(feed: Mapping[str, Any], key: bytes, out: Path) -> None:
    """Write the feed and its signature, then read both as the app will."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(key)
    data = json.dumps(feed, ensure_ascii=False, separators=(",", ":")).encode()
    if len(data) > MOST_BYTES:
        raise ReleaseFailed(f"The feed has {len(data)} bytes; {MOST_BYTES} are allowed.")
    signature = base64.b64encode(private.sign(data))
    public = private.public_key().public_bytes_raw().hex()
    Feed.parse(data, "https://feed.example/feed.json")
    if not is_signed(data, signature, (public,)):
        raise ReleaseFailed("The signature that was just made does not hold.")
    (out / FEED).write_bytes(data)
    (out / f"{FEED}.sig").write_bytes(signature + b"\n")
    print(f"{FEED}: version {feed['version']}, {len(data)} bytes, signed by {public}")


def _private_key(wanted_public: str) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        key = bytes.fromhex(os.environ.get(KEY, "").strip())
        public = Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw().hex()
    except ValueError as error:
        raise ReleaseFailed(
            f"{KEY} must hold the private key, 64 hexadecimal digits; or give --no-feed."
        ) from error
    if wanted_public and wanted_public.lower() != public:
        raise ReleaseFailed(
            f"{KEY} is not the key that the built copies trust: nobody could verify the feed."
        )
    return key


def _print_new_key() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    print(
        f"{KEY} (secret; lose it and no copy can be updated): {private.private_bytes_raw().hex()}"
    )
    print(f"--update-key (public): {private.public_key().public_bytes_raw().hex()}")


def _write_sums(folders: Sequence[Path], to: Path) -> None:
    lines = [f"{_file_sha256(path)}  {path.name}\n" for path in _files(folders) if path != to]
    to.write_text("".join(lines), "utf-8")


def _print_sizes(folders: Sequence[Path]) -> None:
    for path in _files(folders):
        print(f"{path.stat().st_size / 1e6:10.2f} MB  {path.name}")


def _files(folders: Sequence[Path]) -> list[Path]:
    """Return all files of the folders, by name, each once."""
    found = {path.name: path for folder in folders for path in folder.iterdir() if path.is_file()}
    return [found[name] for name in sorted(found)]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
