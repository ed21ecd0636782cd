"""``skein states``, as a user types it."""

import json

import pytest
import torch
import typer
from typer.testing import CliRunner

from engine.archive import StateArchive
from engine.cli import states
from engine.errors import EngineError, StateMismatch
from engine.folders import Folders
from engine.snapshot import Snapshot
from engine.state import State, save_state
from engine.store import Store
from tests.tiny import write_tiny_pth


@pytest.fixture
def skein() -> typer.Typer:
    app = typer.Typer()
    states.register(app)
    app.command("other")(lambda: None)
    return app


def run(app: typer.Typer, *words: object) -> str:
    result = CliRunner().invoke(app, ["states", *map(str, words)], catch_exceptions=True)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def state(layers: int = 2, heads: int = 2) -> State:
    width = 64 * heads
    return State(
        torch.zeros(layers, width),
        torch.randn(layers, heads, 64, 64),
        torch.zeros(layers, width),
        3,
    )


@pytest.fixture
def saved(folders: Folders) -> list[int]:
    """Three chats' worth of states in one chat, closed again."""
    store = Store(folders.database)
    archive = StateArchive(folders.states, store)
    chat = store.create_conversation("天気")
    nodes = [store.add_node(chat.id, None, "user", "x").id for _ in range(3)]
    for node in nodes:
        archive.put(node, "k", 1, "f", Snapshot(state()), disk=True)
        archive.flush()
    archive.close()
    store.close()
    return nodes


def test_an_empty_list(skein):
    assert json.loads(run(skein, "--json"))["checkpoints"] == []
    assert "0 bytes of 4.0 GB" in run(skein)


def test_the_list_shows_sizes(skein, saved):
    listed = json.loads(run(skein, "--json"))
    assert sorted(row["node"] for row in listed["checkpoints"]) == saved
    assert {row["title"] for row in listed["checkpoints"]} == {"天気"}
    total = sum(row["size_bytes"] for row in listed["checkpoints"])
    assert listed["usage_bytes"] == total
    assert "天気" in run(skein)


def test_prune(skein, saved):
    size = json.loads(run(skein, "--json"))["usage_bytes"] // 3
    told = json.loads(run(skein, "prune", "--budget", 0, "--json"))
    assert told["freed_bytes"] == 2 * size
    assert [r["node"] for r in json.loads(run(skein, "--json"))["checkpoints"]] == [saved[-1]]
    assert "Freed 0 bytes" in run(skein, "prune")


def test_import_and_export_round_trip(skein, saved, tmp_path):
    run(skein, "export", "1", tmp_path / "a.pth")
    run(skein, "import", tmp_path / "a.pth", "--name", "Ada")
    assert "Ada" in run(skein)
    run(skein, "export", "Ada", tmp_path / "b.st")
    run(skein, "import", tmp_path / "b.st")
    run(skein, "export", "Ada", tmp_path / "c", "--format", "pth")
    a, c = (torch.load(tmp_path / name, weights_only=True) for name in ("a.pth", "c"))
    assert all(torch.equal(a[name], c[name]) for name in a)
    names = [persona["name"] for persona in json.loads(run(skein, "--json"))["personas"]]
    assert names == ["Ada", "b"]


def test_the_model_decides_whether_it_fits(skein, tmp_path):
    model = write_tiny_pth(tmp_path / "m.pth", vocab=300)
    save_state(tmp_path / "fits", state(), {})
    save_state(tmp_path / "large", state(layers=3), {})
    save_state(tmp_path / "other", state(), {"fingerprint": "other weights"})
    run(skein, "import", tmp_path / "fits", "--model", model)
    (persona,) = json.loads(run(skein, "--json"))["personas"]
    assert (persona["tokens_read"], bool(persona["fingerprint"])) == (3, True)
    for name in ("large", "other"):
        with pytest.raises(StateMismatch):
            run(skein, "import", tmp_path / name, "--model", model)


def test_what_is_not_there_is_a_sentence(skein, tmp_path):
    with pytest.raises(EngineError):
        run(skein, "export", "nobody", tmp_path / "x")
    with pytest.raises(EngineError):
        run(skein, "import", tmp_path / "missing.pth")
    result = CliRunner().invoke(skein, ["states", "export", "1", "x", "--format", "zip"])
    assert result.exit_code == 2
