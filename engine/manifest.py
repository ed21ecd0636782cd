"""What an installed version of Skein consists of: ``manifest.json``, file by file.

Knows the file's format and which paths and versions are safe; not where anything is installed.
Standard library only: installers and the first moments of a start read it, too.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from engine.errors import DamagedFile

FORMAT = 1
NAME = "manifest.json"
_VERSION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6}){1,3})(?:(a|b|rc)([0-9]{1,6}))?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_UNSAFE = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)
_MOST_FILES = 200_000
_LONGEST_PATH = 400
_MOST_BYTES = 2**40
_HINT = "Install Skein again: its own list of files is damaged."


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """One file: its path below the version's folder with "/", bytes, SHA-256 in hex."""

    path: str
    size_bytes: int
    sha256: str
    executable: bool = False

    @property
    def content(self) -> tuple[int, str]:
        """What makes the bytes of two files the same."""
        return self.size_bytes, self.sha256


@dataclass(frozen=True, slots=True)
class Manifest:
    """All files of one version for one target ("linux-x86_64"), and what it was made of.

    glibc: the newest that any file needs ("2.34"), "" where there is none. built: ISO time.
    """

    version: str
    target: str
    python: str
    torch: str
    glibc: str
    built: str
    size_bytes: int
    files: tuple[InstalledFile, ...]

    @classmethod
    def parse(cls, data: bytes) -> "Manifest":
        """Return what a ``manifest.json`` says. Raises DamagedFile on anything that is not one."""
        try:
            values = json.loads(data.decode("utf-8"))
            return cls._from_json(values)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedFile(
                f"The list of Skein's files cannot be read: {error}.", _HINT
            ) from error

    @classmethod
    def _from_json(cls, values: dict[str, Any]) -> "Manifest":
        if values["format"] != FORMAT or values["name"] != "skein":
            raise ValueError("it is of another format")
        texts = {key: _text(values[key]) for key in ("target", "python", "torch", "built")}
        listed = values["files"]
        if not isinstance(listed, list) or len(listed) > _MOST_FILES:
            raise ValueError("it has no list of files that can be gone through")
        files = tuple(_file(entry) for entry in listed)
        _require_distinct(files)
        return cls(
            version=safe_version(values["version"]),
            glibc=_text(values.get("glibc") or ""),
            size_bytes=_count(values["size_bytes"]),
            files=files,
            **texts,
        )

    def to_bytes(self) -> bytes:
        """Return the file's bytes; the same manifest gives the same bytes."""
        values: dict[str, Any] = {
            "format": FORMAT,
            "name": "skein",
            "version": self.version,
            "target": self.target,
            "python": self.python,
            "torch": self.torch,
            "glibc": self.glibc,
            "built": self.built,
            "size_bytes": self.size_bytes,
            "files": [
                {
                    "path": file.path,
                    "size": file.size_bytes,
                    "sha256": file.sha256,
                    "executable": file.executable,
                }
                for file in self.files
            ],
        }
        return (json.dumps(values, ensure_ascii=False, indent=0) + "\n").encode("utf-8")


def safe_version(text: object) -> str:
    """Return a version that can be a folder's name ("0.1.0", "0.2.0rc1"). Raises ValueError."""
    if not isinstance(text, str) or not _VERSION.fullmatch(text):
        raise ValueError(f"{str(text)[:60]!r} is not a version")
    return text


def version_key(text: str) -> tuple[tuple[int, ...], str, int]:
    """Return what versions are compared by: 0.2.0a1 < 0.2.0b1 < 0.2.0rc1 < 0.2 = 0.2.0 < 0.10.

    Raises ValueError when ``text`` is no version.
    """
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:60]!r} is not a version")
    numbers = tuple(int(part) for part in found[1].split("."))
    numbers = numbers + (0,) * (4 - len(numbers))
    return numbers, found[2] or "z", int(found[3] or 0)


def is_safe_path(path: str) -> bool:
    """Say whether a path stays below its folder and can be a file's on every system."""
    parts = path.split("/")
    return (
        0 < len(path) <= _LONGEST_PATH
        and not _UNSAFE.search(path)
        and not any(part in ("", ".", "..") or part[-1] in " ." for part in parts)
        and not any(_DEVICES.fullmatch(part) for part in parts)
    )


def _file(entry: dict[str, Any]) -> InstalledFile:
    path, sha256 = _text(entry["path"]), _text(entry["sha256"])
    if not is_safe_path(path) or path.lower() == NAME:
        raise ValueError(f"{path[:80]!r} cannot be a file of it")
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"{path[:80]!r} has no SHA-256")
    return InstalledFile(path, _count(entry["size"]), sha256, entry.get("executable") is True)


def _require_distinct(files: tuple[InstalledFile, ...]) -> None:
    """Raise ValueError when two paths are one file on some system, or a file is also a folder."""
    names = {file.path.lower() for file in files}
    if len(names) != len(files):
        raise ValueError("two of its files have the same name")
    for name in names:
        while "/" in name:
            name = name.rpartition("/")[0]
            if name in names:
                raise ValueError(f"{name[:80]!r} is a file and a folder")


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise TypeError("a text is missing")
    value.encode("utf-8")  # a ValueError for half a character
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_BYTES:
        raise ValueError("a size is missing")
    return value
