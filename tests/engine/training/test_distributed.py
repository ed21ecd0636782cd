"""Two real processes under torchrun, over gloo: the same run as one process makes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.errors import EngineError
from engine.training.checkpoints import checkpoints, read_state
from engine.training.config import RunConfig
from engine.training.curve import read_curve
from engine.training.distributed import World, joined, place, whole
from tests.engine.training.small_run import run, small_config, with_phases

ROOT = Path(__file__).parents[3]
TORCHRUN = [
    *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
    *("--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1"),
]


def short(folder: Path) -> RunConfig:
    return with_phases(small_config(folder), {"steps": 8}, {"steps": 4, "batch": 4})


def test_two_processes_make_the_run_of_one(tmp_path: Path):
    run(short(tmp_path), tmp_path / "one")  # writes the data, too
    ended = subprocess.run(
        [*TORCHRUN, "-m", "tests.engine.training.two_processes", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "USE_LIBUV": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert 5 < read_state(checkpoints(tmp_path / "fsdp")[-1]).position.step < 12
    config = short(tmp_path)  # what two processes began with FSDP, one ends
    assert run(config, tmp_path / "fsdp", resume=True).position.step == 12
    alone = read_curve(tmp_path / "one" / "curve.csv")
    weights = load_file(tmp_path / "one" / "model.safetensors")
    assert [point.step for point in alone] == list(range(1, 13))
    for sharding in ("ddp", "fsdp"):
        together = read_curve(tmp_path / sharding / "curve.csv")
        for one, other in zip(together, alone, strict=True):
            assert one.loss == pytest.approx(other.loss, abs=1e-4), (sharding, one.step)
            assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-3)
            assert one.tokens == other.tokens
        for name, tensor in load_file(tmp_path / sharding / "model.safetensors").items():
            # With AdamW's eps of 1e-18 a gradient of all but nothing makes a step as large.
            assert float((tensor - weights[name]).abs().mean()) < 2e-4, (sharding, name)


def test_alone_everything_is_what_it_is():
    with joined("cpu") as world:
        assert world == World(0, 1, torch.device("cpu"))
        assert world.leads
        agreed = world.agree(2.0, 3.0, True)
        assert (agreed.weight, agreed.seconds, agreed.stop) == (2.0, 3.0, True)
        world.wait()
        assert world.same(7)
    tensor = torch.arange(3.0)
    assert torch.equal(place(whole(tensor), tensor), tensor)


def test_a_card_that_is_not_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOCAL_RANK", "97")
    with pytest.raises(EngineError, match="no CUDA card number 97"), joined("cuda"):
        pass
