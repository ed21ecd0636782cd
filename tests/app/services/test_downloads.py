"""Downloads from a real local hub: queued, paused, cancelled, failed, and after a restart."""

import json

import pytest

from app.services.downloads import DownloadService
from app.services.offers import download_id
from engine.errors import DownloadFailed
from tests.app.models_kit import DATA, REPO, SMALL, remote, worker_threads

KEY = f"{REPO}/{SMALL}"


def left_in(folders):
    return sorted(path.name for path in folders.models.iterdir())


def is_running(service, key=KEY):
    entry = service.entry(key)
    return entry is not None and entry.progress is not None and entry.received > 0


@pytest.fixture
def slow(server):
    """The file stops in the middle until the test lets it go on."""
    server.faults.stall_after = 400_000
    server.faults.piece_delay_s = 0.03
    return server.faults


def test_a_file_arrives(qtbot, downloads, folders):
    seen = []
    downloads.progressed.connect(lambda key, progress: seen.append(progress))
    with qtbot.waitSignal(downloads.finished) as done:
        assert downloads.start(remote()) == KEY
    assert done.args == [KEY, folders.models / SMALL]
    assert (folders.models / SMALL).read_bytes() == DATA
    assert downloads.entries() == []
    assert [p.phase for p in seen][-1] == "verifying"
    assert json.loads((folders.data / "downloads.json").read_text("utf-8"))["downloads"] == []


def test_pause_keeps_and_resume_goes_on(qtbot, downloads, server, slow, folders):
    downloads.start(remote())
    qtbot.waitUntil(lambda: is_running(downloads))
    with qtbot.waitSignal(downloads.paused):
        downloads.pause(KEY)
    assert downloads.entry(KEY).status == "paused"
    qtbot.waitUntil(lambda: not worker_threads())
    assert f"{SMALL}.part" in left_in(folders)
    server.reset()
    with qtbot.waitSignal(downloads.finished):
        downloads.resume(KEY)
    assert (folders.models / SMALL).read_bytes() == DATA
    assert any(r.headers.get("range", "").startswith("bytes=3") for r in server.requests)


def test_resume_while_it_is_still_stopping(qtbot, downloads, server, slow, folders):
    downloads.start(remote())
    qtbot.waitUntil(lambda: is_running(downloads))
    downloads.pause(KEY)
    server.reset()
    with qtbot.waitSignal(downloads.finished):
        downloads.resume(KEY)
    assert (folders.models / SMALL).read_bytes() == DATA


def test_cancel_leaves_nothing(qtbot, downloads, slow, folders):
    downloads.start(remote())
    qtbot.waitUntil(lambda: is_running(downloads))
    with qtbot.waitSignal(downloads.removed):
        downloads.cancel(KEY)
    assert downloads.entry(KEY) is None
    assert left_in(folders) == []


def test_cancel_of_a_paused_one_leaves_nothing(qtbot, downloads, slow, folders):
    downloads.start(remote())
    qtbot.waitUntil(lambda: is_running(downloads))
    downloads.pause(KEY)
    qtbot.waitUntil(lambda: not worker_threads())
    with qtbot.waitSignal(downloads.removed):
        downloads.cancel(KEY)
    assert left_in(folders) == []


def test_two_at_once_and_the_third_waits(qtbot, downloads, server, slow):
    names = [f"rwkv7-g1d-{size}-20260129-ctx8192.pth" for size in ("0.1b", "0.4b", "1.5b")]
    for name in names:
        server.add(REPO, name, DATA)
    for name in names:
        downloads.start(remote(name))
    qtbot.waitUntil(lambda: sum(is_running(downloads, e.id) for e in downloads.entries()) == 2)
    assert [e.status for e in downloads.entries()] == ["running", "running", "waiting"]
    assert len(worker_threads()) == 2
    with qtbot.waitSignals([downloads.finished] * 3):
        server.reset()


def test_a_missing_file_fails_with_a_sentence(qtbot, downloads):
    with qtbot.waitSignal(downloads.failed) as failed:
        downloads.start(remote("rwkv7-g1d-7.2b.pth"))
    key, error = failed.args
    assert isinstance(error, DownloadFailed)
    assert error.kind == "missing"
    assert downloads.entry(key).status == "failed"
    assert downloads.entry(key).error is error


def test_after_a_failure_it_can_be_tried_again(qtbot, downloads, server, folders):
    server.faults.status = 503
    with qtbot.waitSignal(downloads.failed):
        downloads.start(remote())
    server.reset()
    with qtbot.waitSignal(downloads.finished):
        downloads.resume(KEY)
    assert (folders.models / SMALL).read_bytes() == DATA


def test_a_wrong_hash_is_never_ready(qtbot, downloads, server, folders):
    server.faults.corrupt = True
    with qtbot.waitSignal(downloads.failed) as failed:
        downloads.start(remote())
    assert failed.args[1].kind == "damaged"
    assert SMALL not in left_in(folders)


def test_a_restart_shows_it_paused_and_goes_on(qtbot, make_downloads, server, slow, folders):
    first = make_downloads()
    first.start(remote())
    qtbot.waitUntil(lambda: is_running(first))
    first.close()
    assert not worker_threads()
    second = make_downloads()
    (entry,) = second.entries()
    assert (entry.id, entry.status, entry.model) == (KEY, "paused", remote())
    assert 0 < entry.received <= 400_000
    server.reset()
    with qtbot.waitSignal(second.finished):
        second.resume(KEY)
    assert (folders.models / SMALL).read_bytes() == DATA
    assert make_downloads().entries() == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"version": 9}', '{"version": 1, "downloads": [7, {"model": {}}]}']
)
def test_a_damaged_list_is_an_empty_one(qapp, tmp_path, text):
    (tmp_path / "list.json").write_text(text, "utf-8")
    service = DownloadService(tmp_path / "list.json", lambda model: None)  # type: ignore[arg-type]
    assert service.entries() == []
    service.close()


def test_twice_the_same_is_once(qtbot, downloads, slow):
    downloads.start(remote())
    downloads.start(remote())
    assert len(downloads.entries()) == 1


def test_ids():
    assert download_id(remote()) == KEY
    assert download_id(remote("", "fla-hub/rwkv7")) == "fla-hub/rwkv7"
