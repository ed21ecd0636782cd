"""The installer's command line: what the .run's shell part, or ROOT/uninstall, calls."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import interrupts
from .arrival import Packed, install, progress_words
from .menu import add_to_menu
from .places import Places
from .removal import uninstall
from .words import Refused, tell


def main(arguments: Sequence[str] | None = None) -> int:
    """Install or remove; return 0, 1 after one sentence why not, or 130 after an interrupt."""
    options = _parser().parse_args(arguments)
    interrupts.obey()
    try:
        places = Places.of_user(options.folder)
        if options.command == "install":
            _install(places, options)
        else:
            uninstall(places, with_data=options.with_data, agreed=_asked(options), say=_say)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            tell(
                "Interrupted; nothing was changed.",
                "已中断;没有任何改动。",
                "中断しました。何も変えていません。",
            ),
            file=sys.stderr,
        )
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="skein-installer")
    commands = parser.add_subparsers(dest="command", required=True)
    into = commands.add_parser("install")
    into.add_argument("--folder", type=Path)
    into.add_argument("--partial", type=Path, required=True)
    into.add_argument("--file", type=Path, required=True)
    into.add_argument("--offset", type=int, required=True)
    into.add_argument("--size", type=int, required=True)
    into.add_argument("--downgrade", action="store_true")
    into.add_argument("--yes", action="store_true")
    out = commands.add_parser("uninstall")
    out.add_argument("--folder", type=Path)
    out.add_argument("--with-data", action="store_true")
    out.add_argument("--yes", action="store_true")
    return parser


def _say(text: str) -> None:
    print(text, flush=True)


def _asked(options: argparse.Namespace) -> Callable[[str], bool]:
    def agreed(question: str) -> bool:
        _say(question)
        if options.yes:
            return True
        if not sys.stdin.isatty():
            return False
        word = tell("Type yes to go on: ", "输入 yes 继续:", "続けるには yes と入力:")
        try:
            return input(word).strip().lower() == "yes"
        except EOFError:  # Ctrl+D
            _say("")
            return False

    return agreed


def _install(places: Places, options: argparse.Namespace) -> None:
    packed = Packed(options.file, options.offset, options.size)
    partial = options.partial.resolve()
    version = install(places, partial, packed, _progress(), downgrade=options.downgrade)
    try:
        said = add_to_menu(places, places.root / "installer" / "share")
    except OSError as error:
        said = [
            tell(
                f"The menu entry could not be made ({error.strerror}).",
                f"无法创建菜单项({error.strerror})。",
                f"メニュー項目を作れませんでした({error.strerror})。",
            )
        ]
    if Path("/opt/skein/current").is_file() and places.root != Path("/opt/skein"):
        said.append(
            tell(
                "Skein is installed for everybody, too (/opt/skein); your menu starts this one.",
                "系统中还为所有用户安装了 Skein(/opt/skein);你的菜单会启动这一个。",
                "全員用の Skein も入っています(/opt/skein)。メニューからはこちらが起動します。",
            )
        )
    _say(_installed(places, version))
    for line in said:
        _say(line)


def _installed(places: Places, version: str) -> str:
    command = "skein" if str(places.bin) in os.environ.get("PATH", "").split(":") else ""
    start = command or str(places.root / "skein")
    remove = str(places.root / "uninstall")
    return tell(
        f"Skein {version} is installed in {places.root}.\n"
        f"Start it from the menu, or with: {start}\nRemove it with: {remove}",
        f"Skein {version} 已安装到 {places.root}。\n从菜单启动,或运行:{start}\n卸载请运行:{remove}",
        f"Skein {version} を {places.root} にインストールしました。\n"
        f"メニューから、または次のコマンドで起動:{start}\n削除するには:{remove}",
    )


def _progress() -> Callable[[int, int], None]:
    """Return what shows how far it is: one line of a terminal, nothing in a file."""
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        share = done * 100 // total if total else 100
        if share != shown and sys.stderr.isatty():
            shown = share
            end = "\n" if share >= 100 else ""
            print(f"\r  {progress_words(done, total)}   ", end=end, file=sys.stderr, flush=True)

    return show
