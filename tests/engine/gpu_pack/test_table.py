"""The table of packs: what comes with Skein, and a later one only with a signature."""

import base64
import json
import tomllib
from importlib.resources import files

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.folders import Folders
from engine.gpu_pack.table import (
    Table,
    dump_table,
    keep_table,
    load_table,
    parse_table,
)
from engine.hardware.torch_build import cuda_builds
from tests.pack_kit import tiny_row, tiny_torch


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def signed(key: Ed25519PrivateKey, data: bytes) -> str:
    return base64.b64encode(key.sign(data)).decode()


def table_of(date: str, name: str = "cu199") -> bytes:
    return dump_table(Table(date, (tiny_row(tiny_torch()[0], name=name),)))


def test_the_built_in_table_says_what_the_table_of_cards_says():
    builds = cuda_builds()
    rows = load_table()
    assert {row.name for row in rows} == {"cu126", "cu128", "cu130"}
    for row in rows:
        build = builds[row.name]
        assert (row.capability_from, row.capability_to) == (
            build.capability_min,
            build.capability_max,
        )
        assert row.driver_from == build.driver_min


def test_the_built_in_table_is_for_the_torch_that_is_bundled():
    text = files("installers").joinpath("locks", "linux-x86_64.txt").read_text("utf-8")
    locked = next(line for line in text.splitlines() if line.startswith("torch=="))
    version = locked.removeprefix("torch==").split()[0].partition("+")[0]
    assert {row.torch for row in load_table()} == {version}
    project = tomllib.loads(files("installers").joinpath("..", "pyproject.toml").read_text("utf-8"))
    assert any(f"<={version}" in need for need in project["project"]["dependencies"])


def test_cuda_13_for_linux_is_pinned_and_the_rest_says_why_not():
    rows = {(row.name, row.system): row for row in load_table()}
    pack = rows["cu130", "linux-x86_64"]
    names = [wheel.name for wheel in pack.wheels]
    assert names[0] == "torch"
    assert {"triton", "nvidia-cublas", "nvidia-cuda-nvrtc", "nvidia-cuda-runtime"} <= set(names)
    assert 2e9 < pack.download_bytes < 4e9 < pack.installed_bytes < 8e9
    for row in rows.values():
        assert row.pinned != bool(row.note)
        assert row.index == "", "no address lies in the repository"


def test_what_is_written_is_what_is_read():
    rows = (tiny_row(tiny_torch()[0], index="http://127.0.0.1/x", note="why"), tiny_row())
    table = Table("2026-11-23", rows)
    assert parse_table(dump_table(table)) == table


def test_a_later_signed_table_counts(folders: Folders, key: Ed25519PrivateKey):
    data = table_of("2099-01-01")
    keep_table(folders, data, signed(key, data))
    assert [row.name for row in load_table(folders, (public(key),))] == ["cu199"]
    assert load_table(folders, ()) == load_table()
    assert load_table(folders) == load_table(), "no key is trusted in the repository"


def test_a_table_inside_a_feed_counts(folders: Folders, key: Ed25519PrivateKey):
    feed = {"format": 1, "version": "9.9", "gpu_packs": json.loads(table_of("2099-01-01"))}
    data = json.dumps(feed).encode()
    keep_table(folders, data, signed(key, data))
    assert [row.name for row in load_table(folders, (public(key),))] == ["cu199"]


def test_an_older_table_does_not_count(folders: Folders, key: Ed25519PrivateKey):
    data = table_of("2020-01-01")
    keep_table(folders, data, signed(key, data))
    assert load_table(folders, (public(key),)) == load_table()


def test_a_changed_table_does_not_count(folders: Folders, key: Ed25519PrivateKey):
    data = table_of("2099-01-01")
    keep_table(folders, data, signed(key, data))
    (folders.data / "gpu_packs.json").write_bytes(data.replace(b"cu199", b"cu666"))
    assert load_table(folders, (public(key),)) == load_table()
    (folders.data / "gpu_packs.json.sig").unlink()
    assert load_table(folders, (public(key),)) == load_table()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"format": 2, "date": "x", "packs": []}',
        b'{"format": 1, "packs": []}',
        b'{"format": 1, "date": "x", "packs": [1]}',
        b'{"format": 1, "date": "x", "packs": [{"name": "../x"}]}',
        b"[" * 100_000,
        b" " * (2**20 + 1),
    ],
)
def test_what_is_no_table(data: bytes, folders: Folders):
    with pytest.raises(ValueError, match=r"."):
        parse_table(data)
    with pytest.raises(ValueError, match=r"."):
        keep_table(folders, data, "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "../../x"),
        ("python", "cp"),
        ("torch", "2/../.."),
        ("capability_from", [7]),
        ("driver_from", -1),
        ("installed_bytes", True),
        ("wheels", {}),
        ("wheels", [{"name": "torch"}]),
    ],
)
def test_a_row_with_a_wrong_value(name: str, value: object):
    raw = json.loads(table_of("2026-01-01"))
    raw["packs"][0][name] = value
    with pytest.raises(ValueError, match=r"."):
        parse_table(json.dumps(raw).encode())


@pytest.mark.parametrize("file", ["../torch-2-a-b-c.whl", "torch.whl", "a/b-1-c-d-e.whl", "CON"])
def test_a_wheel_with_a_name_that_is_a_path(file: str):
    raw = json.loads(table_of("2026-01-01"))
    raw["packs"][0]["wheels"][0]["file"] = file
    with pytest.raises(ValueError, match="no wheel"):
        parse_table(json.dumps(raw).encode())
