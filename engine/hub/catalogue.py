"""Which models there are: read from the hub, kept for the time without one.

Knows repositories and file names; neither the machine that a model shall run on nor downloads.
"""

import json
import logging
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.errors import DownloadFailed, EngineError
from engine.files import write_atomically
from engine.hub.address import parse_address
from engine.hub.connection import Hub, HubFile
from engine.hub.file_names import is_safe_path, model_format, parse_file_name
from engine.hub.folder_download import wanted_files
from engine.hub.remote_model import RemoteModel, describe

_VERSION = 1
_AT_ONCE = 6
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Search:
    """An author whose repositories are found by a part of their name."""

    author: str
    text: str
    limit: int


@dataclass(frozen=True, slots=True)
class Seed:
    """Where to look: repositories by name, and searches for more."""

    repositories: tuple[str, ...]
    searches: tuple[Search, ...] = ()

    @classmethod
    def load(cls) -> "Seed":
        """Return the seed that comes with the app."""
        from importlib.resources import files

        values = tomllib.loads(files("resources").joinpath("catalogue.toml").read_text("utf-8"))
        return cls(
            tuple(entry["id"] for entry in values.get("repository", [])),
            tuple(Search(s["author"], s["text"], s["limit"]) for s in values.get("search", [])),
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """A repository or an author that could not be asked, and why."""

    source: str
    error: EngineError


class Catalogue:
    """The list of models on a hub, with the copy of it that was last seen.

    ``cache`` is the folder of that copy. ``problems`` says, after ``refresh``, what could not be
    asked; their models are those of the last time.
    """

    def __init__(
        self,
        cache: Path,
        endpoint: str = "",
        token: str = "",
        *,
        hub: Hub | None = None,
        seed: Seed | None = None,
    ) -> None:
        self.hub = hub or Hub(endpoint, token)
        self.problems: tuple[Problem, ...] = ()
        self._file = cache / "catalogue.json"
        self._seed = seed

    def cached(self) -> list[RemoteModel]:
        """Return the models of the last refresh; none when there was none that can be read."""
        return [model for models in self._saved().values() for model in models]

    def saved(self) -> datetime | None:
        """Return when the copy was made (UTC), or None when there is none."""
        try:
            return datetime.fromisoformat(self._read()["saved"])
        except (KeyError, TypeError, ValueError):
            return None

    def refresh(self) -> list[RemoteModel]:
        """Ask the hub for every repository of the seed, save and return what it has.

        Takes seconds. One that fails hides no other. Raises DownloadFailed only when none
        answered.
        """
        seed = self._seed or Seed.load()
        found, problems = self._ask(seed.repositories)
        if found:
            more, worse = self._ask(self._search(seed.searches, problems), skip=set(found))
            found, problems = found | more, problems + worse
        self.problems = tuple(problems)
        for problem in problems:
            log.warning("catalogue: %s: %s", problem.source, problem.error.message)
        if not found:
            raise problems[0].error if problems else EngineError("There is nowhere to look.")
        return self._keep(found, seed)

    def lookup(self, address: str) -> list[RemoteModel]:
        """Return the models of any repository, or the one file, that ``address`` names.

        Raises EngineError when the address is none or the file is not one of a model,
        DownloadFailed when the hub does not have it or cannot be asked.
        """
        wanted = parse_address(address, self.hub.endpoint)
        if wanted.file and not model_format(wanted.file):
            raise EngineError(
                f"{wanted.file} is not a model file.",
                "Model files end in .pth, .safetensors, .st or .gguf.",
            )
        models = models_of(wanted.repo, self.hub.files(wanted.repo, wanted.revision))
        if wanted.file:
            models = [model for model in models if model.file == wanted.file]
        if not models:
            raise DownloadFailed(
                f"{wanted.repo} has no {wanted.file or 'model file'}.",
                "Model files end in .pth, .safetensors, .st or .gguf.",
                kind="missing",
            )
        return models

    def _ask(
        self, repos: Sequence[str], skip: set[str] | None = None
    ) -> tuple[dict[str, list[RemoteModel]], list[Problem]]:
        wanted = [repo for repo in dict.fromkeys(repos) if repo not in (skip or set())]
        found: dict[str, list[RemoteModel]] = {}
        problems: list[Problem] = []
        for repo, answer in zip(wanted, _in_parallel(self._models, wanted), strict=True):
            if isinstance(answer, EngineError):
                problems.append(Problem(repo, answer))
            else:
                found[repo] = answer
        return found, problems

    def _models(self, repo: str) -> list[RemoteModel]:
        listed = models_of(repo, self.hub.files(repo))
        return [m for m in listed if parse_file_name(m.file or m.repo).version]

    def _search(self, searches: Sequence[Search], problems: list[Problem]) -> list[str]:
        def ask(search: Search) -> list[str]:
            return self.hub.search(search.author, search.text, search.limit)

        repos: list[str] = []
        for search, answer in zip(searches, _in_parallel(ask, searches), strict=True):
            if isinstance(answer, EngineError):
                problems.append(Problem(search.author, answer))
            else:
                repos += answer
        return repos

    def _keep(self, found: dict[str, list[RemoteModel]], seed: Seed) -> list[RemoteModel]:
        """Save what was found, with the last known models of what did not answer."""
        asked = {problem.source for problem in self.problems}
        silent_authors = tuple(f"{s.author}/" for s in seed.searches if s.author in asked)
        kept = {
            repo: models
            for repo, models in self._saved().items()
            if repo in asked or (silent_authors and repo.startswith(silent_authors))
        }
        merged = kept | found
        self._write(merged)
        return [model for models in merged.values() for model in models]

    def _saved(self) -> dict[str, list[RemoteModel]]:
        by_repo: dict[str, list[RemoteModel]] = {}
        try:
            for values in self._read().get("models", []):
                model = RemoteModel.from_json(values)
                by_repo.setdefault(model.repo, []).append(model)
        except (TypeError, KeyError, AttributeError) as error:
            log.warning("the saved catalogue is unreadable: %s", error)
            return {}
        return by_repo

    def _read(self) -> dict[str, Any]:
        try:
            values = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        good = isinstance(values, dict) and values.get("version") == _VERSION
        return values if good else {}

    def _write(self, by_repo: dict[str, list[RemoteModel]]) -> None:
        """Replace the copy; a disk that is full or read-only costs the copy, not the list."""
        values = {
            "version": _VERSION,
            "saved": datetime.now(UTC).isoformat(timespec="seconds"),
            "endpoint": self.hub.endpoint,
            "models": [model.to_json() for models in by_repo.values() for model in models],
        }
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps(values, indent=1).encode())
        except OSError as error:
            log.warning("the catalogue could not be saved: %s", error)


def models_of(repo: str, files: Sequence[HubFile]) -> list[RemoteModel]:
    """Return the models among a repository's files; its own weights folder counts as one."""
    safe = [file for file in files if is_safe_path(file.path)]
    folder = wanted_files(safe)
    weights = [file for file in folder if model_format(file.path)]
    models = [
        describe(repo, file.path, file.revision, file.size_bytes, file.sha256)
        for file in safe
        if model_format(file.path) and not (weights and _is_part_of_folder(file))
    ]
    if weights:
        size = sum(file.size_bytes for file in weights)
        models.append(describe(repo, "", weights[0].revision, size))
    return models


def _is_part_of_folder(file: HubFile) -> bool:
    """Say whether a file of a repository in that layout is a part of the folder's model."""
    return "/" not in file.path and file.path.endswith(".safetensors")


def _in_parallel(ask: Callable[[Any], Any], subjects: Sequence[Any]) -> list[Any]:
    """Return an answer or an EngineError for every subject, in their order."""

    def guarded(subject: Any) -> Any:  # noqa: ANN401
        try:
            return ask(subject)
        except EngineError as error:
            return error

    if not subjects:
        return []
    with ThreadPoolExecutor(min(_AT_ONCE, len(subjects)), "skein-hub") as pool:
        return list(pool.map(guarded, subjects))
