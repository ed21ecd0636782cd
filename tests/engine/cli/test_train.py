"""``skein train``: the tiny run of the repository as anyone would start it, a pause, wrong uses."""

import _thread
import math
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from engine.checkpoint import inspect
from engine.cli.main import main
from engine.cli.train import register
from engine.training.curve import read_curve
from tests.engine.training.small_run import write_data

ROOT = Path(__file__).parents[3]
TINY = ROOT / "resources" / "training" / "tiny.toml"

LOSS_OF_THE_TINY_RUN = 3.5
"""Mean of its last 20 steps in nats per token, with the seeds of the file; it begins at 7.7."""

RUN = """
[model]
layers = 1
width = 64
ffn = 64
vocab = 24
ranks = [8, 8, 8, 8]
[data]
kind = "binidx"
path = "counting"
[train]
device = "cpu"
compute = "fp32"
threads = 1
learning_rate = 3e-3
read_steps = 2
export_type = "fp32"
[[phase]]
steps = 100000
batch = 2
length = 16
[[phase]]
steps = 3
batch = 2
length = 16
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_data(tmp_path)
    (tmp_path / "run.toml").write_text(RUN)
    return tmp_path / "run.toml"


def train(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def test_the_tiny_run(tmp_path: Path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "engine", "train", "--config", str(TINY), "--out", str(out)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("step 10/110  phase 1/2  loss ")
    assert "tokens/s" in lines[0]
    assert " left" in lines[0]
    assert any(line.startswith("Finished at step 110: 56,320 tokens in ") for line in lines)
    points = read_curve(out / "curve.csv")
    assert points[0].loss == pytest.approx(math.log(2304), abs=0.3)
    assert sum(point.loss for point in points[-20:]) / 20 < LOSS_OF_THE_TINY_RUN
    assert (out / "curve.svg").read_text("utf-8").count("<polyline") == 6
    assert inspect(out / "model.safetensors").shape.vocab == 2304


def test_ctrl_c_pauses_and_resume_goes_on(config: Path, tmp_path: Path):
    out = tmp_path / "out"

    def interrupt() -> None:
        curve = out / "curve.csv"
        while not curve.exists() or curve.read_bytes().count(b"\n") < 4:
            time.sleep(0.01)
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    paused = train("--config", config, "--out", out)
    thread.join()
    assert paused.exit_code == 0, paused.output
    assert "Paused at step " in paused.stdout
    assert "with --resume" in paused.stdout
    assert (out / "model.safetensors").exists()
    steps = len(read_curve(out / "curve.csv"))
    ended = train("--config", config, "--out", out, "--resume", "--set", "phase.0.steps=1")
    assert ended.exit_code == 0, ended.output
    assert f"Finished at step {steps + 3}:" in ended.stdout
    assert "The configuration was changed" in ended.stderr


def test_a_limit_of_seconds(config: Path, tmp_path: Path):
    paused = train("--config", config, "--out", tmp_path / "out", "--max-seconds", "0.001")
    assert paused.exit_code == 0, paused.output
    assert "Paused at step 0: 0 tokens in 0:00" in paused.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "A run needs its configuration and a folder."),
        (["--config", "none.toml", "--out", "x"], "none.toml cannot be read"),
        (["--config", str(TINY), "--out", "x", "--set", "train.clip=much"], "train.clip = 'much'"),
    ],
)
def test_wrong_uses(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    assert main(["train", *arguments]) == 1
    assert said in capsys.readouterr().err
