"""Which installed copy a process runs from, and what it says about itself."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.errors import DamagedFile
from engine.installation import Installation
from engine.manifest import InstalledFile, Manifest, is_safe_path, safe_version, version_key

MANIFEST = Manifest(
    "0.1.0",
    "linux-x86_64",
    "3.11.7",
    "2.13.0+cpu",
    "2.34",
    "2026-11-23T23:00:00+00:00",
    3,
    (InstalledFile("python/bin/python3.11", 3, "ab" * 32, True),),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "ünï 中 dir"
    for version in ("0.1.0", "0.2.0"):
        (root / "versions" / version / "python").mkdir(parents=True)
        (root / "versions" / version / "manifest.json").write_bytes(MANIFEST.to_bytes())
    (root / "current").write_text("0.1.0\n")
    (root / "channel").write_text("run\n")
    return root


def find(root: Path, version: str = "0.1.0") -> Installation:
    found = Installation.find(root / "versions" / version / "python")
    assert found is not None
    return found


def test_a_tree_is_found_from_its_python(root):
    found = find(root)
    assert found == Installation(root, "0.1.0", "run")
    assert found.tree == root / "versions" / "0.1.0"
    assert found.manifest() == MANIFEST
    assert found.updatable
    assert sorted(path.name for path in root.iterdir()) == ["channel", "current", "versions"]


def test_the_running_version_counts_even_when_current_has_moved_on(root):
    (root / "current").write_text("0.2.0\n")
    assert find(root).version == "0.1.0"


def test_a_clone_is_no_installation(root, tmp_path):
    assert Installation.find() is None
    assert Installation.find(tmp_path / "nothing" / "python") is None
    (root / "versions" / "0.2.0" / "manifest.json").unlink()
    assert Installation.find(root / "versions" / "0.2.0" / "python") is None
    (root / "current").unlink()
    assert Installation.find(root / "versions" / "0.1.0" / "python") is None


@pytest.mark.parametrize("channel", ["deb", "dmg", "appimage", "tree", "", "x" * 5000])
def test_other_copies_are_left_alone_and_say_why(root, channel):
    (root / "channel").write_text(channel)
    found = find(root)
    assert not found.updatable
    assert found.why_not.endswith(".")


@contextmanager
def as_an_ordinary_user() -> Iterator[None]:
    """Without the rights of an administrator, who may write everywhere."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_is_not_ours_to_write(root):
    place = Path(tempfile.mkdtemp(prefix="skein-test-"))
    try:
        shutil.copytree(root, place / "skein")
        for folder in (place, place / "skein", place / "skein" / "versions"):
            folder.chmod(0o555)
        found = find(place / "skein")
        with as_an_ordinary_user():
            assert not found.updatable
            assert str(place) in found.why_not
            found.started_well()
            assert found.take_failed() == ""
    finally:
        for folder in (place, place / "skein", place / "skein" / "versions"):
            folder.chmod(0o755)
        shutil.rmtree(place)


def test_started_well_ends_the_trying_of_this_version_alone(root):
    (root / "trying").write_text("0.2.0 1\n")
    find(root).started_well()
    assert (root / "trying").exists()
    find(root, "0.2.0").started_well()
    assert not (root / "trying").exists()
    find(root, "0.2.0").started_well()


def test_a_start_that_says_nothing_is_not_counted(root):
    trying = root / "trying"
    for before, after in (("2", "1"), ("1", "0"), ("0", "0"), ("many", "many")):
        trying.write_text(f"0.1.0 {before}\n")
        find(root, "0.2.0").uncount_start()
        assert trying.read_text() == f"0.1.0 {before}\n"
        find(root).uncount_start()
        assert trying.read_text() == f"0.1.0 {after}\n"
    trying.unlink()
    find(root).uncount_start()
    assert not trying.exists()


def test_commands_do_not_bring_a_new_version_to_fall(root, monkeypatch):
    import sys

    from app.__main__ import main

    monkeypatch.setattr(sys, "prefix", str(root / "versions" / "0.1.0" / "python"))
    monkeypatch.setenv("SKEIN_COUNTED", "1")
    (root / "trying").write_text("0.1.0 2\n")
    assert main(["skein", "--help"]) == 0
    assert (root / "trying").read_text() == "0.1.0 1\n"


def test_a_version_that_was_rolled_back_is_told_once_and_remembered(root):
    found = find(root)
    assert found.take_failed() == ""
    (root / "failed").write_text("0.2.0\n")
    assert found.was_rolled_back("0.2.0")
    assert found.take_failed() == "0.2.0"
    assert found.take_failed() == ""
    assert found.was_rolled_back("0.2.0")
    assert not found.was_rolled_back("0.3.0")


def test_names_in_files_are_believed_only_when_they_can_be_started(root):
    found = find(root)
    assert (found.next, found.previous) == ("", "")
    for text in ("0.2.0", "../../etc", "0.9.0", "", "\xff"):
        (root / "next").write_bytes(text.encode("latin-1"))
        assert found.next == ("0.2.0" if text == "0.2.0" else "")


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"name": "other"},
        {"version": "../x"},
        {"version": None},
        {"torch": "\ud800"},
        {"files": [{"path": "a\ud800", "size": 1, "sha256": "ab" * 32}]},
        {"size_bytes": -1},
        {"size_bytes": True},
        {"files": {}},
        {"files": [{"path": "a"}]},
        {"files": [{"path": "/etc/passwd", "size": 1, "sha256": "ab" * 32}]},
        {"files": [{"path": "a/../../b", "size": 1, "sha256": "ab" * 32}]},
        {"files": [{"path": "manifest.json", "size": 1, "sha256": "ab" * 32}]},
        {"files": [{"path": "a", "size": 1, "sha256": "zz"}]},
        {"files": [{"path": p, "size": 1, "sha256": "ab" * 32} for p in ("a", "A")]},
        {"files": [{"path": p, "size": 1, "sha256": "ab" * 32} for p in ("a/b", "a")]},
    ],
)
def test_a_manifest_that_is_none_is_refused(change):
    values = json.loads(MANIFEST.to_bytes()) | change
    with pytest.raises(DamagedFile):
        Manifest.parse(json.dumps(values).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{}", b"[" * 100_000, b"null"])
def test_what_is_not_even_json_is_refused(data):
    with pytest.raises(DamagedFile):
        Manifest.parse(data)


def test_a_manifest_comes_back_as_it_was_written():
    assert Manifest.parse(MANIFEST.to_bytes()) == MANIFEST


@pytest.mark.parametrize(
    "path", ["", "/a", "a//b", "a\\b", "c:/a", "..", "a/.", "a/b.", "a/ ", "nul", "x/COM1.py", "\n"]
)
def test_paths_that_leave_their_folder_or_are_no_file_somewhere(path):
    assert not is_safe_path(path)


def test_versions_in_their_order():
    order = ["0.1.0", "0.2.0a1", "0.2.0b1", "0.2.0rc1", "0.2.0rc2", "0.2.0", "0.2.1", "0.10", "1.0"]
    assert sorted(order[4:] + order[:4], key=version_key) == order
    assert version_key("0.2") == version_key("0.2.0")
    for text in ("1", "v1.0", "1.0-x", "1.0/..", "1.0\n", "١.٢", "1." + "9" * 50):
        with pytest.raises(ValueError, match="version"):
            safe_version(text)
