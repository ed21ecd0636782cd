"""``skein hardware`` and ``skein plan``: tables, JSON, and what bad input gets."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from engine import bandwidth
from engine.cli import hardware, plan
from engine.errors import EngineError
from engine.hardware import Hardware
from engine.plan import RELEASED
from tests.engine.checkpoint.files import weights, write
from tests.engine.machines import MACHINES


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bandwidth, "measure", lambda *_: 30e9)


@pytest.fixture
def run():
    app = typer.Typer()
    hardware.register(app)
    plan.register(app)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def card_8_gb(tmp_path: Path) -> Path:
    path = tmp_path / "other.json"
    path.write_text(MACHINES["card 8 GB"].to_json(), encoding="utf-8")
    return path


def test_hardware_json_is_what_plan_reads(run, tmp_path: Path):
    told = run("hardware", "--json")
    assert told.exit_code == 0, told.output
    assert Hardware.from_json(told.stdout).ram_bandwidth == 30e9
    path = tmp_path / "this.json"
    path.write_text(told.stdout, encoding="utf-8")
    assert run("plan", "--catalogue", "--hardware", path).exit_code == 0


def test_hardware_for_people(run):
    told = run("hardware")
    assert told.exit_code == 0, told.output
    assert "30 GB/s (measured)" in told.stdout
    assert "Graphics card" in told.stdout


def test_a_card_that_is_not_used_says_why(run, monkeypatch: pytest.MonkeyPatch):
    other = MACHINES["card 24 GB, torch for the processor"]
    monkeypatch.setattr(hardware, "detect", lambda cache: other)
    assert "Not used: The installed PyTorch" in run("hardware").stdout


def test_plan_of_a_file(run, tmp_path: Path):
    path = write(tmp_path, "pth", weights())
    told = run("plan", path)
    assert told.exit_code == 0, told.output
    assert "Runs on your" in told.stdout
    row = json.loads(run("plan", path, "--json").stdout)
    assert row["verdict"] == "fits"
    assert row["needs"][0]["total_bytes"] > 0
    assert row["write_tokens_per_s"] > 0


def test_plan_of_exactly_this_on_another_computer(run, tmp_path: Path, card_8_gb: Path):
    path = write(tmp_path, "pth", weights())
    row = json.loads(
        run("plan", path, "--json", "--hardware", card_8_gb, "--strategy", "CUDA FP16").stdout
    )
    assert row["strategy"] == "cuda fp16"


def test_the_catalogue_has_all_released_sizes(run, card_8_gb: Path):
    rows = json.loads(run("plan", "--catalogue", "--json", "--hardware", card_8_gb).stdout)
    names = [row["model"] for row in rows]
    assert names[: len(RELEASED)] == [f"RWKV-7 {label.upper()}" for label in RELEASED]
    assert rows[-1]["verdict"] == "too_large"
    table = run("plan", "--catalogue", "--hardware", card_8_gb).stdout
    assert "too large" in table
    assert "cuda fp16" in table


@pytest.mark.parametrize("words", [("plan",), ("plan", "a.pth", "--catalogue")])
def test_nothing_or_two_things_to_plan(run, words):
    assert isinstance(run(*words).exception, EngineError)


def test_a_wrong_description_of_a_computer(run, tmp_path: Path):
    path = tmp_path / "wrong.json"
    path.write_bytes(b"\xff\xfe")
    for file in (path, tmp_path / "nowhere.json"):
        told = run("plan", "--catalogue", "--hardware", file)
        assert isinstance(told.exception, EngineError)
        assert file.name in told.exception.message


def test_saving_power_reads_slower(run, tmp_path: Path):
    path = tmp_path / "other.json"
    path.write_text(MACHINES["card 8 GB"].to_json(), encoding="utf-8")
    words = ("plan", "--catalogue", "--json", "--hardware", path, "--strategy", "cpu fp32")
    usual, saving = (json.loads(run(*words, *more).stdout)[0] for more in ([], ["--power-saving"]))
    assert 0 < saving["read_tokens_per_s"] < 0.7 * usual["read_tokens_per_s"]
