"""``skein train evaluate``, as it is typed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from engine.cli import train_evaluate
from engine.cli.train_evaluate import bar, failure_lines, needed
from engine.errors import EngineError
from engine.training.evaluate import TASKS, Failure, TaskResult
from tests.engine.training.test_evaluate import write_small_vocabulary
from tests.tiny import write_tiny_pth


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    write_small_vocabulary(folder / "vocabulary.txt")
    return write_tiny_pth(folder / "model.pth", width=64, layers=1, vocab=320)


def skein(*words: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    train_evaluate.register(app)
    return CliRunner().invoke(app, ["evaluate", *words])


def test_a_table_and_the_files(model: Path, tmp_path: Path):
    out, losses = tmp_path / "report.json", tmp_path / "losses.npz"
    result = skein(
        str(model), "--tasks", "counting, thinking", "--per-task", "1", "--strategy", "cpu fp32",
        "--json", str(out), "--losses", str(losses), "--show-failures",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    for word in ("counting", "0/1", "90%", "missed", "without it", "expected:", "nats"):
        assert word in result.stdout
    report = json.loads(out.read_text("utf-8"))
    assert [task["task"] for task in report["tasks"]] == ["counting", "thinking"]
    assert report["passed"] is False
    assert len(report["zeros_after_relu2"]) == 1
    with np.load(losses) as arrays:
        assert arrays["losses"].mean() == pytest.approx(report["loss"], rel=1e-5)


def test_strict_fails_where_a_bar_is_missed(model: Path):
    words = (str(model), "--tasks", "copying", "--per-task", "1", "--strategy", "cpu fp32")
    assert skein(*words, "--strict").exit_code == 1


def test_what_cannot_be_evaluated(model: Path, tmp_path: Path):
    assert isinstance(skein(str(model), "--tasks", "knitting").exception, EngineError)
    assert isinstance(skein(str(tmp_path / "none.pth")).exception, EngineError)
    for option, name in (("--json", "no/x.json"), ("--losses", "no/x.npz"), ("--losses", "x.txt")):
        error = skein(str(model), option, str(tmp_path / name)).exception  # before it asks anything
        assert isinstance(error, EngineError), name


def test_words():
    assert bar(0) == "░" * 16
    assert bar(0.5) == "█" * 8 + "░" * 8
    by_name = {task.name: task for task in TASKS}
    assert needed(TaskResult(by_name["memory"], 1, 2)) == "95%"
    thinking = TaskResult(by_name["thinking"], 1, 2, (Failure("q", "e", "a", "t"),), 1)
    assert needed(thinking) == "over 50.0%\nwithout it"
    assert failure_lines(thinking) == [
        "[thinking] q", "  expected: e", "  thought:  t", "  answered: a",
    ]  # fmt: skip


def test_a_rented_machine_has_enough_to_evaluate():
    absent = "rwkv tomlkit platformdirs keyring huggingface_hub PySide6 pynvml ziamath pygments"
    program = f"""
import sys
for name in {absent.split()}:
    sys.modules[name] = None
import engine.training.evaluate, engine.training.corpus.sums, engine.cli.train_evaluate
import engine.cli.loading, engine.built_in
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=100)
