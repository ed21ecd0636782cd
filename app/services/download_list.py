"""The unfinished downloads on disk: what a restart needs to go on. Knows JSON, not threads."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.files import write_atomically
from engine.hub.remote_model import RemoteModel

log = logging.getLogger(__name__)
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Unfinished:
    """One download that is not complete, and how far it had come."""

    model: RemoteModel
    received: int = 0


class DownloadList:
    """A small JSON file; a missing or damaged one is an empty list."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> list[Unfinished]:
        """Return what was unfinished; entries that cannot be read are logged and left out."""
        try:
            held = json.loads(self._path.read_text("utf-8"))
            rows = held["downloads"] if held["version"] == _VERSION else []
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("The list of downloads could not be read: %s", error)
            return []
        return [entry for row in rows if (entry := _from_row(row)) is not None]

    def save(self, unfinished: Sequence[Unfinished]) -> None:
        """Replace the file at once (temporary name, then rename).

        Raises OSError when the disk is full or read-only.
        """
        rows = [{"model": e.model.to_json(), "received": e.received} for e in unfinished]
        text = json.dumps({"version": _VERSION, "downloads": rows}, ensure_ascii=False, indent=1)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, text.encode("utf-8"))


def _from_row(row: Any) -> Unfinished | None:  # noqa: ANN401 - JSON can be anything
    try:
        return Unfinished(RemoteModel.from_json(row["model"]), int(row.get("received", 0)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        log.warning("An unfinished download could not be read: %s", error)
        return None
