"""Checkpoints: all comes back, the newest two stay, bad files are refused."""

from pathlib import Path

import pytest
import torch

from engine.errors import DamagedFile, EngineError
from engine.training.checkpoints import (
    RunState,
    checkpoints,
    gather,
    read_state,
    remove_unfinished,
    restore,
    save,
)
from engine.training.optimizer import adamw
from engine.training.schedule import Position
from engine.training.watch import Watched

STATE = RunState(Position(7, 1, 2, 999, 1.5), Watched(1.0, 2.0, 3, 4))


def made(value: float) -> tuple[dict[str, torch.nn.Parameter], torch.optim.Optimizer]:
    parameters = {
        "emb.weight": torch.nn.Parameter(torch.full((3, 2), value)),
        "blocks.0.att.w0": torch.nn.Parameter(torch.full((1, 1, 2), value)),
    }
    return parameters, adamw([{"params": list(parameters.values()), "lr": 0.1}])


def step(parameters: dict[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
    for parameter in parameters.values():
        parameter.grad = torch.linspace(-1, 2, parameter.numel()).view(parameter.shape)
    optimizer.step()


def test_all_comes_back(tmp_path: Path):
    parameters, optimizer = made(1.0)
    step(parameters, optimizer)
    path = save(tmp_path, gather(parameters, optimizer), STATE)
    assert read_state(path) == STATE
    others, other_optimizer = made(5.0)
    restore(path, others, other_optimizer)
    for times in range(2):
        for name in parameters:
            assert torch.equal(parameters[name], others[name]), (name, times)
        step(parameters, optimizer)
        step(others, other_optimizer)


def test_what_is_restored_holds_no_file_open(tmp_path: Path):
    parameters, optimizer = made(1.0)
    step(parameters, optimizer)
    path = save(tmp_path, gather(parameters, optimizer), STATE)
    others, other_optimizer = made(5.0)
    restore(path, others, other_optimizer)
    size = path.stat().st_size
    with path.open("r+b") as file:  # what were still the mapped file would change with it
        file.write(bytes(size))
    for name, parameter in parameters.items():
        for key in ("exp_avg", "exp_avg_sq"):
            moment = other_optimizer.state[others[name]][key]
            assert torch.equal(moment, optimizer.state[parameter][key]), (name, key)


def test_before_the_first_step_there_are_no_moments(tmp_path: Path):
    parameters, optimizer = made(1.0)
    path = save(tmp_path, gather(parameters, optimizer), STATE)
    others, other_optimizer = made(5.0)
    restore(path, others, other_optimizer)
    assert not other_optimizer.state
    assert torch.equal(others["emb.weight"], parameters["emb.weight"])


def test_the_newest_two_stay(tmp_path: Path):
    parameters, optimizer = made(1.0)
    held = gather(parameters, optimizer)
    for number in (5, 100, 30):
        save(tmp_path, held, RunState(Position(step=number), Watched()))
    assert [read_state(path).position.step for path in checkpoints(tmp_path)] == [30, 100]
    (tmp_path / "checkpoint-best.safetensors").write_bytes(b"a user's own")
    assert len(checkpoints(tmp_path)) == 2
    left = tmp_path / ".checkpoint-00000031.safetensors.1234.part"
    left.write_bytes(b"half")
    remove_unfinished(tmp_path)
    assert not left.exists()
    assert len(checkpoints(tmp_path)) == 2


def test_what_is_not_finite_is_not_written(tmp_path: Path):
    parameters, optimizer = made(float("inf"))
    with pytest.raises(EngineError, match=r"emb\.weight is not finite"):
        save(tmp_path, gather(parameters, optimizer), STATE)
    assert list(tmp_path.iterdir()) == []


def test_bad_files(tmp_path: Path):
    parameters, optimizer = made(1.0)
    path = save(tmp_path, gather(parameters, optimizer), STATE)
    path.write_bytes(path.read_bytes()[:-9])
    for read in (lambda: read_state(path), lambda: restore(path, parameters, optimizer)):
        with pytest.raises(DamagedFile, match="cannot be read"):
            read()
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(DamagedFile, match="no checkpoint"):
        read_state(path)
    with pytest.raises(EngineError, match="other sizes"):
        restore(path, parameters, optimizer)
