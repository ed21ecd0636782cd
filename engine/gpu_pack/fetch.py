"""The wheels of one pack come into a folder: resumed and verified.

Knows an index and pins; neither packs nor what a wheel holds.
"""

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from engine.errors import PackFailed
from engine.gpu_pack.default_index import default_address
from engine.gpu_pack.index import IndexFile, PackageIndex
from engine.gpu_pack.table import PackRow, Wheel
from engine.hub.failures import Passing
from engine.hub.meter import DownloadProgress, Meter, on_top
from engine.hub.partial import PartFile, Wanted
from engine.hub.pump import wait_for
from engine.hub.receiver import Source, Watch, pause_after, receive, sha256_of

_TRIES_TO_ASK = 2
_AGAIN_HINT = "Try again; if that fails too, choose another index in Settings."


class WheelFolder:
    """Where the wheels of a row come in. address: of the index, "" = the default one."""

    def __init__(self, folder: Path, row: PackRow, address: str, pauses_s: Sequence[float]) -> None:
        self.folder = folder
        self._row = row
        self._address = address
        self._pauses_s = tuple(pauses_s)

    def received(self, wheel: Wheel) -> int:
        """Return how many bytes of a wheel are here."""
        part = self._part(wheel)
        return wheel.size_bytes if part.target.is_file() else min(part.received, wheel.size_bytes)

    def path(self, wheel: Wheel) -> Path:
        """Return where a whole wheel lies."""
        return self.folder / wheel.file

    def begin(self) -> None:
        """Make the folder; what an older table's row of the same name left in it goes."""
        self.folder.mkdir(exist_ok=True)
        ours = tuple(wheel.file for wheel in self._row.wheels)
        for path in self.folder.iterdir():
            if not path.name.startswith(ours):
                path.unlink()

    def remove(self) -> None:
        """Delete what was received; what is held by somebody stays."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def fetch(self, wheels: Sequence[Wheel], watch: Watch) -> None:
        """Receive every wheel that is not here yet; phases "looking" and "downloading".

        Raises DownloadFailed, PackFailed, Stopped and OSError; what came in stays.
        """
        total = sum(wheel.size_bytes for wheel in wheels)
        places = self._look_for([w for w in wheels if not self.path(w).is_file()], watch)
        before = 0
        for wheel in wheels:
            if wheel.file in places:
                meter = Meter(on_top(watch.meter, before, total, wheel.size_bytes))
                self._receive(wheel, places[wheel.file], Watch(meter, watch.stop))
            before += wheel.size_bytes
            watch.meter.show("downloading", before, total)

    def verify(self, wheels: Sequence[Wheel], watch: Watch) -> None:
        """Compare every wheel's SHA-256 with its pin; those that are wrong go, all at once.

        Raises PackFailed (kind "damaged"), Stopped and OSError.
        """
        total = sum(wheel.size_bytes for wheel in wheels)
        before, wrong = 0, ""
        for wheel in wheels:
            part = self._part(wheel)
            path = part.target if part.target.is_file() else part.path

            def show(report: DownloadProgress, before: int = before) -> None:
                watch.meter.show("verifying", before + report.received, total)

            if sha256_of(path, Watch(Meter(show), watch.stop)) != wheel.sha256:
                wrong = wrong or wheel.file
                path.unlink()
                part.discard()
            elif path != part.target:
                part.finish()
            before += wheel.size_bytes
        if wrong:
            raise PackFailed(
                f"{wrong} arrived damaged: its SHA-256 is not the one that Skein was made with. "
                "It was removed.",
                _AGAIN_HINT,
                "damaged",
            )

    def _part(self, wheel: Wheel) -> PartFile:
        return PartFile(self.path(wheel))

    def _receive(self, wheel: Wheel, place: "_Place", watch: Watch) -> None:
        part = self._part(wheel)
        part.begin(Wanted(wheel.name, wheel.file, wheel.version, wheel.size_bytes, wheel.sha256))
        index, file = place
        source = Source(wheel.file, lambda at: index.web.read(file.address, at), self._pauses_s)
        receive(source, part, wheel.size_bytes, watch)

    def _look_for(self, wheels: Sequence[Wheel], watch: Watch) -> "dict[str, _Place]":
        """Return where the index has each wheel, by the wheel's file name."""
        if not wheels:
            return {}
        watch.meter.show("looking", 0, 0)
        index = PackageIndex(self._address or wait_for(default_address, watch.stop))
        return {w.file: (index, _chosen(w, self._ask(index, w, watch.stop))) for w in wheels}

    def _ask(self, index: PackageIndex, wheel: Wheel, stop: threading.Event) -> list[IndexFile]:
        failures = 0
        while True:
            try:
                return wait_for(lambda: index.files(wheel.name), stop)
            except Passing as error:
                failures += 1
                pause_after(error, failures, self._pauses_s[:_TRIES_TO_ASK], stop)


_Place = tuple[PackageIndex, IndexFile]


def _chosen(wheel: Wheel, files: Sequence[IndexFile]) -> IndexFile:
    """Return the index' file of a wheel, by its name and, where it tells one, its hash."""
    named = [file for file in files if file.file == wheel.file]
    if not named:
        raise PackFailed(
            f"The index does not have {wheel.file}.",
            "Choose another index in Settings, or update Skein.",
            "missing",
        )
    same = [file for file in named if file.sha256 in ("", wheel.sha256)]
    if not same:
        raise PackFailed(
            f"The index has another {wheel.file} than the one that Skein was made with.",
            "Choose another index in Settings.",
            "damaged",
        )
    return same[0]
