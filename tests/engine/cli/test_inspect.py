"""``skein inspect``: the table, the JSON, and what a bad file gets."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from engine.checkpoint import inspect
from engine.cli.inspect import register
from engine.errors import DamagedFile
from tests.engine.checkpoint.files import weights, write


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    register(made)
    made.callback()(lambda: None)
    return made


def test_json_holds_the_whole_info(tmp_path: Path, app: typer.Typer):
    path = write(tmp_path, "pth", weights())
    result = CliRunner().invoke(app, ["inspect", str(path), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    info = inspect(path)
    assert told["fingerprint"] == info.fingerprint
    assert told["shape"]["ranks"] == {"w": 16, "a": 24, "v": 8, "g": 32}
    assert told["shape"]["heads"] == 2
    assert told["path"] == str(path)


def test_the_table_names_what_people_ask_for(tmp_path: Path, app: typer.Typer):
    path = write(tmp_path, "pth", weights())
    result = CliRunner().invoke(app, ["inspect", str(path)])
    assert result.exit_code == 0, result.output
    for word in (str(path), "RWKV-7", "bf16", "2 x 64", inspect(path).fingerprint):
        assert word in result.stdout


def test_a_bad_file_is_an_engine_error(tmp_path: Path, app: typer.Typer):
    result = CliRunner().invoke(app, ["inspect", str(tmp_path / "nowhere.pth")])
    assert isinstance(result.exception, DamagedFile)
