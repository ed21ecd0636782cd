"""An update from the server to the disk: whole, verified and chosen for the next start, or not.

Knows one update, one installation and one folder for what comes in; not why it was offered, nor
what the window shows.
"""

import contextlib
import errno
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from engine.errors import DamagedFile, DownloadFailed, UpdateFailed
from engine.folders import Folders
from engine.hub import disk
from engine.hub.connection import Opened
from engine.hub.meter import DownloadProgress, Meter
from engine.hub.partial import NOTE, PART, PartFile, Wanted
from engine.hub.pump import Stopped
from engine.hub.receiver import PAUSES_S, Source, Watch, receive, sha256_of
from engine.hub.web import Web
from engine.installation import Installation, read_line
from engine.manifest import version_key
from engine.settings import Settings
from engine.updates.check import Update, allow_network
from engine.updates.feed import Artifact
from engine.updates.stage import Damaged, Stage, can_link, is_whole, prune

_SUFFIX = ".tar.xz"
_UNTOUCHED = "The version that runs was not touched."
log = logging.getLogger(__name__)


class UpdateInstall:
    """The install of one update; ``run`` may be called again and again and goes on where it was.

    folder: where archives come in (``Folders.updates``). ``margin_bytes`` stays free on the disk;
    ``free_bytes`` tells what is free in a folder. ``pauses_s``: how long to wait after the first,
    second, ... failure in a row that may pass by itself.
    """

    def __init__(
        self,
        update: Update,
        installation: Installation,
        folder: Path,
        *,
        margin_bytes: int = disk.MARGIN_BYTES,
        free_bytes: Callable[[Path], int] | None = None,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self.update = update
        self._installation = installation
        self._folder = folder
        self._margin_bytes = margin_bytes
        self._free_bytes = free_bytes or disk.free_bytes
        self._pauses_s = tuple(pauses_s)
        self._stage = Stage(installation, update.version)

    def run(self, progress: Callable[[DownloadProgress], None], stop: threading.Event) -> str:
        """Return the version that the next start switches to.

        Phases, in this order: starting, downloading, verifying, unpacking, verifying, switching;
        when a delta does not fit what is here, all of it is fetched and they begin anew. ``stop``
        pauses within a fraction of a second (kind "stopped"). On any failure the version that
        runs is untouched, and what was received is kept unless its hash is wrong. Raises
        UpdateFailed.
        """
        watch = Watch(Meter(progress), stop)
        try:
            self._require_updatable()
            watch.meter.show("starting", self.received, self.update.download_bytes)
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._alone():
                self._lay_ready(watch)
            return self.update.version
        except Stopped:
            raise UpdateFailed("The update is paused.", disk.KEPT, kind="stopped") from None
        except (DownloadFailed, DamagedFile) as error:
            kind = error.kind if isinstance(error, DownloadFailed) else "damaged"
            raise UpdateFailed(error.message, error.hint, kind) from error
        except OSError as error:
            raise self._disk_failure(error) from error

    @property
    def received(self) -> int:
        """Bytes that earlier runs left here."""
        archives = [self._archive(artifact) for artifact in self._artifacts()]
        sizes = [PartFile(path).received or _size(path) for path in archives]
        return next((size for size in sizes if size), 0)

    def discard(self) -> None:
        """Remove what was received (Cancel). Not while ``run`` is at work."""
        for artifact in self._artifacts():
            PartFile(self._archive(artifact)).discard()
            self._archive(artifact).unlink(missing_ok=True)

    def _require_updatable(self) -> None:
        if why := self._installation.why_not:
            raise UpdateFailed(why, "Skein left it alone.", kind="closed")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others from these folders: Skeins with other data folders share an installation."""
        with contextlib.ExitStack() as locks:
            try:
                for folder in (self._folder, self._installation.versions):
                    locks.enter_context(PartFile(folder / "update").locked())
            except DownloadFailed as error:
                raise UpdateFailed(
                    f"Another Skein fetches Skein {self.update.version} already.",
                    error.hint,
                    kind=error.kind,
                ) from error
            yield

    def _require_newest(self) -> None:
        """Raise UpdateFailed when another Skein or an installer brought a later version."""
        current = read_line(self._installation.root / "current")
        with contextlib.suppress(ValueError):
            if version_key(current) > version_key(self.update.version):
                raise UpdateFailed(
                    f"Skein {current} is installed already, which is newer than "
                    f"{self.update.version}.",
                    "Close Skein and start it again.",
                    kind="older",
                )

    def _artifacts(self) -> list[Artifact]:
        return [a for a in (self.update.delta, self.update.full) if a is not None]

    def _archive(self, artifact: Artifact) -> Path:
        kind = "from" if artifact.from_manifest else "full"
        return self._folder / f"{self.update.version}-{kind}-{artifact.sha256[:16]}{_SUFFIX}"

    def _lay_ready(self, watch: Watch) -> None:
        self._require_newest()
        self._forget_others()
        prune(self._installation, self.update.version)
        if not is_whole(self._stage.target, self.update.manifest_sha256, watch):
            self._build(watch)
        self._require_newest()
        self._stage.choose()
        self._forget_all()
        prune(self._installation)

    def _build(self, watch: Watch) -> None:
        """Build it of the delta, or else of everything."""
        wanted = self.update.manifest_sha256
        for artifact in self._artifacts():
            self._check_space(artifact)
            try:
                archive = self._fetch(artifact, watch)
                self._stage.build(archive, wanted, artifact.unpacked_bytes, watch)
                return
            except Damaged as error:
                log.warning("updates: %s does not fit: %s", artifact.url, error)
                self._archive(artifact).unlink()
            except (UpdateFailed, DownloadFailed) as error:
                if artifact is self.update.full or error.kind not in ("damaged", "missing"):
                    raise
                log.warning("updates: %s cannot be used: %s", artifact.url, error.message)
        raise UpdateFailed(
            f"Skein {self.update.version} could not be put together: its parts do not fit.",
            f"{_UNTOUCHED} Try again later, or download the new version from its page.",
            kind="damaged",
        )

    def _check_space(self, artifact: Artifact) -> None:
        """Raise UpdateFailed (kind "full") where the archive or its files find no room."""
        archive, name = self._archive(artifact), f"Skein {self.update.version}"
        missing = artifact.size_bytes - max(PartFile(archive).received, _size(archive))
        unpacked = artifact.unpacked_bytes
        if artifact.from_manifest and not can_link(self._installation):
            unpacked += self._installation.manifest().size_bytes
        places = {self._folder: missing, self._installation.versions: unpacked}
        if _same_disk(*places):
            places = {self._installation.versions: sum(places.values())}
        for folder, needed in places.items():
            free = self._free_bytes(folder)
            if free < needed + self._margin_bytes:
                raise UpdateFailed(
                    f"The disk is too full for {name}: it needs {disk.size_words(needed)}, and "
                    f"only {disk.size_words(free)} are free in {folder}.",
                    f"Free some space, then try again. {_UNTOUCHED}",
                    kind="full",
                )

    def _fetch(self, artifact: Artifact, watch: Watch) -> Path:
        """Return the whole, verified archive; goes on where an earlier run ended."""
        archive = self._archive(artifact)
        if archive.exists():
            if sha256_of(archive, watch) == artifact.sha256:
                return archive
            archive.unlink()
        web = Web(https_only=True)

        def open_at(start: int) -> Iterator[Opened | bytes]:
            return web.read(artifact.url, start)

        part = PartFile(archive)
        part.begin(Wanted(artifact.url, archive.name, "", artifact.size_bytes, artifact.sha256))
        name = f"Skein {self.update.version}"
        receive(Source(name, open_at, self._pauses_s), part, artifact.size_bytes, watch)
        if sha256_of(part.path, watch) != artifact.sha256:
            part.discard()
            raise UpdateFailed(
                f"{name} arrived damaged: its SHA-256 is not the one that was promised. It was "
                "removed.",
                f"Try again later. {_UNTOUCHED}",
                kind="damaged",
            )
        return part.finish()

    def _forget_others(self) -> None:
        """Remove what came in of versions that are no longer offered."""
        ours = {self._archive(artifact).name for artifact in self._artifacts()}
        for path in self._folder.glob(f"*{_SUFFIX}*"):
            if path.name.removesuffix(NOTE).removesuffix(PART) not in ours:
                _unlink(path)

    def _forget_all(self) -> None:
        for path in self._folder.glob(f"*{_SUFFIX}*"):
            _unlink(path)

    def _disk_failure(self, error: OSError) -> UpdateFailed:
        if error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)):
            return UpdateFailed(
                f"The disk is full: Skein {self.update.version} could not be written.",
                f"Free some space, then try again. {_UNTOUCHED}",
                kind="full",
            )
        place = error.filename or self._installation.root
        return UpdateFailed(
            f"Skein {self.update.version} could not be written: {error.strerror or error} "
            f"({place}).",
            f"Look whether that folder may be written to, then try again. {_UNTOUCHED}",
            kind="disk",
        )


def make_install(
    update: Update, installation: Installation, folders: Folders, settings: Settings
) -> UpdateInstall:
    """Return the install that the settings choose.

    Raises UpdateFailed (kind "offline") when they forbid the network.
    """
    allow_network(settings)
    return UpdateInstall(update, installation, folders.updates)


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def _same_disk(first: Path, second: Path) -> bool:
    return first.stat().st_dev == second.stat().st_dev


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("updates: %s stays: %s", path, error)
