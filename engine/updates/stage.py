"""One more version beside the one that runs: unpacked, completed, verified, then there by a rename.

``versions/<version>.partial`` becomes ``versions/<version>``; a kill at any moment leaves the
first, which nobody starts and the next run removes. Of a delta, what did not change is taken from
the version that runs, file by file, each hashed first. Knows archives and folders, no network.
"""

import contextlib
import errno
import hashlib
import logging
import lzma
import os
import re
import shutil
import tarfile
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import IO

from engine.errors import DamagedFile
from engine.files import write_atomically
from engine.hub.pump import Stopped
from engine.hub.receiver import Watch
from engine.installation import Installation, read_line
from engine.manifest import NAME, InstalledFile, Manifest, is_safe_path, safe_version

PARTIAL = ".partial"
REMOVING = ".removing"
_DOOMED = re.compile(r"[0-9a-f]{8}\.removing")
_BLOCK_BYTES = 1 << 20
_MANY = 500
"""So many files are forced to disk faster with everything else that waits for it."""
_RENAME_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6)
"""A virus scanner holds new files open for a moment, and Windows renames nothing that is open."""
log = logging.getLogger(__name__)


class Damaged(Exception):
    """The archive and the files that are here do not make up the version; all of it is needed."""


def manifest_sha256(tree: Path) -> str:
    """Return the SHA-256 of a version's manifest.json, or "" when it cannot be read."""
    try:
        return hashlib.sha256((tree / NAME).read_bytes()).hexdigest()
    except OSError:
        return ""


def is_whole(tree: Path, wanted_sha256: str, watch: Watch) -> bool:
    """Say whether a version lies there just as its manifest, of this SHA-256, says."""
    if manifest_sha256(tree) != wanted_sha256:
        return False
    try:
        manifest = Manifest.parse((tree / NAME).read_bytes())
        done = 0
        for file in manifest.files:
            if _hash(tree / file.path, watch) != file.content:
                return False
            done += file.size_bytes
            watch.meter.show("verifying", done, manifest.size_bytes)
    except (OSError, DamagedFile):
        return False
    return True


class Stage:
    """The place where ``version`` comes to be."""

    def __init__(self, installation: Installation, version: str) -> None:
        self._installation = installation
        self._version = safe_version(version)
        self.target = installation.versions / version
        self.partial = installation.versions / f"{version}{PARTIAL}"

    def build(self, archive: Path, wanted_sha256: str, limit_bytes: int, watch: Watch) -> None:
        """Make ``target`` of an archive and of what need not change of the running version.

        wanted_sha256: of the new manifest. limit_bytes: more than the archive's files may not
        come out. Phases: unpacking, verifying, switching. Raises Damaged, Stopped, OSError; then
        nothing of it stays.
        """
        remove_tree(self.partial)
        self.partial.mkdir(parents=True)
        try:
            unpacked = self._unpack(archive, limit_bytes, watch)
            manifest = self._manifest(wanted_sha256)
            copied = self._complete(manifest, unpacked, watch)
            watch.meter.show("switching", manifest.size_bytes, manifest.size_bytes)
            sync([self.partial / path for path in (*unpacked, *copied)])
            self._rename(watch)
        except BaseException:
            remove_tree(self.partial)
            raise

    def choose(self) -> None:
        """Let the next start switch to it. Raises OSError."""
        write_atomically(self._installation.root / "next", f"{self._version}\n".encode())

    def _unpack(self, archive: Path, limit_bytes: int, watch: Watch) -> dict[str, tuple[int, str]]:
        """Write the archive's files, named as in the manifest; return size and SHA-256 by path."""
        written: dict[str, tuple[int, str]] = {}
        seen: set[str] = set()
        total = archive.stat().st_size
        left = limit_bytes
        try:
            with (
                archive.open("rb") as raw,
                tarfile.open(fileobj=raw, mode="r|xz", bufsize=_BLOCK_BYTES) as members,
            ):
                for member in members:
                    watch.meter.show("unpacking", raw.tell(), total)
                    path = member.name
                    if not member.isreg() or not is_safe_path(path) or path.lower() in seen:
                        raise Damaged(f"{member.name!r} cannot be a file of it")
                    seen.add(path.lower())
                    left -= member.size
                    if left < 0:
                        raise Damaged("more comes out of it than was said")
                    source = members.extractfile(member)
                    written[path] = _write(self.partial / path, _blocks(source, watch))
        except (tarfile.TarError, lzma.LZMAError, EOFError, LookupError, ValueError) as error:
            raise Damaged(f"the archive cannot be read: {error}") from error
        return written

    def _manifest(self, wanted_sha256: str) -> Manifest:
        if manifest_sha256(self.partial) != wanted_sha256:
            raise Damaged("its list of files is not the one that was promised")
        try:
            manifest = Manifest.parse((self.partial / NAME).read_bytes())
        except DamagedFile as error:
            raise Damaged(error.message) from error
        if manifest.version != self._version:
            raise Damaged(f"it is version {manifest.version}")
        if manifest.target != self._installation.manifest().target:
            raise Damaged(f"it is for {manifest.target}")
        return manifest

    def _complete(
        self, manifest: Manifest, unpacked: Mapping[str, tuple[int, str]], watch: Watch
    ) -> list[str]:
        """Add what did not change; raise Damaged unless the folder is then what is listed.

        Returns the paths that were copied and not linked.
        """
        strangers = unpacked.keys() - {file.path for file in manifest.files} - {NAME}
        if strangers:
            raise Damaged(f"{min(strangers)!r} is not in its list of files")
        present = _Present(self._installation)
        copied: list[str] = []
        done = 0
        for file in manifest.files:
            goal = self.partial / file.path
            if file.path in unpacked:
                if unpacked[file.path] != file.content:
                    raise Damaged(f"{file.path!r} is not what its list of files says")
                goal.chmod(_mode(file))
            elif present.put(file, goal, watch):
                copied.append(file.path)
            done += file.size_bytes
            watch.meter.show("verifying", done, manifest.size_bytes)
        return copied

    def _rename(self, watch: Watch) -> None:
        if self.target.exists():  # of an earlier run, and not whole
            remove_tree(self.target)
        for pause_s in (*_RENAME_PAUSES_S, None):
            try:
                os.rename(self.partial, self.target)
                return
            except PermissionError:
                if pause_s is None:
                    raise
                if watch.stop.wait(pause_s):
                    raise Stopped from None


class _Present:
    """The files of the version that runs, by their content."""

    def __init__(self, installation: Installation) -> None:
        self._tree = installation.tree
        self._files: dict[tuple[int, str], list[InstalledFile]] = {}
        for file in installation.manifest().files:
            self._files.setdefault(file.content, []).append(file)
        self._can_link = True

    def put(self, file: InstalledFile, goal: Path, watch: Watch) -> bool:
        """Link or copy the bytes of ``file`` to ``goal``; return whether they were copied.

        Raises Damaged when they are not here.
        """
        candidates = self._files.get(file.content, [])
        candidates = sorted(candidates, key=lambda c: (c.executable != file.executable, c.path))
        for found in candidates:
            path = self._tree / found.path
            try:
                if found.executable == file.executable and self._link(path, goal, file, watch):
                    return False
                self._copy(path, goal, file, watch)
                return True
            except Damaged as error:
                log.warning("updates: %s", error)
                goal.unlink(missing_ok=True)
        raise Damaged(f"{file.path!r} is missing or was changed")

    def _link(self, path: Path, goal: Path, file: InstalledFile, watch: Watch) -> bool:
        """Give the bytes a second name, once they are known to be right. Raises Damaged."""
        if not self._can_link or path.is_symlink():
            return False
        if _hashed(_own_blocks(path, watch), len) != file.content:
            raise Damaged(f"{path} was changed")
        goal.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, goal)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
                raise
            self._can_link = error.errno == errno.EMLINK
            return False
        return True

    def _copy(self, path: Path, goal: Path, file: InstalledFile, watch: Watch) -> None:
        if _write(goal, _own_blocks(path, watch)) != file.content:
            raise Damaged(f"{path} was changed")
        goal.chmod(_mode(file))


def prune(installation: Installation, also: str = "") -> None:
    """Remove versions that nobody needs: all but the running, current, previous and next one.

    also: one more that stays. Not while an update is being built. What is in use on Windows
    stays until the next time. Never raises.
    """
    # A launcher may switch meanwhile: it writes each name to its new place first, so what is gone
    # from one file is found in a later one of these.
    names = ("next", "previous", "current")
    kept = {installation.version, also, *(read_line(installation.root / name) for name in names)}
    for folder in _listed(installation.versions):
        if folder.name not in kept:
            remove_tree(folder)


def remove_tree(folder: Path) -> None:
    """Remove a version's folder: first it stops being one, then its files go. Never raises.

    Its name is free afterwards. Windows removes no library that runs, by none of its names; such
    files stay under another name of the folder until ``prune`` finds them unused.
    """
    if not os.path.lexists(folder):
        return
    doomed = folder
    with contextlib.suppress(OSError):
        (folder / NAME).unlink(missing_ok=True)
    if not _DOOMED.fullmatch(folder.name):
        with contextlib.suppress(OSError):
            doomed = folder.rename(folder.with_name(f"{uuid.uuid4().hex[:8]}{REMOVING}"))
    shutil.rmtree(doomed, ignore_errors=True)
    if os.path.lexists(doomed):
        log.warning("updates: %s could not be removed wholly", doomed)


def can_link(installation: Installation) -> bool:
    """Say whether a file of the running version can get a second name, and so take no room."""
    probe = installation.versions / f".link{PARTIAL}"
    try:
        probe.unlink(missing_ok=True)
        os.link(installation.tree / NAME, probe)
        probe.unlink()
    except OSError:
        return False
    return True


def sync(paths: Collection[Path]) -> None:
    """Force to disk what was written: the files one by one, many of them all at once."""
    if len(paths) > _MANY and hasattr(os, "sync"):
        os.sync()
        return
    for path in paths:
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def _listed(versions: Path) -> list[Path]:
    """Return the folders that an update could have made."""
    found: list[Path] = []
    try:
        folders = list(versions.iterdir())
    except OSError as error:
        log.warning("updates: %s cannot be looked at: %s", versions, error)
        return found
    for folder in folders:
        with contextlib.suppress(ValueError):
            if not _DOOMED.fullmatch(folder.name):
                safe_version(folder.name.removesuffix(PARTIAL))
            found.append(folder)
    return found


def _mode(file: InstalledFile) -> int:
    return 0o755 if file.executable else 0o644


def _blocks(source: IO[bytes] | None, watch: Watch) -> Iterator[bytes]:
    """Yield a file's bytes and close it; raise Stopped on a stop."""
    if source is None:
        return
    with source:
        while block := source.read(_BLOCK_BYTES):
            if watch.stop.is_set():
                raise Stopped
            yield block


def _own_blocks(path: Path, watch: Watch) -> Iterator[bytes]:
    """Yield a file of the version that runs; raise Damaged when it cannot be read."""
    try:
        yield from _blocks(path.open("rb"), watch)
    except OSError as error:
        raise Damaged(f"{path} cannot be read: {error}") from error


def _write(path: Path, blocks: Iterator[bytes]) -> tuple[int, str]:
    """Write a new file; return its size and its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        return _hashed(blocks, file.write)


def _hash(path: Path, watch: Watch) -> tuple[int, str]:
    return _hashed(_blocks(path.open("rb"), watch), len)


def _hashed(blocks: Iterator[bytes], use: Callable[[bytes], object]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    for block in blocks:
        digest.update(block)
        size += len(block)
        use(block)
    return size, digest.hexdigest()
