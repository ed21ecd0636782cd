"""Where things lie for one user: the program, what the desktop reads, the user's own data."""

import os
from dataclasses import dataclass
from pathlib import Path

from .words import Refused, tell


@dataclass(frozen=True, slots=True)
class Places:
    """root: the program. share, bin: what a desktop reads. data: what the user made."""

    root: Path
    share: Path
    bin: Path
    data: tuple[Path, ...]

    @classmethod
    def of_user(cls, root: Path | None) -> "Places":
        """Return the places of whoever runs this; root: None stands for ~/.local/opt/skein.

        Raises Refused when there is no home folder.
        """
        home = os.environ.get("HOME", "")
        if not home.startswith("/"):
            raise Refused(
                tell(
                    "There is no home folder: the variable HOME is empty. Set it and start again.",
                    "没有主目录:变量 HOME 为空。请设置后重试。",
                    "ホームフォルダーがありません(変数 HOME が空)。設定してやり直してください。",
                )
            )
        local = Path(home, ".local")
        share = _xdg("XDG_DATA_HOME", local / "share")
        data = (
            share / "Skein",
            _xdg("XDG_CONFIG_HOME", Path(home, ".config")) / "Skein",
            _xdg("XDG_CACHE_HOME", Path(home, ".cache")) / "Skein",
            _xdg("XDG_STATE_HOME", local / "state") / "Skein",
        )
        if own := os.environ.get("SKEIN_HOME"):
            home_of_data = Path(own).expanduser().absolute()
            data = tuple(home_of_data / name for name in ("data", "config", "cache", "logs"))
            if not (data[0] / "chats.sqlite3").is_file():
                data = ()  # a folder with such names that Skein did not make: not ours to delete
        return cls(
            (root or local / "opt" / "skein").resolve(),  # by one name, through whatever links
            share,
            local / "bin",
            data,
        )

    @property
    def versions(self) -> Path:
        """The folder with one folder a version."""
        return self.root / "versions"

    @property
    def record(self) -> Path:
        """What the installer wrote outside of root, a path a line."""
        return self.root / "installer" / "written.txt"


def _xdg(name: str, otherwise: Path) -> Path:
    named = os.environ.get(name, "")
    return Path(named) if named.startswith("/") else otherwise


def line_of(path: Path) -> str:
    """Return the first line of a file, "" when there is none."""
    try:
        return path.read_text("utf-8").partition("\n")[0].strip()
    except OSError:
        return ""


def put(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a small file whole or not at all. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, "utf-8")
        beside.chmod(mode)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Return the bytes of all files below a path; 0 when there is nothing."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size if path.is_symlink() or path.exists() else 0
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += Path(folder, name).lstat().st_size
            except OSError:
                continue
    return total


def running(root: Path) -> list[int]:
    """Return the processes, this one apart, whose program lies below ``root``."""
    found = []
    inside = f"{root.resolve()}/"
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            program = os.readlink(entry / "exe")
        except OSError:
            continue
        if program.startswith(inside) and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return sorted(found)
