"""A pack from an index to the disk: whole, verified and tried out, or not there.

Knows wheels, one folder and one index; not why this pack was chosen, nor what the window shows.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import DownloadFailed, PackFailed
from engine.files import rename
from engine.folders import Folders
from engine.gpu_pack.fetch import WheelFolder
from engine.gpu_pack.overlay import FACTS
from engine.gpu_pack.packs import (
    PARTIAL,
    WHEELS,
    Pack,
    Packs,
    damaged_files,
    locked,
    read_pack,
    write_pack,
)
from engine.gpu_pack.table import PackRow, Wheel
from engine.gpu_pack.trial import try_pack
from engine.gpu_pack.wheel import (
    delete_folder,
    link_or_copy,
    listed_files,
    long_path,
    unpack,
    unpacked_bytes,
)
from engine.hub import disk
from engine.hub.access import go_online
from engine.hub.meter import DownloadProgress, Meter
from engine.hub.pump import Stopped
from engine.hub.receiver import PAUSES_S, Watch
from engine.settings import Settings
from engine.updates.stage import sync

_FULL_HINT = "Free some space on that disk: a GPU pack needs a few gigabytes."
_CLOSED_HINT = "Make that folder writable."
_AGAIN_HINT = "Try again; if that fails too, choose another index in Settings."


class PackInstall:
    """The install of one pack; ``run`` may be called again and again and goes on where it was.

    packs_folder: ``Folders.packs``. address: of the index; "" = that of the row, else of this
    Python's pip. self_test: the command that tries a folder out, given as its last argument.
    """

    def __init__(
        self,
        row: PackRow,
        packs_folder: Path,
        address: str = "",
        *,
        margin_bytes: int = disk.MARGIN_BYTES,
        free_bytes: Callable[[Path], int] | None = None,
        pauses_s: Sequence[float] = PAUSES_S,
        self_test: Sequence[str] = (),
    ) -> None:
        self.row = row
        self.packs_folder = packs_folder
        self._margin_bytes = margin_bytes
        self._free_bytes = free_bytes or disk.free_bytes
        self._self_test = tuple(self_test)
        self._wheels = WheelFolder(
            packs_folder / (row.folder + WHEELS), row, address or row.index, pauses_s
        )

    def run(self, progress: Callable[[DownloadProgress], None], stop: threading.Event) -> Pack:
        """Return the pack that the next start uses. Phases, in this order: looking, downloading,
        verifying, unpacking, testing, switching; bytes count in all but looking and testing.
        Of a pack that is here already only what is damaged is fetched: Repair. It begins with
        verifying then.

        ``stop`` pauses within a fraction of a second (PackFailed, kind "stopped"). On any failure
        what was used before is still used, and what was received is kept unless its hash is
        wrong. Raises PackFailed.
        """
        watch = Watch(Meter(progress), stop)
        with self._failures():
            if not self.row.pinned:
                raise PackFailed(f"The pack {self.row.name} is not listed yet.", kind="missing")
            self.packs_folder.mkdir(parents=True, exist_ok=True)
            with locked(self.packs_folder):
                return self._run(watch)

    @property
    def received(self) -> int:
        """Bytes of wheels that earlier runs left here, of ``row.download_bytes``."""
        return sum(self._wheels.received(wheel) for wheel in self.row.wheels)

    @property
    def needed_bytes(self) -> int:
        """What must be free on the disk for the rest of the install, with the margin."""
        missing = self.row.download_bytes - self.received
        return missing + self.row.installed_bytes + self._margin_bytes

    def discard(self) -> None:
        """Remove what was received (Cancel). Not while ``run`` is at work. Raises PackFailed."""
        if not self.packs_folder.is_dir():
            return
        with self._failures(), locked(self.packs_folder):
            partial = self.packs_folder.glob(f"{self.row.folder}*{PARTIAL}")
            for folder in (self._wheels.folder, *partial):
                if folder.exists():
                    delete_folder(folder)

    def _run(self, watch: Watch) -> Pack:
        before = self._before()
        damaged = damaged_files(before, watch.meter, watch.stop) if before else {}
        if before and not damaged:
            return self._switch(before.folder, before.folder, watch)
        wheels = [w for w in self.row.wheels if not before or w.file in damaged]
        for left in self.packs_folder.glob(f"{self.row.folder}*{PARTIAL}"):  # of a kill
            delete_folder(left)
        self._wheels.begin()
        self._check_space(wheels)
        self._wheels.fetch(wheels, watch)
        self._wheels.verify(wheels, watch)
        target = self._target()
        with self._partial(target) as partial:
            self._unpack(partial, wheels, before, watch)
            return self._switch(partial, target, watch)

    def _before(self) -> Pack | None:
        """Return the pack of this row that is here already, the active one first."""
        return next((p for p in Packs(self.packs_folder).all() if p.is_of(self.row)), None)

    def _target(self) -> Path:
        """Return a folder that is free: a pack is never written over one that may be in use."""
        for number in range(1, 100):
            name = self.row.folder if number == 1 else f"{self.row.folder}~{number}"
            if not (self.packs_folder / name).exists():
                return self.packs_folder / name
        raise PackFailed(f"{self.packs_folder} holds too many packs.", "Remove the GPU pack first.")

    def _check_space(self, wheels: Sequence[Wheel]) -> None:
        missing = sum(wheel.size_bytes - self._wheels.received(wheel) for wheel in wheels)
        share = sum(wheel.size_bytes for wheel in wheels) / max(1, self.row.download_bytes)
        needed = missing + round(self.row.installed_bytes * share)
        free = self._free_bytes(self.packs_folder)
        disk.require_space(
            "the GPU pack", self.packs_folder, needed, free, self._margin_bytes, _FULL_HINT
        )

    @contextmanager
    def _partial(self, target: Path) -> Iterator[Path]:
        """Yield the folder that becomes ``target``; on a failure it makes room again."""
        partial = target.with_name(target.name + PARTIAL)
        partial.mkdir()
        try:
            yield partial
        except BaseException:
            with suppress(OSError):
                delete_folder(partial)
            raise

    def _unpack(
        self, partial: Path, wheels: Sequence[Wheel], before: Pack | None, watch: Watch
    ) -> None:
        """Fill a folder: new wheels are unpacked, sound ones of an earlier pack linked."""
        sizes = [unpacked_bytes(self._wheels.path(wheel)) for wheel in wheels]
        done, left = 0, self.row.installed_bytes
        for wheel in wheels:

            def show(size_bytes: int, done: int = done) -> None:
                watch.meter.show("unpacking", done + size_bytes, sum(sizes))

            written = unpack(self._wheels.path(wheel), partial, left, show, watch.stop)
            done, left = done + written, left - written
        if before:
            self._take_over(before, partial, {wheel.file for wheel in wheels}, watch.stop)
        write_pack(partial, self.row, self.row.installed_bytes)

    def _take_over(
        self, before: Pack, partial: Path, fresh: set[str], stop: threading.Event
    ) -> None:
        """Link the files of the wheels that were found sound."""
        for wheel in self.row.wheels:
            for entry in listed_files(before.folder, wheel.file) if wheel.file not in fresh else ():
                if stop.is_set():
                    raise Stopped
                if not long_path(partial / entry.path).exists():
                    link_or_copy(before.folder / entry.path, partial / entry.path)

    def _switch(self, folder: Path, target: Path, watch: Watch) -> Pack:
        """Try the folder out, give it its name and use it; then the wheels go."""
        watch.meter.show("testing", 0, 0)
        try_pack(folder, self.row, watch.stop, self._self_test)
        if watch.stop.is_set():
            raise Stopped
        watch.meter.show("switching", 0, self.row.installed_bytes)
        if folder != target:  # on the disk before it has its name: a power cut leaves no half
            sync([path for path in folder.rglob("*") if path.is_file()])
            rename(folder, target)
        Packs(self.packs_folder).switch(target.name)
        self._wheels.remove()
        watch.meter.show("switching", self.row.installed_bytes, self.row.installed_bytes)
        pack = read_pack(target)
        if pack is None:
            raise PackFailed(f"{target / FACTS} cannot be read.", _AGAIN_HINT, "disk")
        return pack

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn what goes wrong below into PackFailed."""
        try:
            yield
        except Stopped:
            raise PackFailed("The GPU pack is paused.", disk.KEPT, "stopped") from None
        except DownloadFailed as error:
            raise PackFailed(error.message, error.hint, error.kind) from error
        except OSError as error:
            told = disk.failure(error, "the GPU pack", self.packs_folder, _FULL_HINT, _CLOSED_HINT)
            raise PackFailed(told.message, told.hint, told.kind) from error


def make_install(row: PackRow, folders: Folders, settings: Settings) -> PackInstall:
    """Return the install that the settings choose: index address and proxy.

    Raises PackFailed (kind "offline") when the settings forbid the network.
    """
    try:
        go_online(settings)
    except DownloadFailed as error:
        raise PackFailed(error.message, error.hint, error.kind) from error
    return PackInstall(row, folders.packs, settings.pack_index)
