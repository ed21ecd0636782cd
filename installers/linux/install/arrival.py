"""A version's way into its folder: unpacked beside, every file checked, renamed, switched to.

Whatever happens before the rename leaves nothing but a hidden folder, which is removed at once or,
after a kill, by the next installer. An older version stays as ``previous``.
"""

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import json
import lzma
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from . import interrupts
from .places import Places, line_of, put, running
from .words import Refused, size_words, tell

PARTIAL = ".partial-"
"""versions/.partial-<version>-<process>: what is being unpacked."""
_BLOCK_BYTES = 1 << 20
_WRITTEN = "current|next|previous|trying|failed|rolled_back|channel|skein|uninstall"
_LEFT = re.compile(rf"\.(?:partial-.+-|installer-|(?:{_WRITTEN})\.)(\d+)(?:-old)?")
"""What an installer or a launcher writes beside before it renames it: it ends in its process. By
name, since the folder may hold more than Skein."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Where the .run keeps the files that are not unpacked yet: a tar.xz inside ``file``."""

    file: Path
    offset: int
    size: int


def install(
    places: Places,
    partial: Path,
    packed: Packed,
    progress: Callable[[int, int], None],
    *,
    downgrade: bool = False,
) -> str:
    """Make a version out of ``partial``, which holds Python and manifest.json, and ``packed``.

    progress: called with the bytes that are there and all of them. Returns the version.
    Raises Refused; ``partial`` is gone then, and all else as it was.
    """
    try:
        with _locked(places.root):
            manifest = json.loads((partial / "manifest.json").read_text("utf-8"))
            version = str(manifest["version"])
            _refuse_older(places, version, downgrade)
            _refuse_running(places, version)
            _remove_leftovers(places, partial)
            _complete(partial, manifest, packed, progress)
            os.sync()
            _refuse_running(places, version)  # started while this was being unpacked
            interrupts.ignore()
            _switch(places, partial, version)
            _prune(places)
            return version
    except OSError as error:
        raise _refused(error, places.root) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        _remove_if_empty(places)


# ---- before ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    with (root / ".installer.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise Refused(
                tell(
                    f"Another installer works in {root}. Wait until it has ended.",
                    f"另一个安装程序正在使用 {root}。请等它结束。",
                    f"別のインストーラーが {root} で動いています。終わるまでお待ちください。",
                )
            ) from error
        yield


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers, to be compared; what is not a number counts as 0."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def _refuse_older(places: Places, version: str, downgrade: bool) -> None:
    there = line_of(places.root / "current")
    if downgrade or not there or _numbers(version) >= _numbers(there):
        return
    raise Refused(
        tell(
            f"{there} is installed, and this is the older {version}, which may not be able to open"
            " its chats. Keep the newer one, or say --downgrade.",
            f"已安装 {there},而这是更旧的 {version},可能打不开它的对话。"
            "请保留新版本,或加上 --downgrade。",
            f"{there} がインストール済みで、これは古い {version} です。"
            "チャットを開けないかもしれません。"
            "新しいほうを使うか、--downgrade を付けてください。",
        )
    )


def _refuse_running(places: Places, version: str) -> None:
    """A running program keeps its own version's folder; only that one must not be replaced."""
    folder = places.versions / version
    if folder.exists() and running(folder):
        raise Refused(
            tell(
                f"Skein {version} is running. Close it, then start the installer again.",
                f"Skein {version} 正在运行。请关闭它,再重新启动安装程序。",
                f"Skein {version} が動いています。閉じてから、もう一度始めてください。",
            )
        )


def _remove_leftovers(places: Places, mine: Path) -> None:
    """Remove what installers that were killed left behind; those that live keep theirs."""
    for path in (*places.versions.glob(f"{PARTIAL}*"), *places.root.glob(".*")):
        left = _LEFT.fullmatch(path.name)
        if path == mine or left is None or Path("/proc", left[1]).exists():
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _remove_if_empty(places: Places) -> None:
    """Leave no folder behind when nothing was installed, and nothing had been there."""
    if not (places.root / "current").exists():
        with contextlib.suppress(OSError):
            places.versions.rmdir()
            (places.root / ".installer.lock").unlink(missing_ok=True)
            places.root.rmdir()


# ---- unpacking ------------------------------------------------------------------------------


def _complete(
    partial: Path,
    manifest: dict[str, Any],
    packed: Packed,
    progress: Callable[[int, int], None],
) -> None:
    """Unpack the rest and hold every file against the manifest. Raises Refused, OSError."""
    wanted = {str(file["path"]): file for file in manifest["files"]}
    total = int(manifest["size_bytes"])
    there = 0
    for path in sorted(wanted):
        if (partial / path).is_file():  # came with Python
            there += _check(wanted.pop(path), _hash_of(partial / path))
    try:
        for member, file in _members(packed):
            there += _check(wanted.pop(member.name, None), _written(member, file, partial))
            progress(there, total)
    except (lzma.LZMAError, tarfile.TarError, EOFError) as error:
        raise _damaged() from error
    if wanted:
        raise _damaged()


def _members(packed: Packed) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    with packed.file.open("rb") as file:
        file.seek(packed.offset)
        with lzma.open(file) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content is not None:
                    yield member, content


def _written(member: tarfile.TarInfo, content: IO[bytes], folder: Path) -> str:
    """Write a file; return its SHA-256. Its name is the manifest's, or nothing is written."""
    target = folder / member.name
    if member.name.startswith("/") or ".." in target.parts:
        raise _damaged()
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("wb") as out:
        while block := content.read(_BLOCK_BYTES):
            digest.update(block)
            out.write(block)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)
    return digest.hexdigest()


def _hash_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _check(wanted: dict[str, Any] | None, found: str) -> int:
    """Return the size of a file that is as the manifest says. Raises Refused."""
    if wanted is None or wanted["sha256"] != found:
        raise _damaged()
    return int(wanted["size"])


def _damaged() -> Refused:
    return Refused(
        tell(
            "This installer's file is damaged. Download it again; nothing was installed.",
            "安装文件已损坏。请重新下载;没有安装任何内容。",
            "インストーラーのファイルが壊れています。もう一度ダウンロードしてください。何も入れていません。",
        )
    )


def _refused(error: OSError, root: Path) -> Refused:
    """Return a sentence for what the system did not let us do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Refused(
            tell(
                f"There is no more room for {root}. Free some, or name another place with"
                " --folder; nothing was installed.",
                f"{root} 所在磁盘空间不足。请腾出空间,或用 --folder 指定其他位置;"
                "没有安装任何内容。",
                f"{root} の空き容量が足りません。空けるか、--folder で別の場所を指定してください。"
                "何も入れていません。",
            )
        )
    return Refused(
        tell(
            f"{error.filename or root}: {error.strerror}. Name another place with --folder;"
            " nothing was installed.",
            f"{error.filename or root}:{error.strerror}。请用 --folder 指定其他位置;"
            "没有安装任何内容。",
            f"{error.filename or root}:{error.strerror}。--folder で別の場所を指定してください。"
            "何も入れていません。",
        )
    )


# ---- switching ------------------------------------------------------------------------------


def _switch(places: Places, partial: Path, version: str) -> None:
    """Give the version its name and make it the current one. Raises OSError; it is gone then."""
    folder = places.versions / version
    was_there = folder.exists()
    new = places.root / f".installer-{os.getpid()}"
    try:
        (partial / "installer").rename(new)
        _take_place(partial, folder)
        _take_place(new, places.root / "installer")
        _choose(places, version)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        if not was_there:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _choose(places: Places, version: str) -> None:
    """Write the files beside versions/, ``current`` last."""
    root = places.root
    for name in ("skein", "uninstall"):
        put(root / name, (root / "installer" / name).read_text("utf-8"), 0o755)
    put(root / "channel", "run\n")
    old = line_of(root / "current")
    if old == version:
        return
    for name in ("next", "failed", "trying"):
        (root / name).unlink(missing_ok=True)
    if old and (places.versions / old / "manifest.json").is_file():
        put(root / "previous", f"{old}\n")
        put(root / "trying", f"{version} 0\n")  # the launcher goes back if it does not start
    put(root / "current", f"{version}\n")


def _take_place(new: Path, target: Path) -> None:
    """Rename a folder over another one; at no moment is there none."""
    if not target.exists():
        new.rename(target)
        return
    if not _exchange(new, target):
        aside = new.with_name(f"{PARTIAL}{target.name}-{os.getpid()}-old")
        target.rename(aside)
        new.rename(target)
        new = aside
    shutil.rmtree(new, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; say whether this system's C library and disk can."""
    swap = getattr(ctypes.CDLL(None), "renameat2", None)
    if swap is None:
        return False
    here, both = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return swap(here, os.fsencode(one), here, os.fsencode(other), both) == 0


def _prune(places: Places) -> None:
    """Remove versions that nobody starts any more: not current, previous, next, nor running.

    What a running program is fetching (.partial) is its own matter.
    """
    kept = {line_of(places.root / name) for name in ("current", "previous", "next")}
    for folder in places.versions.iterdir():
        ours = not folder.name.startswith(".") and not folder.name.endswith(".partial")
        if ours and folder.name not in kept and not running(folder):
            shutil.rmtree(folder, ignore_errors=True)


def progress_words(done: int, total: int) -> str:
    """Return how far it is, for one line of a terminal."""
    share = done * 100 // total if total else 100
    return f"{share:3d} %  {size_words(done)} / {size_words(total)}"
