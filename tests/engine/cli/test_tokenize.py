"""``skein tokenize``: the list, the JSON, standard input."""

import json

import pytest
import typer
from typer.testing import CliRunner

from engine.cli.main import main
from engine.cli.tokenize import register


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    register(made)
    made.callback()(lambda: None)
    return made


def test_the_list(app: typer.Typer):
    result = CliRunner().invoke(app, ["tokenize", "User: ✿\n"])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        " 24281  'User'",
        "    59  ':'",
        "    33  ' '",
        " 10060  '✿'",
        "    11  '\\n'",
        "5 tokens",
    ]


def test_json_and_standard_input(app: typer.Typer):
    result = CliRunner().invoke(app, ["tokenize", "-", "--json"], input=b"User\n\n\xff")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "count": 3,
        "tokens": [24281, 261, 256],
        "pieces": ["User", "\n\n", "\ufffd"],
    }


def test_a_lone_surrogate_and_nothing(app: typer.Typer):
    result = CliRunner().invoke(app, ["tokenize", "a\ud800", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["count"] == 4
    assert json.loads(CliRunner().invoke(app, ["tokenize", "", "--json"]).stdout)["tokens"] == []


def test_help_names_the_program_as_it_is_called(capsys: pytest.CaptureFixture[str]):
    assert main(["tokenize", "--help"]) == 0
    assert "Usage: skein tokenize" in capsys.readouterr().out
