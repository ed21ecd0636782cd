"""Which packs there are: rows of pinned wheels, from resources or from a newer signed table.

Knows files and their form, not this computer and no network.
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from engine.files import write_atomically
from engine.folders import Folders
from engine.updates.source import UpdateSource, is_signed

FORMAT = 1
SYSTEMS = ("linux-x86_64", "linux-aarch64", "windows-x86_64")
"""Where PyTorch has CUDA builds, in our names of targets."""
_MOST_BYTES = 2**20
_MOST_WHEELS = 64
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WHEEL_FILE = re.compile(r"[A-Za-z0-9][\w.+!]*(-[\w.+!]+){4,5}\.whl")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wheel:
    """One pinned wheel: the project's name, its version, the file's name, bytes and SHA-256."""

    name: str
    version: str
    file: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PackRow:
    """One pack. Without wheels it is known but not pinned yet, so it is never offered.

    name: PyTorch's word for the build, such as cu130. torch: its version without the build.
    python, system: which Python (cp311) and target (linux-x86_64) the wheels are for.
    capability_from, capability_to: cards that it has code for, with all later ones of the last
    generation. driver_from: the oldest driver's first number. installed_bytes: unpacked size.
    index: the address that the pins were found at, "" for that of this Python's pip. note: why
    nothing is pinned, or "".
    """

    name: str
    torch: str
    python: str
    system: str
    capability_from: tuple[int, int]
    capability_to: tuple[int, int]
    driver_from: int
    wheels: tuple[Wheel, ...]
    installed_bytes: int
    index: str = ""
    note: str = ""

    @property
    def folder(self) -> str:
        """The name of its folder: what the wheels are, for which Python."""
        return f"{self.name}-{self.torch}-{self.python}"

    @property
    def download_bytes(self) -> int:
        """What all wheels weigh."""
        return sum(wheel.size_bytes for wheel in self.wheels)

    @property
    def pinned(self) -> bool:
        """Whether it can be fetched."""
        return bool(self.wheels)

    def has_code_for(self, capability: tuple[int, int]) -> bool:
        """Whether a card runs: code for a generation runs on its later members too."""
        return self.capability_from <= capability <= (self.capability_to[0], 99)


@dataclass(frozen=True, slots=True)
class Table:
    """All rows, and the day (ISO) on which the table was made."""

    date: str
    rows: tuple[PackRow, ...]


def load_table(
    folders: Folders | None = None, keys: tuple[str, ...] | None = None
) -> tuple[PackRow, ...]:
    """Return the rows of the newest table: that of this version, or a signed later one.

    keys: whose signature counts (hex), None = those that are built in. Never raises for what lies
    in the data folder: a table that is damaged, older or not signed is passed over and logged.
    """
    own = parse_table(files("resources").joinpath("gpu_packs.json").read_bytes())
    trusted = UpdateSource.built_in().keys if keys is None else keys
    later = _kept_table(folders, trusted) if folders else None
    return (later if later and later.date > own.date else own).rows


def parse_table(data: bytes) -> Table:
    """Return what a table's bytes say; the feed of updates may hold one as ``gpu_packs``.

    Raises ValueError that says what is wrong.
    """
    if len(data) > _MOST_BYTES:
        raise ValueError(f"a table of {len(data)} bytes is too large")
    try:
        raw = json.loads(data)
    except RecursionError:
        raise ValueError("a table is not nested so deeply") from None
    if isinstance(raw, dict) and "gpu_packs" in raw:
        raw = raw["gpu_packs"]
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise ValueError(f"not a table of packs of format {FORMAT}")
    if not isinstance(raw.get("packs"), list) or not isinstance(raw.get("date"), str):
        raise ValueError("a table needs packs and a date")
    return Table(raw["date"], tuple(_row(entry) for entry in raw["packs"]))


def dump_table(table: Table) -> bytes:
    """Return the table as ``parse_table`` reads it, wheels one a line."""
    packs = [_plain_row(row) for row in table.rows]
    text = json.dumps({"format": FORMAT, "date": table.date, "packs": packs}, indent=1)
    return (
        re.sub(r"\{\s+(\"name\": [^{}\[\]]*\"sha256\": \"\w*\")\s+\}", _one_line, text) + "\n"
    ).encode()


def keep_table(folders: Folders, data: bytes, signature: str) -> None:
    """Keep a later table, or a feed that holds one, with its signature (base64 of ed25519).

    Raises ValueError when it is no table; OSError when the disk is full or read-only.
    """
    parse_table(data)
    path = _kept_path(folders)
    write_atomically(_signature_path(path), signature.encode())
    write_atomically(path, data)


def _kept_path(folders: Folders) -> Path:
    return folders.data / "gpu_packs.json"


def _signature_path(path: Path) -> Path:
    return path.with_name(path.name + ".sig")


def _kept_table(folders: Folders, keys: tuple[str, ...]) -> Table | None:
    path = _kept_path(folders)
    try:
        data = path.read_bytes()
        signature = _signature_path(path).read_bytes()
        if not is_signed(data, signature, keys):
            _log.warning("gpu packs: %s is not signed by a key of this version", path)
            return None
        return parse_table(data)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _log.warning("gpu packs: %s cannot be used: %s", path, error)
        return None


def _row(raw: Any) -> PackRow:  # noqa: ANN401
    text = _texts(raw, "name", "torch", "python", "system")
    wheels = raw.get("wheels", [])
    if not isinstance(wheels, list) or len(wheels) > _MOST_WHEELS:
        raise ValueError(f"the wheels of {text['name']} are not a list")
    if not re.fullmatch(r"[a-z0-9]{1,16}", text["name"]):
        raise ValueError(f"{text['name']!r} cannot be the name of a pack")
    if not re.fullmatch(r"[\w.]{1,24}", text["torch"]) or not re.fullmatch(
        r"cp3\d{1,2}", text["python"]
    ):
        raise ValueError(f"the pack {text['name']} does not say which PyTorch and Python it is")
    return PackRow(
        **text,
        capability_from=_capability(raw.get("capability_from")),
        capability_to=_capability(raw.get("capability_to")),
        driver_from=_whole(raw, "driver_from"),
        wheels=tuple(_wheel(wheel) for wheel in wheels),
        installed_bytes=_whole(raw, "installed_bytes"),
        index=str(raw.get("index", "")),
        note=str(raw.get("note", "")),
    )


def _wheel(raw: Any) -> Wheel:  # noqa: ANN401
    text = _texts(raw, "name", "version", "file", "sha256")
    if not _WHEEL_FILE.fullmatch(text["file"]) or not _SHA256.fullmatch(text["sha256"]):
        raise ValueError(f"{text['file']!r} is no wheel with a SHA-256")
    return Wheel(**text, size_bytes=_whole(raw, "size_bytes"))


def _texts(raw: Any, *names: str) -> dict[str, str]:  # noqa: ANN401
    if not isinstance(raw, Mapping):
        raise ValueError("a row or a wheel is not an object")
    for name in names:
        if not isinstance(raw.get(name), str) or not raw[name]:
            raise ValueError(f"{name} is missing or not a text")
    return {name: raw[name] for name in names}


def _whole(raw: Mapping[str, Any], name: str) -> int:
    value = raw.get(name)
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} is not a whole number of at least 0")
    return value


def _capability(raw: Any) -> tuple[int, int]:  # noqa: ANN401
    if not isinstance(raw, list) or [type(part) for part in raw] != [int, int]:
        raise ValueError("a compute capability is two whole numbers")
    return raw[0], raw[1]


def _plain_row(row: PackRow) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in PackRow.__slots__ if name != "wheels"}
    wheels = [{name: getattr(wheel, name) for name in Wheel.__slots__} for wheel in row.wheels]
    return plain | {"wheels": wheels}


def _one_line(found: re.Match[str]) -> str:
    return "{" + re.sub(r"\s*\n\s*", " ", found[1]) + "}"
