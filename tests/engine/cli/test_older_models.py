"""RWKV-4, 5 and 6 on the command line: told what they are, and run like any other."""

import json
from pathlib import Path

import pytest

from engine.cli.main import main
from tests.older import GENERATIONS, write_older_pth


@pytest.fixture(params=GENERATIONS)
def older(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    name = f"RWKV-{request.param}-World-tiny.pth"
    return request.param, write_older_pth(tmp_path / name, request.param)


def say(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_inspect_names_the_generation(older: tuple[str, Path], capsys) -> None:
    generation, path = older
    _, out, _ = say(capsys, "inspect", path)
    assert f"RWKV-{generation}, an older generation (pth, fp32)" in out
    assert ("Heads x size" in out) == (generation != "4")
    assert ("Ranks" in out) == (generation == "6")
    _, out, _ = say(capsys, "inspect", path, "--json")
    assert json.loads(out)["architecture"] == f"rwkv{generation[0]}"


def test_a_saved_state_goes_on_where_it_was(older: tuple[str, Path], tmp_path, capsys) -> None:
    _, path = older
    state, model = tmp_path / "state.safetensors", (path, "--strategy", "cpu fp32 @1")
    greedy = ("--temperature", 0, "--json")
    begin = (*("generate", *model, "--prompt", "The goose"), *greedy)
    whole = json.loads(say(capsys, *begin, "--max-tokens", 12)[1])
    first = json.loads(say(capsys, *begin, "--max-tokens", 5, "--save-state", state)[1])
    code, out, _ = say(capsys, "generate", *model, "--state", state, "--max-tokens", 7, *greedy)
    assert code == 0
    assert first["text"] + json.loads(out)["text"] == whole["text"]


def test_a_plan_says_that_it_is_older(older: tuple[str, Path], capsys) -> None:
    generation, path = older
    _, out, _ = say(capsys, "plan", path)
    assert f"RWKV-{generation[0]} is an older generation" in out


def test_weights_that_the_package_lacks_are_refused(older: tuple[str, Path], capsys) -> None:
    _, path = older
    code, _, err = say(capsys, "generate", path, "--strategy", "cpu q4", "--max-tokens", 1)
    assert code == 1
    assert "models of RWKV-4, 5 and 6 have no q4" in " ".join(err.split())
