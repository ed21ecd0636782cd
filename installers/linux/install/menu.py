"""What a desktop shows for one user: menu entry, icons, file types, and ``skein`` in a terminal.

Copies what the .run carries below ``share`` and keeps a record of it. The menu starts the copy that
was installed last; only what starts this one is removed. A command of the user's own stays.
"""

import os
import shutil
import subprocess
from pathlib import Path

from .places import Places, put
from .words import tell

DESKTOP = "applications/skein.desktop"
_TOOLS = (
    ("update-desktop-database", "-q", "{share}/applications"),
    ("update-mime-database", "{share}/mime"),
)
"""Each is run where there is one: a desktop without it reads the files themselves."""
_TOOL_SECONDS = 60


def exec_words(program: Path) -> str:
    """Return a program's path as a desktop file's Exec wants it: quoted twice, % doubled."""
    text = str(program)
    for character in ("\\", '"', "`", "$"):
        text = text.replace(character, f"\\{character}")
    return '"' + text.replace("\\", "\\\\").replace("%", "%%") + '"'


def add_to_menu(places: Places, source: Path) -> list[str]:
    """Copy what lies below ``source`` to ``places.share``; return sentences for the user.

    Raises OSError when something cannot be written; what was written is in the record by then.
    """
    written: list[Path] = []
    try:
        for path in sorted(p for p in source.rglob("*") if p.is_file()):
            written.append(_copied(path, source, places))  # noqa: PERF401 - some, when one fails
        said = _link(places, written)
    finally:
        put(places.record, "".join(f"{path}\n" for path in written))
    _tell_desktop(places.share)
    return said


def _copied(path: Path, source: Path, places: Places) -> Path:
    name = path.relative_to(source)
    target = places.share / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if name.as_posix() == DESKTOP:
        text = path.read_text("utf-8")
        put(target, text.replace("Exec=skein ", f"Exec={exec_words(places.root / 'skein')} "))
    else:
        shutil.copyfile(path, target)
    return target


def _link(places: Places, written: list[Path]) -> list[str]:
    link = places.bin / "skein"
    if link.exists() and not _leads_to_a_skein(link):
        return [
            tell(
                f"{link} was not made by this installer and stays as it is.",
                f"{link} 不是由本安装程序创建的,保持不变。",
                f"{link} はこのインストーラーが作ったものではないので、そのままにします。",
            )
        ]
    places.bin.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(places.root / "skein")
    written.append(link)
    return []


def _leads_to_a_skein(link: Path) -> bool:
    return link.is_symlink() and (link.resolve().parent / "current").is_file()


def remove_from_menu(places: Places) -> None:
    """Remove what ``add_to_menu`` wrote, where it still leads to this Skein."""
    link = places.bin / "skein"
    if link.is_symlink() and link.readlink() == places.root / "skein":
        link.unlink()
    if not _is_ours(places):
        return
    for line in places.record.read_text("utf-8").splitlines():
        path = Path(line)
        if path != link and path.is_relative_to(places.share):
            path.unlink(missing_ok=True)
    _tell_desktop(places.share)


def _is_ours(places: Places) -> bool:
    """Say whether the menu's entry starts this Skein: another folder's may have taken its place."""
    try:
        text = (places.share / DESKTOP).read_text("utf-8")
        return exec_words(places.root / "skein") in text and places.record.is_file()
    except OSError:
        return False


def _tell_desktop(share: Path) -> None:
    icons = share / "icons" / "hicolor"
    if icons.is_dir():
        os.utime(icons)  # desktops look whether it is newer than what they know of it
    for program, *arguments in _TOOLS:
        if found := shutil.which(program):
            command = [found, *(argument.format(share=share) for argument in arguments)]
            try:
                subprocess.run(command, capture_output=True, timeout=_TOOL_SECONDS, check=False)
            except (OSError, subprocess.TimeoutExpired):
                continue
