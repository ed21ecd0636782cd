"""The release's tool: what it writes can be verified by others, what is wrong is a sentence."""

import random
import subprocess
from pathlib import Path

import pytest

from engine.gpu_pack.table import Table, dump_table
from engine.manifest import Manifest
from engine.updates.feed import Feed
from engine.updates.source import UpdateSource
from installers import release
from installers.builder.archive import write_archive
from tests.installers.tree_kit import make_tree
from tests.pack_kit import tiny_row

FAST = [{"id": 0x21, "preset": 0}]
PRIVATE = "07" * 32


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(release.KEY, PRIVATE)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    folder.mkdir()
    return folder


def add(dist: Path, version: str, target: str = "linux-x86_64", payload: bytes = b"x") -> Path:
    """Lay a built archive there; return its tree."""
    tree = make_tree(
        dist.parent / f"{version}-{target}", version, {"python/data": payload}, target=target
    )
    write_archive(tree, dist / f"skein-{version}-{target}.tar.xz", FAST)
    return tree


def previous(dist: Path, version: str, payload: bytes = b"x") -> Path:
    """Return a folder with the manifest of an earlier release."""
    folder = dist.parent / "previous"
    folder.mkdir(exist_ok=True)
    tree = make_tree(dist.parent / f"old-{version}", version, {"python/data": payload})
    path = folder / f"skein-{version}-linux-x86_64.manifest.json"
    path.write_bytes((tree / "manifest.json").read_bytes())
    return folder


def publish(dist: Path, *options: str) -> int:
    arguments = ["publish", "--archives", str(dist), "--out", str(dist), "--fast", *options]
    return release.main(arguments)


def feed_of(dist: Path) -> Feed:
    data = (dist / "feed.json").read_bytes()
    return Feed.parse(data, "https://updates.example/skein/feed.json")


def test_two_targets_make_one_feed(dist):
    tree = add(dist, "0.2.0", payload=bytes(range(256)) * 3000)
    add(dist, "0.2.0", "windows-x86_64")
    folder = previous(dist, "0.1.0", payload=bytes(range(256)) * 3000)
    assert publish(dist, "--previous", str(folder), "--days", "30") == 0
    feed = feed_of(dist)
    assert (feed.version, sorted(feed.targets)) == ("0.2.0", ["linux-x86_64", "windows-x86_64"])
    assert (feed.expires - feed.date).days == 30
    linux = feed.targets["linux-x86_64"]
    assert linux.full.url == "https://updates.example/skein/skein-0.2.0-linux-x86_64.tar.xz"
    assert linux.glibc == "2.36"
    assert list(linux.deltas) == ["0.1.0"]
    assert not feed.targets["windows-x86_64"].deltas
    manifest = (dist / "skein-0.2.0-linux-x86_64.manifest.json").read_bytes()
    assert manifest == (tree / "manifest.json").read_bytes()
    assert linux.full.unpacked_bytes == Manifest.parse(manifest).size_bytes + len(manifest)


def test_others_can_verify_the_sums_and_the_signature(dist):
    add(dist, "0.2.0")
    (dist / "skein_0.2.0_amd64.deb").write_bytes(b"a package")
    assert publish(dist) == 0
    answer = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=dist, capture_output=True, text=True, check=True
    )
    assert answer.stdout.count(": OK") == len(list(dist.iterdir())) - 1
    assert "skein_0.2.0_amd64.deb: OK" in answer.stdout
    public = _public()
    source = UpdateSource("https://updates.example/feed.json", (public,))
    signed = (dist / "feed.json.sig").read_bytes()
    source.require_signed((dist / "feed.json").read_bytes(), signed)


def _public() -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(PRIVATE))
    return key.public_key().public_bytes_raw().hex()


def test_the_same_release_twice_is_the_same_but_for_its_time(dist):
    add(dist, "0.2.0")
    folder = previous(dist, "0.1.0")
    sums: list[str] = []
    for _ in range(2):
        assert publish(dist, "--previous", str(folder)) == 0
        lines = (dist / "SHA256SUMS").read_text("utf-8").splitlines()
        sums.append("\n".join(line for line in lines if "feed.json" not in line))
    assert sums[0] == sums[1]


def test_a_delta_that_saves_little_is_not_offered(dist, tmp_path):
    add(dist, "0.2.0", payload=random.Random(1).randbytes(400_000))
    assert publish(dist, "--previous", str(previous(dist, "0.1.0"))) == 0
    assert not feed_of(dist).targets["linux-x86_64"].deltas
    assert not list(dist.glob("*-from-*"))


def test_later_versions_and_other_files_are_no_base(dist):
    add(dist, "0.2.0")
    folder = previous(dist, "0.3.0")
    (folder / "README.txt").write_text("not a manifest")
    assert publish(dist, "--previous", str(folder)) == 0
    assert not feed_of(dist).targets["linux-x86_64"].deltas


def test_notes_are_needed_in_every_language(dist, tmp_path, capsys):
    add(dist, "0.2.0")
    for name in ("en", "zh", "ja"):
        text = f"Title\n\n## 0.2.0\n\n- {name}\n\n### More\n\nmore\n\n## 0.1.0\n\nold\n"
        (tmp_path / f"{name}.md").write_text(text, "utf-8")
    assert publish(dist, "--notes", str(tmp_path)) == 0
    assert feed_of(dist).notes["zh"] == "- zh\n\n### More\n\nmore"
    (tmp_path / "ja.md").write_text("## 0.1.0\n\nold\n", "utf-8")
    assert publish(dist, "--notes", str(tmp_path)) == 2
    assert "ja.md" in capsys.readouterr().err


def test_the_key_that_nobody_trusts_is_refused(dist, capsys):
    add(dist, "0.2.0")
    assert publish(dist, "--public-key", "ab" * 32) == 2
    assert "nobody could verify" in capsys.readouterr().err
    assert publish(dist, "--public-key", _public().upper()) == 0


@pytest.mark.parametrize("wrong", ["", "zz", "ab" * 31])
def test_without_a_key_there_is_no_feed(dist, wrong, monkeypatch, capsys):
    add(dist, "0.2.0")
    monkeypatch.setenv(release.KEY, wrong)
    assert publish(dist) == 2
    assert release.KEY in capsys.readouterr().err
    assert publish(dist, "--no-feed") == 0
    assert not (dist / "feed.json").exists()
    assert (dist / "SHA256SUMS").exists()


def test_archives_that_do_not_belong_together_are_refused(dist, capsys):
    assert publish(dist) == 2
    assert "none" in capsys.readouterr().err
    add(dist, "0.2.0")
    add(dist, "0.1.0", "windows-x86_64")
    assert publish(dist) == 2
    assert "0.1.0, 0.2.0" in capsys.readouterr().err
    (dist / "skein-0.1.0-windows-x86_64.tar.xz").rename(dist / "skein-0.2.0-macos-arm64.tar.xz")
    assert publish(dist) == 2
    assert "rename" in capsys.readouterr().err


def test_a_table_of_packs_that_copies_would_pass_over_is_not_signed(dist, tmp_path, capsys):
    add(dist, "0.2.0")
    table = tmp_path / "packs.json"
    table.write_bytes(dump_table(Table("2026-11-24", (tiny_row(),))))
    assert publish(dist, "--gpu-packs", str(table)) == 0
    assert feed_of(dist).has_gpu_packs
    for wrong in ("{}", '{"date": 1', "[]"):
        table.write_text(wrong)
        assert publish(dist, "--gpu-packs", str(table)) == 2
        assert "is no table of GPU packs" in capsys.readouterr().err


@pytest.mark.parametrize("kept", [0.0, 0.2, 0.7, 1.0])
def test_what_was_cut_or_changed_on_its_way_is_not_signed(dist, kept, capsys):
    add(dist, "0.2.0", payload=random.Random(1).randbytes(400_000))
    archive = dist / "skein-0.2.0-linux-x86_64.tar.xz"
    data = archive.read_bytes()
    archive.write_bytes(data[: max(0, int(len(data) * kept) - 40)])
    assert publish(dist) == 2
    assert f"{archive} is damaged" in capsys.readouterr().err
    assert not (dist / "feed.json").exists()


def test_an_archive_that_its_manifest_does_not_fit_is_not_signed(dist, capsys):
    tree = add(dist, "0.2.0")
    (tree / "python/data").write_bytes(b"another")
    write_archive(tree, dist / "skein-0.2.0-linux-x86_64.tar.xz", FAST)
    assert publish(dist) == 2
    assert "manifest.json says (python/data): build it again" in capsys.readouterr().err
    assert not (dist / "feed.json").exists()


def test_a_new_pair_of_keys_belongs_together(capsys, monkeypatch, dist):
    assert release.main(["key"]) == 0
    private, public = (
        line.rpartition(": ")[2] for line in capsys.readouterr().out.strip().splitlines()
    )
    monkeypatch.setenv(release.KEY, private)
    add(dist, "0.2.0")
    assert publish(dist, "--public-key", public) == 0
