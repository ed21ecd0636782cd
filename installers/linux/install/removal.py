"""Taking Skein away. The user's models, chats and states stay unless they are asked for by name."""

import shutil
from collections.abc import Callable
from pathlib import Path

from . import interrupts
from .menu import remove_from_menu
from .places import Places, running, size_of
from .words import Refused, size_words, tell

_OURS = ("versions", "installer", "next", "previous", "trying", "failed", "rolled_back", "channel")
_LAST = ("current", "skein", "uninstall", ".installer.lock")
_PIECES = (
    ".installer-*",
    ".partial-installer-*",
    ".skein-*",
    *(f".{name}.*" for name in (*_OURS, *_LAST)),
)
"""What a kill in the middle of a write leaves."""
_PARTS = (
    ("models", ("models",)),
    ("states", ("states",)),
    ("chats", ("chats.sqlite3", "chats.sqlite3-wal", "chats.sqlite3-shm")),
    ("GPU packs", ("packs",)),
)


def uninstall(
    places: Places, *, with_data: bool, agreed: Callable[[str], bool], say: Callable[[str], None]
) -> None:
    """Remove the program, and with ``with_data`` what the user made with it, after asking.

    agreed: shows a question and returns whether it was answered with yes. Raises Refused.
    """
    if not (places.root / "current").is_file() and not places.versions.is_dir():
        raise Refused(
            tell(
                f"There is no Skein in {places.root}. Say with --folder where it is.",
                f"{places.root} 中没有 Skein。请用 --folder 指明它的位置。",
                f"{places.root} に Skein はありません。--folder で場所を指定してください。",
            )
        )
    if running(places.root):
        raise Refused(
            tell(
                "Skein is running. Close it first; nothing was removed.",
                "Skein 正在运行。请先关闭它;没有删除任何内容。",
                "Skein が動いています。先に閉じてください。何も削除していません。",
            )
        )
    if with_data and not agreed(_question(places)):
        raise Refused(tell("Nothing was removed.", "没有删除任何内容。", "何も削除していません。"))
    interrupts.ignore()
    remove_from_menu(places)
    _remove_program(places.root, say)
    _finish_data(places, with_data, say)


def _question(places: Places) -> str:
    return tell(
        "This deletes Skein and everything that you made with it, for good:",
        "这将永久删除 Skein 以及你用它创建的一切:",
        "Skein と、それで作ったすべてを完全に削除します:",
    ) + "".join(f"\n  {line}" for line in data_lines(places))


def data_lines(places: Places) -> list[str]:
    """Return a line for each folder of the user's data that there is: path, size, what is in it."""
    return [
        f"{folder.resolve()}  {size_words(size_of(folder))}{_inside(folder)}"
        for folder in places.data
        if folder.exists()
    ]


def _inside(folder: Path) -> str:
    sizes = {
        title: sum(size_of(folder / name) for name in names)
        for title, names in _PARTS
        if any((folder / name).exists() for name in names)
    }
    words = ", ".join(f"{title} {size_words(size)}" for title, size in sizes.items())
    return f" ({words})" if words else ""


def _remove_program(root: Path, say: Callable[[str], None]) -> None:
    pieces = [path for pattern in _PIECES for path in root.glob(pattern)]
    for path in (*(root / name for name in _OURS), *pieces, *(root / name for name in _LAST)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    try:
        root.rmdir()
    except OSError:
        say(
            tell(
                f"{root} holds files that are not Skein's; they stay.",
                f"{root} 中有不属于 Skein 的文件,已保留。",
                f"{root} には Skein のものではないファイルがあり、残してあります。",
            )
        )
    say(tell("Skein was removed.", "已卸载 Skein。", "Skein をアンインストールしました。"))


def _finish_data(places: Places, with_data: bool, say: Callable[[str], None]) -> None:
    lines = data_lines(places)
    if with_data:
        for folder in places.data:
            shutil.rmtree(folder.resolve(), ignore_errors=True)
            if folder.is_symlink():
                folder.unlink()
        lines = data_lines(places)
    if lines:
        say(
            tell(
                "Your models, chats, states and settings stay:",
                "你的模型、对话、状态和设置保留在:",
                "モデル、チャット、ステート、設定は残っています:",
            )
        )
        for line in lines:
            say(f"  {line}")
