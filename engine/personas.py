"""Personas: named states that belong to no chat, one self-describing file each.

A persona is a conversation's beginning that was read once (or trained) and can start any chat.
Files can be copied in and out by hand; what they are is in their metadata, not in their names.
"""

import contextlib
import logging
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DamagedFile, EngineError
from engine.snapshot import Snapshot, load_snapshot, save_snapshot
from engine.state import read_metadata, tokens_read

_log = logging.getLogger(__name__)

_STALE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Persona:
    """One named state.

    fingerprint: of the weights it was made with, empty when unknown (an imported file).
    notes: what else was saved with it. created: ISO time.
    """

    name: str
    fingerprint: str
    tokens_read: int
    created: str
    size_bytes: int
    path: Path
    notes: dict[str, str]


class Personas:
    """The folder of personas."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[Persona]:
        """Return what is there, by name; a damaged file is left out and logged."""
        found = []
        for path in sorted(self._folder.glob("*.safetensors")):
            try:
                found.append(_persona(path))
            except (OSError, DamagedFile, ValueError) as error:
                _log.warning("%s was left out: %s", path.name, error)
        return sorted(found, key=lambda persona: persona.name.casefold())

    def save(
        self,
        name: str,
        snapshot: Snapshot,
        fingerprint: str,
        notes: Mapping[str, str] | None = None,
    ) -> Persona:
        """Save under ``name``; an older persona of that name is replaced.

        notes: words to keep with it (template, model name); not the names used by Skein itself.
        Raises EngineError when the name is empty or the disk is full.
        """
        name = " ".join(name.split())
        if not name:
            raise EngineError("A persona needs a name.")
        words = {**(notes or {}), "kind": "persona", "name": name, "fingerprint": fingerprint}
        older = [persona for persona in self.all() if persona.name == name]
        path = self._folder / f"{_slug(name)}-{uuid.uuid4().hex[:8]}.safetensors"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            save_snapshot(path, snapshot, words)
        except OSError as error:
            raise EngineError(
                f"The persona could not be saved: {error.strerror or error}.",
                "Free space, or choose another folder for states in Settings.",
            ) from error
        for persona in older:
            persona.path.unlink(missing_ok=True)
        return _persona(path)

    def load(self, name: str) -> Snapshot:
        """Return the snapshot of that name. Raises EngineError or DamagedFile."""
        return load_snapshot(self.named(name).path)[0]

    def named(self, name: str) -> Persona:
        """Return the persona of that name. Raises EngineError when there is none."""
        for persona in self.all():
            if persona.name == name:
                return persona
        raise EngineError(f"There is no persona named {name}.", "Choose one from the list.")

    def delete(self, name: str) -> None:
        """Delete it for good. Raises EngineError when there is none."""
        self.named(name).path.unlink(missing_ok=True)

    def total_bytes(self) -> int:
        """Return the bytes of all files together."""
        return sum(path.stat().st_size for path in self._folder.glob("*.safetensors"))

    def remove_leftovers(self) -> int:
        """Delete what a kill left behind; return bytes freed. Young ones may be in the making."""
        freed = 0
        for path in self._folder.glob(".*.part"):
            with contextlib.suppress(OSError):
                about = path.stat()
                if time.time() - about.st_mtime > _STALE_SECONDS:
                    path.unlink()
                    freed += about.st_size
        return freed


_OWN_WORDS = {
    "kind", "name", "fingerprint", "tokens_read", "created", "format_version", "checksum",
    "sampler_rng",
}  # fmt: skip


def _persona(path: Path) -> Persona:
    words = read_metadata(path)
    read = tokens_read(words)
    if read is None:
        raise DamagedFile(f"{path.name} is not a state file of Skein.")
    return Persona(
        words.get("name") or path.stem,
        words.get("fingerprint", ""),
        read,
        words.get("created", ""),
        path.stat().st_size,
        path,
        {key: value for key, value in words.items() if key not in _OWN_WORDS},
    )


def _slug(name: str) -> str:
    """Return a file name that every system takes, still readable."""
    return re.sub(r"\W+", "-", name).strip("-_")[:40] or "persona"
