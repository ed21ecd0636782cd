"""licences/ of a tree: the texts of all that is in it, and an index.

Each package's own licence files, or the standard text where its wheel has none (Qt's, for one),
CPython's, and those of copied system libraries (Debian's copyright files).
"""

import email
import email.message
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from installers.builder.standard_licences import copy_shared, texts_for

PROJECT = Path(__file__).parents[2]
_LOOKS_LIKE_ONE = re.compile(r"(?i)(licen[cs]e|copying|notice|authors|copyright)")
_ONLY_NAMES = re.compile(r"(?i)(notice|authors)")

_QT = """\
Qt and PySide6 (PySide6_Essentials, shiboken6) are used under the GNU Lesser General Public License,
version 3: LGPL-3.0.txt, which builds on GPL-3.0.txt. Their libraries are files of their own in
python/, not changed except for symbols taken out and paths by which they find each other; you may
replace them with your own builds. Their sources: the project's site, code.qt.io.
"""


@dataclass(frozen=True, slots=True)
class Licensed:
    """One line of the index: what, which version, under what, and where its texts lie."""

    name: str
    version: str
    licence: str
    files: tuple[str, ...]


def gather(tree: Path, site: Path, library: Path, copied: Iterable[Path]) -> list[str]:
    """Fill tree/licences; return the names of what no licence text was found for.

    library: CPython's; its licence lies there, on Windows in the folder above. copied: where the
    tree's system libraries came from.
    """
    folder = tree / "licences"
    folder.mkdir()
    entries = [_of_package(info, folder) for info in sorted(site.glob("*.dist-info"))]
    of_python = [place / "LICENSE.txt" for place in (library, library.parent)]
    entries.append(_copy("CPython", "", "PSF-2.0", of_python, folder))
    entries += _of_system_libraries(copied, folder)
    copy_shared(folder)
    (folder / "Qt.txt").write_text(_QT, "utf-8")
    shutil.copyfile(PROJECT / "LICENSE", folder / "Skein.txt")
    (folder / "INDEX.txt").write_text(_index(entries), "utf-8")
    return [entry.name for entry in entries if not _has_text(entry)]


def tidy(site: Path) -> None:
    """Remove from site-packages the texts that ``gather`` copied, and lists of components."""
    for info in site.glob("*.dist-info"):
        for name in ("licenses", "sboms"):
            shutil.rmtree(info / name, ignore_errors=True)
        for path in info.iterdir():
            if path.is_file() and _LOOKS_LIKE_ONE.search(path.name):
                path.unlink()


def _of_package(info: Path, folder: Path) -> Licensed:
    said = email.message_from_string((info / "METADATA").read_text("utf-8", "replace"))
    name, version = said["Name"], said["Version"]
    texts = [p for p in info.rglob("*") if p.is_file() and _LOOKS_LIKE_ONE.search(p.name)]
    texts += [p for p in info.glob("licenses/**/*") if p.is_file() and p not in texts]
    entry = _copy(name, version, _licence(said), texts, folder)
    if _has_text(entry):
        return entry
    standard = texts_for(name, entry.licence, _owner_of(said), folder)
    return replace(entry, files=entry.files + standard)


def _has_text(entry: Licensed) -> bool:
    """Say whether a licence is among the files, not only names of people."""
    return not all(_ONLY_NAMES.match(Path(file).name) for file in entry.files)


def _owner_of(said: email.message.Message) -> str:
    """Return who wrote a package: its name, else those before the addresses."""
    addresses = str(said["Author-email"] or "")
    names = [part.partition("<")[0].strip(' "') for part in addresses.split(",") if "<" in part]
    return str(said["Author"] or "").strip() or ", ".join(names)


def _licence(said: email.message.Message) -> str:
    """Return what a package says it is under: an expression, a short line, or classifiers."""
    if said["License-Expression"]:
        return said["License-Expression"]
    classes = [c.rpartition(" :: ")[2] for c in said.get_all("Classifier", []) if "License" in c]
    line = (said["License"] or "").strip().splitlines()
    return ", ".join(classes) or (line[0] if line else "see its text")


def _copy(name: str, version: str, licence: str, texts: list[Path], folder: Path) -> Licensed:
    placed = []
    for text in sorted(text for text in texts if text.is_file()):
        to = folder / name / text.name
        to.parent.mkdir(exist_ok=True)
        number = 2
        while to.exists() and to.read_bytes() != text.read_bytes():
            to = to.with_name(f"{text.stem}-{number}{text.suffix}")
            number += 1
        shutil.copyfile(text, to)
        placed.append(to.relative_to(folder).as_posix())
    return Licensed(name, version, licence, tuple(dict.fromkeys(placed)))


def _of_system_libraries(copied: Iterable[Path], folder: Path) -> list[Licensed]:
    """Return an entry for each of the system's packages that libraries were copied from."""
    owners: dict[str, list[str]] = {}
    for path in copied:
        owners.setdefault(_owner(path), []).append(path.name)
    found = []
    for owner, names in sorted(owners.items()):
        texts = [Path("/usr/share/doc", owner, "copyright")]  # Debian
        texts += sorted(Path("/usr/share/licenses", owner).glob("*"))  # Fedora and its like
        title = f"{owner} ({', '.join(sorted(names))})"
        placed = _copy(owner, "", "see its text", texts, folder).files
        found.append(Licensed(title, "", "see its text", placed))
    return found


def _owner(path: Path) -> str:
    """Return the package a library is from; its own name where neither dpkg nor rpm knows."""
    merged = Path("/", *path.parts[2:])  # /usr/lib and /lib are one folder
    for asked in (
        ["dpkg", "-S", str(path)],
        ["dpkg", "-S", str(merged)],
        ["rpm", "-q", "--queryformat", "%{NAME}:", "-f", str(path)],
    ):
        if shutil.which(asked[0]) is None:
            continue
        answer = subprocess.run(asked, capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return answer.stdout.split(":")[0]
    return path.name


def _index(entries: Iterable[Licensed]) -> str:
    lines = ["What this copy of Skein is made of, and under which licences.", ""]
    for entry in sorted(entries, key=lambda entry: entry.name.lower()):
        lines.append(f"{entry.name} {entry.version}".rstrip() + f": {entry.licence}")
        lines += [f"    {name}" for name in entry.files]
    return "\n".join([*lines, "", _QT])
