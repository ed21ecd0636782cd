"""What the feed offers to whom, and which feeds are refused."""

import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest

from engine.errors import UpdateFailed
from engine.settings import Settings
from engine.updates.check import check
from engine.updates.source import UpdateSource
from tests.engine.updates.kit import APP, NOTES, REPO, SETTINGS, SHARED, signature
from tests.hub_server import Faults

NEWER = {**SHARED, APP: "print('0.2.0')\n"}


def refused(publisher, copy, folders, **options) -> UpdateFailed:
    with pytest.raises(UpdateFailed) as caught:
        check(publisher.source, copy, folders, options.pop("settings", SETTINGS), **options)
    assert caught.value.message.endswith(".")
    return caught.value


def test_a_newer_version_is_offered_with_what_changed(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    found = check(publisher.source, copy, folders, SETTINGS)
    assert found is not None
    assert (found.version, found.rolled_back) == ("0.2.0", False)
    assert found.notes_in("zh_CN") == NOTES["zh"]
    assert found.notes_in("ja") == NOTES["ja"]
    assert found.notes_in("fr") == NOTES["en"]
    assert found.delta is not None
    assert found.download_bytes == found.delta.size_bytes < found.full.size_bytes
    assert found.full.url.startswith(publisher.server.endpoint)


def test_the_same_version_is_no_update(publisher, copy, folders):
    publisher.publish("0.1.0", SHARED)
    assert check(publisher.source, copy, folders, SETTINGS) is None


def test_nothing_about_the_user_is_sent(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    publisher.server.requests.clear()
    check(publisher.source, copy, folders, SETTINGS)
    sent = [r.path + json.dumps(r.headers) for r in publisher.server.requests]
    assert sent
    for text in sent:
        assert "0.1.0" not in text
        assert not any(word in text.lower() for word in ("cookie", "linux", "python", "?"))


def test_cookies_are_not_sent_back(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    publisher.server.faults = Faults(status=200, times=1, headers={"Set-Cookie": "who=you"})
    check(publisher.source, copy, folders, SETTINGS)
    assert publisher.server.faults.times == 0
    assert not [r for r in publisher.server.requests if "cookie" in r.headers]


def test_files_that_another_built_make_a_delta_of_no_use(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    manifest = copy.tree / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"2.13.0+cpu", b"2.13.0+mine"))
    found = check(publisher.source, copy, folders, SETTINGS)
    assert found is not None
    assert found.delta is None


def test_a_copy_whose_own_list_is_gone_says_so(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    (copy.tree / "manifest.json").write_text("{")
    assert refused(publisher, copy, folders).kind == "damaged"
    (copy.tree / "manifest.json").unlink()
    assert refused(publisher, copy, folders).kind == "damaged"


def test_a_version_that_did_not_start_here_is_marked(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    (copy.root / "failed").write_text("0.2.0\n")
    assert copy.take_failed() == "0.2.0"
    found = check(publisher.source, copy, folders, SETTINGS)
    assert found is not None
    assert found.rolled_back


def test_a_feed_that_others_signed_is_refused(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    data = publisher.server.repos[REPO]["feed.json"]
    signed = publisher.server.repos[REPO]["feed.json.sig"]
    for bad in (b" ", b"no base64", signature("11" * 32, data), signed[:-8]):
        publisher.offer(data, bad)
        assert refused(publisher, copy, folders).kind == "signature"
    publisher.offer(data.replace(b"Better", b"Bitter"), signed)
    assert refused(publisher, copy, folders).kind == "signature"
    publisher.offer(data, signed)
    publisher.public = "zz"
    assert refused(publisher, copy, folders).kind == "signature"


def test_one_of_several_keys_is_enough(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    source = UpdateSource(publisher.address, ("22" * 32, "bad", publisher.public))
    assert check(source, copy, folders, SETTINGS) is not None


def test_an_expired_feed_is_refused(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER, "--days", "30")
    later = datetime.now(UTC) + timedelta(days=31)
    assert refused(publisher, copy, folders, now=later).kind == "expired"


def test_an_older_version_is_refused(publisher, copy, folders):
    publisher.publish("0.0.9", NEWER)
    assert refused(publisher, copy, folders).kind == "older"
    publisher.publish("0.1.0rc3", NEWER)
    assert refused(publisher, copy, folders).kind == "older"


def test_an_answer_from_the_past_is_refused(publisher, copy, folders):
    publisher.publish("0.3.0", NEWER)
    feed = publisher.feed()
    assert check(publisher.source, copy, folders, SETTINGS) is not None
    before = datetime.fromisoformat(feed["date"]) - timedelta(days=3)
    publisher.sign(feed | {"version": "0.2.0", "date": before.isoformat()})
    assert refused(publisher, copy, folders).kind == "older"
    publisher.sign(feed)
    assert check(publisher.source, copy, folders, SETTINGS) is not None


def test_another_system_is_said(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER, target="windows-x86_64")
    error = refused(publisher, copy, folders)
    assert error.kind == "target"
    assert "linux-x86_64" in error.message


def test_a_version_that_needs_a_newer_system_is_not_fetched(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    feed = publisher.feed()
    feed["artifacts"]["linux-x86_64"]["glibc"] = "99.1"
    publisher.sign(feed)
    error = refused(publisher, copy, folders)
    assert error.kind == "system"
    assert "99.1" in error.message


def test_a_feed_of_more_than_a_megabyte_is_not_read_on(publisher, copy, folders):
    publisher.sign(b" " * 1_500_000)
    assert refused(publisher, copy, folders).kind == "server"


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"version": "../../x"},
        {"version": 3},
        {"date": "yesterday"},
        {"expires": None},
        {"notes": []},
        {"notes": {"en": "\ud800"}},
        {"notes": {"en": "x" * 100_000}},
        {"artifacts": {"linux-x86_64": {}}},
        {"artifacts": []},
    ],
)
def test_a_signed_feed_that_is_none_is_refused(publisher, copy, folders, change):
    publisher.publish("0.2.0", NEWER, change=change)
    assert refused(publisher, copy, folders).kind == "format"


@pytest.mark.parametrize("data", [b" ", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_not_even_json_is_refused(publisher, copy, folders, data):
    publisher.sign(data)
    assert refused(publisher, copy, folders).kind == "format"


def test_a_server_in_trouble_is_said(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    publisher.server.faults = Faults(status=503)
    assert refused(publisher, copy, folders).kind == "server"
    publisher.server.faults = Faults(status=404)
    assert refused(publisher, copy, folders).kind == "missing"
    publisher.server.close()
    assert refused(publisher, copy, folders).kind == "offline"


def test_who_stays_offline_asks_nobody(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    publisher.server.requests.clear()
    refused(publisher, copy, folders, settings=Settings(offline=True))
    assert not publisher.server.requests


def test_a_copy_without_an_address_asks_nobody(copy, folders):
    assert UpdateSource.built_in() == UpdateSource()
    with pytest.raises(UpdateFailed) as caught:
        check(UpdateSource.built_in(), copy, folders, SETTINGS)
    assert caught.value.kind == "closed"


def test_a_silent_server_is_left_at_once(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    publisher.server.faults = Faults(stall_after=10)
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    assert refused(publisher, copy, folders, stop=stop).kind == "stopped"


def test_a_table_of_packs_that_comes_along_is_kept(publisher, copy, folders, tmp_path):
    from engine.gpu_pack.table import parse_table

    table = tmp_path / "packs.json"
    table.write_text(json.dumps({"format": 1, "date": "2030-01-01", "packs": []}))
    publisher.publish("0.2.0", NEWER, "--gpu-packs", str(table))
    assert check(publisher.source, copy, folders, SETTINGS) is not None
    kept = folders.data / "gpu_packs.json"
    assert parse_table(kept.read_bytes()).date == "2030-01-01"
    signed = kept.with_name("gpu_packs.json.sig").read_bytes()
    publisher.source.require_signed(kept.read_bytes(), signed)


@pytest.mark.parametrize(
    "address", ["http://example.com/feed.json", "ftp://127.0.0.1/f", "file:///etc/passwd", "feed"]
)
def test_only_encrypted_addresses_are_asked(publisher, copy, folders, address):
    with pytest.raises(UpdateFailed) as caught:
        check(UpdateSource(address, (publisher.public,)), copy, folders, SETTINGS)
    assert caught.value.kind == "insecure"


def test_being_sent_on_to_an_address_without_encryption_is_refused(
    publisher, copy, folders, tmp_path, monkeypatch
):
    publisher.publish("0.2.0", NEWER)
    with _Encrypted(tmp_path, publisher.address) as address:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        from huggingface_hub.utils import close_session

        close_session()
        source = UpdateSource(address, (publisher.public,))
        with pytest.raises(UpdateFailed) as caught:
            check(source, copy, folders, SETTINGS)
    assert caught.value.kind == "insecure"


class _Encrypted:
    """A server with TLS on this machine that sends everybody on to ``goal``."""

    def __init__(self, folder: Path, goal: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Location", goal)
                self.send_header("Content-Length", "0")
                self.end_headers()

        _write_certificate(folder / "cert.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.01)

    def __enter__(self) -> str:
        self._thread.start()
        return f"https://127.0.0.1:{self._server.server_address[1]}/feed.json"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _write_certificate(path: Path) -> None:
    """Write a key and a certificate for 127.0.0.1 that this test alone trusts."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
