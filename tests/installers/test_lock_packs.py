"""The pins of packs, filled from a real index over HTTP."""

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engine.errors import DownloadFailed
from engine.gpu_pack.index import PackageIndex
from engine.gpu_pack.install import PackInstall
from engine.gpu_pack.table import PackRow, Table, dump_table, parse_table
from engine.hub.web import Web
from installers.lock_packs import CannotPin, main, pinned
from installers.remote_wheel import RemoteFile, look_inside
from tests.pack_kit import IndexServer, ignore, make_wheel, noise, tiny_row

LINUX = 'platform_system == "Linux"'
ANY = "py3-none-manylinux_2_17_x86_64"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    from huggingface_hub.utils import close_session

    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    close_session()
    with IndexServer() as running:
        yield running
    close_session()


def offer(server: IndexServer, name: str, version: str, *requires: str, tag: str = ANY) -> None:
    files = {f"{name}/__init__.py": b"", f"{name}/big.bin": noise(200_000)}
    server.add_wheel(*make_wheel(name, version, files, tag, requires))


def row(name: str = "cu130", system: str = "linux-x86_64") -> PackRow:
    return tiny_row(name=name, python="cp311", system=system, note="not yet")


@pytest.fixture
def cuda13(server: IndexServer) -> PackageIndex:
    """An index with one build that wants CUDA 13.0 on Linux and nothing on Windows."""
    needs = ("jinja2", f"cuda-toolkit[nvrtc,blas]==13.0.3; {LINUX}", f"triton==3.7.1; {LINUX}")
    for tag in ("cp311-cp311-manylinux_2_28_x86_64", "cp312-cp312-manylinux_2_28_x86_64"):
        offer(server, "torch", "2.13.0", *needs, tag=tag)
    offer(server, "torch", "2.13.0", *needs, tag="cp311-cp311-win_amd64")
    offer(server, "torch", "2.14.0", *needs, tag="cp311-cp311-manylinux_2_28_x86_64")
    blas, nvrtc = 'blas==1.*; extra == "blas"', 'nvrtc<13.1; extra == "nvrtc"'
    offer(server, "cuda_toolkit", "13.0.3.0", blas, nvrtc, tag="py3-none-any")
    offer(server, "blas", "1.4", "nvrtc")  # any version would do for this one alone
    offer(server, "blas", "2.0")
    offer(server, "nvrtc", "13.0.88")
    offer(server, "nvrtc", "13.5.37")
    offer(server, "triton", "3.7.1", tag="cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64")
    offer(server, "triton", "3.7.1", tag="cp311-cp311-macosx_14_0_arm64")
    return PackageIndex(server.address)


def test_a_build_with_all_that_it_needs(cuda13: PackageIndex):
    found = pinned(row(), cuda13)
    assert {wheel.name: wheel.version for wheel in found.wheels} == {
        "torch": "2.13.0",
        "cuda-toolkit": "13.0.3.0",
        "blas": "1.4",
        "nvrtc": "13.0.88",
        "triton": "3.7.1",
    }
    assert all("x86_64" in wheel.file or "any" in wheel.file for wheel in found.wheels)
    assert "cp311" in found.wheels[0].file
    assert found.note == ""
    assert 5 * 200_000 < found.installed_bytes < 5 * 202_000


def test_the_pins_can_be_installed(cuda13: PackageIndex, server: IndexServer, tmp_path: Path):
    found = replace(pinned(row(), cuda13), installed_bytes=2_000_000)
    told = (sys.executable, "-I", "-c", 'print(\'{"problem": ""}\')')
    install = PackInstall(found, tmp_path / "packs", server.address, self_test=told)
    assert (install.run(ignore, threading.Event()).folder / "nvrtc" / "big.bin").is_file()


@pytest.mark.parametrize(
    ("name", "system"), [("cu130", "windows-x86_64"), ("cu126", "linux-x86_64")]
)
def test_a_build_that_the_index_lacks(cuda13: PackageIndex, name: str, system: str):
    with pytest.raises(CannotPin):
        pinned(row(name, system), cuda13)


def test_builds_by_their_name(server: IndexServer):
    offer(server, "torch", "2.13.0+cpu", tag="cp311-cp311-win_amd64")
    offer(server, "torch", "2.13.0+cu126", tag="cp311-cp311-win_amd64")
    found = pinned(row("cu126", "windows-x86_64"), PackageIndex(server.address))
    assert [wheel.version for wheel in found.wheels] == ["2.13.0+cu126"]


def test_without_hashes_nothing_is_pinned(cuda13: PackageIndex, server: IndexServer):
    server.hashes = False
    with pytest.raises(CannotPin, match="SHA-256"):
        pinned(row(), cuda13)


def test_the_table_is_filled_in_place(
    cuda13: PackageIndex, server: IndexServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "gpu_packs.json"
    rows = (row("cu126"), row(), row(system="windows-x86_64"))
    path.write_bytes(dump_table(Table("2026-01-01", rows)))
    secret = server.address.replace("http://", "http://me:s3cret@")
    arguments = ["cu130", "--index", secret, "--table", str(path)]
    assert main(arguments) == 1, "Windows has no such build here"
    table = parse_table(path.read_bytes())
    assert [row.pinned for row in table.rows] == [False, True, False]
    assert table.rows[1].index == server.address
    assert table.date > "2026-01-01"
    assert "no PyTorch 2.13.0 for cu130" in capsys.readouterr().err
    assert main([*arguments, "--system", "linux-x86_64"]) == 0


def test_a_wheel_is_looked_into_from_afar(server: IndexServer):
    files = {"torch/big.bin": noise(2_000_000), "torch/include/x.h": b"12345"}
    wheel, data = make_wheel("torch", "2.13.0", files)
    server.add_wheel(wheel, data)
    place = PackageIndex(server.address).files("torch")[0]
    remote = RemoteFile(Web(), place.address)
    remote.seek(1_000_000)
    assert remote.read(300_000) == data[1_000_000:1_300_000]
    remote.seek(-10, 2)
    assert remote.read() == data[-10:]
    inside = look_inside(Web(), place.address, wheel.file)
    assert inside.size_bytes == len(data)
    assert 2_000_000 < inside.unpacked_bytes < 2_001_000, "headers are not unpacked"
    assert "Version: 2.13.0" in inside.metadata


def test_a_row_that_breaks_leaves_the_others_their_pins(
    cuda13: PackageIndex, server: IndexServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    wheel = make_wheel("torch", "2.13.0+cu126", {}, "cp311-cp311-win_amd64")[0]
    server.add_wheel(wheel, b"<html>Try again later</html>")
    offer(server, "torch", "2.13.0+cu128", "a b c; x", tag="cp311-cp311-win_amd64")
    windows = "windows-x86_64"
    rows = (row("cu126", windows), row("cu128", windows), row())
    path = tmp_path / "gpu_packs.json"
    path.write_bytes(dump_table(Table("2026-01-01", rows)))
    names = ["cu126", "cu128", "cu130"]
    assert main([*names, "--index", server.address, "--table", str(path)]) == 1
    assert [row.pinned for row in parse_table(path.read_bytes()).rows] == [False, False, True]
    said = capsys.readouterr().err
    assert "torch-2.13.0+cu126-cp311-cp311-win_amd64.whl is no wheel: File is not a zip" in said
    assert "what is no requirement" in said


class _Short(BaseHTTPRequestHandler):
    """Promises a megabyte, and of a part of it sends a thousand bytes, then the line is dead."""

    def do_GET(self) -> None:
        begin = self.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
        self.send_response(206 if begin else 200)
        kind = ("Content-Range", f"bytes {begin}-999999/1000000")
        self.send_header(*(kind if begin else ("Content-Length", "1000000")))
        self.end_headers()
        self.wfile.write(bytes(1000))

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_server_that_sends_too_little_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Short) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            remote = RemoteFile(Web(), f"http://127.0.0.1:{running.server_port}/a.whl")
            remote.seek(500_000)
            with pytest.raises(DownloadFailed, match="too little of"):
                remote.read(300_000)
        finally:
            running.shutdown()
            thread.join()
