"""A pack from a real index over HTTP: whole, or what ran before still runs."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.errors import PackFailed
from engine.gpu_pack.packs import PARTIAL, WHEELS, Packs
from engine.gpu_pack.table import PackRow
from engine.hub.meter import DownloadProgress
from tests.engine.gpu_pack.conftest import Make
from tests.pack_kit import (
    SELF_TEST,
    IndexServer,
    ignore,
    make_wheel,
    packed_wheel,
    phases,
    tiny_row,
    tiny_torch,
)

ROOT = Path(__file__).parents[3]
NEVER = threading.Event()


def failure(install, progress=ignore, stop=NEVER) -> PackFailed:
    with pytest.raises(PackFailed) as caught:
        install.run(progress, stop)
    assert caught.value.message
    return caught.value


def leftovers(packs_folder: Path) -> list[str]:
    return sorted(path.name for path in packs_folder.iterdir() if path.suffix != WHEELS)


def test_a_pack_comes_whole_and_is_used(make: Make, row: PackRow, packs_folder: Path):
    seen: list[DownloadProgress] = []
    pack = make().run(seen.append, NEVER)
    wanted = ["looking", "downloading", "verifying", "unpacking", "testing", "switching"]
    assert phases(seen) == wanted
    assert [r.received for r in seen if r.phase == "downloading"][-1] == row.download_bytes
    assert pack.folder == packs_folder / "cu130-2.13.0-cp311"
    assert Packs(packs_folder, []).active() == pack
    assert leftovers(packs_folder) == ["active", pack.folder.name]
    assert not (packs_folder / (row.folder + WHEELS)).exists()


def test_what_lies_in_a_pack(make: Make):
    folder = make().run(ignore, NEVER).folder
    assert (folder / "functorch" / "__init__.py").is_file()  # from the wheel's separate folder
    assert not (folder / "torch" / "include").exists()
    assert not list(folder.glob("*.data"))
    if os.name == "posix":
        assert os.access(folder / "torch" / "bin" / "torch_shm_manager", os.X_OK)
        assert not os.access(folder / "torch" / "version.py", os.X_OK)


@pytest.mark.parametrize("json", [True, False])
@pytest.mark.parametrize("hashes", [True, False])
def test_every_kind_of_index_answers(make: Make, server: IndexServer, json: bool, hashes: bool):
    server.json, server.hashes = json, hashes
    assert make().run(ignore, NEVER).name == "cu130"


def test_a_build_in_the_files_name(make: Make, server: IndexServer):
    wheel, data = make_wheel("torch", "2.13.0+cu126", {"torch/__init__.py": b"__version__ = '1'"})
    server.add_wheel(wheel, data)
    for server.json in (True, False):
        row = tiny_row(wheel, name="cu126")
        assert make(row).run(ignore, NEVER).folder.name == "cu126-2.13.0-cp311"
        assert Packs(make(row).packs_folder, []).remove()


def test_cut_connections_are_resumed(make: Make, server: IndexServer, row: PackRow):
    server.faults.cut_after, server.faults.cuts = 64 * 1024, 4
    make(pauses_s=(0.01,) * 6).run(ignore, NEVER)
    ranges = [r.headers.get("range") for r in server.asked("GET", "/storage/")]
    assert ranges[:3] == [None, "bytes=65536-", "bytes=131072-"]


def test_a_line_that_stays_dead_keeps_what_came(make: Make, server: IndexServer, row: PackRow):
    server.faults.cut_after, server.faults.cuts = 64 * 1024, 1
    server.faults.status, server.faults.where = 0, "storage"
    install = make(pauses_s=())
    assert failure(install).kind == "offline"
    assert install.received == 64 * 1024
    server.faults.cut_after = 0
    make().run(ignore, NEVER)
    assert server.asked("GET", row.wheels[0].file)[-1].headers["range"] == "bytes=65536-"


@pytest.mark.parametrize(
    ("where", "status", "kind"),
    [
        ("resolve", 404, "missing"),
        ("resolve", 403, "refused"),
        ("resolve", 500, "server"),
        ("storage", 404, "missing"),
        ("storage", 503, "server"),
        ("storage", 429, "busy"),
    ],
)
def test_what_an_index_refuses(make: Make, server: IndexServer, where: str, status: int, kind: str):
    server.faults.where, server.faults.status = where, status
    assert failure(make()).kind == kind


def test_no_index_at_all(make: Make, server: IndexServer):
    server.close()
    assert failure(make()).kind == "offline"


def test_an_index_without_the_wheel(make: Make, server: IndexServer):
    other, data = tiny_torch("2.12.0")
    server.repos.clear()
    server.add_wheel(other, data)
    assert failure(make()).kind == "missing"


def test_other_bytes_under_the_wheels_name(make: Make, server: IndexServer, row: PackRow):
    _wheel, other = tiny_torch(build="cu126")
    server.repos["index/wheels"][row.wheels[0].file] = other
    assert failure(make()).kind == "damaged"
    assert not server.asked("GET", "/storage/"), "nothing of it was fetched"


def test_a_wrong_hash_is_thrown_away(
    make: Make, server: IndexServer, row: PackRow, packs_folder: Path
):
    server.faults.corrupt = True
    server.hashes = False
    assert failure(make()).kind == "damaged"
    assert make().received == 0
    assert leftovers(packs_folder) == []
    server.reset()
    assert make().run(ignore, NEVER).name == "cu130"


def test_only_the_wheel_that_is_wrong_is_fetched_again(
    make: Make, server: IndexServer, row: PackRow, packs_folder: Path
):
    stop = threading.Event()
    failure(make(), lambda r: stop.set() if r.phase == "unpacking" else None, stop)
    received = packs_folder / (row.folder + WHEELS) / row.wheels[0].file
    received.write_bytes(received.read_bytes()[::-1])
    server.requests.clear()
    assert failure(make()).kind == "damaged"
    assert make().received == row.wheels[1].size_bytes
    make().run(ignore, NEVER)
    assert not server.asked("GET", row.wheels[1].file)


def test_no_room_is_said_before_anything_is_fetched(make: Make, server: IndexServer, row: PackRow):
    install = make(free_bytes=lambda _folder: row.installed_bytes)
    error = failure(install)
    assert error.kind == "full"
    assert not server.requests
    assert install.needed_bytes == row.download_bytes + row.installed_bytes


def test_a_disk_that_fills_up_keeps_what_came(
    make: Make, row: PackRow, packs_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    import engine.gpu_pack.wheel as wheel

    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = make().run(ignore, NEVER)
    (before.folder / "torch" / "version.py").write_text("changed")
    monkeypatch.setattr("engine.gpu_pack.install.link_or_copy", full)
    assert failure(make()).kind == "full"
    assert leftovers(packs_folder) == ["active", before.folder.name]
    monkeypatch.setattr("engine.gpu_pack.install.link_or_copy", wheel.link_or_copy)
    assert make().run(ignore, NEVER).folder.name.endswith("~2")


@pytest.mark.parametrize("phase", ["looking", "downloading", "verifying", "unpacking", "testing"])
def test_stop_pauses_in_every_phase(make: Make, phase: str, row: PackRow, packs_folder: Path):
    stop = threading.Event()

    def progress(report: DownloadProgress) -> None:
        if report.phase == phase:
            stop.set()

    assert failure(make(), progress, stop).kind == "stopped"
    assert Packs(packs_folder, []).active() is None
    assert not list(packs_folder.glob(f"*{PARTIAL}"))
    assert make().run(ignore, NEVER).name == "cu130"


def test_cancel_removes_what_came(make: Make, server: IndexServer, packs_folder: Path):
    server.faults.cut_after, server.faults.cuts = 64 * 1024, 1
    install = make(pauses_s=())
    install.discard()  # nothing is here yet
    failure(install)
    assert install.received
    install.discard()
    assert install.received == 0
    assert not list(packs_folder.iterdir())


TRIALS = {
    "crash": "import os; os._exit(3)",
    "nonsense": "print('hello')",
    "no card": 'print(\'{"problem": "card", "detail": ""}\')',
    "no library": 'print(\'{"problem": "import", "detail": "libcudart.so.13: not found"}\')',
}


@pytest.mark.parametrize("trial", TRIALS)
def test_a_pack_that_does_not_work_is_not_used(make: Make, packs_folder: Path, trial: str):
    before = make().run(ignore, NEVER)
    other, data = tiny_torch("2.13.0", build="cu131")
    assert data
    row = tiny_row(other, name="cu131")
    install = make(row, self_test=(sys.executable, "-I", "-c", TRIALS[trial]))
    with pytest.raises(PackFailed) as caught:
        _offer(install, other.file, data)
    assert caught.value.kind == "test"
    assert Packs(packs_folder, []).active() == before
    assert leftovers(packs_folder) == ["active", before.folder.name]


def _offer(install, file: str, data: bytes) -> None:
    """Run an install whose wheel was received before: no index is asked."""
    folder = install.packs_folder / (install.row.folder + WHEELS)
    folder.mkdir()
    (folder / file).write_bytes(data)
    install.run(ignore, NEVER)


def test_a_trial_is_ended_by_stop(make: Make):
    stop = threading.Event()

    def progress(report: DownloadProgress) -> None:
        if report.phase == "testing":
            threading.Timer(0.05, stop.set).start()

    hang = (sys.executable, "-I", "-c", "import time; time.sleep(60)")
    assert failure(make(self_test=hang), progress, stop).kind == "stopped"


@pytest.mark.parametrize(
    "name",
    [
        "../out.py",
        "/etc/out.py",
        "a/../../out.py",
        "C:/out.py",
        "a\\b",
        "torch-2.13.0.data/purelib/{}/out.py",
        "torch-2.13.0.data/platlib/../../out.py",
    ],
)
def test_a_wheel_that_would_write_elsewhere(
    make: Make, server: IndexServer, packs_folder: Path, name: str
):
    name = name.format(packs_folder.parent)
    wheel, data = packed_wheel("torch", "2.13.0", {"torch/__init__.py": b"", name: b"out"})
    server.add_wheel(wheel, data)
    server.repos["index/wheels"][wheel.file] = data
    assert failure(make(tiny_row(wheel))).kind == "unsafe"
    assert not list(packs_folder.parent.rglob("out.py"))


def test_a_link_in_a_wheel(make: Make, server: IndexServer, tmp_path: Path):
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("torch/lib")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, str(tmp_path))
    row = _row_of_bytes(server, buffer.getvalue())
    assert failure(make(row)).kind == "unsafe"


def test_a_wheel_that_grows_beyond_its_row(make: Make, server: IndexServer):
    wheel, data = make_wheel("torch", "2.13.0", {"torch/zeros.bin": bytes(3_000_000)})
    server.repos["index/wheels"][wheel.file] = data
    assert failure(make(tiny_row(wheel))).kind == "unsafe"


def test_a_file_that_two_wheels_bring(make: Make, server: IndexServer, packs_folder: Path):
    torch, data = make_wheel("torch", "2.13.0", {"torch/__init__.py": b"", "both.py": b"1"})
    other, more = make_wheel("other", "1.0", {"both.py": b"22"})
    server.add_wheel(torch, data)
    server.add_wheel(other, more)
    told = (sys.executable, "-I", "-c", 'print(\'{"problem": ""}\')')
    pack = make(tiny_row(torch, other), self_test=told).run(ignore, NEVER)
    assert (pack.folder / "both.py").read_bytes() == b"22"
    assert Packs(packs_folder, []).damaged(ignore, NEVER) == ()


def test_a_file_that_is_shorter_than_its_wheel_says(make: Make, server: IndexServer):
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("torch/__init__.py", b"12345")
        archive.filelist[0].file_size += 3
    assert failure(make(_row_of_bytes(server, buffer.getvalue()))).kind == "damaged"


def test_what_is_no_wheel(make: Make, server: IndexServer):
    assert failure(make(_row_of_bytes(server, b"<html>Sorry</html>"))).kind == "damaged"


def _row_of_bytes(server: IndexServer, data: bytes) -> PackRow:
    import hashlib
    from dataclasses import replace

    wheel, _data = tiny_torch()
    server.repos["index/wheels"][wheel.file] = data
    digest = hashlib.sha256(data).hexdigest()
    return tiny_row(replace(wheel, size_bytes=len(data), sha256=digest))


def test_a_kill_in_the_middle_is_gone_on_from(
    make: Make, server: IndexServer, row: PackRow, packs_folder: Path
):
    """A real process is killed while bytes come in; the next one goes on."""
    server.faults.stall_after = 128 * 1024
    child = _child(server, packs_folder)
    _wait_for(lambda: make().received >= 128 * 1024)
    child.kill()
    child.wait()
    server.reset()
    assert make().run(ignore, NEVER).name == "cu130"
    assert server.asked("GET", row.wheels[0].file)[0].headers["range"] == "bytes=131072-"


def test_a_kill_while_it_is_tried_out(make: Make, packs_folder: Path, server: IndexServer):
    child = _child(server, packs_folder, trial="import time; time.sleep(60)")
    _wait_for(lambda: any(packs_folder.glob(f"*{PARTIAL}/pack.json")))
    child.kill()
    child.wait()
    assert Packs(packs_folder, []).active() is None
    server.requests.clear()
    assert make().run(ignore, NEVER).name == "cu130"
    assert not server.requests, "the wheels were here"
    assert not list(packs_folder.glob(f"*{PARTIAL}"))


def _child(server: IndexServer, packs_folder: Path, trial: str = "") -> subprocess.Popen[bytes]:
    command = SELF_TEST if not trial else (sys.executable, "-I", "-c", trial)
    code = (
        "import threading; from pathlib import Path; from tests.pack_kit import *\n"
        "from engine.gpu_pack.install import PackInstall\n"
        "row = tiny_row(tiny_torch()[0], tiny_library()[0])\n"
        f"PackInstall(row, Path({str(packs_folder)!r}), {server.address!r}, self_test={command!r})"
        ".run(ignore, threading.Event())"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)


def _wait_for(there) -> None:
    moment = threading.Event()
    for _ in range(1000):
        if there():
            return
        moment.wait(0.02)
    raise AssertionError("it did not come")


def test_two_at_once(make: Make, packs_folder: Path):
    held: list[PackFailed] = []

    def progress(report: DownloadProgress) -> None:
        if report.phase == "testing" and not held:
            held.append(failure(make()))

    make().run(progress, NEVER)
    assert held[0].kind == "busy"


def test_a_read_only_folder(make: Make, packs_folder: Path):
    packs_folder.parent.mkdir(parents=True)
    packs_folder.write_text("a file where the folder should be")
    assert failure(make()).kind == "disk"


def test_a_row_without_pins(make: Make, server: IndexServer):
    assert failure(make(tiny_row())).kind == "missing"
    assert not server.requests


def test_repair_fetches_only_what_is_damaged(make: Make, server: IndexServer, row: PackRow):
    pack = make().run(ignore, NEVER)
    (pack.folder / "nvidia" / "cublas" / "lib" / "libcublas.so.13").write_bytes(b"bad")
    server.requests.clear()
    mended = make().run(ignore, NEVER)
    assert [r.path.rpartition("/")[2] for r in server.asked("GET", "/storage/")] == [
        row.wheels[1].file
    ]
    assert mended.folder.name == f"{row.folder}~2"
    assert Packs(mended.folder.parent, []).active() == mended
    assert Packs(mended.folder.parent, []).damaged(ignore, NEVER) == ()
    assert (pack.folder / "torch" / "lib" / "libtorch.so").is_file(), "who runs it can go on"


def test_a_sound_pack_is_only_tried_out(make: Make, server: IndexServer):
    pack = make().run(ignore, NEVER)
    server.requests.clear()
    seen: list[DownloadProgress] = []
    assert make().run(seen.append, NEVER) == pack
    assert phases(seen) == ["verifying", "testing", "switching"]
    assert not server.requests


def test_another_table_drops_what_came_for_the_old_one(
    make: Make, server: IndexServer, packs_folder: Path
):
    server.faults.cut_after, server.faults.cuts = 64 * 1024, 1
    failure(make(pauses_s=()))
    server.reset()
    newer, data = make_wheel(
        "torch", "2.13.0", {"torch/__init__.py": b"__version__='2'"}, "cp311-abi3-any"
    )
    server.add_wheel(newer, data)
    install = make(tiny_row(newer))
    assert install.received == 0
    install.run(ignore, NEVER)
    assert leftovers(packs_folder) == ["active", "cu130-2.13.0-cp311"]
