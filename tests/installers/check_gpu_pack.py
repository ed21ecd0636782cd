"""A GPU pack of the real PyTorch for processors, end to end.

``python -m tests.installers.check_gpu_pack`` needs a wheel of torch (``--wheel FILE``) and a
minute; ``--tree ROOT`` tries the pack in a built tree, too. A local index serves the wheel; the
pack is fetched by a real process that is killed while it receives and while it unpacks, then
finished, tried out, damaged, repaired and removed; on a small disk (a tmpfs, where this user may
mount one) it must end in a sentence. Prints what everything took. The card is the one thing that
it does not need: the trial multiplies on the processor.

``--cuda-wheels FOLDER`` takes the table's real wheels for CUDA (gigabytes) instead, which lie in
that folder, and says at the end what the real trial says: without a card, that there is none.
"""

import argparse
import hashlib
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

from engine.errors import PackFailed
from engine.folders import Folders
from engine.gpu_pack.choice import this_system
from engine.gpu_pack.install import PackInstall
from engine.gpu_pack.packs import PARTIAL, Packs
from engine.gpu_pack.table import PackRow, Wheel, load_table
from engine.gpu_pack.trial import own_command, try_pack
from engine.gpu_pack.wheel import unpacked_bytes
from engine.hub.disk import free_bytes
from engine.hub.meter import DownloadProgress
from tests.pack_kit import IndexServer, tiny_row

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
ON_PROCESSOR = (*own_command(), "--processor")
NEVER = threading.Event()


def main() -> int:
    """Run all of it; raises AssertionError at the first thing that is wrong."""
    asked = _arguments()
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    if asked.cuda_wheels:
        return _cuda(asked.cuda_wheels)
    wheel = _wheel(asked.wheel)
    row = tiny_row(wheel, name="cpu", installed_bytes=unpacked_bytes(asked.wheel))
    print(f"{wheel.file}: {_mb(wheel.size_bytes)}, {_mb(row.installed_bytes)} unpacked")
    home = Path(tempfile.mkdtemp(prefix="päck 中 "))
    try:
        with IndexServer() as server:
            server.add_wheel(wheel, asked.wheel.read_bytes())
            _life(row, server, Folders.below(home), asked)
            _small_disk(row, server)
    finally:
        shutil.rmtree(home)
    print("all well")
    return 0


def _cuda(wheels: Path) -> int:
    """Install the table's pack for CUDA out of wheels that lie in a folder."""
    row = next(row for row in load_table() if row.system == this_system() and row.pinned)
    with tempfile.TemporaryDirectory() as home, IndexServer() as server:
        folders = Folders.below(Path(home))
        server.hashes = False
        for wheel in row.wheels:
            with (wheels / wheel.file).open("rb") as file:
                server.repos.setdefault("index/wheels", {})[wheel.file] = cast(
                    "bytes", mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                )
        watch = _Watch()
        install = PackInstall(row, folders.packs, server.address, self_test=ON_PROCESSOR)
        pack = install.run(watch, NEVER)
        print(f"{pack.folder.name}: {watch.told()}")
        packs = Packs(folders.packs, [])
        kinds = {path.suffix == ".pyc" for path in pack.folder.rglob("*")}
        print(f"{_mb(packs.usage_bytes())} on the disk, the row says {_mb(row.installed_bytes)}")
        assert kinds == {True, False}, "what the trial imported is compiled"
        assert packs.damaged(watch, NEVER) == ()
        try:
            print("the real trial:", dict(try_pack(pack.folder, row, NEVER)))
        except PackFailed as error:
            print(f"the real trial: {error.message} {error.hint}")
    return 0


def _life(row: PackRow, server: IndexServer, folders: Folders, asked: argparse.Namespace) -> None:
    folders.create()
    install = PackInstall(row, folders.packs, server.address, self_test=ON_PROCESSOR)
    _killed("while it received", row, server, folders, lambda: install.received > 60_000_000)
    print(f"  kept {_mb(install.received)}")
    _killed(
        "while it unpacked",
        row,
        server,
        folders,
        lambda: any(folders.packs.glob(f"*{PARTIAL}/torch/lib/libtorch_cpu.so")),
    )
    assert Packs(folders.packs, []).active() is None
    shutil.rmtree(folders.packs)
    watch = _Watch()
    pack = install.run(watch, NEVER)
    print("install:", watch.told())
    packs = Packs(folders.packs, [])
    _timed("every file compared with its list", lambda: packs.damaged(watch, NEVER))
    if asked.tree:
        _in_tree(asked.tree, folders)
    with (pack.folder / "torch" / "__init__.py").open("a") as file:
        file.write("raise SystemExit\n")
    assert Packs(folders.packs, []).damaged(watch, NEVER) == ("torch/__init__.py",)
    mended = _timed("repair", lambda: install.run(_Watch(), NEVER))
    assert mended.folder != pack.folder
    print(f"on the disk: {_mb(packs.usage_bytes())}; after clean: ", end="")
    packs.clean()
    print(_mb(packs.usage_bytes()))
    assert _timed("remove", packs.remove)
    assert packs.usage_bytes() == 0


def _killed(
    when: str, row: PackRow, server: IndexServer, folders: Folders, there: Callable[[], bool]
) -> None:
    """Kill a process that installs as soon as something is there."""
    code = (
        "import threading; from pathlib import Path; from engine.gpu_pack.table import *\n"
        "from engine.gpu_pack.install import PackInstall\n"
        f"PackInstall({row!r}, Path({str(folders.packs)!r}), {server.address!r},"
        f" self_test={ON_PROCESSOR!r}).run(lambda report: None, threading.Event())"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    until = time.monotonic() + 120
    while not there():
        assert time.monotonic() < until, f"it never came so far: {when}"
        assert child.poll() is None, f"it ended before: {when}"
        time.sleep(0.01)
    child.kill()
    child.wait()
    print(f"killed {when}")


def _in_tree(tree: Path, folders: Folders) -> None:
    """Start the built tree with the pack, and without."""
    command = [str(tree / "skein"), "gpu-pack", "--json"]
    for switch, used in (("", "true"), ("none", "false")):
        environ = os.environ | {"SKEIN_HOME": str(folders.data.parent), "SKEIN_GPU_PACK": switch}
        answer = subprocess.run(
            command, env=environ, capture_output=True, text=True, check=True, cwd="/"
        )
        assert f'"used": {used}' in answer.stdout, answer.stdout + answer.stderr
    environ = os.environ | {"SKEIN_HOME": str(folders.data.parent)}
    answer = subprocess.run(
        [str(tree / "skein"), "generate", "--prompt", "Hello", "--max-tokens", "4"],
        env=environ, capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    print(
        "built tree with the pack:",
        answer.returncode,
        (answer.stdout or answer.stderr).strip()[:200],
    )


def _small_disk(row: PackRow, server: IndexServer) -> None:
    """Install onto a disk that is too small, with the check of free space switched off, too."""
    for size in (row.download_bytes // 2, row.download_bytes + 200_000_000):
        for free in (free_bytes, lambda _folder: 2**60):
            with _tmpfs(size) as disk:
                if disk is None:
                    print("a small disk: not tried, this user may not mount one")
                    return
                _too_small(row, server, disk / "packs", free)


def _too_small(row: PackRow, server: IndexServer, packs: Path, free: Callable[[Path], int]) -> None:
    install = PackInstall(
        row, packs, server.address, margin_bytes=0, self_test=ON_PROCESSOR, free_bytes=free
    )
    try:
        install.run(lambda report: None, NEVER)
    except PackFailed as error:
        failed = error
    else:
        raise AssertionError("it cannot have fitted")
    assert failed.kind == "full", failed.message
    left = Packs(packs, []).usage_bytes()
    print(f"small disk: {failed.message} {failed.hint} Kept {_mb(left)}.")


@contextmanager
def _tmpfs(size_bytes: int) -> Iterator[Path | None]:
    folder = Path(tempfile.mkdtemp(prefix="small-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


class _Watch:
    """Notes when every phase began."""

    def __init__(self) -> None:
        self._phases: list[tuple[str, float]] = []

    def __call__(self, report: DownloadProgress) -> None:
        if not self._phases or self._phases[-1][0] != report.phase:
            self._phases.append((report.phase, time.monotonic()))

    def told(self) -> str:
        """Return the seconds of every phase."""
        ends = [*(began for _phase, began in self._phases[1:]), time.monotonic()]
        pairs = zip(self._phases, ends, strict=True)
        return ", ".join(f"{phase} {end - began:.1f} s" for (phase, began), end in pairs)


def _timed(what: str, work: Callable[[], T]) -> T:
    began = time.monotonic()
    result = work()
    print(f"{what}: {time.monotonic() - began:.1f} s")
    return result


def _wheel(path: Path) -> Wheel:
    name, version = path.name.split("-")[:2]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(name, version, path.name, path.stat().st_size, digest)


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    found = sorted(Path("/opt/wheels").glob("torch-*.whl"))
    parser.add_argument("--wheel", type=Path, default=found[-1] if found else None)
    parser.add_argument("--tree", type=Path, help="a built tree's folder")
    parser.add_argument("--cuda-wheels", type=Path, help="the folder with the table's wheels")
    asked = parser.parse_args()
    if asked.wheel is None and asked.cuda_wheels is None:
        parser.error("name a wheel of torch with --wheel")
    return asked


if __name__ == "__main__":
    sys.exit(main())
