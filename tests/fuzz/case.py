"""One input of a fuzz run: files, links and pipes, and which of them the reader is given."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link in a case's folder; ``target`` as it is written into it."""

    target: str


@dataclass(frozen=True, slots=True)
class Pipe:
    """A named pipe, which would block whoever opens it."""


Content = bytes | Link | Pipe


@dataclass(frozen=True, slots=True)
class Case:
    """``files`` by their place in the folder; ``main``: what the reader opens, "" the folder.

    kinds: how it was made, for the report.
    """

    files: Mapping[str, Content]
    main: str
    kinds: tuple[str, ...] = field(default=())

    @property
    def size_bytes(self) -> int:
        """Bytes of all files together."""
        return sum(len(data) for data in self.files.values() if isinstance(data, bytes))


def written(case: Case, folder: Path) -> Path:
    """Write a case into a folder that is emptied first; return what the reader opens."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            path.symlink_to(content.target)
        elif isinstance(content, Pipe):
            os.mkfifo(path)
        else:
            path.write_bytes(content)
    return folder / case.main
