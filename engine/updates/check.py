"""Is there a newer version for this copy? One feed and its signature, judged.

Knows the running installation and the feed; fetches nothing else and changes nothing but the note
of which feed was the last. May block for seconds: not for the GUI thread.
"""

import json
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from engine.errors import DamagedFile, DownloadFailed, EngineError, UpdateFailed
from engine.files import write_atomically
from engine.folders import Folders
from engine.hub.connection import use_proxy
from engine.hub.pump import Stopped, wait_for
from engine.hub.web import Web
from engine.installation import Installation
from engine.manifest import version_key
from engine.settings import Settings
from engine.updates.feed import MOST_BYTES, Artifact, Artifacts, Feed
from engine.updates.source import UpdateSource, is_signed

SIGNATURE = ".sig"
"""Behind the feed's address lies its signature: base64 of ed25519 over the feed's bytes."""
_SEEN = "seen.json"
_MOST_SIGNATURE_BYTES = 1000
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Update:
    """A newer version for this copy. notes: Markdown by language ("en", "zh", "ja").

    delta: what changed since the version that runs, or None when only all of it can be fetched.
    rolled_back: it was tried here and did not start; offer it only to who asks.
    """

    version: str
    date: datetime
    notes: Mapping[str, str]
    full: Artifact
    delta: Artifact | None
    manifest_sha256: str
    rolled_back: bool

    @property
    def download_bytes(self) -> int:
        """What most likely has to come in."""
        return (self.delta or self.full).size_bytes

    def notes_in(self, language: str) -> str:
        """Return the notes in a language ("zh_CN", "ja"), else in English, else ""."""
        return self.notes.get(language[:2].lower()) or self.notes.get("en", "")


def check(
    source: UpdateSource,
    installation: Installation,
    folders: Folders,
    settings: Settings,
    stop: threading.Event | None = None,
    *,
    now: datetime | None = None,
) -> Update | None:
    """Return what is newer than the version that runs; None when that is the newest.

    ``stop`` ends the wait within 0.1 s. A table of GPU packs that the feed brings is kept. Raises
    UpdateFailed; nothing about the user is sent, not even the version.
    """
    if not source.configured:
        raise UpdateFailed("This copy of Skein knows no update server.", kind="closed")
    try:
        allow_network(settings)
        data, signature = wait_for(lambda: _fetched(source), stop or threading.Event())
    except Stopped:
        raise UpdateFailed("The look for updates was stopped.", kind="stopped") from None
    except DownloadFailed as error:
        raise UpdateFailed(error.message, error.hint, error.kind) from error
    source.require_signed(data, signature)
    feed = Feed.parse(data, source.address)
    _require_current(feed, installation, folders, now or datetime.now(UTC))
    _keep_gpu_packs(feed, folders, data, signature)
    if version_key(feed.version) == version_key(installation.version):
        return None
    return _update(feed, installation)


def allow_network(settings: Settings) -> None:
    """Take the settings' proxy. Raises UpdateFailed when the settings forbid the network."""
    if settings.offline:
        raise UpdateFailed(
            "Skein is set to stay offline.", "Turn that off in Settings, then try again."
        )
    if settings.proxy:
        try:
            use_proxy(settings.proxy)
        except EngineError as error:
            raise UpdateFailed(error.message, error.hint) from error


def _fetched(source: UpdateSource) -> tuple[bytes, bytes]:
    """Return the feed's bytes and its signature's; twice at most, for it may change in between."""
    web = Web(https_only=True)
    data = signature = b""
    for _ in range(2):
        data = web.page(source.address, "application/json", MOST_BYTES).data
        signature = web.page(source.address + SIGNATURE, "*/*", _MOST_SIGNATURE_BYTES).data
        if is_signed(data, signature, source.keys):
            break
    return data, signature


def _require_current(
    feed: Feed, installation: Installation, folders: Folders, now: datetime
) -> None:
    """Raise UpdateFailed for a feed that is old: somebody may be holding us at a weak version."""
    if feed.expires <= now:
        raise UpdateFailed(
            f"What the update server sent was good until {feed.expires:%Y-%m-%d} only.",
            "Look whether this computer's date is right, then try again later.",
            kind="expired",
        )
    if version_key(feed.version) < version_key(installation.version):
        raise UpdateFailed(
            f"The update server offers {feed.version}, which is older than this version.",
            "Nothing has to be done.",
            kind="older",
        )
    seen = folders.updates / _SEEN
    if feed.date < _last_seen(seen):
        raise UpdateFailed(
            "The update server sent an older answer than the last time, so it was not used.",
            "Try again later.",
            kind="older",
        )
    try:
        seen.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(seen, json.dumps({"date": feed.date.isoformat()}).encode())
    except OSError as error:
        log.warning("updates: %s could not be written: %s", seen, error)


def _last_seen(seen: "os.PathLike[str]") -> datetime:
    """Return the date of the newest feed so far."""
    try:
        with open(seen, "rb") as file:
            date = datetime.fromisoformat(json.load(file)["date"])
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return datetime.min.replace(tzinfo=UTC)


def _keep_gpu_packs(feed: Feed, folders: Folders, data: bytes, signature: bytes) -> None:
    if not feed.has_gpu_packs:
        return
    from engine.gpu_pack.table import keep_table

    try:
        keep_table(folders, data, signature.decode("ascii").strip())
    except (OSError, ValueError) as error:
        log.warning("updates: the table of GPU packs was not kept: %s", error)


def _update(feed: Feed, installation: Installation) -> Update:
    target = _target(installation)
    found = feed.targets.get(target)
    if found is None:
        raise UpdateFailed(
            f"Skein {feed.version} is out, but not for this system ({target}).",
            "This version goes on working.",
            kind="target",
        )
    _require_glibc(feed.version, found.glibc)
    return Update(
        version=feed.version,
        date=feed.date,
        notes=feed.notes,
        full=found.full,
        delta=_delta(found, installation),
        manifest_sha256=found.manifest_sha256,
        rolled_back=installation.was_rolled_back(feed.version),
    )


def _target(installation: Installation) -> str:
    try:
        return installation.manifest().target
    except (DamagedFile, OSError) as error:
        raise UpdateFailed(
            f"The list of files in {installation.tree} is missing or damaged.",
            "Download the newest Skein from its page and install it over this one.",
            kind="damaged",
        ) from error


def _delta(found: Artifacts, installation: Installation) -> Artifact | None:
    """Return the delta that builds on just the files that lie here."""
    from engine.updates.stage import manifest_sha256

    delta = found.deltas.get(installation.version)
    if delta is None or delta.from_manifest != manifest_sha256(installation.tree):
        return None
    return delta


def _require_glibc(version: str, needed: str) -> None:
    """Raise UpdateFailed where the system's C library is older than the version needs."""
    has = _glibc()
    if needed and has and _numbers(has) < _numbers(needed):
        raise UpdateFailed(
            f"Skein {version} needs a newer system than this one (glibc {needed}; here is {has}).",
            "This version goes on working. Update the system for newer ones.",
            kind="system",
        )


def _glibc() -> str:
    """Return the version of the system's C library, "" where that is not glibc."""
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").removeprefix("glibc ")
    except (AttributeError, ValueError, OSError):
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
