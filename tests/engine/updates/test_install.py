"""From an offer to the next start: whole, verified, switched, and back when it does not start."""

import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import UpdateFailed
from engine.updates.check import Update, check
from engine.updates.install import UpdateInstall, make_install
from engine.updates.stage import Stage, prune
from tests.engine.updates.kit import (
    APP,
    SETTINGS,
    SHARED,
    installation_of,
    line,
    names,
    start,
)
from tests.hub_server import Faults

BIG = os.urandom(250_000)
NEWER = {**SHARED, APP: "print('new app')\n", "python/big.bin": BIG}


def offer(publisher, copy, folders) -> Update:
    found = check(publisher.source, copy, folders, SETTINGS)
    assert found is not None
    return found


def install(update: Update, copy, folders, **options) -> UpdateInstall:
    options.setdefault("pauses_s", (0.0, 0.0))
    return UpdateInstall(update, copy, folders.updates, **options)


def run(job: UpdateInstall, stop: threading.Event | None = None) -> list[str]:
    """Run it; return its phases, each once in a row."""
    phases: list[str] = []

    def note(progress) -> None:
        assert progress.received >= 0
        if phases[-1:] != [progress.phase]:
            phases.append(progress.phase)

    assert job.run(note, stop or threading.Event()) == job.update.version
    return phases


def failure(job: UpdateInstall, stop: threading.Event | None = None) -> UpdateFailed:
    with pytest.raises(UpdateFailed) as caught:
        job.run(lambda _progress: None, stop or threading.Event())
    assert caught.value.message.endswith(".")
    return caught.value


def untouched(copy) -> bool:
    """Say whether a start still is what it was, with nothing half beside it."""
    return (
        start(copy.root, "x") == "0.1.0|x"
        and line(copy.root / "current") == "0.1.0"
        and not (copy.root / "next").exists()
        and names(copy.versions) == ["0.1.0"]
    )


def forked(work: Callable[[], object]) -> int:
    """Do it in a process of its own; return the signal that ended it, or -1."""
    from huggingface_hub.utils import close_session

    close_session()
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    status = os.waitpid(child, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -1


def test_a_delta_becomes_the_version_that_starts_next(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    job = install(offer(publisher, copy, folders), copy, folders)
    phases = run(job)
    assert phases == [
        "starting", "downloading", "verifying", "unpacking", "verifying", "switching",
    ]  # fmt: skip
    assert len(publisher.server.asked("GET", "storage/skein/updates/skein-")) == 1
    assert start(copy.root) == "new app"
    assert [line(copy.root / n) for n in ("current", "previous", "trying")] == [
        "0.2.0", "0.1.0", "0.2.0 1",
    ]  # fmt: skip
    new = installation_of(copy.root, "0.2.0")
    assert (new.tree / "manifest.json").read_bytes() == (
        publisher.trees["0.2.0"] / "manifest.json"
    ).read_bytes()
    new.started_well()
    assert start(copy.root) == "new app"
    assert not (copy.root / "trying").exists()
    assert names(folders.updates) == ["seen.json"]


def test_what_did_not_change_takes_no_room(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    run(install(offer(publisher, copy, folders), copy, folders))
    for name in SHARED:
        assert (copy.versions / "0.2.0" / name).stat().st_ino == (copy.tree / name).stat().st_ino
    assert (copy.versions / "0.2.0" / APP).stat().st_nlink == 1


def test_a_moved_file_is_found_by_what_is_in_it(publisher, copy, folders):
    moved = {name.replace("numpy", "numpy2"): data for name, data in SHARED.items()}
    out = publisher.publish("0.2.0", {**moved, APP: "print('moved')\n"})
    run(install(offer(publisher, copy, folders), copy, folders))
    assert start(copy.root) == "moved"
    assert not (copy.versions / "0.2.0" / next(iter(SHARED))).exists()
    assert (out / "skein-0.2.0-linux-x86_64-from-0.1.0.tar.xz").stat().st_size < 3000


def test_without_hard_links_files_are_copied(publisher, copy, folders, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links on this file system")

    publisher.publish("0.2.0", NEWER)
    monkeypatch.setattr(os, "link", refuse)
    run(install(offer(publisher, copy, folders), copy, folders))
    name = next(iter(SHARED))
    assert (copy.versions / "0.2.0" / name).stat().st_ino != (copy.tree / name).stat().st_ino
    assert start(copy.root) == "new app"


@pytest.mark.parametrize("damage", ["changed", "missing", "longer"])
def test_a_damaged_file_of_ours_means_that_all_is_fetched(publisher, copy, folders, damage):
    publisher.publish("0.2.0", NEWER)
    update = offer(publisher, copy, folders)
    victim = copy.tree / next(iter(SHARED))
    if damage == "missing":
        victim.unlink()
    else:
        victim.write_bytes(b"x" * (100_000 + (damage == "longer")))
    phases = run(install(update, copy, folders))
    assert phases.count("downloading") == 2
    assert start(copy.root) == "new app"
    new = copy.versions / "0.2.0" / next(iter(SHARED))
    assert new.read_bytes() == SHARED[next(iter(SHARED))]


def test_without_a_delta_all_is_fetched(publisher, copy, folders):
    publisher.trees.clear()
    publisher.publish("0.2.0", NEWER)
    update = offer(publisher, copy, folders)
    assert update.delta is None
    run(install(update, copy, folders))
    assert start(copy.root) == "new app"


def test_a_version_that_does_not_start_twice_goes_back(publisher, copy, folders):
    publisher.publish("0.2.0", {**NEWER, APP: "raise SystemExit('broken')\n"})
    run(install(offer(publisher, copy, folders), copy, folders))
    assert [start(copy.root), start(copy.root)] == ["", ""]
    assert start(copy.root, "a") == "0.1.0|a"
    back = installation_of(copy.root, line(copy.root / "current"))
    assert back.version == "0.1.0"
    assert back.take_failed() == "0.2.0"
    assert offer(publisher, back, folders).rolled_back
    prune(back)
    assert names(back.versions) == ["0.1.0"]
    run(install(offer(publisher, back, folders), back, folders))
    assert line(copy.root / "next") == "0.2.0"


def test_only_the_running_and_the_previous_version_stay(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    run(install(offer(publisher, copy, folders), copy, folders))
    start(copy.root)
    second = installation_of(copy.root, "0.2.0")
    second.started_well()
    publisher.publish("0.3.0", {**NEWER, APP: "print('third')\n"})
    run(install(offer(publisher, second, folders), second, folders))
    assert names(copy.versions) == ["0.1.0", "0.2.0", "0.3.0"]
    assert start(copy.root) == "third"
    (copy.versions / "0.9.0.partial").mkdir()
    (copy.versions / "mine").mkdir()
    prune(installation_of(copy.root, "0.3.0"))
    assert names(copy.versions) == ["0.2.0", "0.3.0", "mine"]


def test_a_cut_connection_goes_on_where_it_was(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    update = offer(publisher, copy, folders)
    publisher.server.reset()
    publisher.server.faults = Faults(cut_after=100_000, cuts=2)
    run(install(update, copy, folders))
    ranges = [r.headers.get("range") for r in publisher.server.asked("GET", "storage/")]
    assert len(ranges) == 3
    assert ranges[0] is None
    assert all(ranges[1:])
    assert start(copy.root) == "new app"


def test_other_bytes_than_promised_are_removed(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    update = offer(publisher, copy, folders)
    publisher.server.faults = Faults(corrupt=True)
    job = install(update, copy, folders)
    assert failure(job).kind == "damaged"
    assert job.received == 0
    assert untouched(copy)
    publisher.server.reset()
    run(job)
    assert start(copy.root) == "new app"


def test_stop_pauses_and_the_rest_comes_later(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    job = install(offer(publisher, copy, folders), copy, folders)
    publisher.server.faults = Faults(stall_after=150_000)
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    assert failure(job, stop).kind == "stopped"
    assert time.monotonic() - began < 1
    assert 0 < job.received <= 150_000
    assert untouched(copy)
    publisher.server.reset()
    run(job)
    assert publisher.server.asked("GET", "storage/")[0].headers["range"].startswith("bytes=")
    assert start(copy.root) == "new app"


def test_cancel_leaves_nothing(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    job = install(offer(publisher, copy, folders), copy, folders, pauses_s=())
    publisher.server.faults = Faults(cut_after=150_000)
    assert failure(job).kind == "offline"
    assert job.received
    job.discard()
    assert job.received == 0
    assert names(folders.updates) == ["seen.json"]


@pytest.mark.parametrize("phase", ["downloading", "unpacking", "verifying", "switching", "chosen"])
def test_a_kill_at_any_moment_loses_nothing(publisher, copy, folders, phase, monkeypatch):
    publisher.publish("0.2.0", NEWER)
    update = offer(publisher, copy, folders)
    seen: list[str] = []
    publisher.server.faults.piece_delay_s = 0.12 * (phase == "downloading")

    def die(_self: Stage | None = None) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def note(progress) -> None:
        seen.append(progress.phase)
        built = phase != "verifying" or "unpacking" in seen
        if progress.phase == phase and progress.received and built:
            die()

    def work() -> None:
        if phase == "chosen":
            monkeypatch.setattr(Stage, "choose", die)
        install(update, copy, folders).run(note, threading.Event())

    assert forked(work) == signal.SIGKILL
    assert start(copy.root, "x") == "0.1.0|x"
    assert line(copy.root / "current") == "0.1.0"
    assert not (copy.root / "next").exists()
    if phase != "chosen":
        assert not (copy.versions / "0.2.0").exists()
    publisher.server.reset()
    run(install(update, copy, folders))
    archives = publisher.server.asked("GET", "storage/")
    assert bool(archives) == (phase == "downloading")
    assert start(copy.root) == "new app"
    assert names(copy.versions) == ["0.1.0", "0.2.0"]


def test_too_little_room_is_said_before_anything_comes_in(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    update = offer(publisher, copy, folders)
    job = install(update, copy, folders, free_bytes=lambda _folder: 400_000, margin_bytes=0)
    publisher.server.reset()
    error = failure(job)
    assert error.kind == "full"
    assert "400 kB" in error.message
    assert not publisher.server.requests
    assert untouched(copy)


def test_a_disk_that_fills_while_unpacking(publisher, copy, folders):
    publisher.publish("0.2.0", {**NEWER, "python/zeros.bin": bytes(5_000_000)})
    update = offer(publisher, copy, folders)
    kinds: list[str] = []

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        kinds.append(failure(install(update, copy, folders)).kind)
        assert kinds == ["full"]
        os.kill(os.getpid(), signal.SIGUSR1)

    assert forked(work) == signal.SIGUSR1
    assert untouched(copy)
    run(install(update, copy, folders))
    assert start(copy.root) == "new app"


def test_a_disk_that_is_full_while_it_comes_in(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    job = install(offer(publisher, copy, folders), copy, folders, pauses_s=())
    publisher.server.faults = Faults(cut_after=100_000)
    assert failure(job).kind == "offline"
    publisher.server.reset()
    (part,) = folders.updates.glob("*.part")
    part.unlink()
    part.symlink_to("/dev/full")
    assert failure(job).kind == "full"
    assert untouched(copy)


def test_two_at_once(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    update = offer(publisher, copy, folders)
    publisher.server.faults = Faults(stall_after=100_000)
    stop = threading.Event()
    first = threading.Thread(target=lambda: failure(install(update, copy, folders), stop))
    first.start()
    deadline = time.monotonic() + 10
    while not install(update, copy, folders).received:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert failure(install(update, copy, folders)).kind == "busy"
    stop.set()
    first.join()


def test_a_copy_of_the_package_manager_is_left_alone(publisher, copy, folders):
    publisher.publish("0.2.0", NEWER)
    update = offer(publisher, copy, folders)
    (copy.root / "channel").write_text("deb\n")
    packaged = installation_of(copy.root, "0.1.0")
    publisher.server.reset()
    assert failure(install(update, packaged, folders)).kind == "closed"
    assert not publisher.server.requests
    assert untouched(copy)


def test_what_the_settings_forbid_is_not_begun(publisher, copy, folders):
    from engine.settings import Settings

    publisher.publish("0.2.0", NEWER)
    update = offer(publisher, copy, folders)
    with pytest.raises(UpdateFailed) as caught:
        make_install(update, copy, folders, Settings(offline=True))
    assert caught.value.kind == "offline"
    assert make_install(update, copy, folders, SETTINGS).update is update


def test_an_archive_that_was_signed_by_mistake_stays_in_its_folder(publisher, copy, folders):
    """The hash is right and the names are wrong: nothing is written anywhere."""
    import hashlib
    import io
    import tarfile

    publisher.publish("0.2.0", NEWER)
    for wrong in ("../../../evil", "/tmp/evil", "python/../../x", "manifest.json\\x", "extra.txt"):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:xz") as archive:
            manifest = (publisher.trees["0.2.0"] / "manifest.json").read_bytes()
            for name, content in (("manifest.json", manifest), (wrong, b"evil")):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        feed = publisher.feed()
        entry = {"url": "evil.tar.xz", "size": len(data.getvalue()), "unpacked": 10**6}
        entry["sha256"] = hashlib.sha256(data.getvalue()).hexdigest()
        feed["artifacts"]["linux-x86_64"] |= {"full": entry, "deltas": {}}
        publisher.server.add("skein/updates", "evil.tar.xz", data.getvalue())
        publisher.sign(feed)
        job = install(offer(publisher, copy, folders), copy, folders)
        assert failure(job).kind == "damaged"
        assert untouched(copy)
        assert not Path("/tmp/evil").exists()
        assert names(copy.root.parent) == ["skein"]


def test_links_and_the_like_are_refused(publisher, copy, folders):
    import hashlib
    import io
    import tarfile

    publisher.publish("0.2.0", NEWER)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:xz") as archive:
            entry = tarfile.TarInfo("python/x")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        feed = publisher.feed()
        entry = {"url": "odd.tar.xz", "size": len(data.getvalue()), "unpacked": 10**6}
        entry["sha256"] = hashlib.sha256(data.getvalue()).hexdigest()
        feed["artifacts"]["linux-x86_64"] |= {"full": entry, "deltas": {}}
        publisher.server.add("skein/updates", "odd.tar.xz", data.getvalue())
        publisher.sign(feed)
        assert failure(install(offer(publisher, copy, folders), copy, folders)).kind == "damaged"
        assert untouched(copy)
