"""One file from a hub to the models folder: whole and verified, or not there under its name.

Why not ``hf_hub_download``: since 2.0 it receives into a file with a random name and removes it
when anything goes wrong, so neither a pause nor a restart could resume; nor can it be stopped
while it waits for the network. What it is made of is public and used here: the address, the
metadata (size, SHA-256, commit), the headers and the HTTP session of huggingface-hub, and
through them mirrors, proxies and tokens.

Knows one file and one folder; not which model is wanted, nor what the window shows.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from engine.errors import DownloadFailed
from engine.hub import disk
from engine.hub.connection import Hub, Opened
from engine.hub.failures import Passing
from engine.hub.file_names import is_safe_path, local_name
from engine.hub.meter import DownloadProgress, Meter
from engine.hub.partial import PartFile, Wanted
from engine.hub.pump import Stopped, wait_for
from engine.hub.receiver import PAUSES_S, Source, Watch, pause_after, receive, sha256_of
from engine.hub.remote_model import RemoteModel

TRIES_TO_ASK = 2


class Download:
    """The download of one model's file into one folder; ``run`` may be called again and again.

    ``margin_bytes`` stays free on the disk; ``free_bytes`` tells what is free in a folder.
    ``pauses_s``: how long to wait after the first, second, ... failure in a row that may pass by
    itself; after the last one it gives up.
    """

    def __init__(
        self,
        model: RemoteModel,
        folder: Path,
        *,
        hub: Hub | None = None,
        margin_bytes: int = disk.MARGIN_BYTES,
        free_bytes: Callable[[Path], int] | None = None,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self.model = model
        self.folder = folder
        self._hub = hub or Hub()
        self._margin_bytes = margin_bytes
        self._free_bytes = free_bytes or disk.free_bytes
        self._pauses_s = tuple(pauses_s)

    def run(self, progress: Callable[[DownloadProgress], None], stop: threading.Event) -> Path:
        """Return the path of the whole, verified file; ``stop`` pauses within a fraction of 1 s.

        Goes on where an earlier run, of any process, ended; a file that is there already is
        verified and returned. Raises DownloadFailed (kind "stopped" after ``stop``); what was
        received stays, unless its hash is wrong.
        """
        watch = Watch(Meter(progress), stop)
        try:
            self._check_kind()
            watch.meter.show("starting", self.received, self.model.size_bytes)
            wanted = self._ask(stop)
            self.folder.mkdir(parents=True, exist_ok=True)
            found = self._place(wanted, watch)
            return found if isinstance(found, Path) else self._complete(found, wanted, watch)
        except Stopped:
            raise DownloadFailed(
                f"The download of {self.model.name} is paused.", disk.KEPT, kind="stopped"
            ) from None
        except OSError as error:
            raise disk.failure(error, self.model.name, self.folder) from error

    @property
    def received(self) -> int:
        """Bytes that earlier runs left here."""
        part = self._begun()
        return part.received if part else 0

    def discard(self) -> None:
        """Remove what was received (Cancel). Not while ``run`` is at work."""
        part = self._begun()
        if part:
            part.discard()

    def _check_kind(self) -> None:
        if self.model.format == "folder" or not is_safe_path(self.model.file):
            raise DownloadFailed(
                f"{self.model.name} is not a single model file.",
                self.model.note or "Choose a file of the repository.",
                kind="missing",
            )

    def _ask(self, stop: threading.Event) -> Wanted:
        """Ask the hub what the file is now."""
        model, failures = self.model, 0
        while True:
            try:
                facts = wait_for(
                    lambda: self._hub.file(model.repo, model.file, model.revision), stop
                )
                break
            except Passing as error:
                failures += 1
                pause_after(error, failures, self._pauses_s[:TRIES_TO_ASK], stop)
        size_bytes = facts.size_bytes or model.size_bytes
        if not size_bytes:
            raise DownloadFailed(
                f"The hub does not say how large {model.name} is.",
                "Choose another mirror in Settings.",
                kind="server",
            )
        return Wanted(model.repo, model.file, facts.revision, size_bytes, facts.sha256)

    def _place(self, wanted: Wanted, watch: Watch) -> PartFile | Path:
        """Return where to receive it, or the path of the file that is there already."""
        for target in self._targets():
            if target.exists():
                if _is_there(target, wanted, watch):
                    return target
            elif self._is_ours(PartFile(target)):
                return PartFile(target)
        raise DownloadFailed(f"{self.folder} holds too many files named {self.model.name}.")

    def _targets(self) -> Iterator[Path]:
        """Yield local names: the file's own, then with its owner, then numbered."""
        plain = Path(local_name(self.model.file))
        owner = local_name(self.model.repo.split("/")[0])
        yield self.folder / plain
        yield self.folder / f"{plain.stem} ({owner}){plain.suffix}"
        for number in range(2, 100):
            yield self.folder / f"{plain.stem} ({owner} {number}){plain.suffix}"

    def _is_ours(self, part: PartFile) -> bool:
        """Say whether nobody has begun this file, or an earlier run of this download has."""
        begun = part.wanted()
        return begun is None or (begun.repo, begun.file) == (self.model.repo, self.model.file)

    def _begun(self) -> PartFile | None:
        """Return the partial file that an earlier run left, if there is one."""
        for target in self._targets():
            part = PartFile(target)
            if part.wanted() and self._is_ours(part):
                return part
            if not part.wanted() and not target.exists():
                return None
        return None

    def _complete(self, part: PartFile, wanted: Wanted, watch: Watch) -> Path:
        with part.locked():
            part.begin(wanted)
            self._check_space(wanted.size_bytes - part.received)
            self._receive(part, wanted, watch)
            self._verify(part, wanted, watch)
            return part.finish()

    def _check_space(self, missing: int) -> None:
        if missing:
            free = self._free_bytes(self.folder)
            disk.require_space(self.model.name, self.folder, missing, free, self._margin_bytes)

    def _receive(self, part: PartFile, wanted: Wanted, watch: Watch) -> None:
        def open_at(start: int) -> Iterator[Opened | bytes]:
            return self._hub.read(wanted.repo, wanted.file, wanted.revision, start)

        source = Source(self.model.name, open_at, self._pauses_s)
        receive(source, part, wanted.size_bytes, watch)

    def _verify(self, part: PartFile, wanted: Wanted, watch: Watch) -> None:
        if wanted.sha256 and sha256_of(part.path, watch) != wanted.sha256:
            part.discard()
            raise DownloadFailed(
                f"{self.model.name} arrived damaged: its SHA-256 is not the one that the hub "
                "promises. It was removed.",
                "Download it again; if that fails too, choose another mirror in Settings.",
                kind="damaged",
            )


def _is_there(target: Path, wanted: Wanted, watch: Watch) -> bool:
    if not target.is_file() or target.stat().st_size != wanted.size_bytes:
        return False
    return not wanted.sha256 or sha256_of(target, watch) == wanted.sha256
