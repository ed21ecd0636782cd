"""Model files on this computer: found in folders, looked at, never loaded, moved or copied.

Knows folders and names; what a file holds, engine.checkpoint says.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError, UnsupportedModel
from engine.hub.file_names import model_format

if TYPE_CHECKING:
    from engine.checkpoint.info import ModelInfo
    from engine.folders import Folders
    from engine.settings import Settings

_DEEPEST = 5  # the hub's cache: models--owner--name/snapshots/commit/folder/file
_MOST_FOLDERS = 3000  # somebody will add the root of a disk
_NOT_MODELS = frozenset({"site-packages", "node_modules", "__pycache__", "blobs"})
_BEING_WRITTEN = (".aria2", ".part", ".crdownload", ".tmp")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model on disk: ``info`` when it can be run, else ``problem``, the sentence why not.

    ``kind``: what else it is that something can be done with, as ``UnsupportedModel`` has it.
    """

    path: Path
    info: "ModelInfo | None"
    problem: str = ""
    kind: str = ""


def scan(places: Sequence[Path]) -> list[LocalModel]:
    """Return the models in these folders and files: runnable ones first, then by name.

    Folders that are missing or closed to us are passed over. A file that is reached in two ways
    is listed once. Files that are still being written are not listed. Never raises.
    """
    found = [_look(path) for path in _distinct(_candidates(places))]
    return sorted(found, key=lambda m: (m.info is None, m.path.name.lower(), str(m.path)))


def model_places(
    folders: "Folders", settings: "Settings", built_in: Path | None = None
) -> list[Path]:
    """Return where models are looked for: our folder, the user's own, the hub's cache.

    built_in: the file of the model that comes with the app, where that is to be found as well.
    """
    return [
        *([built_in] if built_in is not None else ()),
        models_folder(folders, settings),
        *(_path_of(folder) for folder in settings.model_folders),
        hub_cache(),
    ]


def models_folder(folders: "Folders", settings: "Settings") -> Path:
    """Return the folder that downloads go to."""
    chosen = settings.models_folder
    return _path_of(chosen) if chosen else folders.models


def _path_of(written: str) -> Path:
    """Return a path as somebody wrote it; of "~nobody" nothing is known, and nothing raised."""
    return Path(os.path.expanduser(written))


def hub_cache(environ: Mapping[str, str] | None = None) -> Path:
    """Return the cache folder that Hugging Face's own programs share."""
    env = os.environ if environ is None else environ
    if "HF_HUB_CACHE" in env:
        return Path(env["HF_HUB_CACHE"]).expanduser()
    home = env.get("HF_HOME") or Path(env.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"
    return Path(home).expanduser() / "hub"


def _look(path: Path) -> LocalModel:
    from engine.checkpoint import inspect

    try:
        return LocalModel(path, inspect(path))
    except EngineError as error:
        kind = error.kind if isinstance(error, UnsupportedModel) else ""
        return LocalModel(path, None, error.message, kind)
    except Exception:
        log.exception("%s could not be looked at", path)
        return LocalModel(path, None, f"{path.name} could not be read; the log says more.")


def _distinct(paths: Iterable[Path]) -> list[Path]:
    """Drop paths that lead to a file that is listed already."""
    return list({os.path.realpath(path): path for path in reversed(list(paths))}.values())[::-1]


def _candidates(places: Sequence[Path]) -> Iterator[Path]:
    seen: set[str] = set()
    for place in places:
        if os.path.isfile(place):  # Path's own raises where we may not look
            if model_format(place.name):
                yield place
        else:
            yield from _walk(place, 0, seen)


def _walk(folder: Path, depth: int, seen: set[str]) -> Iterator[Path]:
    """Yield model files and folders that are one model; links may lead in circles."""
    real = os.path.realpath(folder)
    if real in seen or len(seen) >= _MOST_FOLDERS:
        return
    seen.add(real)
    names, inner = _entries(folder)
    whole = "config.json" in names
    for name in sorted(names):
        if whole and name.endswith(".safetensors"):
            continue
        if model_format(name) and not any(name + suffix in names for suffix in _BEING_WRITTEN):
            yield folder / name
    if whole and any(name.endswith((".safetensors", "pytorch_model.bin")) for name in names):
        yield folder
    if depth < _DEEPEST:
        for name in sorted(inner):
            if _may_hold_models(name):
                yield from _walk(folder / name, depth + 1, seen)


def _entries(folder: Path) -> tuple[set[str], set[str]]:
    """Return the names of files and of folders; hidden ones and broken links are left out."""
    files: set[str] = set()
    inner: set[str] = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    inner.add(entry.name)
                elif entry.is_file():
                    files.add(entry.name)
    except OSError as error:
        log.debug("%s is passed over: %s", folder, error)
    return files, inner


def _may_hold_models(name: str) -> bool:
    """Say whether to look into a folder: of the hub's cache, only into RWKV's."""
    if name.startswith(("datasets--", "spaces--")):
        return False
    if name.startswith("models--"):
        return "rwkv" in name.lower()
    return name not in _NOT_MODELS
