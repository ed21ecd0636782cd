"""``skein download`` and ``skein models``, as they are typed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from engine.cli import download, models
from engine.errors import DownloadFailed, EngineError
from engine.folders import Folders
from engine.hub.remote_model import describe
from engine.settings import Settings
from tests.hub_server import HubServer
from tests.tiny import write_tiny_pth

REPO = "BlinkDL/rwkv7-g1"
NEW, OLD = "rwkv7-g1d-0.1b-20260129-ctx8192.pth", "rwkv7-g1a-0.1b-20250728-ctx4096.pth"
LARGE = "rwkv7-g1d-1.5b-20260212-ctx8192.pth"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    from huggingface_hub.utils import close_session

    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("HF_TOKEN", "")
    close_session()
    with HubServer() as running:
        for name in (NEW, OLD, LARGE):
            running.add(REPO, name, name.encode() * 1000)
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        yield running
    close_session()


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))


def skein(*words: str) -> Result:
    app = typer.Typer()
    download.register(app)
    models.register(app)
    return CliRunner().invoke(app, list(words))


def test_a_part_of_the_name_is_enough(server: HubServer, folders: Folders):
    result = skein("download", REPO, "0.1b", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["path"] == str(folders.models / NEW)
    assert (folders.models / NEW).read_bytes() == NEW.encode() * 1000
    assert told["size_bytes"] == len(NEW) * 1000


def test_an_address_and_a_folder(server: HubServer, tmp_path: Path):
    url = f"{server.endpoint}/{REPO}/resolve/main/{OLD}"
    result = skein("download", url, "--folder", str(tmp_path / "here"))
    assert result.stdout.strip() == str(tmp_path / "here" / OLD)


def test_a_repository_in_the_hugging_face_layout(server: HubServer, folders: Folders):
    files = {"config.json": b"{}", "model.safetensors": bytes(300_000)}
    for name, data in files.items():
        server.add("fla-hub/rwkv7-0.1B-g1", name, data)
    told = json.loads(skein("download", "fla-hub/rwkv7-0.1B-g1", "--json").stdout)
    folder = folders.models / "rwkv7-0.1B-g1"
    assert (told["path"], told["size_bytes"]) == (str(folder), 300_002)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == files


def test_what_is_ambiguous_shows_the_choice(server: HubServer):
    error = skein("download", REPO).exception
    assert isinstance(error, EngineError)
    assert NEW in error.hint
    assert LARGE in error.hint


def test_what_is_not_there_is_an_engine_error(server: HubServer):
    assert isinstance(skein("download", REPO, "70b").exception, EngineError)
    assert isinstance(skein("download", "nobody/nothing").exception, DownloadFailed)


def test_the_endpoint_can_be_given(server: HubServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert skein("download", REPO, NEW, "--endpoint", server.endpoint).exit_code == 0


def test_offline_is_kept(server: HubServer, folders: Folders):
    folders.settings_file.write_text("version = 1\noffline = true\n")
    assert isinstance(skein("download", REPO, NEW).exception, DownloadFailed)
    assert server.requests == []


def test_pick_prefers_what_runs():
    pth, gguf = describe(REPO, NEW), describe(REPO, NEW.replace(".pth", ".gguf"))
    assert download.pick([gguf, pth], "0.1b") == pth
    assert download.pick([gguf], "") == gguf


def test_models_on_this_computer(folders: Folders):
    write_tiny_pth(folders.models / "rwkv7-tiny.pth", width=64, vocab=256)
    (folders.models / "broken.pth").write_bytes(b"nothing")
    listed = skein("models").stdout
    assert "rwkv7-tiny.pth" in listed
    assert "RWKV-7" in listed
    assert "fp32 pth" in listed
    assert "broken.pth" in listed
    told = [m for m in json.loads(skein("models", "--json").stdout) if not m["built_in"]]
    assert told[0]["info"]["shape"]["layers"] == 2
    assert told[1]["problem"]


def test_without_any_model_the_list_says_how_to_get_one(folders: Folders, capsys):
    models.print_local(folders, Settings(), None, as_json=False)
    assert "No model is here yet" in capsys.readouterr().out


def test_the_built_in_model_is_listed_first_and_as_what_it_is(
    folders: Folders, tmp_path: Path, capsys
):
    built_in = write_tiny_pth(tmp_path / "rwkv7-zz.pth", width=64, vocab=256)
    (tmp_path / "vocabulary.txt").write_text("1 'a' 1")
    write_tiny_pth(folders.models / "rwkv7-a.pth", width=64, vocab=256)
    models.print_local(folders, Settings(), built_in, as_json=False)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("rwkv7-zz.pth")
    assert first.endswith("built in")
    assert str(folders.models) in second
    models.print_local(folders, Settings(), built_in, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [model["built_in"] for model in told] == [True, False]
    assert told[0]["path"] == str(built_in)


def test_prepared_models_are_deleted(folders: Folders):
    folders.packed.mkdir()
    (folders.packed / "a.packed").write_bytes(bytes(3_000_000))
    assert skein("models", "--delete-prepared").stdout == "Freed 3 MB.\n"
    assert not list(folders.packed.iterdir())
    told = skein("models", "--delete-prepared", "--json").stdout
    assert json.loads(told) == {"freed_bytes": 0}


def test_models_on_the_hub_and_without_it(server: HubServer):
    told = json.loads(skein("models", "--remote", "--json").stdout)
    assert {model["file"] for model in told} == {NEW, OLD, LARGE}
    server.close()
    later = skein("models", "--remote")
    assert later.exit_code == 0, later.output
    assert NEW in later.stdout
    assert "This is the list of" in later.stderr


def test_no_hub_and_no_list(server: HubServer):
    server.close()
    assert isinstance(skein("models", "--remote").exception, DownloadFailed)
