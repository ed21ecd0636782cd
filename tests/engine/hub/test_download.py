"""Downloads over real HTTP: cut, stopped, refused, damaged, resumed."""

import logging
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from engine.errors import DownloadFailed
from engine.hub.connection import Hub
from engine.hub.download import Download
from engine.hub.partial import PartFile, unfinished
from engine.hub.remote_model import describe
from tests.hub_server import Faults, HubServer

REPO, NAME = "BlinkDL/rwkv7-g1", "rwkv7-g1d-0.1b-20260129-ctx8192.pth"
DATA = random.Random(7).randbytes(2_000_003)
FAST = (0.0, 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def hub(server: HubServer) -> Hub:
    server.add(REPO, NAME, DATA)
    return Hub(server.endpoint, timeout_s=5)


def download(hub: Hub, folder: Path, **options) -> Download:
    options.setdefault("pauses_s", FAST)
    return Download(describe(REPO, NAME), folder, hub=hub, **options)


def run(job: Download, stop: threading.Event | None = None) -> tuple[Path, list]:
    seen: list = []
    return job.run(seen.append, stop or threading.Event()), seen


def failure(job: Download, stop: threading.Event | None = None) -> DownloadFailed:
    with pytest.raises(DownloadFailed) as caught:
        run(job, stop)
    assert caught.value.message.endswith((".", "!"))
    return caught.value


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_arrives_whole(hub, folder):
    path, seen = run(download(hub, folder))
    assert path == folder / NAME
    assert path.read_bytes() == DATA
    assert left_in(folder) == {NAME}
    phases = list(dict.fromkeys(report.phase for report in seen))
    assert phases == ["starting", "downloading", "verifying"]
    assert all(report.total == len(DATA) for report in seen[1:])
    assert seen[-1].received == len(DATA)


def test_speed_and_remaining_time_are_reported(server, hub, folder):
    server.faults.piece_delay_s = 0.01
    _, seen = run(download(hub, folder))
    running = [r for r in seen if r.phase == "downloading" and r.bytes_per_s > 0]
    assert running
    assert running[0].remaining_s == pytest.approx(
        (running[0].total - running[0].received) / running[0].bytes_per_s
    )


def test_a_second_run_finds_the_file(server, hub, folder):
    run(download(hub, folder))
    server.requests.clear()
    path, seen = run(download(hub, folder))
    assert path == folder / NAME
    assert not server.asked("GET", "resolve")
    assert seen[-1].phase == "verifying"


def test_a_cut_connection_goes_on_where_it_was(server, hub, folder):
    server.faults = Faults(cut_after=600_000, cuts=3)
    path, _ = run(download(hub, folder))
    assert path.read_bytes() == DATA
    starts = [r.headers.get("range") for r in server.asked("GET", "storage")]
    assert starts[0] is None
    assert len(starts) == 4
    assert all(starts[1:])


def test_it_gives_up_and_keeps_what_came(server, hub, folder):
    server.faults = Faults(status=503, where="resolve", times=-1)
    assert failure(download(hub, folder)).kind == "server"
    server.reset()
    server.faults = Faults(cut_after=500_000, cuts=1)
    stop = threading.Event()
    job = download(hub, folder, pauses_s=())
    assert failure(job, stop).kind == "offline"
    assert 0 < job.received <= 500_000
    server.reset()
    assert run(download(hub, folder))[0].read_bytes() == DATA
    assert server.asked("GET", "storage")[0].headers["range"].startswith("bytes=")


def stop_at(
    job: Download, bytes_here: int, stop: threading.Event
) -> tuple[threading.Thread, list[float]]:
    """Stop a download once so much of it is on the disk; return who watches, and when it was."""
    stopped: list[float] = []

    def watch() -> None:
        deadline = time.monotonic() + 10
        while job.received < bytes_here and time.monotonic() < deadline:
            time.sleep(0.01)
        stopped.append(time.monotonic())
        stop.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    return watcher, stopped


def test_pause_is_quick_even_when_the_line_is_dead(server, hub, folder):
    server.faults = Faults(stall_after=200_000)
    stop = threading.Event()
    job = download(hub, folder)
    watcher, stopped = stop_at(job, 200_000, stop)
    assert failure(job, stop).kind == "stopped"
    assert time.monotonic() - stopped[0] < 0.8
    assert job.received == 200_000
    assert not (folder / NAME).exists()
    watcher.join()


def test_a_new_object_resumes(server, hub, folder):
    test_pause_is_quick_even_when_the_line_is_dead(server, hub, folder)
    (begun,) = unfinished(folder)
    assert (begun.wanted.repo, begun.wanted.file, begun.received) == (REPO, NAME, 200_000)
    server.reset()
    path, seen = run(download(hub, folder))
    assert path.read_bytes() == DATA
    assert seen[0].received == 200_000
    assert server.asked("GET", "storage")[0].headers["range"] == "bytes=200000-"
    assert unfinished(folder) == []


def test_a_killed_process_is_resumed(server, hub, folder):
    server.faults = Faults(stall_after=1_500_000)
    code = (
        "import sys, threading; from pathlib import Path\n"
        "from engine.hub.connection import Hub; from engine.hub.download import Download\n"
        "from engine.hub.remote_model import describe\n"
        "Download(describe(sys.argv[1], sys.argv[2]), Path(sys.argv[3]), hub=Hub(sys.argv[4]))"
        ".run(lambda p: None, threading.Event())"
    )
    root = Path(__file__).parents[3]
    child = subprocess.Popen(
        [sys.executable, "-c", code, REPO, NAME, str(folder), server.endpoint], cwd=root
    )
    part = PartFile(folder / NAME)
    deadline = time.monotonic() + 20
    while part.received < 1_000_000 and time.monotonic() < deadline:
        time.sleep(0.02)
    child.kill()
    child.wait()
    received = part.received
    assert received >= 1_000_000
    assert not (folder / NAME).exists()
    server.reset()
    assert run(download(hub, folder))[0].read_bytes() == DATA
    assert server.asked("GET", "storage")[0].headers["range"] == f"bytes={received}-"


def test_a_server_without_ranges_starts_again(server, hub, folder):
    server.faults = Faults(cut_after=500_000, cuts=1, ignore_range=True)
    assert run(download(hub, folder))[0].read_bytes() == DATA


def test_a_wrong_hash_never_gets_the_name(server, hub, folder):
    server.faults.corrupt = True
    error = failure(download(hub, folder))
    assert error.kind == "damaged"
    assert "SHA-256" in error.message
    assert left_in(folder) == set()
    server.faults.corrupt = False
    assert run(download(hub, folder))[0].read_bytes() == DATA


def test_a_part_that_was_damaged_here_is_found_out(hub, folder):
    job = download(hub, folder)
    folder.mkdir()
    part = PartFile(folder / NAME)
    facts = hub.file(REPO, NAME)
    from engine.hub.partial import Wanted

    part.begin(Wanted(REPO, NAME, facts.revision, facts.size_bytes, facts.sha256))
    part.path.write_bytes(bytes(1000))
    assert failure(job).kind == "damaged"
    assert left_in(folder) == set()


def test_a_part_of_an_older_release_is_thrown_away(server, hub, folder):
    server.faults = Faults(cut_after=500_000, cuts=1)
    failure(download(hub, folder, pauses_s=()))
    newer = DATA[::-1]
    server.add(REPO, NAME, newer)
    assert run(download(hub, folder))[0].read_bytes() == newer
    assert not [r for r in server.asked("GET", "storage") if r.headers.get("range")]


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (401, {}, "refused"),
        (403, {}, "refused"),
        (404, {"X-Error-Code": "EntryNotFound"}, "missing"),
        (404, {"X-Error-Code": "RepoNotFound"}, "missing"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "missing"),
        (429, {"Retry-After": "120"}, "busy"),
        (429, {}, "busy"),
        (500, {}, "server"),
        (503, {}, "server"),
    ],
)
@pytest.mark.parametrize("where", ["resolve", "storage"])
def test_what_the_hub_refuses_is_said(server, hub, folder, status, headers, kind, where):
    server.faults = Faults(status=status, headers=headers, where=where)
    error = failure(download(hub, folder))
    assert error.kind == kind
    assert error.hint
    assert not (folder / NAME).exists()
    if "Retry-After" in headers:
        assert "2 minutes" in error.hint


def test_trouble_that_passes_is_waited_for(server, hub, folder):
    server.faults = Faults(status=503, where="storage", times=2)
    assert run(download(hub, folder))[0].read_bytes() == DATA
    server.reset()


def test_a_short_wait_that_is_asked_for_is_kept(server, hub, folder):
    server.faults = Faults(status=429, where="resolve", times=1, headers={"Retry-After": "0"})
    assert run(download(hub, folder))[0].read_bytes() == DATA


def test_stop_ends_a_wait_between_tries(server, hub, folder):
    server.faults = Faults(status=503, where="storage")
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    assert failure(download(hub, folder, pauses_s=(30.0,)), stop).kind == "stopped"
    assert time.monotonic() - began < 1


def test_terms_that_must_be_accepted_are_named(server, hub, folder):
    server.gated.add(REPO)
    error = failure(download(hub, folder))
    assert error.kind == "refused"
    assert "terms" in error.message
    assert "token" in error.hint


def test_the_token_goes_to_the_hub_only_and_into_no_log(server, hub, folder, caplog):
    server.gated.add(REPO)
    caplog.set_level(logging.DEBUG)
    run(download(Hub(server.endpoint, token="hf_secretsecret"), folder))
    sent = {r.host: r.headers.get("authorization") for r in server.requests}
    assert sent[f"127.0.0.1:{server.port}"] == "Bearer hf_secretsecret"
    assert sent[f"localhost:{server.port}"] is None
    assert "secretsecret" not in caplog.text
    assert not any("secretsecret" in path.read_text("latin-1") for path in folder.iterdir())


def test_a_token_that_is_no_good_is_named(server, folder, hub):
    server.faults = Faults(status=401)
    error = failure(download(Hub(server.endpoint, token="hf_old"), folder))
    assert "token" in error.message
    assert "hf_old" not in str(error)


def test_nobody_at_the_address(server, hub, folder):
    server.close()
    error = failure(download(hub, folder))
    assert error.kind == "offline"
    assert "127.0.0.1" in error.message


def test_a_full_disk_is_seen_first(server, hub, folder):
    error = failure(
        download(hub, folder, margin_bytes=100_000, free_bytes=lambda _: len(DATA) + 99_999)
    )
    assert error.kind == "full"
    assert "2.0 MB" in error.message
    assert not server.asked("GET", "resolve")
    run(download(hub, folder, margin_bytes=100_000, free_bytes=lambda _: len(DATA) + 100_000))


def test_only_what_is_missing_needs_room(server, hub, folder):
    server.faults = Faults(stall_after=1_900_000)
    stop = threading.Event()
    job = download(hub, folder)
    watcher, _ = stop_at(job, 1_900_000, stop)
    failure(job, stop)
    watcher.join()
    server.reset()
    run(download(hub, folder, margin_bytes=0, free_bytes=lambda _: 100_003))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's always full device")
def test_a_disk_that_fills_meanwhile_is_said(hub, folder):
    folder.mkdir()
    (folder / f"{NAME}.part").symlink_to("/dev/full")
    job = download(hub, folder)
    facts = hub.file(REPO, NAME)
    from engine.hub.partial import Wanted

    note = Wanted(REPO, NAME, facts.revision, facts.size_bytes, facts.sha256)
    PartFile(folder / "x").begin(note)
    os.replace(folder / "x.part.json", folder / f"{NAME}.part.json")
    error = failure(job)
    assert error.kind == "full"


def test_a_folder_that_cannot_be_made_is_said(hub, tmp_path):
    (tmp_path / "file").write_text("in the way")
    error = failure(download(hub, tmp_path / "file" / "models"))
    assert error.kind == "disk"


def test_another_file_of_the_same_name_is_left_alone(hub, folder):
    folder.mkdir()
    (folder / NAME).write_bytes(b"mine")
    path, _ = run(download(hub, folder))
    assert path.name == f"{Path(NAME).stem} (BlinkDL).pth"
    assert (folder / NAME).read_bytes() == b"mine"
    assert run(download(hub, folder))[0] == path


def test_two_repositories_may_use_one_name(server, hub, folder):
    server.faults = Faults(cut_after=500_000, cuts=1)
    failure(download(hub, folder, pauses_s=()))
    server.add("someone/else", NAME, b"x" * 1000)
    other = Download(describe("someone/else", NAME), folder, hub=hub, pauses_s=FAST)
    assert run(other)[0].name == f"{Path(NAME).stem} (someone).pth"
    path, _ = run(download(hub, folder))
    assert path.name == NAME
    assert path.read_bytes() == DATA


def test_two_processes_do_not_write_one_file(hub, folder):
    folder.mkdir()
    with PartFile(folder / NAME).locked():
        assert failure(download(hub, folder)).kind == "busy"
    run(download(hub, folder))


def test_cancel_removes_everything(server, hub, folder):
    server.faults = Faults(cut_after=500_000, cuts=1)
    job = download(hub, folder, pauses_s=())
    failure(job)
    assert job.received > 0
    job.discard()
    assert job.received == 0
    assert left_in(folder) == set()


def test_a_name_that_would_leave_the_folder_is_refused(hub, folder):
    model = describe("someone/else", "../../x.pth")
    assert failure(Download(model, folder, hub=hub)).kind == "missing"


def test_offline_mode_is_said(hub, folder, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    error = failure(download(hub, folder))
    assert error.kind == "offline"
    assert "HF_HUB_OFFLINE" in error.message
