"""Can a window be opened here at all? Asked before Qt is: it would end the process (signal 6).

On Linux only. What may be missing: a display, or a library that Qt's part for displays wants; then
the package is named. Knows no Qt; what it loads, Qt would load a moment later anyway.
"""

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from engine.errors import EngineError

_PLUGINS = {"xcb": "libqxcb.so", "wayland": "libqwayland.so"}
_ALWAYS = ("lib/libQt6Widgets.so.6", "lib/libQt6Network.so.6")
_INSTALL = {
    "apt-get": "sudo apt-get install",
    "dnf": "sudo dnf install",
    "pacman": "sudo pacman -S",
    "zypper": "sudo zypper install",
}
_TABLE = """
libEGL.so.1             libegl1 libglvnd-egl libglvnd Mesa-libEGL1
libGL.so.1              libgl1 libglvnd-glx libglvnd Mesa-libGL1
libX11.so.6             libx11-6 libX11 libx11 libX11-6
libX11-xcb.so.1         libx11-xcb1 libX11-xcb libx11 libX11-xcb1
libdbus-1.so.3          libdbus-1-3 dbus-libs dbus libdbus-1-3
libfontconfig.so.1      libfontconfig1 fontconfig fontconfig fontconfig
libfreetype.so.6        libfreetype6 freetype freetype2 libfreetype6
libglib-2.0.so.0        libglib2.0-0 glib2 glib2 libglib-2_0-0
libgthread-2.0.so.0     libglib2.0-0 glib2 glib2 libgthread-2_0-0
libgssapi_krb5.so.2     libgssapi-krb5-2 krb5-libs krb5 krb5
libwayland-client.so.0  libwayland-client0 libwayland-client wayland libwayland-client0
libwayland-cursor.so.0  libwayland-cursor0 libwayland-cursor wayland libwayland-cursor0
libxcb-cursor.so.0      libxcb-cursor0 xcb-util-cursor xcb-util-cursor libxcb-cursor0
libxcb-glx.so.0         libxcb-glx0 libxcb libxcb libxcb-glx0
libxcb-icccm.so.4       libxcb-icccm4 xcb-util-wm xcb-util-wm libxcb-icccm4
libxcb-image.so.0       libxcb-image0 xcb-util-image xcb-util-image libxcb-image0
libxcb-keysyms.so.1     libxcb-keysyms1 xcb-util-keysyms xcb-util-keysyms libxcb-keysyms1
libxcb-randr.so.0       libxcb-randr0 libxcb libxcb libxcb-randr0
libxcb-render-util.so.0 libxcb-render-util0 xcb-util-renderutil xcb-util-renderutil libxcb-render-util0
libxcb-render.so.0      libxcb-render0 libxcb libxcb libxcb-render0
libxcb-shape.so.0       libxcb-shape0 libxcb libxcb libxcb-shape0
libxcb-shm.so.0         libxcb-shm0 libxcb libxcb libxcb-shm0
libxcb-sync.so.1        libxcb-sync1 libxcb libxcb libxcb-sync1
libxcb-util.so.1        libxcb-util1 xcb-util xcb-util libxcb-util1
libxcb-xfixes.so.0      libxcb-xfixes0 libxcb libxcb libxcb-xfixes0
libxcb-xkb.so.1         libxcb-xkb1 libxcb libxcb libxcb-xkb1
libxcb.so.1             libxcb1 libxcb libxcb libxcb1
libxkbcommon-x11.so.0   libxkbcommon-x11-0 libxkbcommon-x11 libxkbcommon-x11 libxkbcommon-x11-0
libxkbcommon.so.0       libxkbcommon0 libxkbcommon libxkbcommon libxkbcommon0
"""  # noqa: E501
_PACKAGES = {line.split()[0]: line.split()[1:] for line in _TABLE.strip().splitlines()}
"""The package of each library, in the order of ``_INSTALL``."""


class NoDisplay(EngineError):
    """There is no display, or none that answers: nothing is wrong with this Skein."""


def display_problem(
    environ: Mapping[str, str] = os.environ, qt: Path | None = None
) -> EngineError | None:
    """Return why no window can be opened, with what to do about it; None when one can.

    qt: the folder with Qt's plugins and lib; None finds PySide6's.
    """
    if not sys.platform.startswith("linux"):
        return None
    qt = qt or _qt_folder()
    if qt is None:
        return None  # some other Qt than PySide6's wheel: it speaks for itself
    for name in _ALWAYS:
        if words := _cannot_load(qt / name):
            return _lacks(words, qt, environ)
    problems = [_problem_with(platform, qt, environ) for platform in _platforms(environ)]
    return None if None in problems else next(iter(problems), None)


def _qt_folder() -> Path | None:
    found = importlib.util.find_spec("PySide6")
    places = found.submodule_search_locations if found else None
    qt = Path(next(iter(places)), "Qt") if places else None
    return qt if qt and (qt / "plugins" / "platforms").is_dir() else None


def _platforms(environ: Mapping[str, str]) -> list[str]:
    """Return what Qt tries, in its order: what the user wants, else Wayland where there is one."""
    if wanted := environ.get("QT_QPA_PLATFORM"):
        return [part.partition(":")[0] for part in wanted.split(";")]
    return ["wayland", "xcb"] if environ.get("WAYLAND_DISPLAY") else ["xcb"]


def _problem_with(platform: str, qt: Path, environ: Mapping[str, str]) -> EngineError | None:
    if platform not in _PLUGINS:
        return None  # offscreen, vnc: nothing that we could ask
    if platform == "xcb" and not environ.get("DISPLAY"):
        return _no_display(environ)
    if words := _cannot_load(qt / "plugins" / "platforms" / _PLUGINS[platform]):
        return _lacks(words, qt, environ)
    answers = _wayland_answers if platform == "wayland" else _x_answers
    return None if answers() else _silent(platform, environ)


def _cannot_load(library: Path) -> str:
    """Return what the system says when it cannot load a library, "" when it can."""
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return str(error)
    return ""


def _x_answers() -> bool:
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    works = xcb.xcb_connection_has_error(connection) == 0
    xcb.xcb_disconnect(connection)
    return works


def _wayland_answers() -> bool:
    client = ctypes.CDLL("libwayland-client.so.0")
    client.wl_display_connect.restype = ctypes.c_void_p
    connection = client.wl_display_connect(None)
    if connection is None:
        return False
    client.wl_display_disconnect(ctypes.c_void_p(connection))
    return True


# ---- what is said ---------------------------------------------------------------------------


def _lacks(words: str, qt: Path, environ: Mapping[str, str]) -> EngineError:
    """Name what is missing: the library that the system named, and all others we know of."""
    named = re.match(r"(lib\S+\.so[.\d]*): cannot open", words)
    if named is None:
        return EngineError(
            _in(environ, "Qt cannot be loaded: ", "无法加载 Qt:", "Qt を読み込めません:") + words,
            _in(environ, "Install Skein again.", "请重新安装。", "再インストールしてください。"),
        )
    ours = (qt / "lib", Path(sys.prefix) / "lib" / "system")  # the latter: an installed Skein's
    others = [n for n in _PACKAGES if not any((folder / n).exists() for folder in ours)]
    missing = [named[1], *(n for n in others if n != named[1] and _cannot_load(Path(n)))]
    names = ", ".join(missing)
    return EngineError(
        _in(
            environ,
            f"Skein cannot open a window: this Linux lacks {names}.",
            f"Skein 无法打开窗口:此 Linux 缺少 {names}。",
            f"ウィンドウを開けません:この Linux には {names} がありません。",
        ),
        _install_words(missing, environ),
    )


def _install_words(missing: list[str], environ: Mapping[str, str]) -> str:
    for column, (manager, command) in enumerate(_INSTALL.items()):
        if shutil.which(manager):
            packages = sorted({_PACKAGES[name][column] for name in missing if name in _PACKAGES})
            if not packages:
                break
            line = f"{command} {' '.join(packages)}"
            return _in(
                environ,
                f"Install it with “{line}”, then start Skein again.",
                f"请用“{line}”安装,然后重新启动 Skein。",
                f"「{line}」でインストールして、もう一度起動してください。",
            )
    return _in(
        environ,
        "Install the package that has it, then start Skein again.",
        "请安装包含它的软件包,然后重新启动 Skein。",
        "それを含むパッケージを入れて、もう一度起動してください。",
    )


def _no_display(environ: Mapping[str, str]) -> EngineError:
    return NoDisplay(
        _in(
            environ,
            "There is no display to open a window on.",
            "没有可以打开窗口的显示器。",
            "ウィンドウを開くディスプレイがありません。",
        ),
        _in(
            environ,
            "Start Skein from a desktop. Without one its commands work: skein --help.",
            "请在桌面环境中启动 Skein。没有桌面时可以使用命令行:skein --help。",
            "デスクトップから起動してください。コマンドはここでも使えます:skein --help。",
        ),
    )


def _silent(platform: str, environ: Mapping[str, str]) -> EngineError:
    name = environ.get("WAYLAND_DISPLAY" if platform == "wayland" else "DISPLAY", "")
    return NoDisplay(
        _in(
            environ,
            f"The display “{name}” does not answer.",
            f"显示器“{name}”没有响应。",
            f"ディスプレイ「{name}」が応答しません。",
        ),
        _in(
            environ,
            "Start Skein from the desktop itself, or over SSH with “ssh -X”.",
            "请在桌面环境中直接启动 Skein,或通过“ssh -X”启动。",
            "デスクトップから直接、または SSH なら「ssh -X」で起動してください。",
        ),
    )


def _in(environ: Mapping[str, str], english: str, chinese: str, japanese: str) -> str:
    """Return the sentence in the locale's language: Qt's translations are not there yet."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((environ[name] for name in names if environ.get(name)), "")
    if locale.startswith("zh"):
        return chinese
    return japanese if locale.startswith("ja") else english


def say_without_qt(error: EngineError) -> None:
    """Tell the user: in the terminal, and in a box of whatever the desktop has, without ours."""
    text = f"{error.message}\n{error.hint}"
    print(text, file=sys.stderr)
    if sys.stderr.isatty() or not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    boxes = (
        ["zenity", "--error", "--no-markup", "--title=Skein", f"--text={text}"],
        ["kdialog", "--title", "Skein", "--error", text],
        ["xmessage", "-center", "-title", "Skein", text],
    )
    for command in boxes:
        if shutil.which(command[0]):
            subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
            return
