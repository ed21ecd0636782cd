"""A wheel's files: laid into a folder safely, and compared with the list that came with them.

Knows the format of wheels; neither where they come from nor what they are for.
"""

import base64
import contextlib
import csv
import hashlib
import os
import re
import shutil
import stat
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.errors import PackFailed
from engine.hub.pump import Stopped

_PIECE_BYTES = 2**20
_MOST_FILES = 200_000
_SEPARATE = re.compile(r"[^/]+\.data/(purelib|platlib|[^/]+)/(.+)")
_UNWANTED = re.compile(
    r"torch/(test|include|share)/|(torch|functorch)/.*\.(lib|a|pdb)$|.*\.pth$", re.I
)
"""What nobody needs who compiles no C++ against PyTorch; on Windows .lib files are its half."""
_HINT = "Choose another index in Settings; if that fails too, report it."


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as RECORD lists it: its place in the folder, SHA-256 (hex, "" unknown) and bytes."""

    path: str
    sha256: str
    size_bytes: int


def placed(name: str) -> str:
    """Return where an entry of a wheel goes in the folder, or "" when it is not wanted there."""
    separate = _SEPARATE.fullmatch(name)
    if separate:
        name = separate[2] if separate[1] in ("purelib", "platlib") else ""
    return "" if _UNWANTED.match(name) else name


def unpacked_bytes(wheel: Path) -> int:
    """Return what a wheel takes when it is unpacked. Raises PackFailed."""
    with _opened(wheel) as archive:
        return sum(size for _name, size in wanted_entries(archive))


def wanted_entries(archive: zipfile.ZipFile) -> Iterator[tuple[str, int]]:
    """Yield place and bytes of every file of a wheel that is unpacked."""
    for entry in archive.infolist():
        if not entry.is_dir() and placed(entry.filename):
            yield placed(entry.filename), entry.file_size


def unpack(
    wheel: Path,
    folder: Path,
    most_bytes: int,
    show: Callable[[int], None],
    stop: threading.Event,
) -> int:
    """Lay a wheel's files into ``folder``; return their bytes, of which ``show`` counts.

    Nothing is written outside of the folder, no link is made, and never more than ``most_bytes``.
    Raises PackFailed ("unsafe", "damaged"), Stopped and OSError; what was written stays.
    """
    done = 0
    with _opened(wheel) as archive:
        entries = archive.infolist()
        _check(wheel.name, entries, most_bytes)
        for entry in entries:
            if stop.is_set():
                raise Stopped
            place = "" if entry.is_dir() else placed(entry.filename)
            if place:
                done = _write(archive, entry, folder / place, done, show, stop)
    return done


def listed_files(folder: Path, wheel_file: str) -> list[Listed]:
    """Return what a wheel's RECORD lists of a folder; none when there is no whole list.

    A whole one names itself, mostly at its end.
    """
    record = folder / info_folder(wheel_file) / "RECORD"
    try:
        lines = list(csv.reader(record.read_text("utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    found = [_listed(line) for line in lines if len(line) == 3 and placed(line[0])]
    if record.relative_to(folder).as_posix() not in {entry.path for entry in found}:
        return []
    return [entry for entry in found if _is_inside(entry.path)]


def info_folder(wheel_file: str) -> str:
    """Return the name of the folder with a wheel's facts."""
    return "-".join(wheel_file.split("-")[:2]) + ".dist-info"


def is_sound(
    path: Path, sha256s: set[str], show: Callable[[int], None], stop: threading.Event
) -> bool:
    """Say whether a file is there with one of these SHA-256; ``show`` counts what was read."""
    digest = hashlib.sha256()
    try:
        with long_path(path).open("rb", buffering=0) as file:
            while data := file.read(4 * _PIECE_BYTES):
                if stop.is_set():
                    raise Stopped
                digest.update(data)
                show(len(data))
    except OSError:
        return False
    return digest.hexdigest() in sha256s


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the disk knows no such names."""
    source, target = long_path(source), long_path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def delete_folder(folder: Path) -> None:
    """Delete a folder with all that is in it. Raises OSError."""
    shutil.rmtree(long_path(folder))


def long_path(path: Path) -> Path:
    """Return a path that Windows takes at any length; elsewhere the path itself."""
    if sys.platform != "win32" or str(path).startswith("\\\\"):
        return path
    return Path("\\\\?\\" + str(path.absolute()))


def _opened(wheel: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(wheel)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise PackFailed(f"{wheel.name} is no wheel: {error}.", _HINT, "damaged") from error


def _check(name: str, entries: list[zipfile.ZipInfo], most_bytes: int) -> None:
    """Raise PackFailed when any entry is not a plain file at home, or all are too many."""
    if len(entries) > _MOST_FILES:
        raise PackFailed(f"{name} holds too many files.", _HINT, "unsafe")
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        # Where it goes counts, too: "x.data/purelib//etc/x" is at home, "/etc/x" is not.
        place = placed(entry.filename) or entry.filename
        inside = _is_inside(entry.filename) and _is_inside(place)
        if not inside or kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise PackFailed(
                f"{name} holds “{entry.filename[:200]}”, which would be written elsewhere.",
                _HINT,
                "unsafe",
            )
    total = sum(entry.file_size for entry in entries if placed(entry.filename))
    if total > most_bytes:
        raise PackFailed(
            f"{name} would unpack to {total} bytes, more than it should ({most_bytes}).",
            _HINT,
            "unsafe",
        )


def _is_inside(name: str) -> bool:
    """Say whether a name stays in its folder, on every system."""
    parts = PurePosixPath(name).parts
    plain = name and not name.startswith("/") and not set(name) & set("\\:\0")
    return bool(plain) and ".." not in parts


def _write(
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    target: Path,
    done: int,
    show: Callable[[int], None],
    stop: threading.Event,
) -> int:
    """Write one entry; return the bytes so far."""
    path = long_path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # never through a second name of another pack's file
    left = entry.file_size
    try:
        with archive.open(entry) as source, path.open("xb") as file:
            while left and (data := source.read(min(_PIECE_BYTES, left))):
                if stop.is_set():
                    raise Stopped
                left -= file.write(data)
                done += len(data)
                show(done)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise PackFailed(
            f"{entry.filename} cannot be unpacked: {error}.", _HINT, "damaged"
        ) from error
    if left:
        raise PackFailed(f"{entry.filename} is shorter than its wheel says.", _HINT, "damaged")
    if entry.external_attr >> 16 & 0o111:
        path.chmod(0o755)
    return done


def _listed(line: list[str]) -> Listed:
    method, _, encoded = line[1].partition("=")
    sha256 = ""
    if method == "sha256":
        with contextlib.suppress(ValueError):
            sha256 = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).hex()
    return Listed(placed(line[0]), sha256, int(line[2]) if line[2].isdecimal() else 0)
