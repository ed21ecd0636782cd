"""Pages of indexes, and which index is asked when nobody named one."""

import base64
import logging
import sys
from pathlib import Path

import pytest

from engine.errors import DownloadFailed, PackFailed
from engine.gpu_pack import default_index
from engine.gpu_pack.default_index import configured_address, default_address, pip_address
from engine.gpu_pack.index import PackageIndex, normalised
from engine.hub.connection import Opened
from engine.hub.web import Web
from tests.pack_kit import IndexServer, tiny_torch

PLACE = ".config/pip/pip.conf" if sys.platform != "win32" else "pip/pip.ini"


def test_json_and_html_say_the_same(server: IndexServer):
    server.json = True
    by_json = PackageIndex(server.address).files("torch")
    server.json = False
    by_html = PackageIndex(f"{server.address}/").files("Torch")
    assert [(f.file, f.sha256) for f in by_json] == [(f.file, f.sha256) for f in by_html]
    assert by_json[0].address.startswith(server.endpoint)
    assert by_json[0].size_bytes == len(tiny_torch()[1])
    data = [piece for piece in Web().read(by_html[0].address, 0) if isinstance(piece, bytes)]
    assert b"".join(data) == tiny_torch()[1]


def test_the_rest_of_a_file(server: IndexServer):
    address = PackageIndex(server.address).files("torch")[0].address
    opened, *pieces = Web().read(address, 1000)
    assert opened == Opened(1000, len(tiny_torch()[1]))
    assert b"".join(p for p in pieces if isinstance(p, bytes)) == tiny_torch()[1][1000:]


def test_no_token_is_sent(server: IndexServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    PackageIndex(server.address).files("torch")
    headers = server.requests[-1].headers
    assert "authorization" not in headers
    assert headers["user-agent"] == "skein"


@pytest.mark.parametrize("json", [True, False])
def test_a_password_goes_to_the_index_alone_and_into_no_log(
    server: IndexServer, json: bool, caplog: pytest.LogCaptureFixture
):
    server.json = json
    address = server.address.replace("http://", "http://j%40e:s3cret@")
    with caplog.at_level(logging.DEBUG), IndexServer() as other:
        index = PackageIndex(address)
        wheel = index.files("torch")[0].address
        assert "s3cret" not in wheel
        assert list(index.web.read(wheel, 0))
        for _ in range(2):
            with pytest.raises(DownloadFailed):
                index.web.page(f"{other.endpoint}/simple/torch", "", 10)
        assert all("authorization" not in asked.headers for asked in other.requests)
    told = "Basic " + base64.b64encode(b"j@e:s3cret").decode()
    assert {asked.headers["authorization"] for asked in server.requests} == {told}
    assert server.endpoint in caplog.text, "addresses are logged by the HTTP library"
    assert "s3cret" not in caplog.text
    with pytest.raises(PackFailed) as caught:
        PackageIndex("htps://me:s3cret@host/simple")
    assert "s3cret" not in caught.value.message


def test_an_unknown_project(server: IndexServer):
    with pytest.raises(DownloadFailed) as caught:
        PackageIndex(server.address).files("nobody")
    assert caught.value.kind == "missing"


@pytest.mark.parametrize(
    "page", [b"", b"{}", b"[]", b'{"files": [1]}', b'{"files": [{}]}', b"[" * 99999]
)
def test_what_is_no_page_of_an_index(server: IndexServer, page: bytes):
    from tests.pack_kit import _IndexHandler

    class Nonsense(_IndexHandler):
        def resolve(self, path: str) -> None:
            self.send(200, page, {"Content-Type": "application/json"})

    server._server.RequestHandlerClass = Nonsense
    with pytest.raises(PackFailed) as caught:
        PackageIndex(server.address).files("torch")
    assert caught.value.kind == "address"


def test_an_endless_page_is_left(server: IndexServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("engine.gpu_pack.index._MOST_BYTES", 50)
    with pytest.raises(DownloadFailed, match="more than 50 bytes"):
        PackageIndex(server.address).files("torch")


@pytest.mark.parametrize("address", ["", "file:///opt/x", "x", "ftp://h/x", "http://[h/x"])
def test_what_is_no_address(address: str):
    with pytest.raises(PackFailed) as caught:
        PackageIndex(address)
    assert caught.value.kind == "address"


def test_names_of_projects():
    assert normalised("NVIDIA_cuda.nvrtc--x") == "nvidia-cuda-nvrtc-x"


def test_this_pythons_pip_knows_an_index(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/of-the-machine")
    found = pip_address()
    assert found.startswith("https://")
    assert "127.0.0.1" not in found, "what the build machine is set to is nobody else's"


def test_the_environment_counts_more_than_the_file(tmp_path: Path):
    config = tmp_path / PLACE
    config.parent.mkdir(parents=True)
    config.write_text("[global]\nindex-url = http://mirror.example/simple/\ntimeout = 60\n")
    home = {"HOME": str(tmp_path), "APPDATA": str(tmp_path)}
    assert configured_address(home) == "http://mirror.example/simple"
    assert configured_address({**home, "PIP_INDEX_URL": "http://a/x"}) == "http://a/x"
    other = tmp_path / "other.conf"
    other.write_text("[global]\nindex-url=http://b/x\n")
    assert configured_address({**home, "PIP_CONFIG_FILE": str(other)}) == "http://b/x"
    for nonsense in ("[global", "index-url=x", "[global]\nindex-url=file:///opt/x", "\xff\xfe"):
        config.write_text(nonsense)
        assert configured_address(home) == ""


def test_without_pip_what_the_build_wrote_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(default_index, "configured_address", lambda: "")
    monkeypatch.setattr(default_index, "_pip_commands", lambda: [])
    with pytest.raises(PackFailed) as caught:
        default_address()
    assert caught.value.kind == "address"
    monkeypatch.setattr(default_index, "built_in_address", lambda: "http://built/in")
    assert default_address() == "http://built/in"
