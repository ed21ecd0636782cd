"""Folders of several files over real HTTP: whole, stopped, resumed, changed, refused."""

import random
import threading
from pathlib import Path

import pytest

from engine.errors import DownloadFailed
from engine.hub.connection import Hub, HubFile
from engine.hub.folder_download import NOTE, FolderDownload, make_download, wanted_files
from engine.hub.remote_model import describe
from tests.hub_server import Faults, HubServer

REPO = "RWKV/RWKV7-G1d-0.1B-HF"
FILES = {
    "config.json": b'{"model_type": "rwkv7"}',
    "tokenizer_config.json": b"{}",
    "rwkv_vocab_v20230424.txt": b"1 'a' 1",
    "model-00001-of-00002.safetensors": random.Random(1).randbytes(900_001),
    "model-00002-of-00002.safetensors": random.Random(2).randbytes(700_003),
}
TOTAL = sum(map(len, FILES.values()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def hub(server: HubServer) -> Hub:
    for name, data in FILES.items():
        server.add(REPO, name, data)
    for name in ("README.md", "modeling_rwkv7.py", "pytorch_model.bin", "sub/model.safetensors"):
        server.add(REPO, name, b"not wanted")
    return Hub(server.endpoint, timeout_s=5)


def job(hub: Hub, folder: Path, **options) -> FolderDownload:
    options.setdefault("pauses_s", (0.0, 0.0))
    return FolderDownload(describe(REPO, "", size_bytes=TOTAL), folder, hub=hub, **options)


def run(made: FolderDownload, stop: threading.Event | None = None) -> tuple[Path, list]:
    seen: list = []
    return made.run(seen.append, stop or threading.Event()), seen


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def stop_at(bytes_here: int, stop: threading.Event):
    return lambda report: stop.set() if report.received >= bytes_here else None


def interrupted(hub: Hub, folder: Path, bytes_here: int) -> None:
    stop = threading.Event()
    with pytest.raises(DownloadFailed) as caught:
        job(hub, folder).run(stop_at(bytes_here, stop), stop)
    assert caught.value.kind == "stopped"
    assert "RWKV7-G1d-0.1B-HF" in caught.value.message


def test_a_folder_arrives_whole_and_only_what_a_model_needs(hub, folder):
    path, seen = run(job(hub, folder))
    assert path == folder / "RWKV7-G1d-0.1B-HF"
    assert contents(path) == FILES
    assert [p.name for p in folder.iterdir()] == [path.name]
    assert seen[0].phase == "starting"
    assert all(report.total == TOTAL for report in seen[1:])
    assert seen[-1].received == TOTAL
    downloading = [r.received for r in seen if r.phase == "downloading"]
    assert downloading == sorted(downloading), "one progress, that never goes back"


def test_until_then_nothing_is_there_under_its_name(hub, folder, server):
    server.faults.piece_delay_s = 0.01
    interrupted(hub, folder, 300_000)
    (hidden,) = folder.iterdir()
    assert hidden.name.startswith(".")
    assert 0 < job(hub, folder).received < TOTAL


def test_what_is_whole_is_not_fetched_again(hub, folder, server):
    server.faults.piece_delay_s = 0.03
    interrupted(hub, folder, 950_000)
    server.reset()
    path, _ = run(job(hub, folder))
    assert contents(path) == FILES
    assert not server.asked("GET", "00001-of")
    (again,) = server.asked("GET", "/storage/" + REPO + "/model-00002")
    assert int(again.headers["range"].removeprefix("bytes=").rstrip("-")) > 0


def test_a_second_run_finds_it(hub, folder, server):
    run(job(hub, folder))
    server.requests.clear()
    path, _ = run(job(hub, folder))
    assert contents(path) == FILES
    assert not server.asked("GET", "resolve")


def test_a_folder_that_was_damaged_meanwhile_says_so(hub, folder):
    path, _ = run(job(hub, folder))
    name = "model-00002-of-00002.safetensors"
    (path / name).write_bytes(bytes(len(FILES[name])))
    with pytest.raises(DownloadFailed, match="00002-of-00002") as caught:
        run(job(hub, folder))
    assert caught.value.kind == "damaged"


def test_another_commit_replaces_only_what_changed(hub, folder, server):
    server.faults.piece_delay_s = 0.01
    interrupted(hub, folder, 1_200_000)
    server.reset()
    server.add(REPO, "config.json", b'{"model_type": "rwkv7", "new": 1}')
    path, _ = run(job(hub, folder))
    assert (path / "config.json").read_bytes() == b'{"model_type": "rwkv7", "new": 1}'
    assert not server.asked("GET", "00001-of")


def test_a_damaged_file_is_refused_and_fetched_again(hub, folder, server):
    server.faults = Faults(corrupt=True)
    with pytest.raises(DownloadFailed) as caught:
        run(job(hub, folder))
    assert caught.value.kind == "damaged"
    server.reset()
    assert contents(run(job(hub, folder))[0]) == FILES


def test_cancel_leaves_nothing(hub, folder, server):
    server.faults.piece_delay_s = 0.01
    interrupted(hub, folder, 300_000)
    job(hub, folder).discard()
    assert list(folder.iterdir()) == []
    assert job(hub, folder).received == 0


def test_a_full_disk_is_said_before_anything_comes(hub, folder, server):
    with pytest.raises(DownloadFailed) as caught:
        run(job(hub, folder, free_bytes=lambda _folder: 1_000_000))
    assert caught.value.kind == "full"
    assert not server.asked("GET", "resolve")


def test_the_same_name_of_another_owner_stays(hub, folder, server):
    (folder / "RWKV7-G1d-0.1B-HF").mkdir(parents=True)
    (folder / "RWKV7-G1d-0.1B-HF" / "config.json").write_text("mine")
    path, _ = run(job(hub, folder))
    assert path.name == "RWKV7-G1d-0.1B-HF (RWKV)"
    assert (folder / "RWKV7-G1d-0.1B-HF" / "config.json").read_text() == "mine"


def test_a_repository_without_such_a_model(server, folder):
    server.add(REPO, "config.json", b"{}")
    with pytest.raises(DownloadFailed, match="no model in the Hugging Face layout"):
        run(job(Hub(server.endpoint, timeout_s=5), folder))


def test_names_from_the_hub_stay_inside(hub, folder):
    names = (
        "../a.json",
        "config.json",
        "con.json",
        "a/b.json",
        "CONFIG.json",
        NOTE,
        "x.safetensors",
    )
    files = [HubFile(name, 5, "", "c") for name in names]
    assert [file.path for file in wanted_files(files)] == ["config.json", "x.safetensors"]


def test_the_note_of_a_kill_is_no_obstacle(hub, folder):
    hidden = folder / ".RWKV7-G1d-0.1B-HF.download"
    hidden.mkdir(parents=True)
    (hidden / NOTE).write_text("{")
    (hidden / "config.json").write_text("half")
    assert contents(run(job(hub, folder))[0]) == FILES


def test_files_and_folders_are_told_apart(hub, folder):
    single = describe("BlinkDL/rwkv7-g1", "rwkv7-g1d-0.1b.pth")
    assert not isinstance(make_download(single, folder, hub=hub), FolderDownload)
    assert isinstance(make_download(describe(REPO, ""), folder, hub=hub), FolderDownload)
