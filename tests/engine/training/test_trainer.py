"""Runs: they learn, go on bit for bit, and stop when the numbers go wrong."""

import dataclasses
import math
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.checkpoint import inspect
from engine.errors import EngineError
from engine.training.checkpoints import checkpoints, read_state
from engine.training.config import RunConfig, parse_config
from engine.training.curve import read_curve
from engine.training.trainer import train
from engine.training.watch import TrainingStopped
from tests.engine.training.small_run import (
    run,
    small_config,
    small_table,
    with_phases,
    write_data,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was never interrupted; its data are beside it."""
    folder = tmp_path_factory.mktemp("whole")
    result = run(small_config(folder), folder / "out")
    assert result.finished
    assert result.position.step == 40
    assert result.position.tokens == 40 * 64
    return folder / "out"


def same(one: Path, other: Path) -> None:
    assert read_curve(one / "curve.csv") == read_curve(other / "curve.csv")
    weights = load_file(other / "model.safetensors")
    for name, tensor in load_file(one / "model.safetensors").items():
        assert torch.equal(tensor, weights[name]), name


def test_it_learns_and_leaves_its_files(whole_run: Path):
    points = read_curve(whole_run / "curve.csv")
    assert [point.step for point in points] == list(range(1, 41))
    assert [point.phase for point in points] == [1] * 30 + [2] * 10
    assert points[0].loss == pytest.approx(math.log(24), abs=0.2)
    assert points[-1].loss < 2.0
    assert (whole_run / "curve.svg").read_bytes().startswith(b"<svg")
    assert [path.name for path in checkpoints(whole_run)] == ["checkpoint-00000040.safetensors"]
    assert inspect(whole_run / "model.safetensors").shape.vocab == 24


def test_the_same_again(whole_run: Path, tmp_path: Path):
    run(small_config(whole_run.parent), tmp_path)
    same(tmp_path, whole_run)


def test_paused_anywhere_it_goes_on_as_if_nothing_had_happened(whole_run: Path, tmp_path: Path):
    config = small_config(whole_run.parent, read_steps=7)
    result = run(config, tmp_path, stop_at=14)
    assert not result.finished
    assert result.position.step == 14
    result = run(config, tmp_path, stop_at=28, resume=True)
    assert result.position.step == 28
    assert len(checkpoints(tmp_path)) == 2
    result = run(config, tmp_path, stop_at=30, resume=True)  # between two phases
    assert result.position.step in (30, 35)
    assert run(config, tmp_path, resume=True).finished
    assert len(checkpoints(tmp_path)) == 2
    same(tmp_path, whole_run)


def test_killed_it_goes_on_from_its_last_checkpoint(whole_run: Path, tmp_path: Path):
    config = small_config(whole_run.parent, checkpoint_steps=10)
    code = """
        import os, signal, sys
        from pathlib import Path
        from engine.training.trainer import train
        from tests.engine.training.small_run import small_config

        def kill(progress):
            if progress.step >= 25:
                os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

        config = small_config(Path(sys.argv[1]), checkpoint_steps=10)
        train(config, Path(sys.argv[2]), progress=kill, cancelled=lambda: False)
    """
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(whole_run.parent), str(tmp_path)],
        cwd=ROOT,
        check=False,
    )
    assert process.returncode == -getattr(signal, "SIGKILL", -1)
    assert read_state(checkpoints(tmp_path)[-1]).position.step == 20
    assert len(read_curve(tmp_path / "curve.csv")) == 25
    assert run(config, tmp_path, resume=True).finished
    same(tmp_path, whole_run)


def test_a_folder_with_a_run_is_not_written_over(whole_run: Path):
    with pytest.raises(EngineError, match="up to step 40"):
        run(small_config(whole_run.parent), whole_run)
    before = (whole_run / "curve.csv").read_bytes()
    assert run(small_config(whole_run.parent), whole_run, resume=True).finished
    assert (whole_run / "curve.csv").read_bytes() == before


def test_a_name_that_cannot_be_written_is_found_before_the_first_step(tmp_path: Path):
    with pytest.raises(EngineError, match="no suffix that a model is written under"):
        run(small_config(tmp_path, export=["model.bin"]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_step_in_parts_is_the_same_step(whole_run: Path, tmp_path: Path):
    run(small_config(whole_run.parent, micro_batches=2, checkpointing=True), tmp_path)
    parts, whole = read_curve(tmp_path / "curve.csv"), read_curve(whole_run / "curve.csv")
    for one, other in zip(parts, whole, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-4)
        assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-3)


def test_workers_read_the_same_rows(whole_run: Path, tmp_path: Path):
    run(small_config(whole_run.parent, workers=2), tmp_path)
    same(tmp_path, whole_run)


def test_half_precision_learns_too(whole_run: Path, tmp_path: Path):
    config = small_config(whole_run.parent, compute="bf16", export=["a.pth"], export_type="fp16")
    result = run(config, tmp_path)
    assert read_curve(tmp_path / "curve.csv")[-1].loss < 2.0
    assert result.files == (tmp_path / "a.pth",)
    assert inspect(tmp_path / "a.pth").shape.layers == 2


def test_a_run_begins_with_a_model(whole_run: Path, tmp_path: Path):
    table = small_table(whole_run.parent)
    table["model"] = {"start": str(whole_run / "model.safetensors")}
    config = with_phases(parse_config(table, tmp_path), {"steps": 1}, {"steps": 1})
    run(config, tmp_path)
    assert read_curve(tmp_path / "curve.csv")[0].loss < 2.0


def test_an_absurd_learning_rate_stops_the_run(whole_run: Path, tmp_path: Path):
    config = small_config(whole_run.parent, checkpoint_steps=5)
    wild = with_phases(config, {"steps": 10}, {"learning_rate": 1e3, "steps": 60})
    with pytest.raises(TrainingStopped) as error:
        run(wild, tmp_path)
    assert "rose from" in error.value.message or "not a finite" in error.value.message
    assert "learning_rate" in error.value.hint
    assert (tmp_path / "curve.svg").exists()
    assert not (tmp_path / "model.safetensors").exists()
    assert read_state(checkpoints(tmp_path)[-1]).position.step == 10
    assert run(with_phases(wild, {}, {"learning_rate": 1e-3}), tmp_path, resume=True).finished
    assert read_curve(tmp_path / "curve.csv")[-1].loss < 2.0


def poisoned(folder: Path, **changes: Any) -> RunConfig:
    """A run in whose data one document weighs NaN."""
    write_data(folder, poisoned=100)
    config = small_config(folder, read_steps=1, checkpoint_steps=1, **changes)
    data = dataclasses.replace(config.data, others_weight=math.nan)
    return dataclasses.replace(config, data=data)


def test_a_poisoned_row_stops_the_run(tmp_path: Path):
    out = tmp_path / "out"
    with pytest.raises(TrainingStopped, match=r"step \d+: its loss or gradient is not") as error:
        run(poisoned(tmp_path), out)
    last = checkpoints(out)[-1]
    assert f"step {read_state(last).position.step + 1}:" in error.value.message
    assert all(bool(tensor.isfinite().all()) for tensor in load_file(last).values())


def test_a_poisoned_row_can_be_passed_over(tmp_path: Path):
    result = run(poisoned(tmp_path, skip_limit=5), tmp_path / "out")
    assert result.finished
    assert 1 <= result.skipped <= 5
    losses = [point.loss for point in read_curve(tmp_path / "out" / "curve.csv")]
    assert sum(math.isnan(loss) for loss in losses) == result.skipped
    assert result.loss < math.log(24)
    weights = load_file(tmp_path / "out" / "model.safetensors")
    assert all(bool(tensor.isfinite().all()) for tensor in weights.values())


def test_data_of_another_vocabulary(tmp_path: Path):
    config = small_config(tmp_path)
    model = dataclasses.replace(config.model, vocab=20)
    with pytest.raises(EngineError, match="a token 23, but the model only 20"):
        run(dataclasses.replace(config, model=model), tmp_path / "out")


def test_a_checkpoint_of_another_model(whole_run: Path):
    config = small_config(whole_run.parent)
    for change in ({"layers": 3}, {"ffn": 192}):
        model = dataclasses.replace(config.model, **change)
        with pytest.raises(EngineError, match="other sizes"):
            run(dataclasses.replace(config, model=model), whole_run, resume=True)


def test_a_deadline_and_a_budget(tmp_path: Path):
    result = run(small_config(tmp_path, shares=True, budget_seconds=1e-6), tmp_path / "out")
    assert result.finished
    assert result.position.step == 0
    assert math.isnan(result.loss)
    config = small_config(tmp_path)
    told: list[object] = []
    result = train(
        config,
        tmp_path / "late",
        progress=told.append,
        cancelled=lambda: False,
        deadline=time.monotonic(),
    )
    assert not result.finished
    assert result.position.step == 0
    assert told == []
    assert run(config, tmp_path / "late", resume=True).position.step == 40
