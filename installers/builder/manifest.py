"""manifest.json: what a tree is and what lies in it, file by file.

Updates compare two of them, the .run checks its glibc, Settings > About reads the version. Knows
files and hashes; not how a tree is made. The order of its files is by path, so that two builds of
the same files make the same list.
"""

import datetime
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = 1
FILE_NAME = "manifest.json"
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What a manifest says besides its files. glibc: "" where the system is not Linux."""

    version: str
    target: str
    python: str
    torch: str
    glibc: str = ""


def write_manifest(tree: Path, facts: Facts, built: datetime.datetime | None = None) -> Path:
    """Write the manifest of ``tree`` (one folder of versions/) and return its path.

    built: when, in UTC; None stands for now. Raises OSError when the disk is full.
    """
    files = listed_files(tree)
    content = {
        "format": FORMAT,
        "name": "skein",
        "version": facts.version,
        "target": facts.target,
        "python": facts.python,
        "torch": facts.torch,
        "glibc": facts.glibc,
        "built": (built or datetime.datetime.now(datetime.UTC)).isoformat(timespec="seconds"),
        "size_bytes": sum(file["size"] for file in files),
        "files": files,
    }
    path = tree / FILE_NAME
    beside = tree / (FILE_NAME + ".new")
    beside.write_text(_as_text(content), "utf-8")
    beside.replace(path)
    return path


def _as_text(content: dict[str, Any]) -> str:
    """Return JSON with one file a line: small, and still to be read and compared by people."""
    files = ",\n".join(json.dumps(file, ensure_ascii=False) for file in content["files"])
    head = json.dumps({**content, "files": []}, ensure_ascii=False, indent=1)
    return head.replace('"files": []', f'"files": [\n{files}\n ]') + "\n"


def listed_files(tree: Path) -> list[dict[str, Any]]:
    """Return path, size, SHA-256 and executable bit of all files of a tree but its manifest.

    Raises ValueError for a symbolic link: a tree has none (Windows, archives, hard links).
    """
    listed = []
    for folder, _, names in os.walk(tree):
        for name in names:
            path = Path(folder, name)
            if path.is_symlink():
                raise ValueError(f"{path} is a symbolic link, which a tree must not have.")
            if path.parent == tree and name.startswith(FILE_NAME):
                continue
            listed.append(_described(path, tree))
    return sorted(listed, key=lambda file: file["path"])


def _described(path: Path, tree: Path) -> dict[str, Any]:
    status = path.stat()
    return {
        "path": path.relative_to(tree).as_posix(),
        "size": status.st_size,
        "sha256": file_hash(path),
        "executable": bool(status.st_mode & 0o100),
    }


def file_hash(path: Path) -> str:
    """Return a file's SHA-256 as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def verify(tree: Path) -> list[str]:
    """Return what differs from the manifest, a sentence each; empty when all is as it was built."""
    wanted = {f["path"]: f for f in json.loads((tree / FILE_NAME).read_text("utf-8"))["files"]}
    found = {f["path"]: f for f in listed_files(tree)}
    return [
        *(f"{path} is missing" for path in sorted(wanted.keys() - found.keys())),
        *(f"{path} was not built" for path in sorted(found.keys() - wanted.keys())),
        *(f"{p} differs" for p in sorted(wanted.keys() & found.keys()) if wanted[p] != found[p]),
    ]
