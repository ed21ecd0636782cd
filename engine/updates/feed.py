"""The feed: one small signed file that says which version is the newest, and where it lies.

    {"format": 1, "version": "0.2.0", "date": ISO time, "expires": ISO time,
     "notes": {"en": "...", "zh": "...", "ja": "..."},
     "artifacts": {"linux-x86_64": {
        "manifest": SHA-256 of the version's manifest.json, "glibc": "2.34",
        "full": {"url", "size", "sha256", "unpacked"},
        "deltas": {"0.1.0": {"url", "size", "sha256", "unpacked", "from_manifest"}}}},
     "gpu_packs": a table of packs, as engine.gpu_pack.table reads it; may be missing}

``url`` may be relative to the feed's own address. ``unpacked``: bytes on the disk.
``from_manifest``: SHA-256 of the manifest that a delta builds on. Knows the format, no network.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from engine.errors import UpdateFailed
from engine.manifest import safe_version

FORMAT = 1
MOST_BYTES = 1_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GLIBC = re.compile(r"\d{1,3}\.\d{1,3}")
_MOST_DELTAS = 100
_LONGEST_NOTES = 50_000


@dataclass(frozen=True, slots=True)
class Artifact:
    """One archive: address, bytes, SHA-256, and the bytes of its files on the disk.

    from_manifest: of a delta, the SHA-256 of the manifest.json that it builds on; else "".
    """

    url: str
    size_bytes: int
    sha256: str
    unpacked_bytes: int
    from_manifest: str = ""


@dataclass(frozen=True, slots=True)
class Artifacts:
    """What there is for one target. deltas: by the version that they build on.

    manifest_sha256: of the new version's manifest.json. glibc: what it needs, or "".
    """

    full: Artifact
    deltas: Mapping[str, Artifact]
    manifest_sha256: str
    glibc: str


@dataclass(frozen=True, slots=True)
class Feed:
    """What the makers offer. notes: Markdown by language. targets: by "linux-x86_64" and so on."""

    version: str
    date: datetime
    expires: datetime
    notes: Mapping[str, str]
    targets: Mapping[str, Artifacts]
    has_gpu_packs: bool

    @classmethod
    def parse(cls, data: bytes, address: str) -> "Feed":
        """Return what a feed's bytes say. Raises UpdateFailed (kind "format").

        address: the feed's own, which relative addresses build on.
        """
        try:
            if len(data) > MOST_BYTES:
                raise ValueError("it is too large")
            values = json.loads(data.decode("utf-8"))
            if values["format"] != FORMAT:
                raise ValueError("it is of a later format")
            return cls._from_json(values, address)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UpdateFailed(
                f"What the update server sent cannot be read: {error}.",
                "Download the newest Skein from its page and install it over this one.",
                kind="format",
            ) from error

    @classmethod
    def _from_json(cls, values: dict[str, Any], address: str) -> "Feed":
        return cls(
            version=safe_version(values["version"]),
            date=_time(values["date"]),
            expires=_time(values["expires"]),
            notes={str(k): _text(v, _LONGEST_NOTES) for k, v in values["notes"].items()},
            targets={
                str(target): _artifacts(entry, address)
                for target, entry in values["artifacts"].items()
            },
            has_gpu_packs=isinstance(values.get("gpu_packs"), dict),
        )


def _artifacts(entry: dict[str, Any], address: str) -> Artifacts:
    deltas = entry.get("deltas", {})
    if len(deltas) > _MOST_DELTAS:
        raise ValueError("it has too many deltas")
    glibc = entry.get("glibc", "")
    if glibc and not _GLIBC.fullmatch(glibc):
        raise ValueError("its glibc is no version")
    return Artifacts(
        full=_artifact(entry["full"], address),
        deltas={safe_version(k): _delta(delta, address) for k, delta in deltas.items()},
        manifest_sha256=_sha256(entry["manifest"]),
        glibc=glibc,
    )


def _artifact(entry: dict[str, Any], address: str, from_manifest: str = "") -> Artifact:
    return Artifact(
        url=urljoin(address, _text(entry["url"], 2000)),
        size_bytes=_count(entry["size"]),
        sha256=_sha256(entry["sha256"]),
        unpacked_bytes=_count(entry["unpacked"]),
        from_manifest=from_manifest,
    )


def _delta(entry: dict[str, Any], address: str) -> Artifact:
    return _artifact(entry, address, _sha256(entry["from_manifest"]))


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise TypeError("a text is missing or too long")
    value.encode("utf-8")  # a ValueError for half a character
    return value


def _sha256(value: object) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError("a SHA-256 is missing")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**40:
        raise ValueError("a size is missing")
    return value


def _time(value: object) -> datetime:
    time = datetime.fromisoformat(_text(value, 40))
    return time if time.tzinfo else time.replace(tzinfo=UTC)
