"""Where a version comes to be: what is in use, other processes, a damaged base, power cuts."""

import hashlib
import io
import os
import shutil
import tarfile
import threading
from pathlib import Path

import pytest

from engine.errors import UpdateFailed
from engine.updates import stage
from engine.updates.check import Update, check
from engine.updates.install import UpdateInstall
from engine.updates.stage import prune
from tests.engine.updates.kit import APP, REPO, SETTINGS, SHARED, add_newer, names, start

NEWER = {**SHARED, APP: "print('new app')\n"}
IN_USE = Path(next(iter(SHARED))).name


def offer(publisher, copy, folders) -> Update:
    publisher.publish("0.2.0", NEWER)
    found = check(publisher.source, copy, folders, SETTINGS)
    assert found is not None
    assert found.delta is not None
    return found


def install(update: Update, copy, folder: Path) -> list[str]:
    """Install it; return the phases, each once in a row."""
    phases: list[str] = []

    def note(progress) -> None:
        if phases[-1:] != [progress.phase]:
            phases.append(progress.phase)

    UpdateInstall(update, copy, folder, pauses_s=()).run(note, threading.Event())
    return phases


def test_what_windows_will_not_remove_holds_up_no_second_try(
    publisher, copy, folders, monkeypatch
) -> None:
    """There a library that runs cannot be removed by any of its names, and links are names."""
    update, unlink, stop = offer(publisher, copy, folders), os.unlink, threading.Event()

    def refuse(path: str, **options: int) -> None:
        if os.path.basename(path) == IN_USE:
            raise PermissionError(13, "in use", path)
        unlink(path, **options)

    def note(progress) -> None:
        if progress.phase == "switching":
            raise InterruptedError

    monkeypatch.setattr(os, "unlink", refuse)
    for _ in range(2):
        with pytest.raises(UpdateFailed):
            UpdateInstall(update, copy, folders.updates).run(note, stop)
        assert "0.2.0.partial" not in names(copy.versions)
    install(update, copy, folders.updates)
    assert start(copy.root) == "new app"
    monkeypatch.undo()
    prune(copy)
    assert names(copy.versions) == ["0.1.0", "0.2.0"]


def test_two_with_other_data_folders_do_not_build_one_version(
    publisher, copy, folders, tmp_path
) -> None:
    update, kinds = offer(publisher, copy, folders), []

    def note(progress) -> None:
        if progress.phase == "switching":
            with pytest.raises(UpdateFailed) as caught:
                install(update, copy, tmp_path / "other")
            kinds.append(caught.value.kind)
            assert "0.2.0" in caught.value.message

    UpdateInstall(update, copy, folders.updates).run(note, threading.Event())
    assert set(kinds) == {"busy"}
    assert start(copy.root) == "new app"


def test_an_old_process_does_not_undo_a_newer_version(publisher, copy, folders) -> None:
    """It found 0.2.0 weeks ago and still runs; another Skein has brought 0.3.0 since."""
    update = offer(publisher, copy, folders)
    add_newer(copy, "0.3.0")
    (copy.root / "current").write_text("0.3.0\n")
    with pytest.raises(UpdateFailed) as caught:
        install(update, copy, folders.updates)
    assert caught.value.kind == "older"
    assert "0.3.0" in caught.value.message
    assert not (copy.root / "next").exists()
    assert start(copy.root) == "0.3.0"


@pytest.mark.parametrize("read", ["next", "previous", "current"])
def test_a_switch_while_old_versions_are_removed(
    publisher, copy, folders, monkeypatch, read
) -> None:
    """A double click just when the update is ready, wherever the removal has got to."""
    install(offer(publisher, copy, folders), copy, folders.updates)
    plain = stage.read_line

    def switching(path: Path) -> str:
        found = plain(path)
        if path.name == read:
            assert start(copy.root) == "new app"
        return found

    monkeypatch.setattr(stage, "read_line", switching)
    prune(copy)
    assert names(copy.versions) == ["0.1.0", "0.2.0"]
    assert start(copy.root) == "new app"


def test_all_that_was_written_is_on_the_disk_before_it_counts(
    publisher, copy, folders, monkeypatch
) -> None:
    """Without hard links, that is every file: a power cut must not leave empty ones."""
    update, synced, fsync, rename = offer(publisher, copy, folders), set(), os.fsync, os.rename

    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links on this file system")

    def note(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    def check_then_rename(old: Path, new: Path) -> None:
        written = {path for path in Path(old).rglob("*") if path.is_file()}
        assert {path.name for path in written if path.stat().st_ino not in synced} == set()
        rename(old, new)

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "rename", check_then_rename)
    install(update, copy, folders.updates)
    assert start(copy.root) == "new app"


def test_a_file_of_ours_that_cannot_be_read_means_that_all_is_fetched(
    publisher, copy, folders
) -> None:
    update = offer(publisher, copy, folders)
    victim = copy.tree / next(iter(SHARED))
    victim.unlink()
    victim.mkdir()
    assert install(update, copy, folders.updates).count("downloading") == 2
    assert start(copy.root) == "new app"


@pytest.mark.parametrize("what", ["damaged", "missing"])
def test_a_delta_that_the_server_lost_means_that_all_is_fetched(
    publisher, copy, folders, what
) -> None:
    update = offer(publisher, copy, folders)
    files = publisher.server.repos[REPO]
    name = next(name for name in files if "-from-0.1.0" in name)
    if what == "missing":
        del files[name]
    else:
        publisher.server.add(REPO, name, bytes(len(files[name])))
    install(update, copy, folders.updates)
    assert start(copy.root) == "new app"


@pytest.mark.parametrize("less", [0, 1])
def test_not_a_byte_more_comes_out_than_was_said(publisher, copy, folders, less) -> None:
    publisher.publish("0.2.0", NEWER)
    feed = publisher.feed()
    offered = feed["artifacts"]["linux-x86_64"]
    offered["deltas"] = {}
    offered["full"]["unpacked"] -= less
    publisher.sign(feed)
    update = check(publisher.source, copy, folders, SETTINGS)
    assert update is not None
    if not less:
        install(update, copy, folders.updates)
        return
    with pytest.raises(UpdateFailed) as caught:
        install(update, copy, folders.updates)
    assert caught.value.kind == "damaged"
    assert names(copy.versions) == ["0.1.0"]


def repacked(publisher, **files: bytes) -> None:
    """Offer the same archive with these files besides or instead, signed."""
    feed, packed = publisher.feed(), io.BytesIO()
    offered = feed["artifacts"]["linux-x86_64"]
    with (
        tarfile.open(
            fileobj=io.BytesIO(publisher.server.repos[REPO][offered["full"]["url"]])
        ) as old,
        tarfile.open(fileobj=packed, mode="w:xz") as new,
    ):
        for member in old:
            source = old.extractfile(member)
            assert source is not None
            data = files.pop(member.name, source.read())
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    data = packed.getvalue()
    publisher.server.add(REPO, "other.tar.xz", data)
    entry = {"url": "other.tar.xz", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    offered |= {"full": entry | {"unpacked": 10**7}, "deltas": {}}
    publisher.sign(feed)


@pytest.mark.parametrize("files", [{}, {APP: b"other"}, {"python/stranger": b"x"}])
def test_what_is_not_just_what_its_list_says_is_refused(publisher, copy, folders, files) -> None:
    publisher.publish("0.2.0", NEWER)
    repacked(publisher, **files)
    update = check(publisher.source, copy, folders, SETTINGS)
    assert update is not None
    if not files:
        install(update, copy, folders.updates)
        assert start(copy.root) == "new app"
        return
    with pytest.raises(UpdateFailed) as caught:
        install(update, copy, folders.updates)
    assert caught.value.kind == "damaged"
    assert names(copy.versions) == ["0.1.0"]


@pytest.mark.parametrize("what", ["version", "target"])
def test_a_list_of_another_version_or_system_is_refused(publisher, copy, folders, what) -> None:
    publisher.publish(
        "0.2.0", NEWER, target="windows-x86_64" if what == "target" else "linux-x86_64"
    )
    feed = publisher.feed()
    (offered,) = feed["artifacts"].values()
    feed["artifacts"] = {"linux-x86_64": offered}
    feed["version"] = "0.2.5" if what == "version" else "0.2.0"
    publisher.sign(feed)
    update = check(publisher.source, copy, folders, SETTINGS)
    assert update is not None
    with pytest.raises(UpdateFailed) as caught:
        install(update, copy, folders.updates)
    assert caught.value.kind == "damaged"
    assert names(copy.versions) == ["0.1.0"]


def test_what_lies_there_is_used_only_when_it_is_whole(publisher, copy, folders) -> None:
    update = offer(publisher, copy, folders)
    install(update, copy, folders.updates)
    (copy.root / "next").unlink()
    publisher.server.requests.clear()
    install(update, copy, folders.updates)
    assert not publisher.server.requests
    shutil.rmtree(copy.versions / "0.2.0")
    add_newer(copy, "0.2.0")  # another built
    install(update, copy, folders.updates)
    victim = copy.versions / "0.2.0" / APP
    assert "new app" in victim.read_text()
    victim.write_bytes(b"x" * victim.stat().st_size)
    (copy.root / "next").unlink()
    install(update, copy, folders.updates)
    assert start(copy.root) == "new app"


def test_an_archive_that_lies_there_is_used_only_when_it_is_whole(publisher, copy, folders) -> None:
    update = offer(publisher, copy, folders)
    assert update.delta is not None
    name = f"0.2.0-from-{update.delta.sha256[:16]}.tar.xz"
    (folders.updates / name).parent.mkdir(parents=True, exist_ok=True)
    (folders.updates / name).write_bytes(b"x" * update.delta.size_bytes)
    publisher.server.requests.clear()
    install(update, copy, folders.updates)
    fetched = [r.path for r in publisher.server.requests if "storage/" in r.path]
    assert fetched
    assert all("-from-0.1.0" in path for path in fetched)
    assert start(copy.root) == "new app"


def test_bytes_that_are_here_become_a_program_only_where_the_list_says_so(
    publisher, copy, folders
) -> None:
    old, tool = next(iter(SHARED)), "python/bin/tool"
    publisher.publish("0.2.0", {**NEWER, tool: SHARED[old]})
    update = check(publisher.source, copy, folders, SETTINGS)
    assert update is not None
    assert install(update, copy, folders.updates).count("downloading") == 1
    modes = [(copy.versions / "0.2.0" / name).stat().st_mode & 0o777 for name in (tool, old)]
    assert modes == [0o755, 0o644]
    assert (copy.tree / old).stat().st_mode & 0o777 == 0o644


def test_copies_need_room_that_links_do_not(publisher, copy, folders, monkeypatch) -> None:
    update = offer(publisher, copy, folders)
    assert update.delta is not None
    room = update.delta.size_bytes + update.delta.unpacked_bytes

    def install_with(free: int) -> None:
        job = UpdateInstall(
            update, copy, folders.updates, margin_bytes=0, free_bytes=lambda _folder: free
        )
        job.run(lambda _progress: None, threading.Event())

    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links on this file system")

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", refuse)
        with pytest.raises(UpdateFailed) as caught:
            install_with(room)
        assert caught.value.kind == "full"
    install_with(room)
    assert start(copy.root) == "new app"
