"""A model of several files (Hugging Face layout) from a hub: one folder, whole or not there.

The files are received one after the other, each by ``engine.hub.download``, into a hidden folder
beside the others; it gets its own name when all are there and verified. A note in it says what it
will be and which files are whole, so that any later process can go on or throw it away.
"""

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from engine.errors import DownloadFailed
from engine.files import rename, write_atomically
from engine.hub import disk
from engine.hub.connection import Hub, HubFile
from engine.hub.download import TRIES_TO_ASK, Download
from engine.hub.failures import Passing
from engine.hub.file_names import is_safe_path, local_name
from engine.hub.meter import DownloadProgress, Meter, on_top
from engine.hub.partial import PART
from engine.hub.pump import Stopped, wait_for
from engine.hub.receiver import PAUSES_S, Watch, pause_after, sha256_of
from engine.hub.remote_model import RemoteModel

NOTE = "skein-download.json"
_BESIDE_BYTES = 100_000_000
_BESIDE_MOST = 40


class FolderDownload:
    """The download of one repository's model; as ``Download``, ``run`` may be called again."""

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
        """Return the folder with all files, verified; ``stop`` pauses within a fraction of 1 s.

        Goes on where an earlier run, of any process, ended. Raises DownloadFailed (kind "stopped"
        after ``stop``); what was received stays, but for a file whose hash is wrong.
        """
        meter = Meter(progress)
        meter.show("starting", self.received, self.model.size_bytes)
        try:
            files = self._files(stop)
            target = self._target(files)
            if target.exists():
                return self._verified(target, files, Watch(meter, stop))
            workplace = _Workplace(_workplace_of(target), self.model)
            workplace.begin(files)
            self._check_space(workplace, files)
            self._receive(workplace, files, meter, stop)
            return workplace.finish(target)
        except Stopped:
            raise self._paused() from None
        except DownloadFailed as error:
            raise self._paused() if error.kind == "stopped" else error from error
        except OSError as error:
            raise disk.failure(error, self.model.name, self.folder) from error

    @property
    def received(self) -> int:
        """Bytes that earlier runs left here."""
        begun = self._begun()
        return begun.received if begun else 0

    def discard(self) -> None:
        """Remove what was received (Cancel). Not while ``run`` is at work."""
        begun = self._begun()
        if begun:
            begun.discard()

    def _paused(self) -> DownloadFailed:
        return DownloadFailed(
            f"The download of {self.model.name} is paused.", disk.KEPT, kind="stopped"
        )

    def _files(self, stop: threading.Event) -> list[HubFile]:
        """Ask the hub which files the model has at its commit."""
        model, failures = self.model, 0
        while True:
            try:
                listed = wait_for(lambda: self._hub.files(model.repo, model.revision), stop)
                break
            except Passing as error:
                failures += 1
                pause_after(error, failures, self._pauses_s[:TRIES_TO_ASK], stop)
        files = wanted_files(listed)
        if not any(file.path.endswith(".safetensors") for file in files):
            raise DownloadFailed(
                f"{model.repo} has no model in the Hugging Face layout.",
                "It needs a config.json and .safetensors files beside it.",
                kind="missing",
            )
        return files

    def _target(self, files: Sequence[HubFile]) -> Path:
        """Return the folder that it will be: one that holds it already, or a name that is free."""
        for target in self._targets():
            if _holds(target, files):
                return target
            if not target.exists() and self._is_ours(_workplace_of(target)):
                return target
        raise DownloadFailed(f"{self.folder} holds too many folders named {self.model.name}.")

    def _targets(self) -> Iterator[Path]:
        """Yield local names: the repository's own, then with its owner, then numbered."""
        owner, _, name = self.model.repo.partition("/")
        plain, owner = local_name(name), local_name(owner)
        yield self.folder / plain
        yield self.folder / f"{plain} ({owner})"
        for number in range(2, 100):
            yield self.folder / f"{plain} ({owner} {number})"

    def _verified(self, target: Path, files: Sequence[HubFile], watch: Watch) -> Path:
        """Return a folder that is there already; raise DownloadFailed when it is damaged."""
        for file in files:
            if file.sha256 and sha256_of(target / file.path, watch) != file.sha256:
                raise DownloadFailed(
                    f"{target} is there already, and its {file.path} is damaged.",
                    "Delete that model, then download it again.",
                    kind="damaged",
                )
        return target

    def _is_ours(self, workplace: Path) -> bool:
        return _read_note(workplace)[0] in ("", self.model.repo)

    def _begun(self) -> "_Workplace | None":
        for target in self._targets():
            workplace = _workplace_of(target)
            if workplace.exists() and self._is_ours(workplace):
                return _Workplace(workplace, self.model)
            if not workplace.exists() and not target.exists():
                return None
        return None

    def _check_space(self, workplace: "_Workplace", files: Sequence[HubFile]) -> None:
        missing = sum(file.size_bytes for file in files) - workplace.received
        if missing > 0:
            free = self._free_bytes(workplace.path)
            disk.require_space(self.model.name, self.folder, missing, free, self._margin_bytes)

    def _receive(
        self,
        workplace: "_Workplace",
        files: Sequence[HubFile],
        meter: Meter,
        stop: threading.Event,
    ) -> None:
        """Receive file after file; what is whole already is only counted."""
        total = sum(file.size_bytes for file in files)
        before = 0
        for file in files:
            if not workplace.has(file):
                part = Download(
                    _model_of(self.model, file),
                    workplace.path,
                    hub=self._hub,
                    margin_bytes=self._margin_bytes,
                    free_bytes=self._free_bytes,
                    pauses_s=self._pauses_s,
                )
                part.run(on_top(meter, before, total, file.size_bytes), stop)
                workplace.keep(file)
            before += file.size_bytes
            meter.show("downloading", before, total)


class _Workplace:
    """The hidden folder that becomes the model's, with the note of what is whole in it."""

    def __init__(self, path: Path, model: RemoteModel) -> None:
        self.path = path
        self._repo = model.repo
        self._whole = _read_note(path)[1]

    @property
    def received(self) -> int:
        """Bytes that are here, whole files and beginnings."""
        whole = sum(size_bytes for size_bytes, _sha256 in self._whole.values())
        return whole + sum(path.stat().st_size for path in self.path.glob(f"*{PART}"))

    def begin(self, files: Sequence[HubFile]) -> None:
        """Make ready for these files: what belongs to another commit goes."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._whole = {f.path: self._whole[f.path] for f in files if self.has(f)}
        self._write()
        for file in files:
            if file.path not in self._whole:
                (self.path / file.path).unlink(missing_ok=True)

    def has(self, file: HubFile) -> bool:
        """Say whether this very file is here, whole and verified."""
        path = self.path / file.path
        noted = self._whole.get(file.path) == (file.size_bytes, file.sha256)
        return noted and path.is_file() and path.stat().st_size == file.size_bytes

    def keep(self, file: HubFile) -> None:
        """Note that a file is whole."""
        self._whole[file.path] = (file.size_bytes, file.sha256)
        self._write()

    def finish(self, target: Path) -> Path:
        """Give the folder its own name."""
        for path in self.path.iterdir():  # what another commit had
            if path.name not in (NOTE, *self._whole):
                path.unlink()
        rename(self.path, target)
        (target / NOTE).unlink()
        return target

    def discard(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.path)

    def _write(self) -> None:
        note = {"repo": self._repo, "whole": self._whole}
        write_atomically(self.path / NOTE, json.dumps(note).encode())


def make_download(model: RemoteModel, folder: Path, *, hub: Hub) -> Download | FolderDownload:
    """Return what brings a model into a folder, be it one file or several."""
    kind = FolderDownload if model.format == "folder" else Download
    return kind(model, folder, hub=hub)


def wanted_files(listed: Sequence[HubFile]) -> list[HubFile]:
    """Return what a model in the Hugging Face layout needs: small files first, weights by name.

    Nothing from folders inside the repository, and nothing that is a program.
    """
    safe = [f for f in listed if is_safe_path(f.path) and local_name(f.path) == f.path != NOTE]
    safe.sort(key=lambda file: file.path.islower())  # many disks hold only one of a.json, A.json
    safe = list({file.path.lower(): file for file in safe if file.size_bytes}.values())
    if not any(file.path == "config.json" for file in safe):
        return []
    beside = [
        file
        for file in safe
        if file.path.endswith((".json", ".txt")) and file.size_bytes <= _BESIDE_BYTES
    ]
    beside.sort(key=lambda file: (file.path != "config.json", file.path))
    weights = [file for file in safe if file.path.endswith(".safetensors")]
    return beside[:_BESIDE_MOST] + sorted(weights, key=lambda file: file.path)


def _model_of(model: RemoteModel, file: HubFile) -> RemoteModel:
    return replace(
        model,
        file=file.path,
        format="file",
        revision=file.revision,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
    )


def _workplace_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.download")


def _holds(target: Path, files: Sequence[HubFile]) -> bool:
    """Say whether a folder has all files in their sizes."""
    return all(
        (target / file.path).is_file() and (target / file.path).stat().st_size == file.size_bytes
        for file in files
    )


def _read_note(workplace: Path) -> tuple[str, dict[str, tuple[int, str]]]:
    """Return the repository and the whole files (bytes, SHA-256); "" and none without a note."""
    try:
        note = json.loads((workplace / NOTE).read_text("utf-8"))
        whole = {str(name): (int(size), str(sha)) for name, (size, sha) in note["whole"].items()}
        return str(note["repo"]), whole
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "", {}
